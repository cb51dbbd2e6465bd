// Decodes several timelines of one prompt in lockstep: each step adds one token to each of them, in one pass over the
// weights. It holds their samplers and decides when each ends. Steering happens in hooks, not here.

import Kernels

/// One timeline of a `Decoding`.
public struct DecodingStream {
  /// How a stream's next token is chosen.
  public enum Source {
    /// The token is sampled from the stream's own logits.
    case sampled(Sampler)
    /// The token is that of another stream, for hooks or an amplification that need this context. Blocks above
    /// `lastLayer` are not run; nil runs all of them.
    case following(stream: Int, lastLayer: Int?)
  }

  /// The logits of a stream are z + α (z − z^base).
  public struct AmplifiedLogits {
    /// The stream of base on the same tokens, which runs all blocks.
    public let base: Int
    /// α.
    public let factor: Double

    public init(beyond base: Int, factor: Double) { (self.base, self.factor) = (base, factor) }
  }

  /// The model of the pair that computes the stream.
  public var model: PairModel
  public var source: Source
  /// If set, the stream uses the attention weights of an earlier stream, and ends no later than that one.
  public var attention: Segment.FrozenAttention?
  /// See `Segment.mayOverflow`: such a stream ends before the token that cannot be computed.
  public var mayOverflow: Bool
  /// The weights of chat's stream, if they are not chat's.
  public var weights: AmplifiedWeights?
  /// If set, tokens are chosen from these logits instead of the stream's own.
  public var amplifiedLogits: AmplifiedLogits?

  public init(
    model: PairModel = .chat, source: Source, attention: Segment.FrozenAttention? = nil, mayOverflow: Bool = false,
    weights: AmplifiedWeights? = nil, amplifiedLogits: AmplifiedLogits? = nil
  ) {
    self.model = model
    self.source = source
    self.attention = attention
    self.mayOverflow = mayOverflow
    (self.weights, self.amplifiedLogits) = (weights, amplifiedLogits)
  }
}

/// A candidate for a token.
public struct TokenLogProbability: Sendable, Equatable {
  public let id: Int32
  /// The value log p in nats.
  public let value: Double
}

/// A token that a stream produced.
public struct DecodedToken: Sendable {
  public let stream: Int
  public let id: Int32
  /// Whether the stream ended with this token: it is an end-of-turn token, or the limit is reached.
  public let isLast: Bool
}

/// A prompt that several streams continue at once. One owner uses it at a time; every step is synchronous.
public final class Decoding {
  private struct State {
    var stream: DecodingStream
    var cache: KVCache
    var pending: [Int32]
    var produced: [Int32] = []
    var logProbabilities: [Double] = []
    var likeliest: [[TokenLogProbability]] = []
    var isFinished = false
    /// The prompt up to the shared block, until all of the prompt is read.
    var prefix: PromptPrefix?
  }

  private let engine: Engine
  private let hooks: Hooks
  private let limit: Int
  private let prompt: [Int32]
  private let shared: Shared?
  private let recordsLogProbabilities: Bool
  private let recordedLikeliest: Int
  private var states: [State]
  /// The number of the prompt's tokens that all streams have seen.
  private var seen = 0

  /// The computation that streams of the same model share.
  public struct Shared {
    let layer: Int
    let prefixes: PromptPrefixes

    /// - Parameters:
    ///   - layer: the block up to which streams do not differ. Hooks may change its output, and nothing before it.
    ///   - prefixes: keeps computed prompts from run to run.
    public init(through layer: Int, prefixes: PromptPrefixes) {
      self.layer = layer
      self.prefixes = prefixes
    }
  }

  /// Prepares the streams; the first `step` starts the computation.
  /// - Parameters:
  ///   - prompt: the tokens that all streams start from; at least one.
  ///   - limit: the largest number of tokens a stream produces.
  ///   - shared: if set, each model computes the prompt once up to a block, and each stream computes only the blocks
  ///     above.
  ///   - hooks: they run in every pass; the number of a stream is its index in `streams`.
  ///   - recordsLogProbabilities: whether `logProbabilities(_:)` is filled, at the cost of a pass over the logits per
  ///     token.
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

  /// The tokens that a stream has produced, including an end-of-turn token.
  public func produced(_ stream: Int) -> [Int32] { states[stream].produced }

  /// log p of each token that a stream produced, in nats, before temperature and other settings of the sampler; empty
  /// unless they are recorded.
  public func logProbabilities(_ stream: Int) -> [Double] { states[stream].logProbabilities }

  /// The likeliest tokens at the place of each token that a stream produced, the likeliest first, with values as in
  /// `logProbabilities(_:)`; empty unless they are recorded.
  public func likeliest(_ stream: Int) -> [[TokenLogProbability]] { states[stream].likeliest }

  /// Whether a stream ended with an end-of-turn token.
  public func ended(_ stream: Int) -> Bool {
    states[stream].produced.last.map { engine.tokenizer.endOfTurnIDs.contains($0) } ?? false
  }

