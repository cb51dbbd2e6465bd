// Measures how likely the baseline and each plan find a given answer to a prompt, token by token (teacher forcing):
//   log p_arm(y_i | prompt, y_<i)    and    KL(baseline ‖ arm) of the distributions from which y_i would be drawn.
// Given the baseline's own answer, this shows where steering begins to act; given a phrase such as "I cannot", how far
// steering moves the start of the answer. Each arm has one timeline, which is rewound to the prompt's end after each
// answer. Shape letters: V vocabulary.

import Inference
import Kernels

/// The score of a given answer under one arm.
public struct GivenAnswerScore: Sendable, Equatable {
  /// log p of each token, in nats.
  public fileprivate(set) var logProbabilities: [Double] = []
  /// KL(reference ‖ arm) in nats before each token; 0 for the reference, which is the baseline unless another is asked for.
  public fileprivate(set) var divergences: [Double] = []
  /// Whether all values are finite. Strong steering can make a residual stream that is not.
  public var isFinite: Bool { (logProbabilities + divergences).allSatisfy(\.isFinite) }
  /// log p of the whole answer.
  public var logProbability: Double { logProbabilities.reduce(0, +) }
}

/// Scores one answer after another to the same prompt. It has one owner at a time.
public final class GivenAnswers {
  private let engine: Engine
  private let setup: SteeringArms
  private let hooks: Hooks
  private let prefixes: PromptPrefixes
  private let mayOverflow: Bool
  /// The timeline of each arm, then base's.
  private var caches: [KVCache] = []
  /// The logits of each arm after the prompt.
  private var first: [Matrix] = []

  /// Prepares the arms. Nothing is computed before the first answer. Parameters and errors are those of `SteeringRun`.
  /// If an arm may overflow and did, its scores are not finite.
  public init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, prompt: RenderedChat, plans: [SteeringPlan],
    prefixes: PromptPrefixes = PromptPrefixes(), mayOverflow: Bool = false, maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    precondition(!prompt.ids.isEmpty, "a prompt has at least one token")
    self.engine = engine
    (self.prefixes, self.mayOverflow) = (prefixes, mayOverflow)
    setup = try SteeringArms(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans,
      maxActivations: maxActivations)
    hooks = setup.hooks()
  }

  /// Scores an answer under every arm, the baseline first.
  /// - Parameter reference: the arm from which divergences are measured; 0 is the baseline.
  /// - Throws: the errors of the forward pass; `InferenceError.cancelled` between two blocks.
  public func score(
    _ answer: [Int32], against reference: Int = 0
  ) throws(InferenceError) -> [GivenAnswerScore] {
    var scores = [GivenAnswerScore](repeating: GivenAnswerScore(), count: setup.arms)
    guard !answer.isEmpty else { return scores }
    if first.isEmpty { try readPrompt() }
    add(first, answer[..<1], against: reference, to: &scores)
    defer { for cache in caches { cache.truncate(to: setup.prompt.ids.count) } }
    for start in stride(from: 0, to: answer.count - 1, by: rows) {
      let part = start..<min(answer.count - 1, start + rows)
      let logits = try run(Array(answer[part]), wantsAll: true)
      add(logits, answer[part.lowerBound + 1...part.upperBound], against: reference, to: &scores)
    }
    return scores
  }

  /// The number of positions of every stream in one pass.
  private var rows: Int { max(1, engine.model.configuration.rowsPerPass / models.count) }

  /// The model of each stream.
  private var models: [PairModel] {
    [PairModel](repeating: .chat, count: setup.arms)
      + [PairModel](repeating: .base, count: setup.baseStreams.count)
  }

  private func readPrompt() throws(InferenceError) {
    let tokens = setup.prompt.ids
    var kept: [PromptPrefix] = []
    for (stream, model) in models.enumerated() {
      kept.append(
        try prefixes.prefix(
          of: model, amplified: setup.weights(ofStream: stream), engine: engine, tokens: tokens,
          layer: setup.sharedLayer))
    }
    caches = kept.map { $0.makeCache() }
    for start in stride(from: 0, to: tokens.count, by: rows) {
      let part = start..<min(tokens.count, start + rows)
      let isLast = part.upperBound == tokens.count
      let logits = try run(Array(tokens[part]), starts: kept.map { $0.start(part) }, wantsLast: isLast)
      if isLast { first = logits }
    }
  }

  /// Runs all streams once over the same tokens.
  /// - Returns: the logits of each stream, with each arm's amplified if its plan asks for it.
  private func run(
    _ tokens: [Int32], starts: [Segment.Start]? = nil, wantsLast: Bool = false, wantsAll: Bool = false
  ) throws(InferenceError) -> [Matrix] {
    let steeredStreams = Dictionary(uniqueKeysWithValues: setup.baseStreams.map { ($1, $0) })
    let segments = models.indices.map { stream in
      let last = steeredStreams[stream].flatMap { setup.lastLayerOfBase(besideStream: $0) }
      var segment = Segment(
        stream: stream, cache: caches[stream], tokens: tokens, start: starts?[stream], lastLayer: last,
        logits: last != nil ? .none : wantsAll ? .all : wantsLast ? .last : .none,
        attention: setup.attention(ofStream: stream))
      segment.mayOverflow = mayOverflow && setup.steering(ofStream: stream) != nil
      segment.amplified = setup.weights(ofStream: stream)
      return segment
    }
    var logits = try engine.forward(segments, of: models, hooks: hooks)
    for arm in 0..<setup.arms { setup.amplify(&logits, ofStream: arm) }
    return logits
  }

  /// Adds to the scores what rows of logits say about the tokens that came next.
  private func add(
    _ logits: [Matrix], _ next: ArraySlice<Int32>, against reference: Int, to scores: inout [GivenAnswerScore]
  ) {
    let V = engine.model.configuration.vocabSize
    let ids = next.map(Int.init)
    scores.withUnsafeMutableBufferPointer { scores in
      let scores = scores
      inPieces(of: 1, count: scores.count) { piece in
        for arm in piece {
          logits[reference].values.withUnsafeBufferPointer { p in
            logits[arm].values.withUnsafeBufferPointer { q in
              guard let p = p.baseAddress, let q = q.baseAddress else { return }
              for (row, id) in ids.enumerated() {
                scores[arm].logProbabilities.append(logSoftmax(q + row * V, count: V, at: id))
                scores[arm].divergences.append(klDivergence(p + row * V, q + row * V, count: V))
              }
            }
          }
        }
      }
    }
  }
}
