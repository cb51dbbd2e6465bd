// Shows what a plan does to the next token after a prompt, again at every turn of a knob:
//   p(· | prompt) unsteered and steered, KL(unsteered ‖ steered), ‖Δh‖/‖h‖, and the greedy tokens that follow.
// Only what a plan can change is computed: the blocks above L, on the tokens from the first steered one on. The
// unsteered timeline has the rest. Shape letters: V vocabulary.

import Inference
import Kernels

/// A prompt as chat reads it unsteered. All previews of the prompt share it.
public final class UnsteeredPrompt {
  public let prompt: RenderedChat
  let layer: Int
  let cache: KVCache
  /// The logits after the last token, `[V]`.
  let logits: [Float]

  /// Computes the prompt. The blocks up to `layer` are computed only if `prefixes` does not have them.
  /// - Throws: `InferenceError.settingInvalid` beyond the model's context length; the errors of the forward pass.
  public init(
    engine: Engine, layer: Int, prompt: RenderedChat, prefixes: PromptPrefixes
  ) throws(InferenceError) {
    precondition(!prompt.ids.isEmpty, "a prompt has at least one token")
    (self.prompt, self.layer) = (prompt, layer)
    // The blocks up to the layer take the prompt in parts, so an excess of length would be noticed only at the end.
    let longest = engine.model.configuration.contextLength
    guard prompt.ids.count <= longest else {
      throw .settingInvalid(
        name: Setting("text length", .text), expected: "at most \(longest) tokens, the model's context length",
        found: "\(prompt.ids.count)")
    }
    let prefix = try prefixes.prefix(of: .chat, engine: engine, tokens: prompt.ids, layer: layer)
    cache = prefix.makeCache()
    logits = try goOn(
      prompt, from: 0, [PreviewStream(number: 0, model: .chat, prefix: prefix, cache: cache)], engine: engine,
      hooks: Hooks())
  }
}

/// The change of the next token's distribution by steering.
public struct NextTokenShift: Sendable, Equatable {
  /// A token with its probability in both distributions.
  public struct Token: Sendable, Equatable {
    public let id: Int32
    public let unsteered: Double
    public let steered: Double

    public init(id: Int32, unsteered: Double, steered: Double) {
      (self.id, self.unsteered, self.steered) = (id, unsteered, steered)
    }
  }

  /// The likeliest tokens of each distribution, the likeliest first; among equal ones the lower id comes first.
  public let likelyUnsteered: [Token]
  public let likelySteered: [Token]
  /// KL(unsteered ‖ steered) in nats.
  public let divergence: Double
  /// The size of the change over the prompt's steered tokens.
  public let size: SteeringSize
}

/// The next tokens after a prompt under one plan. It has one owner at a time.
public final class SteeringPreview {
  private let engine: Engine
  private let unsteered: UnsteeredPrompt
  private let setup: SteeringArms
  private let hooks: Hooks
  private let prefixes: PromptPrefixes
  private var streams: [PreviewStream] = []
  private var pending: Int32?

  /// Prepares the preview. Nothing is computed before `shift`. Parameters and errors are those of `SteeringRun`.
  public init(
    engine: Engine, crosscoder: Crosscoder, unsteered: UnsteeredPrompt, plan: SteeringPlan, prefixes: PromptPrefixes,
    maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    (self.engine, self.unsteered, self.prefixes) = (engine, unsteered, prefixes)
    setup = try SteeringArms(
      engine: engine, crosscoder: crosscoder, layer: unsteered.layer, prompt: unsteered.prompt, plans: [plan],
      maxActivations: maxActivations)
    hooks = setup.hooks()
  }

