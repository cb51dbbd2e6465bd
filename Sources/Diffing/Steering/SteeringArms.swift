// The streams of a steering experiment and the hooks that steer them, for sampling and for given answers alike.
//   stream sample·(plans + 1) + arm    arm 0 is the baseline, arm i + 1 plan i
//   streams after those                base on the tokens of streams whose plan needs it; of all if latents are read
// Base's streams end at the crosscoder's layer, unless a plan amplifies logits.

import Inference
import Kernels

/// The arms of one prompt, `samples` times each: the unsteered one and one for each plan.
struct SteeringArms {
  let layer: Int
  let prompt: RenderedChat
  let samples: Int
  /// The number of plans, plus one for the baseline.
  let arms: Int
  /// The prepared plans of the steered streams, ordered by sample and plan.
  let prepared: [PreparedSteering]
  /// For a stream of chat, the stream of base on the same tokens.
  let baseStreams: [Int: Int]
  /// The weights of each plan's streams; nil if they are chat's.
  private let weights: [AmplifiedWeights?]
  /// The latents that are read at generated tokens; nil if none are.
  let readings: LatentReadings?
  private let nLayers: Int

  init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, prompt: RenderedChat, plans: [SteeringPlan], samples: Int = 1,
    reading latents: [Int] = [], maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    try crosscoder.checkFit(engine.model.configuration, layer: layer)
    (self.layer, self.prompt, self.samples, nLayers) = (layer, prompt, samples, engine.model.configuration.nLayers)
    arms = plans.count + 1
    readings =
      latents.isEmpty ? nil : try LatentReadings(of: latents, crosscoder, streams: samples * (plans.count + 1))
    weights = try plans.map { plan throws(DiffingError) in
      guard let amplification = plan.amplification else { return nil }
      return try reading { () throws(InferenceError) in
        try amplification.check()
        guard engine.isPair || amplification.isIdle else {
          throw .settingInvalid(
            name: Setting("amplification", .amplification), expected: "a pair of models (an adapter or a base model)",
            found: "one model")
        }
        return try engine.amplifiedWeights(amplification.weights)
      }
    }
    let readsBase = !latents.isEmpty && crosscoder.readsBase
    var prepared: [PreparedSteering] = []
    var baseStreams: [Int: Int] = [:]
    for stream in 0..<samples * arms {
      let plan = stream % arms == 0 ? nil : plans[stream % arms - 1]
      if let plan {
        prepared.append(
          try PreparedSteering(
            plan: plan, crosscoder: crosscoder, layer: layer, nLayers: nLayers, maxActivations: maxActivations))
      }
      guard readsBase || plan?.needsBase(crosscoder) == true || plan?.amplifiesLogits == true else { continue }
      baseStreams[stream] = samples * arms + baseStreams.count
    }
    (self.prepared, self.baseStreams) = (prepared, baseStreams)
  }

  /// The block up to which all streams of the prompt are alike but for their model and weights.
  var sharedLayer: Int { prepared.map { $0.plan.lowestLayer(besides: layer) }.min() ?? layer }

  /// The number of chat's streams; base's streams come after them.
  var chatStreams: Int { samples * arms }

  /// The steering of a stream; nil for a baseline.
  func steering(ofStream stream: Int) -> PreparedSteering? {
    let (sample, arm) = stream.quotientAndRemainder(dividingBy: arms)
    return arm == 0 || stream >= chatStreams ? nil : prepared[sample * (arms - 1) + arm - 1]
  }

  /// The weights of a stream of chat; nil if they are chat's, as for a baseline.
  func weights(ofStream stream: Int) -> AmplifiedWeights? {
    let arm = stream % arms
    return arm == 0 || stream >= chatStreams ? nil : weights[arm - 1]
  }

  /// The amplification of a stream's logits, if there is one.
  func amplifiedLogits(ofStream stream: Int) -> DecodingStream.AmplifiedLogits? {
    guard let plan = steering(ofStream: stream)?.plan, plan.amplifiesLogits, let base = baseStreams[stream],
      let factor = plan.amplification?.logits
    else { return nil }
    return DecodingStream.AmplifiedLogits(beyond: base, factor: factor)
  }

  /// Puts the amplified logits in the place of a stream's own, if its plan asks for them.
  /// - Parameter logits: those of all streams, of the same rows.
  func amplify(_ logits: inout [Matrix], ofStream stream: Int) {
    guard let amplified = amplifiedLogits(ofStream: stream) else { return }
    Amplification.amplify(&logits[stream].values, beyond: logits[amplified.base].values, by: amplified.factor)
  }

  /// The last block of base's stream beside a stream of chat; nil if base's logits are needed.
  func lastLayerOfBase(besideStream stream: Int) -> Int? { amplifiedLogits(ofStream: stream) == nil ? layer : nil }

  /// The baseline of the stream's sample, if the stream takes its attention weights from there; nil if it uses its own.
  func attention(ofStream stream: Int) -> Segment.FrozenAttention? {
    guard stream < chatStreams, steering(ofStream: stream)?.plan.freezesAttention == true else { return nil }
    return Segment.FrozenAttention(stream: stream / arms * arms, above: layer)
  }

  /// Hooks that record base's rows and change chat's rows.
  func hooks() -> Hooks {
    var hooks = Hooks()
    let baseRows = BaseRows()
    let firstBase = chatStreams
    if !baseStreams.isEmpty {
      hooks.add(layer: layer, site: .residPost) { view in
        for rows in view.segments where rows.stream >= firstBase { baseRows.keep(rows, of: view) }
      }
    }
    if let readings { add(readings, baseRows, to: &hooks) }
    for stream in 0..<chatStreams {
      if let steering = steering(ofStream: stream) { add(steering, stream, baseRows, to: &hooks) }
    }
    return hooks
  }

  /// Reads generated tokens. It is added before the steering, so it sees the streams unchanged.
  private func add(_ readings: LatentReadings, _ baseRows: BaseRows, to hooks: inout Hooks) {
    let (streams, baseStreams, first) = (0..<chatStreams, baseStreams, prompt.ids.count)
    hooks.add(layer: layer, site: .residPost) { view in
      for rows in view.segments where streams.contains(rows.stream) {
        for (offset, row) in rows.rows.enumerated() where rows.firstPosition + offset >= first {
          baseRows.withRow(offset, ofStream: baseStreams[rows.stream]) { base in
            readings.read(chat: view.row(row), base: base, stream: rows.stream)
          }
        }
      }
    }
  }

  private func add(_ steering: PreparedSteering, _ stream: Int, _ baseRows: BaseRows, to hooks: inout Hooks) {
    let (prompt, baseStream) = (prompt, baseStreams[stream])
    let steered = SteeredRows()
    hooks.add(layer: layer, site: .residPost) { view in
      guard let rows = view.segment(ofStream: stream) else { return }
      steered.rows.removeAll(keepingCapacity: true)
      for (offset, row) in rows.rows.enumerated() {
        let position = rows.firstPosition + offset
        guard steering.plan.positions.include(position, prompt: prompt) else { continue }
        baseRows.withRow(offset, ofStream: baseStream) { base in
          let open = steering.apply(to: view.row(row), base: base, isFirst: position == 0)
          if !open.isEmpty { steered.rows.append((offset, open)) }
        }
      }
    }
    for other in steering.otherLayers {
      hooks.add(layer: other, site: .residPost) { view in
        guard let rows = view.segment(ofStream: stream) else { return }
        for (offset, row) in rows.rows.enumerated() {
          let position = rows.firstPosition + offset
          guard steering.plan.positions.include(position, prompt: prompt) else { continue }
          steering.addDirections(at: other, to: view.row(row), isFirst: position == 0)
        }
      }
    }
    guard steering.plan.blocks == .ownAndAbove else { return }
    for above in layer + 1..<nLayers {
      hooks.add(layer: above, site: .residPost) { view in
        guard let rows = view.segment(ofStream: stream) else { return }
        for (offset, open) in steered.rows {
          steering.applyAbove(to: view.row(rows.rows.lowerBound + offset), open: open)
        }
      }
    }
  }
}

/// The rows of one stream that the current pass has steered, each with the gates that were open there.
private final class SteeredRows {
  var rows: [(offset: Int, open: [Int])] = []
}

/// Base's residual streams at the tokens of one pass, for hooks on chat's. Base with weights of its own has run before.
private final class BaseRows {
  private var d = 0
  private var rows: [Int: [Float]] = [:]

  func keep(_ segment: SegmentRows, of view: SiteView) {
    d = view.d
    let values = UnsafeBufferPointer(start: view.row(segment.rows.lowerBound), count: segment.rows.count * d)
    rows[segment.stream] = Array(values)
  }

  /// Gives `body` one row of a stream in this pass, or nil if there is no stream.
  func withRow(_ offset: Int, ofStream stream: Int?, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let stream, let rows = rows[stream] else { return body(nil) }
    rows.withUnsafeBufferPointer { rows in body(rows.baseAddress.map { $0 + offset * d }) }
  }
}
