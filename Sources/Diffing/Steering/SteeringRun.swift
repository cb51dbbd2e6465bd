// A steering experiment: the chat model answers one prompt unsteered and under each of several plans. All streams run
// in lockstep, so that one token of each costs one pass over the weights. Several samples are more streams. A run has
// one owner at a time; each step is synchronous.

import Inference
import Kernels

/// The baseline and the steered streams of one prompt.
public final class SteeringRun {
  /// The number of the baseline's stream; plan i has stream i + 1. Further samples follow, with `arms` streams each.
  public static let baseline = 0

  /// The number of arms: the baseline and the plans.
  public var arms: Int { setup.arms }
  private let setup: SteeringArms
  private let decoding: Decoding

  /// Prepares a run; nothing is computed before the first `step`.
  /// - Parameters:
  ///   - crosscoder: must have the engine's width and no input normaliser (see `foldingNormaliser`).
  ///   - layer: the block after which the crosscoder reads and the residual stream is changed.
  ///   - prefixes: keeps prompts computed up to `layer` from run to run.
  ///   - recordsLogProbabilities: whether `logProbabilities(_:)` is wanted.
  ///   - recordedLikeliest: the number of tokens that `likeliest(_:)` has at each place.
  ///   - latents: the latents whose `activations(_:)` are wanted; with any, base runs up to `layer` beside each stream.
  ///   - mayOverflow: whether a steered stream that is no longer finite ends alone; otherwise the run fails.
  ///   - maxActivations: the largest scaled activation seen of a latent, if any.
  /// - Throws: `DiffingError` if a plan asks for something impossible.
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
          mayOverflow: mayOverflow && arm > 0, weights: setup.weights(ofStream: sample * setup.arms + arm),
          amplifiedLogits: setup.amplifiedLogits(ofStream: sample * setup.arms + arm))
      }
    }
    for (steered, _) in setup.baseStreams.sorted(by: { $0.value < $1.value }) {
      let last = setup.lastLayerOfBase(besideStream: steered)
      streams.append(DecodingStream(model: .base, source: .following(stream: steered, lastLayer: last)))
    }
    decoding = Decoding(
      engine: engine, streams: streams, prompt: prompt.ids, limit: settings.maxTokens,
      shared: Decoding.Shared(through: setup.sharedLayer, prefixes: prefixes), hooks: setup.hooks(),
      recordsLogProbabilities: recordsLogProbabilities, recordedLikeliest: recordedLikeliest)
  }

  /// Whether every stream has ended.
  public var isFinished: Bool { decoding.isFinished }

  /// Generates one token of every stream that has not ended.
  /// - Throws: `InferenceError`, such as a residual stream that steering made infinite.
  public func step() throws(InferenceError) -> [DecodedToken] { try decoding.step() }

  /// Reads the activations at each stream's last token, through which no step has gone. Call it once, at the end.
  /// - Throws: the errors of the forward pass.
  public func readLastTokens() throws(InferenceError) {
    if setup.readings != nil { try decoding.readLastTokens(through: setup.layer) }
  }

  /// For each token of a stream whose activations were read, those of each latent in scaled units. A token is read when
  /// the next one is generated. The list is empty unless it was asked for.
  public func activations(_ stream: Int) -> [[Float]] { setup.readings?.values[stream] ?? [] }

  /// Ends a stream early, when nobody wants more of it.
  public func end(_ stream: Int) { decoding.end(stream) }

  /// The stream of an arm in a sample; arm 0 is the baseline, arm i + 1 plan i.
  public func stream(arm: Int, sample: Int) -> Int { sample * arms + arm }

  /// The tokens of a stream so far, including an end-of-turn token.
  public func produced(_ stream: Int) -> [Int32] { decoding.produced(stream) }

  /// log p of each produced token in nats, by the stream's own model at temperature 1, steering included. The list is
  /// empty unless it was asked for.
  public func logProbabilities(_ stream: Int) -> [Double] { decoding.logProbabilities(stream) }

  /// The likeliest tokens at the place of each produced token, the likeliest first, with the probabilities of
  /// `logProbabilities(_:)`. The list is empty unless it was asked for.
  public func likeliest(_ stream: Int) -> [[TokenLogProbability]] { decoding.likeliest(stream) }

  /// The first token, counted from 0, at which a stream differs from the baseline of its sample; nil if it does not. If
  /// one ends before the other, it is the place of that end.
  public func firstDifference(_ stream: Int) -> Int? {
    let (own, baseline) = (produced(stream), produced(stream / arms * arms))
    if own == baseline { return nil }
    return zip(own, baseline).enumerated().first { $0.element.0 != $0.element.1 }?.offset
      ?? min(own.count, baseline.count)
  }

  /// Whether a stream ended by itself with an end-of-turn token. Otherwise it goes on, or the limit cut it off.
  public func ended(_ stream: Int) -> Bool { decoding.ended(stream) }

  /// The token, counted from 0, before which the stream's numbers became infinite, if that ended the stream.
  public func overflow(_ stream: Int) -> Int? { decoding.overflowed(stream) ? produced(stream).count : nil }

  /// The size of plan i's change of the residual stream so far.
  public func size(ofPlan index: Int, sample: Int = 0) -> SteeringSize {
    setup.prepared[sample * (arms - 1) + index].size
  }
}
