// A comparison of two models from their texts to the document: one pass for the sums, then what is found in them.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage

package struct DifferenceRun {
  /// What to compute; the rest follows from the models.
  package struct Options: Sendable {
    package var tokensPerText = 64
    /// The most texts of each half.
    package var texts = 2000
    /// The blocks of which means are kept; nil is the middle one.
    package var layers: [Int]?
    package var positions = 8
    package var mostRaised = 100
    package var topics = 3
    /// The filters of the orders of tokens.
    package var filters: [OrderFilter] = []
    package var seed: UInt64 = 0
    /// The texts that chat writes by itself.
    package var written = 16
    /// The prompts that are answered with what chat changed counting more.
    package var amplified = 6
    /// Whether the analyses that run the models again are made: patchscopes, parting texts, effects, texts that chat writes.
    package var runsAgain = true

    package init() {}
  }

  package let engine: Engine
  /// The adapter's folder, whose matrices are scrambled for the control; nil leaves the control out.
  package var control: String?
  package let names: (base: String, chat: String)
  package let options: Options
  /// The file in which sums are kept while the pass goes on; nil keeps none.
  package var kept: String?

  package init(engine: Engine, names: (base: String, chat: String), options: Options) {
    (self.engine, self.names, self.options) = (engine, names, options)
  }

  /// - Returns: the document and the directions δ that it names.
  /// - Throws: `InputError`, the modules' own errors.
  package func run(_ texts: DifferenceTexts) throws -> (document: DifferenceDocument, directions: [DirectionRecord]) {
    let shape = engine.model.configuration
    let settings = DifferenceSettings(
      layers: options.layers ?? [shape.nLayers / 2 - 1], positions: options.positions,
      mostRaised: min(options.mostRaised, engine.models.sharedVocabulary))
    var document = DifferenceDocument(
      setup: .init(
        base: names.base, chat: names.chat, precision: engine.model.precision.rawValue,
        tokensPerText: options.tokensPerText, mostRaised: settings.mostRaised, seed: options.seed,
        crosscope: ProgramVersion.current, noDifference: false, remarks: texts.remarks + vocabularyRemark))
    let (sums, forget) = try sums(engine.models, texts.texts, settings, label: "differences", kept: kept)
    let findings = DifferenceFindings(
      engine: engine, models: engine.models, texts: texts.texts, sums: sums, seed: options.seed)
    document.corpora = findings.figures()
    document.divergences = findings.divergences()
    document.blocks = findings.blocks()
    guard !sums.showsNoDifference else {
      document.setup.noDifference = true
      forget()
      return (document, [])
    }
    document.setup.filters = options.filters.isEmpty ? nil : options.filters
    document.orders = findings.orders(options.filters)
    if options.topics > 0 { document.topics = findings.topics(options.topics) }
    document.windows = findings.windows()
    let directions: [DirectionRecord]
    (document.lenses, directions) = try findings.lenses(
      patches: options.runsAgain, progress: Self.progress("lens", "directions"))
    if options.runsAgain {
      document.texts = try findings.partingTexts(progress: Self.progress("reading", "texts"))
      document.effects = try findings.effects(
        of: document.lenses, vector: { name in directions.first { $0.name == name }?.vector },
        progress: Self.progress("effect", "vectors"))
      document.written = try findings.written(
        options.written, tokens: 48, progress: Self.progress("writing", "tokens"))
      document.amplified = try findings.amplified(
        options.amplified, tokens: 32, progress: Self.progress("amplified answers", "prompts"))
    }
    if let control { document.scrambled = try scrambled(control, texts, settings) }
    forget()
    return (document, directions)
  }

  private var vocabularyRemark: [String] {
    let (base, chat) = (engine.baseModel.configuration.vocabSize, engine.model.configuration.vocabSize)
    guard base != chat else { return [] }
    return [
      "Base knows \(base) tokens and chat \(chat); the first \(engine.models.sharedVocabulary), which both know, are compared."
    ]
  }

  private func sums(
    _ models: PairedModels, _ texts: [DifferenceText], _ settings: DifferenceSettings, label: String, kept path: String?
  ) throws -> (sums: DifferenceSums, forget: () -> Void) {
    var pass = DifferencePassRun(models: models, texts: texts, settings: settings)
    pass.label = label
    if let path { pass.kept = (path, try identity(texts, settings)) }
    return (try pass.run(), pass.forget)
  }

  /// A hash of all that decides the sums.
  private func identity(_ texts: [DifferenceText], _ settings: DifferenceSettings) throws -> String {
    var parts = [
      "differences 1", try RememberedHash.sha256(path: engine.modelPath), engine.adapter?.sha256 ?? "",
      storedJSON(settings), engine.model.precision.rawValue,
    ]
    if engine.adapter == nil, let path = engine.basePath { parts.append(try RememberedHash.sha256(path: path)) }
    var hash = SHA256()
    for part in parts { hash.add(part + "\n") }
    for text in texts {
      text.ids.withUnsafeBytes { hash.add($0) }
      hash.add("\(text.corpus.rawValue) \(text.answerStart ?? -1)\n")
    }
    return hash.finish()
  }

  /// The same pass with the adapter's matrices scrambled.
  private func scrambled(
    _ adapter: String, _ texts: DifferenceTexts, _ settings: DifferenceSettings
  ) throws -> DifferenceDocument.Scrambled {
    let models = PairedModels(
      chat: engine.model, base: engine.baseModel,
      adapter: try Adapter(path: adapter, for: engine.model, scrambled: options.seed))
    let (sums, _) = try sums(models, texts.texts, settings, label: "scrambled control", kept: nil)
    let findings = DifferenceFindings(
      engine: engine, models: models, texts: texts.texts, sums: sums, seed: options.seed)
    return .init(
      orders: findings.orders(options.filters),
      lenses: try findings.lenses(patches: false, progress: { _, _ in }).lenses)
  }

  private static func progress(_ label: String, _ unit: String) -> (Int, Int) -> Void {
    var line: ProgressLine?
    return { done, total in
      if line == nil { line = ProgressLine(label, total: total, unit: unit) }
      line?.update(done)
      if done == total { line = nil }
    }
  }
}

extension SHA256 {
  fileprivate mutating func add(_ text: String) { Array(text.utf8).withUnsafeBytes { add($0) } }
}
