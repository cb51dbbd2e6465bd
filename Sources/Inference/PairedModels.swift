// The weights of a pair of models and passes over both. The two differ by an adapter that turns base into chat, or they are
// two files of the same shape.

import Kernels

/// Both models' weights, immutable once loaded. With an adapter, base and chat share one copy.
public struct PairedModels: Sendable {
  /// The weights of chat, to which `adapter` is added if there is one.
  public let chat: Transformer
  /// The weights of base: the same object unless base has a file of its own.
  public let base: Transformer
  /// The change by fine-tuning, on top of `chat`; nil if chat is a whole model or there is no pair.
  public let adapter: Adapter?

  public init(chat: Transformer, base: Transformer, adapter: Adapter?) {
    (self.chat, self.base, self.adapter) = (chat, base, adapter)
  }

  /// Whether there are two models: chat is base with an adapter, or each has its own file.
  public var isPair: Bool { adapter != nil || !sharesWeights }

  /// Whether both models run on one copy of the weights, in one pass.
  public var sharesWeights: Bool { base === chat }

  /// The weights of one of the models.
  public func transformer(of model: PairModel) -> Transformer { model == .base ? base : chat }

  /// The adapter that goes on top of `transformer(of:)`.
  public func adapter(of model: PairModel) -> Adapter? { model == .base ? nil : adapter }

  /// Runs timelines of both models: in one pass if they share weights, otherwise base's pass comes first.
  /// - Parameters:
  ///   - segments: this function sets their adapters. Segments of chat may be amplified.
  ///   - models: the model to which each segment's timeline belongs.
  ///   - hooks: they see all segments of a pass at once; with two sets of weights they see base's before chat's.
  /// - Returns: the logits of each segment.
  /// - Throws: the errors of `Transformer.forward`; no timeline has then advanced.
  public func forward(
    _ segments: [Segment], of models: [PairModel], hooks: Hooks = Hooks()
  ) throws(InferenceError) -> [Matrix] {
    precondition(segments.count == models.count, "a model for each segment")
    precondition(
      zip(segments, models).allSatisfy { $0.amplified == nil || $1 == .chat }, "base has no change to amplify")
    var segments = segments
    for index in segments.indices { segments[index].adapter = adapter(of: models[index]) }
    guard !sharesWeights else { return try chat.forward(segments, hooks: hooks) }
    var logits = segments.map { _ in Matrix(rows: 0, columns: chat.configuration.vocabSize) }
    let counts = segments.map(\.cache.count)
    do {
      for side in PairModel.allCases {
        let here = segments.indices.filter { models[$0] == side }
        guard !here.isEmpty else { continue }
        let found = try transformer(of: side).forward(here.map { segments[$0] }, hooks: hooks)
        for (index, found) in zip(here, found) { logits[index] = found }
      }
    } catch {
      for (segment, count) in zip(segments, counts) { segment.cache.truncate(to: count) }
      throw error
    }
    return logits
  }

  /// Checks that the models' files are unchanged since they were read.
  /// - Throws: `InferenceError.fileChanged`.
  public func checkFiles() throws(InferenceError) {
    try chat.checkFiles()
    try base.checkFiles()
  }
}

extension PairedModels {
  /// Loads the weights of a pair by their paths; see the other `init`.
  public init(
    model: String, adapter: String? = nil, base: String? = nil, precision: Precision = .exact,
    vocabulariesMayDiffer: Bool = false
  ) throws(InferenceError) {
    try self.init(
      ModelSource(path: model), adapter: adapter, base: base, precision: precision,
      vocabulariesMayDiffer: vocabulariesMayDiffer)
  }

  /// Loads the weights of a pair; no tokenizer is needed.
  /// - Parameters:
  ///   - source: chat, or base if there is an adapter.
  ///   - adapter: a directory in PEFT's format that turns base into chat.
  ///   - base: a GGUF file or folder of base, if `source` is all of chat.
  ///   - vocabulariesMayDiffer: whether one model may know tokens that the other one lacks, after those that both have.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  init(
    _ source: ModelSource, adapter: String?, base: String?, precision: Precision, vocabulariesMayDiffer: Bool
  ) throws(InferenceError) {
    guard adapter == nil || base == nil else {
      throw .settingInvalid(
        name: "the pair", expected: "an adapter or a base model, not both", found: "\(adapter ?? "") and \(base ?? "")")
    }
    let baseSource = try base.map { path throws(InferenceError) in try ModelSource(path: path) }
    try ModelSource.requireMemory([source] + (baseSource.map { [$0] } ?? []))
    let chat = try source.transformer(precision: precision)
    let other = try baseSource.map { source throws(InferenceError) in
      let other = try source.transformer(precision: precision)
      let (found, wanted) = (
        other.shape(vocabulary: !vocabulariesMayDiffer), chat.shape(vocabulary: !vocabulariesMayDiffer)
      )
      guard found == wanted else {
        throw InferenceError.unsupported(
          path: source.path, what: "the base model", found: found, supported: "the shape of chat, \(wanted)")
      }
      return other
    }
    self.init(
      chat: chat, base: other ?? chat,
      adapter: try adapter.map { path throws(InferenceError) in try Adapter(path: path, for: chat) })
  }

  /// The number of tokens that both models know; their numbers are the same in both.
  public var sharedVocabulary: Int { min(chat.configuration.vocabSize, base.configuration.vocabSize) }
}

extension Transformer {
  /// What two models of a pair have in common, in words.
  fileprivate func shape(vocabulary: Bool) -> String {
    let shape = configuration
    return "\(family) of \(shape.nLayers) blocks, width \(shape.dModel)"
      + (vocabulary ? ", \(shape.vocabSize) tokens" : "")
  }
}
