// A steering experiment: one prompt answered by the chat model unsteered and under each of several plans, all streams
// in lockstep, so that a token of each costs one pass over the weights. Several samples are more streams.
// Owns: the streams' samplers and what they produced. One owner at a time; each step is synchronous.

import Inference
import Kernels

/// The baseline and the steered streams of one prompt.
public final class SteeringRun {
  /// The baseline's stream number; plan i has stream i + 1. Further samples follow, `arms` streams each.
  public static let baseline = 0

  /// The baseline and the plans.
  public var arms: Int { setup.arms }
  private let setup: SteeringArms
  private let decoding: Decoding

  /// Prepares a run; nothing is computed before the first `step`.
  /// - Parameters:
  ///   - crosscoder: without an input normaliser (see `foldingNormaliser`), of the engine's width.
  ///   - layer: the block after which the crosscoder reads and the residual stream is changed.
  ///   - prefixes: where prompts computed up to `layer` are kept from run to run.
  ///   - recordsLogProbabilities: whether `logProbabilities(_:)` is wanted.
  ///   - recordedLikeliest: how many tokens `likeliest(_:)` has at each place.
  ///   - latents: whose `activations(_:)` are wanted; any at all cost base a pass up to `layer` beside each stream.
  ///   - mayOverflow: whether a steered stream that is not finite any more ends alone; otherwise the run fails.
  ///   - maxActivations: the largest scaled activation seen of a latent, if any.
  /// - Throws: `DiffingError` where a plan asks for something that cannot be done.
  public init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, prompt: RenderedChat, plans: [SteeringPlan],
    settings: GenerationSettings, prefixes: PromptPrefixes = PromptPrefixes(), recordsLogProbabilities: Bool = false,
    recordedLikeliest: Int = 0, mayOverflow: Bool = false, reading latents: [Int] = [],
    maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    guard settings.samples > 0 else {
      throw .settingInvalid(name: "samples", expected: "1 or more", found: "\(settings.samples)")
    }
    let setup = try SteeringArms(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans, samples: settings.samples,
      reading: latents, maxActivations: maxActivations)
    self.setup = setup
    var streams: [DecodingStream] = []
    for sample in 0..<settings.samples {
      let sampler = try reading { () throws(InferenceError) in try settings.sampler(sample) }
      streams += (0..<setup.arms).map { arm in
        DecodingStream(
          source: .sampled(sampler), attention: setup.attention(ofStream: sample * setup.arms + arm),
          mayOverflow: mayOverflow && arm > 0)
      }
    }
    for (steered, _) in setup.baseStreams.sorted(by: { $0.value < $1.value }) {
      streams.append(DecodingStream(model: .base, source: .following(stream: steered, lastLayer: layer)))
    }
    decoding = Decoding(
      engine: engine, streams: streams, prompt: prompt.ids, limit: settings.maxTokens,
      shared: Decoding.Shared(through: layer, prefixes: prefixes), hooks: setup.hooks(),
      recordsLogProbabilities: recordsLogProbabilities, recordedLikeliest: recordedLikeliest)
  }

  /// Whether every stream has ended.
  public var isFinished: Bool { decoding.isFinished }

  /// One token of every stream that goes on.
  /// - Throws: `InferenceError`, such as a residual stream that steering made infinite.
  public func step() throws(InferenceError) -> [DecodedToken] { try decoding.step() }

  /// Reads the activations at each stream's last token, which no step has gone through. To be called once, when all
  /// streams have ended.
  /// - Throws: what the forward pass throws.
  public func readLastTokens() throws(InferenceError) {
    if setup.readings != nil { try decoding.readLastTokens(through: setup.layer) }
  }

  /// Of each token of a stream whose activations were read, those of each latent, in scaled units: of a token when the
  /// next one is there. Empty unless asked for.
  public func activations(_ stream: Int) -> [[Float]] { setup.readings?.values[stream] ?? [] }

  /// Ends a stream where it is: nobody wants more of it.
  public func end(_ stream: Int) { decoding.end(stream) }

  /// The stream of an arm (0 the baseline, i + 1 plan i) in a sample.
  public func stream(arm: Int, sample: Int) -> Int { sample * arms + arm }

  /// Tokens of a stream so far, an end-of-turn token included.
  public func produced(_ stream: Int) -> [Int32] { decoding.produced(stream) }

  /// log p of each produced token in nats, by the stream's own model at temperature 1, steering included; empty unless
  /// asked for.
  public func logProbabilities(_ stream: Int) -> [Double] { decoding.logProbabilities(stream) }

  /// The likeliest tokens at the place of each produced token, the likeliest first, as `logProbabilities(_:)`; empty
  /// unless asked for.
  public func likeliest(_ stream: Int) -> [[TokenLogProbability]] { decoding.likeliest(stream) }

  /// The first token, counted from 0, at which a stream differs from the baseline of its sample; nil if it does not.
  /// Where one ends before the other that is where it ends.
  public func firstDifference(_ stream: Int) -> Int? {
    let (own, baseline) = (produced(stream), produced(stream / arms * arms))
    if own == baseline { return nil }
    return zip(own, baseline).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      ?? min(own.count, baseline.count)
  }

  /// Whether a stream ended by itself, with an end-of-turn token; otherwise it goes on or the limit cut it.
  public func ended(_ stream: Int) -> Bool { decoding.ended(stream) }

  /// The token, counted from 0, before which a stream's numbers ended, if that ended it.
  public func overflow(_ stream: Int) -> Int? { decoding.overflowed(stream) ? produced(stream).count : nil }

  /// How large plan i's change of the residual stream has been.
  public func size(ofPlan index: Int, sample: Int = 0) -> SteeringSize {
    setup.prepared[sample * (arms - 1) + index].size
  }
}
