// Several timelines decoded in lockstep, a token each a step, in one pass over the weights.
// Owns: the timelines of one prompt, their samplers, when each ends. Steering is not here: it comes in as hooks.

import Kernels

/// A timeline of a `Decoding`.
public struct DecodingStream {
  /// What decides a stream's next token.
  public enum Source {
    /// Sampled from its own logits.
    case sampled(Sampler)
    /// The tokens of another stream, as context for hooks; nothing above block `lastLayer` is run.
    case following(stream: Int, lastLayer: Int)
  }
  /// The model of the pair that computes it.
  public var model: PairModel
  public var source: Source
  /// Where given, the stream attends by an earlier one's weights and ends at the latest when that one does.
  public var attention: Segment.FrozenAttention?
  /// See `Segment.mayOverflow`: such a stream ends before the token that cannot be computed.
  public var mayOverflow: Bool

  public init(
    model: PairModel = .chat, source: Source, attention: Segment.FrozenAttention? = nil, mayOverflow: Bool = false
  ) {
    self.model = model
    self.source = source
    self.attention = attention
    self.mayOverflow = mayOverflow
  }
}

/// A token that could have come.
public struct TokenLogProbability: Sendable, Equatable {
  public let id: Int32
  /// log p in nats.
  public let value: Double
}

/// A token that a stream produced.
public struct DecodedToken: Sendable {
  public let stream: Int
  public let id: Int32
  /// Whether the stream ended with it: an end-of-turn token, or the limit.
  public let isLast: Bool
}

/// A prompt continued by several streams at once. One owner at a time; every step is synchronous.
public final class Decoding {
  private struct State {
    var stream: DecodingStream
    var cache: KVCache
    var pending: [Int32]
    var produced: [Int32] = []
    var logProbabilities: [Double] = []
    var likeliest: [[TokenLogProbability]] = []
    var isFinished = false
  }

  private let engine: Engine
  private let hooks: Hooks
  private let limit: Int
  private let prompt: [Int32]
  private let shared: Shared?
  private let recordsLogProbabilities: Bool
  private let recordedLikeliest: Int
  private var states: [State]
  /// Tokens of the prompt that all streams have seen.
  private var seen = 0

  /// What streams of the same model have in common.
  public struct Shared {
    let layer: Int
    let prefixes: PromptPrefixes

    /// - Parameters:
    ///   - layer: the block up to which streams do not differ; hooks may change its output, and nothing before.
    ///   - prefixes: where prompts are kept from run to run.
    public init(through layer: Int, prefixes: PromptPrefixes) {
      self.layer = layer
      self.prefixes = prefixes
    }
  }

  /// Prepares the streams; nothing is computed before the first `step`.
  /// - Parameters:
  ///   - prompt: the tokens that all streams start from; at least one.
  ///   - limit: the largest number of tokens a stream produces.
  ///   - shared: where given, the prompt is computed once a model up to a block, and only above it for each stream.
  ///   - hooks: run in every pass; a stream's number is its index in `streams`.
  ///   - recordsLogProbabilities: whether `logProbabilities(_:)` is wanted; costs a pass over the logits of each token.
  ///   - recordedLikeliest: how many tokens `likeliest(_:)` has at each place; 0 costs nothing.
  public init(
    engine: Engine, streams: [DecodingStream], prompt: [Int32], limit: Int, shared: Shared? = nil,
    hooks: Hooks = Hooks(), recordsLogProbabilities: Bool = false, recordedLikeliest: Int = 0
  ) {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    for (index, stream) in streams.enumerated() {
      precondition(stream.attention.map { $0.stream < index } ?? true, "attention of an earlier stream")
    }
    self.engine = engine
    self.hooks = hooks
    self.limit = limit
    self.prompt = prompt
    self.shared = shared
    self.recordsLogProbabilities = recordsLogProbabilities
    self.recordedLikeliest = recordedLikeliest
    states = streams.map { State(stream: $0, cache: engine.transformer(of: $0.model).makeCache(), pending: []) }
  }

  /// Whether no stream will produce another token.
  public var isFinished: Bool {
    states.allSatisfy {
      if case .following = $0.stream.source { return true }
      return $0.isFinished || limit == 0
    }
  }

  /// Tokens that a stream has produced, an end-of-turn token included.
  public func produced(_ stream: Int) -> [Int32] { states[stream].produced }

  /// log p of each token that a stream produced, in nats, before temperature and other settings of its sampler; empty
  /// unless they are recorded.
  public func logProbabilities(_ stream: Int) -> [Double] { states[stream].logProbabilities }

  /// The likeliest tokens at the place of each token that a stream produced, the likeliest first, as
  /// `logProbabilities(_:)`; empty unless they are recorded.
  public func likeliest(_ stream: Int) -> [[TokenLogProbability]] { states[stream].likeliest }

  /// Whether a stream ended by itself, with an end-of-turn token.
  public func ended(_ stream: Int) -> Bool {
    states[stream].produced.last.map { engine.tokenizer.endOfTurnIDs.contains($0) } ?? false
  }

  /// Whether a stream ended because its residual stream was not finite any more.
  public func overflowed(_ stream: Int) -> Bool { states[stream].cache.overflow != nil }

  /// Ends a stream where it is: it produces nothing more, and costs nothing more.
  public func end(_ stream: Int) { states[stream].isFinished = true }

  /// Runs the last token of every stream that produced one, up to a block, for hooks that want to see it; the streams
  /// must have ended, and are of no use afterwards.
  public func readLastTokens(through layer: Int) throws(InferenceError) {
    precondition(isFinished, "a stream goes on")
    let segments = states.indices.filter { !states[$0].pending.isEmpty }.map { index in
      Segment(
        stream: index, cache: states[index].cache, tokens: states[index].pending, lastLayer: layer, logits: .none)
    }
    if !segments.isEmpty { _ = try forward(segments) }
  }

