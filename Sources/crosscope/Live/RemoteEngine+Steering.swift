// Steering by a service: runs, sweeps, previews, activations along two answers.
// Owns: the requests on the wire, and whether an answer is one to what was asked.

import Diffing
import Foundation
import Inference
import Serving

extension SteeringService {
  /// Steering by a service.
  static func remote(_ engine: RemoteEngine) -> SteeringService {
    SteeringService(
      load: { progress in
        progress("asking \(engine.client.address)")
        return try await engine.name()
      },
      run: { request in stream { continuation in try await engine.run(request) { continuation.yield($0) } } },
      sweep: { request, withControl in
        stream { continuation in
          let request = SweepRequest(run: request, withControl: withControl)
          try await engine.sweep(request) { continuation.yield($0) }
        }
      },
      sweepSet: { request, choice in
        stream { continuation in
          let request = try SetSweepRequest(request, choice)
          try await engine.sweepSet(request) { continuation.yield($0) }
        }
      },
      trace: { request in try await engine.trace(request) },
      preview: { request in stream { continuation in try await engine.preview(request) { continuation.yield($0) } } })
  }
}

extension RemoteEngine {
  func run(_ request: SteeringRequest, _ emit: (SteeringEvent) -> Void) async throws {
    var (tokens, readings, isFinished) = (0, 0, false)
    var wire = SteerWireRequest(request, isSampled: true)
    wire.trace = request.traced
    try await exchange("/v1/steer", wire) { (event: SteerExchangeEvent) in
      guard let event = event.ofRun, !isFinished else { throw invalid("something else") }
      switch event {
      case .baseline(_, let sample), .steered(_, let sample), .frozen(_, let sample):
        tokens += 1
        guard (0..<request.samples).contains(sample), tokens <= request.mostTokens else {
          throw invalid("more tokens than were asked for")
        }
      case .activations(let values, _, let sample):
        readings += 1
        guard (0..<request.samples).contains(sample), values.count == request.traced.count,
          readings <= request.mostTokens
        else { throw invalid("activations of something else") }
      case .answered: break
      case .finished(let document):
        isFinished = true
        guard document.answers(request, strengths: [1]) else { throw invalid("an answer to something else") }
      }
      emit(event)
    }
    guard isFinished else { throw ServiceError.lost(client.address.description) }
  }

  /// - Returns: the document, and that of the control where it was asked for.
  @discardableResult
  func sweep(
    _ request: SweepRequest, _ emit: (SweepEvent) -> Void = { _ in }
  ) async throws -> (document: SteeringDocument, control: SteeringDocument?) {
    var (document, control) = (SteeringDocument?.none, SteeringDocument?.none)
    try await exchange("/v1/steer/sweep", SteerWireRequest(request)) { (event: SteerExchangeEvent) in
      guard let event = event.ofSweep else { throw invalid("something else") }
      switch event {
      case .tokens, .scored: break
      case .finished(let found):
        guard document == nil, found.answers(request.run, strengths: request.strengths) else {
          throw invalid("an answer to something else")
        }
        document = found
      case .control(let found):
        guard request.withControl, document != nil, control == nil, found.isControl(of: request) else {
          throw invalid("an answer to something else")
        }
        control = found
      }
      emit(event)
    }
    if request.withControl { _ = try required(control) }
    return (try required(document), control)
  }

  @discardableResult
  func sweepSet(_ request: SetSweepRequest, _ emit: (SetSweepEvent) -> Void = { _ in }) async throws -> DoseResponse {
    var report: DoseResponse?
    try await exchange("/v1/steer/set", SetWireRequest(request)) { (event: SetExchangeEvent) in
      guard report == nil else { throw invalid("something else") }
      if let progress = event.progress { return emit(.progress(done: progress.done, of: progress.of)) }
      guard let found = event.finished, found.answers(request) else { throw invalid("an answer to something else") }
      report = found
      emit(.finished(found))
    }
    return try required(report)
  }

