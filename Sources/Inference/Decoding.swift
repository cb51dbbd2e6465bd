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
  public var adapter: Adapter?
  public var source: Source

  public init(adapter: Adapter?, source: Source) {
    self.adapter = adapter
    self.source = source
  }
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
    let cache: KVCache
    var pending: [Int32]
    var produced: [Int32] = []
    var isFinished = false
  }

  private let engine: Engine
  private let hooks: Hooks
  private let limit: Int
  private var states: [State]

  /// Prepares the streams; nothing is computed before the first `step`.
  /// - Parameters:
  ///   - prompt: the tokens that all streams start from; at least one.
  ///   - limit: the largest number of tokens a stream produces.
  ///   - hooks: run in every pass; a stream's number is its index in `streams`.
  public init(engine: Engine, streams: [DecodingStream], prompt: [Int32], limit: Int, hooks: Hooks = Hooks()) {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    self.engine = engine
    self.hooks = hooks
    self.limit = limit
    states = streams.map { State(stream: $0, cache: engine.model.makeCache(), pending: prompt) }
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

  /// Whether a stream ended by itself, with an end-of-turn token.
  public func ended(_ stream: Int) -> Bool {
    states[stream].produced.last.map { engine.tokenizer.endOfTurnIDs.contains($0) } ?? false
  }

  /// Computes one token for every stream that goes on. The first call computes the prompt.
  public func step() throws(InferenceError) -> [DecodedToken] {
    var segments: [Segment] = []
    for index in states.indices {
      let state = states[index]
      switch state.stream.source {
      case .sampled:
        guard !state.isFinished else { continue }
        segments.append(
          Segment(stream: index, cache: state.cache, tokens: state.pending, adapter: state.stream.adapter))
      case .following(let leader, let lastLayer):
        guard !states[leader].isFinished else { continue }
        segments.append(
          Segment(
            stream: index, cache: state.cache, tokens: state.pending, adapter: state.stream.adapter,
            lastLayer: lastLayer, logits: .none))
      }
    }
    guard !segments.isEmpty else { return [] }
    let logits = try engine.model.forward(segments, hooks: hooks)
    var result: [DecodedToken] = []
    for (segment, logits) in zip(segments, logits) where logits.rows > 0 {
      let id = try sample(segment.stream, logits)
      let isLast = engine.tokenizer.endOfTurnIDs.contains(id) || states[segment.stream].produced.count >= limit
      states[segment.stream].isFinished = isLast
      result.append(DecodedToken(stream: segment.stream, id: id, isLast: isLast))
    }
    for index in states.indices {
      if case .following(let leader, _) = states[index].stream.source { states[index].pending = states[leader].pending }
    }
    return result
  }

  private func sample(_ stream: Int, _ logits: Matrix) throws(InferenceError) -> Int32 {
    guard case .sampled(var sampler) = states[stream].stream.source else {
      preconditionFailure("a follower has no logits")
    }
    let id = try sampler.next(logits.values)
    states[stream].stream.source = .sampled(sampler)
    states[stream].produced.append(id)
    states[stream].pending = [id]
    return id
  }
}