  /// Whether a stream ended because its residual stream became NaN or infinite.
  public func overflowed(_ stream: Int) -> Bool { states[stream].cache.overflow != nil }

  /// Ends a stream here: it produces no more tokens and costs no more time.
  public func end(_ stream: Int) { states[stream].isFinished = true }

  /// Runs the last token of every stream that produced one, up to a block, for hooks that need to see it. The streams
  /// must have ended, and cannot be used afterwards.
  public func readLastTokens(through layer: Int) throws(InferenceError) {
    precondition(isFinished, "a stream goes on")
    let segments = states.indices.filter { !states[$0].pending.isEmpty }.map { index in
      Segment(
        stream: index, cache: states[index].cache, tokens: states[index].pending, lastLayer: layer, logits: .none)
    }
    if !segments.isEmpty { _ = try forward(segments) }
  }

  /// Computes one token for every stream that has not ended. The first call computes the prompt.
  /// - Throws: `InferenceError.settingInvalid` before the first pass if prompt and limit exceed the model's context
  ///   length; errors of the forward pass. `InferenceError.cancelled` may come in the middle of the prompt, where
  ///   another call continues.
  public func step() throws(InferenceError) -> [DecodedToken] {
    if seen == 0 { try checkLength() }
    if seen < prompt.count { return try readPrompt() }
    let segments = active.map { segment($0, states[$0].pending, logits: .last) }
    return try advance(segments)
  }

  /// Checks the length before any computation, so that no run starts that cannot finish.
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
    // Besides its timeline each stream needs a token's logits twice: in the pass, and as a copy of its own.
    let needed = models.reduce(0) { $0 + tokens * $1.cacheBytesPerToken + 8 * $1.configuration.vocabSize }
    try MemoryBudget.require(
      needed, besides: engine.mappedBytes, for: "\(states.count) streams of up to \(tokens) tokens",
      remedy: "take fewer samples, strengths or tokens")
  }

  /// The streams that have not ended.
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
    (segment.mayOverflow, segment.amplified) = (state.stream.mayOverflow, state.stream.weights)
    if case .following(_, let lastLayer?) = state.stream.source {
      segment.lastLayer = lastLayer
      segment.logits = .none
    }
    return segment
  }

  /// Computes the prompt in parts, so that a cancelled task never waits long.
  private func readPrompt() throws(InferenceError) -> [DecodedToken] {
    let active = active
    if let shared {
      // The store of prefixes may be too small for all of them, so each is kept until the prompt is read.
      for index in active where states[index].prefix == nil {
        let prefix = try shared.prefixes.prefix(
          of: states[index].stream.model, amplified: states[index].stream.weights, engine: engine, tokens: prompt,
          layer: shared.layer)
        (states[index].prefix, states[index].cache) = (prefix, prefix.makeCache())
      }
    }
    let length = max(8, engine.model.configuration.rowsPerPass / max(1, active.count))
    while true {
      let part = seen..<min(prompt.count, seen + length)
      let isLast = part.upperBound == prompt.count
      let segments = active.map {
        segment($0, Array(prompt[part]), start: states[$0].prefix?.start(part), logits: isLast ? .last : .none)
      }
      if isLast {
        let tokens = try advance(segments)
        seen = prompt.count
        for index in states.indices { states[index].prefix = nil }
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
    for (segment, own) in zip(segments, logits) where own.rows > 0 {
      if case .following = states[segment.stream].stream.source { continue }
      guard segment.cache.overflow == nil else {
        states[segment.stream].isFinished = true
        continue
      }
      var own = own.values
      if let amplified = states[segment.stream].stream.amplifiedLogits {
        guard let base = segments.firstIndex(where: { $0.stream == amplified.base }) else {
          preconditionFailure("stream \(segment.stream) has no base")
        }
        Amplification.amplify(&own, beyond: logits[base].values, by: amplified.factor)
      }
      let id = try sample(segment.stream, own)
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

  private func sample(_ stream: Int, _ logits: [Float]) throws(InferenceError) -> Int32 {
    guard case .sampled(var sampler) = states[stream].stream.source else {
      preconditionFailure("a follower has no logits")
    }
    let id = try sampler.next(logits)
    states[stream].stream.source = .sampled(sampler)
    states[stream].produced.append(id)
    if recordsLogProbabilities {
      states[stream].logProbabilities.append(
        logSoftmax(logits, count: logits.count, at: Int(id)))
    }
    if recordedLikeliest > 0 { states[stream].likeliest.append(likeliest(logits)) }
    states[stream].pending = [id]
    return id
  }

  private func likeliest(_ logits: [Float]) -> [TokenLogProbability] {
    let best = logits.withUnsafeBufferPointer { strongestIndices($0, sign: 1, count: recordedLikeliest) }
    guard let first = best.first else { return [] }
    // Differences of log p are differences of logits.
    let largest = logSoftmax(logits, count: logits.count, at: first)
    return best.map {
      TokenLogProbability(id: Int32($0), value: largest + Double(logits[$0]) - Double(logits[first]))
    }
  }
}