  /// Computes one token for every stream that goes on. The first call computes the prompt.
  /// - Throws: `InferenceError.settingInvalid` before the first pass if prompt and limit exceed the model's context length;
  ///   what the forward pass throws; `InferenceError.cancelled` may come in the midst of the prompt, from where
  ///   another call goes on.
  public func step() throws(InferenceError) -> [DecodedToken] {
    if seen == 0 { try checkLength() }
    if seen < prompt.count { return try readPrompt() }
    let segments = active.map { segment($0, states[$0].pending, logits: .last) }
    return try advance(segments)
  }

  /// Before anything is computed: what would not fit at the end is not begun.
  private func checkLength() throws(InferenceError) {
    let longest = engine.model.configuration.contextLength
    guard prompt.count <= longest, limit <= longest - prompt.count else {
      throw .settingInvalid(
        name: Setting("prompt and answer", .text),
        expected: "at most \(longest) tokens together, the model's context length",
        found: "\(prompt.count) + \(limit)")
    }
    let tokens = prompt.count + limit
    let models = states.map { engine.transformer(of: $0.stream.model) }
    // Beside the timelines each stream has a token's logits, once in the pass and once on their own.
    let needed = models.reduce(0) { $0 + tokens * $1.cacheBytesPerToken + 8 * $1.configuration.vocabSize }
    try MemoryBudget.require(
      needed, besides: engine.mappedBytes, for: "\(states.count) streams of up to \(tokens) tokens",
      remedy: "take fewer samples, strengths or tokens")
  }

  /// The streams that go on.
  private var active: [Int] {
    states.indices.filter {
      if case .following(let leader, _) = states[$0].stream.source { return !states[leader].isFinished }
      return !states[$0].isFinished
    }
  }

  private func segment(
    _ index: Int, _ tokens: [Int32], start: Segment.Start? = nil, logits: Segment.Logits
  ) -> Segment {
    let state = states[index]
    var segment = Segment(
      stream: index, cache: state.cache, tokens: tokens, start: start, logits: logits,
      attention: state.stream.attention)
    segment.mayOverflow = state.stream.mayOverflow
    if case .following(_, let lastLayer) = state.stream.source {
      segment.lastLayer = lastLayer
      segment.logits = .none
    }
    return segment
  }

  /// The prompt, a part at a time so that a cancelled task never waits long.
  private func readPrompt() throws(InferenceError) -> [DecodedToken] {
    let active = active
    var prefixes: [Int: PromptPrefix] = [:]
    if let shared {
      for index in active {
        let prefix = try shared.prefixes.prefix(
          of: states[index].stream.model, engine: engine, tokens: prompt, layer: shared.layer)
        prefixes[index] = prefix
        if seen == 0 { states[index].cache = prefix.makeCache() }
      }
    }
    let length = max(8, engine.model.configuration.rowsPerPass / max(1, active.count))
    while true {
      let part = seen..<min(prompt.count, seen + length)
      let isLast = part.upperBound == prompt.count
      let segments = active.map {
        segment($0, Array(prompt[part]), start: prefixes[$0]?.start(part), logits: isLast ? .last : .none)
      }
      if isLast {
        let tokens = try advance(segments)
        seen = prompt.count
        return tokens
      }
      _ = try forward(segments)
      seen = part.upperBound
    }
  }

  /// Runs a pass and takes a token from every stream that has logits.
  private func advance(_ segments: [Segment]) throws(InferenceError) -> [DecodedToken] {
    guard !segments.isEmpty else { return [] }
    let logits = try forward(segments)
    var result: [DecodedToken] = []
    for (segment, logits) in zip(segments, logits) where logits.rows > 0 {
      guard segment.cache.overflow == nil else {
        states[segment.stream].isFinished = true
        continue
      }
      let id = try sample(segment.stream, logits)
      let isLast =
        engine.tokenizer.endOfTurnIDs.contains(id) || states[segment.stream].produced.count >= limit
        || segment.attention.map { states[$0.stream].isFinished } ?? false
      states[segment.stream].isFinished = isLast
      result.append(DecodedToken(stream: segment.stream, id: id, isLast: isLast))
    }
    for index in states.indices {
      if case .following(let leader, _) = states[index].stream.source { states[index].pending = states[leader].pending }
    }
    return result
  }

  private func forward(_ segments: [Segment]) throws(InferenceError) -> [Matrix] {
    try engine.forward(segments, of: segments.map { states[$0.stream].stream.model }, hooks: hooks)
  }

  private func sample(_ stream: Int, _ logits: Matrix) throws(InferenceError) -> Int32 {
    guard case .sampled(var sampler) = states[stream].stream.source else {
      preconditionFailure("a follower has no logits")
    }
    let id = try sampler.next(logits.values)
    states[stream].stream.source = .sampled(sampler)
    states[stream].produced.append(id)
    if recordsLogProbabilities {
      states[stream].logProbabilities.append(
        logSoftmax(logits.values, count: logits.values.count, at: Int(id)))
    }
    if recordedLikeliest > 0 { states[stream].likeliest.append(likeliest(logits.values)) }
    states[stream].pending = [id]
    return id
  }

  private func likeliest(_ logits: [Float]) -> [TokenLogProbability] {
    let best = logits.withUnsafeBufferPointer { strongestIndices($0, sign: 1, count: recordedLikeliest) }
    guard let first = best.first else { return [] }
    // log p of all differ by their logits' differences.
    let largest = logSoftmax(logits, count: logits.count, at: first)
    return best.map {
      TokenLogProbability(id: Int32($0), value: largest + Double(logits[$0]) - Double(logits[first]))
    }
  }
}