  func preview(_ request: SteeringRequest, _ emit: (PreviewEvent) -> Void) async throws {
    var tokens = 0
    let wire = SteerWireRequest(request, isSampled: false)
    try await exchange("/v1/steer/preview", wire) { (event: SteerExchangeEvent) in
      guard let event = event.ofPreview else { throw invalid("something else") }
      switch event {
      case .distribution(let found): guard found.isSound else { throw invalid("probabilities beyond 0 to 1") }
      case .token:
        tokens += 1
        guard tokens <= NextTokens.answerTokens else { throw invalid("more tokens than were asked for") }
      }
      emit(event)
    }
  }

  func trace(_ request: AnswerTraceRequest) async throws -> AnswerTrace {
    var trace: AnswerTrace?
    let wire = AnswerTraceWireRequest(request)
    try await exchange("/v1/steer/activations", wire) { (event: SteerExchangeEvent) in
      guard let found = event.activations, found.answers(request) else { throw invalid("something else") }
      trace = found
    }
    return try required(trace)
  }
}

/// What is asked of /v1/steer and most of what is below it. Fields that would change nothing are nil: they are refused.
private struct SteerWireRequest: Encodable {
  var prompt: String?
  var turns: [ChatMessage]?
  let interventions: [Intervention]
  var positions: TokenPositions?
  var conditions: [SteeringCondition]?
  var decoder: PairModel?
  var all_layers: Bool?
  var raw_strength: Bool?
  let swap_base: Bool
  var max_tokens: Int?
  var temperature: Double?
  var top_p: Double?
  var min_p: Double?
  var frequency_penalty: Double?
  var seed: UInt64?
  var samples: Int?
  var watch: [String]?
  var strengths: [Double]?
  var frozen_attention: Bool?
  var trace: [Int32]?
  var control: Bool?
  let stream = true

  private enum CodingKeys: CodingKey {
    case prompt, turns, interventions, positions, conditions, decoder, all_layers, raw_strength, swap_base
    case max_tokens, temperature, top_p, min_p, frequency_penalty, seed, samples, watch
    case strengths, frozen_attention, trace, control, stream
  }

  init(_ request: SteeringRequest, isSampled: Bool) {
    (prompt, turns, interventions) = (request.prompt, request.turns, request.planned)
    swap_base = request.swapsBase
    if request.isSteered {
      (positions, conditions, decoder) = (request.positions, request.conditions, request.decoder)
      (all_layers, raw_strength) = (request.blocks == .ownAndAbove, request.unit == .norm)
    }
    guard isSampled else { return }
    (max_tokens, temperature, top_p, min_p) = (request.maxTokens, request.temperature, request.topP, request.minP)
    (frequency_penalty, seed, samples) = (request.frequencyPenalty, request.seed, request.samples)
    (watch, frozen_attention) = (request.watched, request.freezesAttention)
  }

  init(_ request: SweepRequest) {
    self.init(request.run, isSampled: true)
    (strengths, control) = (request.strengths, request.withControl)
  }
}

/// What is asked of /v1/steer/set: a run's fields without those of one prompt, and the set's own.
private struct SetWireRequest: Encodable {
  let request: SetSweepRequest

  init(_ request: SetSweepRequest) { self.request = request }

  private enum CodingKeys: CodingKey { case prompts, name, strengths, random }

  func encode(to encoder: any Encoder) throws {
    var run = SteerWireRequest(request.run, isSampled: true)
    (run.prompt, run.turns, run.samples, run.watch) = (nil, nil, nil, nil)
    try run.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(request.prompts, forKey: .prompts)
    try container.encode(request.name, forKey: .name)
    try container.encode(request.strengths, forKey: .strengths)
    try container.encode(request.random, forKey: .random)
  }
}

/// What is asked of /v1/steer/activations.
private struct AnswerTraceWireRequest: Encodable {
  let prompt: String
  let turns: [ChatMessage]
  let baseline: [Int32]
  let steered: [Int32]
  let frozen: [Int32]?
  let latents: [Int32]
  let stream = true

