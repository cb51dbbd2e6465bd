// An import from its files to the store. Faults that are cheap to find come first; one pass over the decoder and the store's
// tables follow. The store is a temporary file until it is whole (StoreWriter), so a killed import leaves the old one as it
// was. The next import writes the tables again, which takes a minute, and resumes the search for similar latents, which takes
// most of the time (SimilarityCheckpoint). Memory holds the table, one batch of contexts, and mapped pages of the checkpoint.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage
import TUI

/// One import.
package struct ImportRun {
  package let store: String
  package let crosscoder: String
  package let examples: String?
  package let table: String?
  /// Dashboards of the same dictionary.
  package let dashboards: (any DashboardSource)?
  package let tokenizer: String?
  package let baseName: String?
  package let chatName: String?
  package let layer: Int?
  package let model: String?
  package let meanNorms: [Double]?
  package let choice: DictionaryChoice
  package let precision: Precision

  package init(
    store: String, crosscoder: String, examples: String?, table: String?, dashboards: (any DashboardSource)? = nil,
    tokenizer: String?, baseName: String?, chatName: String?, layer: Int?, model: String?, meanNorms: [Double]?,
    choice: DictionaryChoice, precision: Precision
  ) {
    self.store = store
    self.crosscoder = crosscoder
    self.examples = examples
    self.table = table
    self.dashboards = dashboards
    self.tokenizer = tokenizer
    self.baseName = baseName
    self.chatName = chatName
    self.layer = layer
    self.model = model
    self.meanNorms = meanNorms
    self.choice = choice
    self.precision = precision
  }

  package func run() throws {
    let file = try CrosscoderFile(path: crosscoder, choice: choice)
    try file.requirePlace()
    for note in file.notes { writeError("import: note: \(termSafe(note))") }
    let names = try ImportNames(file: file, base: baseName, chat: chatName, layer: layer)
    if let own = dashboards?.names.layer, own != names.layer {
      throw InputError.invalid(
        source: dashboards?.path ?? "", expected: "dashboards of layer \(names.layer), as the crosscoder reads",
        found: "\(own)")
    }
    let table = try self.table.map { try LatentTable(path: $0, nLatents: file.nLatents) }
    let examples = try self.examples.map { try PublishedExamples(path: $0) }
    let engine = try self.model.map { try loaded(model: $0, file: file, layer: names.layer) }
    var tokenizer = engine?.tokenizer
    if let path = self.tokenizer { tokenizer = try Tokenizer(path: path) }
    if examples != nil, tokenizer == nil {
      writeError("import: no tokenizer is given: contexts will show token ids, and their text cannot be searched")
    }
    if let table { report(table) }

    writeError("import: reading \(termSafe(file.path)), \(file.nLatents) latents of width \(file.dModel)")
    let decoder = try file.decoderRows()
    let geometry = decoder.geometry()
    if let table { warnOfOtherNorms(table, geometry) }
    try file.checkRest()
    let hash = try file.sha256()
    var latents = (0..<file.nLatents).map { Self.record($0, geometry) }
    try table?.fill(&latents)
    let metrics = table?.metrics(besides: latents) ?? []
    if let examples, table?.hasMaxima != true {
      for (latent, value) in try examples.maxima() where latent < latents.count && value >= 0 {
        latents[latent].maxActivation = value
      }
    }
    rank(&latents)

    let largestToken = try examples.map { try $0.largestToken() } ?? -1
    let known = engine?.model.configuration.vocabSize ?? tokenizer?.vocabularySize ?? 0
    let pair = try modelPair(
      file, names, hash: hash, vocabSize: dashboards == nil ? max(known, Int(largestToken) + 1, 1) : Int(Int32.max))
    let writer = try StoreWriter(replacing: store, pair: pair, meta: meta(table?.layout))
    if let tokenizer { try writer.add(tokens: tokenizer.records) }
    try writer.add(latents: latents)
    for metric in metrics {
      try writer.add(
        metric: metric.name,
        values: metric.values.enumerated().lazy.filter { !$1.isNaN }.map { (latent: $0, value: $1) })
    }
    if let examples { try add(examples, to: writer, nLatents: file.nLatents) }
    if let dashboards {
      var filling = try DashboardWriter(
        writer, source: dashboards, layer: names.layer,
        beside: .init(
          nLatents: file.nLatents, dModel: file.dModel, vocabulary: max(known, Int(largestToken) + 1),
          hasLens: engine != nil))
      try filling.readAll()
      filling.report()
    }
    if let engine { try addLens(engine, decoder, to: writer) }
    let checkpoints = PairModel.allCases.map { model in
      SimilarityCheckpoint(
        path: StorePlace.folder(of: writer.path)
          + "/.\(URL(filePath: writer.path).lastPathComponent).\(model.rawValue).partial",
        identity: "\(hash) \(model.rawValue)")
    }
    try addNeighbours(decoder, latents, to: writer, checkpoints)
    try file.check()
    try engine?.checkFiles()
    try warnOfDamage(at: writer.path, label: "import")
    try writer.finish { try carried($0, from: writer.path, crosscoderHash: hash, label: "import") }
    for checkpoint in checkpoints { checkpoint.remove() }
    writeError("import: \(termSafe(writer.path)) is ready")
  }

  // MARK: Reading

  private func loaded(model path: String, file: CrosscoderFile, layer: Int) throws -> Engine {
    let engine = try Engine(model: path, precision: precision)
    let configuration = engine.model.configuration
    guard configuration.dModel == file.dModel, layer < configuration.nLayers else {
      throw InputError.invalid(
        source: path, expected: "a model of width \(file.dModel) with a block \(layer), as the crosscoder reads",
        found: "\(configuration.nLayers) blocks of width \(configuration.dModel)")
    }
    return engine
  }

  private func report(_ table: LatentTable) {
    if !table.leftOut.isEmpty {
      writeError(
        "import: columns without numbers are left out: \(termSafe(table.leftOut.joined(separator: ", ")))")
    }
    if table.infinite > 0 { writeError("import: \(table.infinite) infinite cells are taken as missing") }
  }

  /// If table and crosscoder have base and chat exchanged, every sign is wrong, and nothing else would show it.
  private func warnOfOtherNorms(_ table: LatentTable, _ geometry: DecoderGeometry) {
    guard let (straight, exchanged) = table.normDifferences(geometry), straight > 0.01 else { return }
    writeError(
      exchanged < 0.01
        ? """
        import: warning: base and chat are exchanged between \(termSafe(table.path)) and the crosscoder: the table's \
        dec_base_norm is the norm of the crosscoder's second decoder; use the crosscoder that the table was made with, or \
        exchange the table's columns and its dec_norm_diff
        """
        : """
        import: warning: decoder norms in \(termSafe(table.path)) differ from the crosscoder's by \
        \(Int((min(straight, 10) * 100).rounded())) % (median); use the table that was made with this crosscoder
        """)
  }

  private static func record(_ latent: Int, _ geometry: DecoderGeometry) -> LatentRecord {
    let delta = geometry.deltaNorm(latent)
    var record = LatentRecord(
      id: latent,
      latentClass: Storage.LatentClass(rawValue: LatentClass(deltaNorm: delta).rawValue) ?? .other)
    (record.decNormBase, record.decNormChat) = (geometry.baseNorms?[latent], geometry.chatNorms?[latent])
    (record.deltaNorm, record.cosBaseChat) = (delta, geometry.cosines?[latent] ?? nil)
    return record
  }

  /// Ranks the latents by chat-specificity. Tables have no count of active tokens: a latent with betas had enough of
  /// them.
  private func rank(_ latents: inout [LatentRecord]) {
    let ranks = chatSpecificityRank(
      latents.map { latent in
        var betas = LatentScaling.Betas()
        betas.activeTokens = .max
        // The order needs the ratios and the sign of chat's betas.
        (betas.errorChat, betas.errorBase) = Self.betas(latent.nuError, latent.betaErrorChat)
        (betas.reconstructionChat, betas.reconstructionBase) = Self.betas(
          latent.nuReconstruction, latent.betaReconstructionChat)
        return ChatSpecificity(deltaNorm: latent.deltaNorm, betas: betas, dead: latent.dead)
      })
    // A one-model dictionary has no chat-specificity unless the table has it.
    guard latents.contains(where: { $0.deltaNorm != nil || $0.nuError != nil }) else { return }
    for index in latents.indices { latents[index].chatSpecificity = ranks[index] + 1 }
  }

  private static func betas(_ ratio: Double?, _ chat: Double?) -> (chat: Double?, base: Double?) {
    guard let ratio else { return (nil, nil) }
    let chat = chat ?? 1
    return (chat, ratio * chat)
  }

  // MARK: Writing

  private func add(_ examples: PublishedExamples, to writer: StoreWriter, nLatents: Int) throws {
    let counts = try examples.counts()
    var (done, progress) = (0, ProgressLine("import", total: counts.sequences, unit: "sequences"))
    let numbers = try examples.readSequences(corpus: "unknown corpus") { (records) throws(StorageError) in
      try writer.add(sequences: records)
      done += records.count
      progress.update(done)
    }
    (done, progress) = (0, ProgressLine("import", total: counts.examples, unit: "examples"))
    let missing = try examples.readExamples(nLatents: nLatents, sequences: numbers) {
      (records) throws(StorageError) in
      try writer.add(examples: records)
      done += records.count
      progress.update(done)
    }
    let others = try examples.countWithoutLatent()
    if others > 0 {
      writeError(
        "import: \(others) examples belong to no latent, as of a method without a dictionary, and are left out")
    }
    if missing > 0 { writeError("import: \(missing) examples have no activations recorded and are left out") }
  }

  private func addLens(_ engine: Engine, _ decoder: DecoderRows, to writer: StoreWriter) throws {
    var progress = ProgressLine("import", total: decoder.nLatents, unit: "logit lenses")
    let lens = LogitLens { engine.model.unembed($0) }
    for start in stride(from: 0, to: decoder.nLatents, by: 1024) {
      let block = start..<min(start + 1024, decoder.nLatents)
      let readings = lens.read(decoder, latents: block) { progress.update(start + $0) }
      try writer.add(logits: zip(block, readings).flatMap { IndexStage.logits(latent: $0, $1) })
    }
  }

  private func addNeighbours(
    _ decoder: DecoderRows, _ latents: [LatentRecord], to writer: StoreWriter, _ checkpoints: [SimilarityCheckpoint]
  ) throws {
    // The parts are thousandths of the pairs of both models.
    var progress = ProgressLine("import: similar latents", total: 2000, unit: "parts")
    let similar = PairModel.allCases.map { model in
      decoder.similarLatents(model, checkpoint: checkpoints[model.index]) {
        progress.update(model.index * 1000 + Int($0 * 1000))
      }
    }
    let classes = latents.map { LatentClass(deltaNorm: $0.deltaNorm) }
    let twins =
      decoder.has(.base) && decoder.has(.chat) ? decoder.twins(classes: classes, dead: latents.map(\.dead)) : []
    try writer.add(neighbours: IndexStage.neighbours(similar, twins: twins))
  }

  private func modelPair(
    _ file: CrosscoderFile, _ names: ImportNames, hash: String, vocabSize: Int
  ) throws -> ModelPair {
    let folder = StorePlace.folder(of: store)
    let card = ImportCard(
      form: file.form, choice: choice, activation_units: "checkpoint", mean_norms: meanNorms,
      input_scaling: file.card.inputScaling,
      metrics: file.card.metrics, training_tokens: file.card.trainingTokens)
    let tokenizerPath = tokenizer.map { path in
      FileManager.default.fileExists(atPath: path + "/tokenizer.json") ? path + "/tokenizer.json" : path
    }
    func recorded(_ path: String?, sha256: (String) throws -> String) throws -> ModelPair.File? {
      try path.map { .init(path: StorePlace.recorded($0, folder: folder), sha256: try sha256($0)) }
    }
    return ModelPair(
      base: names.base, chat: names.chat, layer: names.layer, dModel: file.dModel, nLatents: file.nLatents,
      vocabSize: vocabSize, model: try recorded(model) { try RememberedHash.sha256(path: $0) },
      crosscoder: .init(path: StorePlace.recorded(file.path, folder: folder), sha256: hash),
      tokenizer: try recorded(tokenizerPath ?? model) { try RememberedHash.sha256(path: $0) }, card: try card.text())
  }

  private func meta(_ layout: LatentTableLayout?) -> [String: String] {
    var meta = ["program": "crosscope \(ProgramVersion.current)", "imported_crosscoder": crosscoder]
    if let examples { meta["imported_examples"] = examples }
    if let table { meta["imported_latents"] = table }
    if let dashboards {
      meta["imported_dashboards"] = dashboards.path
      meta[DashboardImport.sourceKey] = dashboards.name
    }
    if let layout { meta[LatentTableLayout.key] = storedJSON(layout) }
    return meta
  }
}