  /// Steers the prompt and compares the distributions of the token after it.
  /// - Parameter count: the number of tokens to name from each distribution.
  /// - Throws: the errors of the forward pass, such as a residual stream that steering made infinite.
  public func shift(count: Int) throws(InferenceError) -> NextTokenShift {
    let (plan, prompt) = (setup.prepared[0].plan, setup.prompt)
    let logits: [Float]
    if plan.isIdle {
      streams = [PreviewStream(number: Self.stream, cache: unsteered.cache.fork(at: prompt.ids.count))]
      logits = unsteered.logits
    } else {
      let start = plan.positions.first(in: prompt)
      let chat = try prefixes.prefix(of: .chat, engine: engine, tokens: prompt.ids, layer: setup.layer)
      streams = [PreviewStream(number: Self.stream, prefix: chat, cache: unsteered.cache.fork(at: start))]
      if let number = setup.baseStreams[Self.stream] {
        let base = try prefixes.prefix(of: .base, engine: engine, tokens: prompt.ids, layer: setup.layer)
        streams.append(PreviewStream(number: number, model: .base, prefix: base, cache: base.makeCache(at: start)))
      }
      logits = try goOn(prompt, from: start, streams, engine: engine, hooks: hooks)
    }
    pending = likeliest(logits)
    return Self.compare(unsteered.logits, logits, count: count, size: setup.prepared[0].size)
  }

  /// The next token of the steered answer, always the likeliest; nil when the answer has ended. Call `shift` before.
  /// - Throws: the errors of the forward pass.
  public func next() throws(InferenceError) -> Int32? {
    guard let id = pending, !engine.tokenizer.endOfTurnIDs.contains(id) else { return nil }
    pending = nil
    let room = engine.model.configuration.contextLength - streams[0].cache.count
    if room > 0 {
      let segments = streams.map { $0.segment([id], endingAt: setup.layer) }
      pending = likeliest(try engine.forward(segments, of: streams.map(\.model), hooks: hooks)[0].values)
    }
    return id
  }

  /// The number of the steered stream in the `SteeringArms` of one plan.
  private static let stream = 1

  private func likeliest(_ logits: [Float]) -> Int32? {
    logits.withUnsafeBufferPointer { strongestIndices($0, sign: 1, count: 1).first.map(Int32.init) }
  }

  private static func compare(
    _ unsteered: [Float], _ steered: [Float], count: Int, size: SteeringSize
  ) -> NextTokenShift {
    let V = unsteered.count
    func probabilities(_ logits: [Float]) -> [Float] {
      var values = logits
      values.withUnsafeMutableBufferPointer { if let base = $0.baseAddress { softmax(base, count: V) } }
      return values
    }
    let (p, q) = (probabilities(unsteered), probabilities(steered))
    func likely(_ values: [Float]) -> [NextTokenShift.Token] {
      values.withUnsafeBufferPointer { strongestIndices($0, sign: 1, count: count) }.map {
        NextTokenShift.Token(id: Int32($0), unsteered: Double(p[$0]), steered: Double(q[$0]))
      }
    }
    return NextTokenShift(
      likelyUnsteered: likely(p), likelySteered: likely(q),
      divergence: klDivergence(unsteered, steered, count: V), size: size)
  }
}

/// A timeline of a preview.
private struct PreviewStream {
  var number: Int
  var model = PairModel.chat
  /// The prompt up to the steered block; nil for a timeline that already holds all of it.
  var prefix: PromptPrefix?
  var cache: KVCache

  func segment(_ tokens: [Int32], start: Segment.Start? = nil, endingAt layer: Int) -> Segment {
    let isChat = model == .chat
    return Segment(
      stream: number, cache: cache, tokens: tokens, start: start, lastLayer: isChat ? nil : layer,
      logits: isChat ? .last : .none)
  }
}

/// Runs the blocks above the prefixes' block on the prompt's tokens from a position on, in parts.
/// - Returns: the first stream's logits after the last token.
private func goOn(
  _ prompt: RenderedChat, from first: Int, _ streams: [PreviewStream], engine: Engine, hooks: Hooks
) throws(InferenceError) -> [Float] {
  let tokens = prompt.ids
  let rows = max(1, engine.model.configuration.rowsPerPass / streams.count)
  var logits: [Float] = []
  for start in stride(from: first, to: tokens.count, by: rows) {
    let part = start..<min(tokens.count, start + rows)
    var segments: [Segment] = []
    for stream in streams {
      guard let prefix = stream.prefix else { continue }
      segments.append(stream.segment(Array(tokens[part]), start: prefix.start(part), endingAt: prefix.layer))
    }
    if part.upperBound < tokens.count { for index in segments.indices { segments[index].logits = .none } }
    logits = try engine.forward(segments, of: streams.map(\.model), hooks: hooks)[0].values
  }
  return logits
}
