// Shows what a plan does to the next token after a prompt, again at every turn of a knob:
//   p(· | prompt) unsteered and steered, KL(unsteered ‖ steered), ‖Δh‖/‖h‖, and the greedy tokens that follow.
// Only what a plan can change is computed: the blocks above L, on the tokens from the first steered one on. The
// unsteered timeline has the rest. Amplified logits need base's reading of the prompt, once; amplified weights change
// every block, so that each λ reads the prompt anew. Shape letters: V vocabulary.

import Inference
import Kernels

/// A prompt as chat reads it unsteered, and base if it is asked for. All previews of the prompt share it.
public final class UnsteeredPrompt {
  /// One model's reading: its timeline, and the logits `[V]` after the last token.
  struct Reading {
    let cache: KVCache
    let logits: [Float]
  }

  public let prompt: RenderedChat
  let layer: Int
  let chat: Reading
  private var readByBase: Reading?

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
    chat = try Self.read(prompt, by: .chat, layer, engine, prefixes)
  }

  /// The prompt as base reads it, which is computed the first time.
  func base(engine: Engine, prefixes: PromptPrefixes) throws(InferenceError) -> Reading {
    if let readByBase { return readByBase }
    let reading = try Self.read(prompt, by: .base, layer, engine, prefixes)
    readByBase = reading
    return reading
  }

  private static func read(
    _ prompt: RenderedChat, by model: PairModel, _ layer: Int, _ engine: Engine, _ prefixes: PromptPrefixes
  ) throws(InferenceError) -> Reading {
    let prefix = try prefixes.prefix(of: model, engine: engine, tokens: prompt.ids, layer: layer)
    let cache = prefix.makeCache()
    let stream = PreviewStream(number: 0, model: model, prefix: prefix, cache: cache)
    return Reading(cache: cache, logits: try goOn(prompt, from: 0, [stream], engine: engine, hooks: Hooks())[0].values)
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
    let prompt = setup.prompt
    let weights = setup.weights(ofStream: Self.stream)
    let isRead = setup.prepared[0].plan.hasIdleHooks && weights == nil
    // With other weights chat's unsteered timeline is of no use. Base has none between a lower block and the crosscoder's,
    // so beside base such a plan reads the whole prompt.
    let goesOn = weights == nil && (setup.sharedLayer == setup.layer || setup.baseStreams.isEmpty)
    let start = isRead ? prompt.ids.count : goesOn ? setup.prepared[0].plan.positions.first(in: prompt) : 0
    func prefix(_ model: PairModel, _ weights: AmplifiedWeights? = nil) throws(InferenceError) -> PromptPrefix {
      try prefixes.prefix(of: model, amplified: weights, engine: engine, tokens: prompt.ids, layer: setup.sharedLayer)
    }
    let chat = isRead ? nil : try prefix(.chat, weights)
    streams = [
      PreviewStream(
        number: Self.stream, prefix: chat, amplified: weights,
        cache: goesOn || isRead ? unsteered.chat.cache.fork(at: start) : chat?.makeCache() ?? unsteered.chat.cache)
    ]
    if let number = setup.baseStreams[Self.stream] {
      let last = setup.lastLayerOfBase(besideStream: Self.stream)
      let base = isRead ? nil : try prefix(.base)
      let cache =
        last == nil
        ? try unsteered.base(engine: engine, prefixes: prefixes).cache.fork(at: start)
        : base?.makeCache(at: start)
      if let cache {
        streams.append(PreviewStream(number: number, model: .base, lastLayer: last, prefix: base, cache: cache))
      }
    }
    let logits: [Float]
    if isRead {
      let base = streams.count > 1 ? try unsteered.base(engine: engine, prefixes: prefixes).logits : nil
      logits = amplified(unsteered.chat.logits, base)
    } else {
      let own = try goOn(prompt, from: start, streams, engine: engine, hooks: hooks)
      logits = amplified(own[0].values, own.count > 1 ? own[1].values : nil)
    }
    pending = likeliest(logits)
    return Self.compare(unsteered.chat.logits, logits, count: count, size: setup.prepared[0].size)
  }

  /// The logits that the plan's amplification makes of the steered ones.
  private func amplified(_ logits: [Float], _ base: [Float]?) -> [Float] {
    guard let amplified = setup.amplifiedLogits(ofStream: Self.stream), let base else { return logits }
    var logits = logits
    Amplification.amplify(&logits, beyond: base, by: amplified.factor)
    return logits
  }

  /// The next token of the steered answer, always the likeliest; nil when the answer has ended. Call `shift` before.
  /// - Throws: the errors of the forward pass.
  public func next() throws(InferenceError) -> Int32? {
    guard let id = pending, !engine.tokenizer.endOfTurnIDs.contains(id) else { return nil }
    pending = nil
    let room = engine.model.configuration.contextLength - streams[0].cache.count
    if room > 0 {
      let logits = try engine.forward(streams.map { $0.segment([id]) }, of: streams.map(\.model), hooks: hooks)
      pending = likeliest(amplified(logits[0].values, logits.count > 1 ? logits[1].values : nil))
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
  /// The last block that is run; nil runs all of them and gives logits.
  var lastLayer: Int?
  /// The prompt up to the steered block; nil for a timeline that already holds all of it.
  var prefix: PromptPrefix?
  var amplified: AmplifiedWeights?
  var cache: KVCache

  func segment(_ tokens: [Int32], start: Segment.Start? = nil) -> Segment {
    var segment = Segment(
      stream: number, cache: cache, tokens: tokens, start: start, lastLayer: lastLayer,
      logits: lastLayer == nil ? .last : .none)
    segment.amplified = amplified
    return segment
  }
}

/// Runs the blocks above the prefixes' block on the prompt's tokens from a position on, in parts.
/// - Returns: the logits of each stream after the last token.
private func goOn(
  _ prompt: RenderedChat, from first: Int, _ streams: [PreviewStream], engine: Engine, hooks: Hooks
) throws(InferenceError) -> [Matrix] {
  let tokens = prompt.ids
  let rows = max(1, engine.model.configuration.rowsPerPass / streams.count)
  var logits: [Matrix] = []
  for start in stride(from: first, to: tokens.count, by: rows) {
    let part = start..<min(tokens.count, start + rows)
    var segments: [Segment] = []
    for stream in streams {
      guard let prefix = stream.prefix else { continue }
      segments.append(stream.segment(Array(tokens[part]), start: prefix.start(part)))
    }
    if part.upperBound < tokens.count { for index in segments.indices { segments[index].logits = .none } }
    logits = try engine.forward(segments, of: streams.map(\.model), hooks: hooks)
  }
  return logits
}
