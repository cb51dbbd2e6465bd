// A steering experiment: one prompt answered by the chat model unsteered and under each of several plans, all streams
// in lockstep, so that a token of each costs one pass over the weights.
// Owns: the streams' numbering and the hooks. One owner at a time; each step is synchronous.

import Inference
import Kernels

/// What decides how tokens are chosen. One seed serves all streams, so that differences come from steering alone.
public struct GenerationSettings: Sendable, Codable, Equatable {
  public var maxTokens: Int
  /// 0 is greedy.
  public var temperature: Double
  public var seed: UInt64

  public init(maxTokens: Int = 128, temperature: Double = 0, seed: UInt64 = 0) {
    self.maxTokens = maxTokens
    self.temperature = temperature
    self.seed = seed
  }
}

/// The baseline and the steered streams of one prompt.
public final class SteeringRun {
  /// The baseline's stream number; plan i has stream i + 1.
  public static let baseline = 0

  private let decoding: Decoding
  private let prepared: [PreparedSteering]

  /// Prepares a run; nothing is computed before the first `step`.
  /// - Parameters:
  ///   - crosscoder: without an input normaliser (see `foldingNormaliser`), of the engine's width.
  ///   - layer: the block after which the crosscoder reads and the residual stream is changed.
  ///   - prefixes: where prompts computed up to `layer` are kept from run to run.
  ///   - maxActivations: the largest scaled activation seen of a latent, if any.
  /// - Throws: `DiffingError` where a plan asks for something that cannot be done.
  public init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, prompt: RenderedChat, plans: [SteeringPlan],
    settings: GenerationSettings, prefixes: PromptPrefixes = PromptPrefixes(), maxActivations: (Int) -> Double?
  ) throws(DiffingError) {
    guard crosscoder.dModel == engine.model.configuration.dModel,
      (0..<engine.model.configuration.nLayers).contains(layer)
    else {
      throw .settingInvalid(
        name: "model", expected: "one of width \(crosscoder.dModel) with a block \(layer)",
        found: "\(engine.model.configuration.nLayers) blocks of width \(engine.model.configuration.dModel)")
    }
    precondition(crosscoder.normaliser == nil, "fold the normaliser first")
    var prepared: [PreparedSteering] = []
    for plan in plans {
      prepared.append(try PreparedSteering(plan: plan, crosscoder: crosscoder, maxActivations: maxActivations))
    }
    let sampler: Sampler
    do {
      sampler = try Sampler(temperature: settings.temperature, seed: settings.seed)
    } catch {
      throw .file(error)
    }
    let sampled = DecodingStream(source: .sampled(sampler))
    var streams = [DecodingStream](repeating: sampled, count: plans.count + 1)
    var baseStreams = [Int?](repeating: nil, count: plans.count)
    for (index, plan) in plans.enumerated() where plan.needsBase {
      baseStreams[index] = streams.count
      streams.append(DecodingStream(model: .base, source: .following(stream: index + 1, lastLayer: layer)))
    }
    var hooks = Hooks()
    let baseRows = BaseRows()
    if baseStreams.contains(where: { $0 != nil }) {
      let first = plans.count + 1
      hooks.add(layer: layer, site: .residPost) { view in
        for rows in view.segments where rows.stream >= first { baseRows.keep(rows, of: view) }
      }
    }
    for (index, steering) in prepared.enumerated() {
      let baseStream = baseStreams[index]
      hooks.add(layer: layer, site: .residPost) { view in
        guard let rows = view.segment(ofStream: index + 1) else { return }
        for (offset, row) in rows.rows.enumerated() {
          let position = rows.firstPosition + offset
          guard steering.plan.positions.include(position, prompt: prompt) else { continue }
          baseRows.withRow(offset, ofStream: baseStream) { base in
            steering.apply(to: view.row(row), base: base, isFirst: position == 0)
          }
        }
      }
    }
    self.prepared = prepared
    decoding = Decoding(
      engine: engine, streams: streams, prompt: prompt.ids, limit: settings.maxTokens,
      shared: Decoding.Shared(through: layer, prefixes: prefixes), hooks: hooks)
  }

  /// Whether every stream has ended.
  public var isFinished: Bool { decoding.isFinished }

  /// One token of every stream that goes on.
  /// - Throws: `InferenceError`, such as a residual stream that steering made infinite.
  public func step() throws(InferenceError) -> [DecodedToken] { try decoding.step() }

  /// Tokens of a stream so far, an end-of-turn token included.
  public func produced(_ stream: Int) -> [Int32] { decoding.produced(stream) }

  /// Whether a stream ended by itself, with an end-of-turn token; otherwise it goes on or the limit cut it.
  public func ended(_ stream: Int) -> Bool { decoding.ended(stream) }

  /// How large plan i's change of the residual stream has been.
  public func size(ofPlan index: Int) -> SteeringSize { prepared[index].size }
}

/// Base's residual streams at the tokens of one pass, for hooks on chat's: with two sets of weights base's pass is over
/// by then.
private final class BaseRows {
  private var d = 0
  private var rows: [Int: [Float]] = [:]

  func keep(_ segment: SegmentRows, of view: SiteView) {
    d = view.d
    let values = UnsafeBufferPointer(start: view.row(segment.rows.lowerBound), count: segment.rows.count * d)
    rows[segment.stream] = Array(values)
  }

  /// Hands over one row of a stream in this pass; nil without a stream.
  func withRow(_ offset: Int, ofStream stream: Int?, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let stream, let rows = rows[stream] else { return body(nil) }
    rows.withUnsafeBufferPointer { rows in body(rows.baseAddress.map { $0 + offset * d }) }
  }
}

extension TokenPositions {
  /// Whether the token at a position of a timeline that began with `prompt` is steered.
  func include(_ position: Int, prompt: RenderedChat) -> Bool {
    switch self {
    case .all: true
    case .prompt: position < prompt.ids.count
    case .generated: position >= prompt.ids.count - 1
    case .template: position < prompt.templateMask.count && prompt.templateMask[position]
    }
  }
}