  private enum CodingKeys: CodingKey { case prompt, turns, baseline, steered, frozen, latents, stream }

  init(_ request: AnswerTraceRequest) {
    (prompt, turns) = (request.run.prompt, request.run.turns)
    (baseline, steered, frozen) = (request.baseline, request.steered, request.frozen)
    latents = request.latents
  }
}

extension SteeringRequest {
  /// Whether settings of steering change anything.
  fileprivate var isSteered: Bool { !interventions.isEmpty || swapsBase }

  /// Tokens of all answers together at most.
  fileprivate var mostTokens: Int { (freezesAttention ? 3 : 2) * samples * maxTokens }
}

extension SteeringDocument {
  /// Whether it is of this request, with figures for the tokens that it has. What the service alone knows is not asked.
  fileprivate func answers(_ request: SteeringRequest, strengths: [Double]) -> Bool {
    var asked = request.parameters
    (asked.layer, asked.projectMean) = (parameters.layer, parameters.projectMean)
    asked.maxActivations = parameters.maxActivations
    // Where nothing is steered the settings of steering are not sent.
    if !request.isSteered {
      (asked.positions, asked.decoder, asked.conditions) = (.all, .chat, [])
      (asked.steersAllLayers, asked.takesRawStrength) = (false, false)
    }
    guard prompt == request.prompt, parameters == asked, interventions == request.planned,
      outputs.baseline.strength == nil, outputs.steered.map(\.strength) == strengths,
      outputs.frozenAttention.map({ $0.map(\.strength) == strengths }) ?? true,
      (outputs.frozenAttention != nil) == request.freezesAttention
    else { return false }
    return ([outputs.baseline] + outputs.steered + (outputs.frozenAttention ?? [])).allSatisfy { answer in
      answer.samples.count == request.samples && answer.watched.map(\.text) == request.watched
        && zip(answer.samples, outputs.baseline.samples).allSatisfy { $0.isSound(baseline: $1, request) }
    }
  }

  /// Whether it is of this sweep with other latents, their strengths as lengths.
  fileprivate func isControl(of sweep: SweepRequest) -> Bool {
    var request = sweep.run
    request.unit = .norm
    guard interventions.count == request.interventions.count,
      zip(interventions, request.interventions).allSatisfy({
        $0.mode == .add && $0.isOn && $0.conditions == $1.conditions
      })
    else { return false }
    request.interventions = interventions.map { SteeringIntervention($0) }
    return answers(request, strengths: sweep.strengths)
  }
}

extension DoseResponse {
  /// Whether it is of this set, steered by these latents at these strengths.
  fileprivate func answers(_ request: SetSweepRequest) -> Bool {
    interventions == request.run.planned && prompts == request.prompts.count && outcomes.count == prompts
      && outcomes.allSatisfy { $0.answers.count == arms.count }
      && arms.filter { $0.kind == .steered }.map(\.strength) == request.strengths
  }
}

extension SteeringDocument.Sample {
  fileprivate func isSound(baseline: SteeringDocument.Sample, _ request: SteeringRequest) -> Bool {
    ids.count <= request.maxTokens && logProbabilities?.count == ids.count
      && kl.map { $0.count == baseline.ids.count } != false
      && firstDifference.map { (0...max(ids.count, baseline.ids.count)).contains($0) } != false
  }
}

extension NextTokens {
  fileprivate var isSound: Bool {
    [likelyUnsteered, likelySteered].allSatisfy { list in
      list.count <= Self.count
        && list.allSatisfy { (0...1).contains($0.unsteered) && (0...1).contains($0.steered) }
    }
  }
}

extension AnswerTrace {
  fileprivate func answers(_ request: AnswerTraceRequest) -> Bool {
    let arms =
      [(baseline, request.baseline), (steered, request.steered)] + (request.frozen.map { [(frozen, $0)] } ?? [])
    return arms.allSatisfy { values, answer in
      values.count == request.latents.count && values.allSatisfy { $0.count == answer.count }
    }
  }
}
