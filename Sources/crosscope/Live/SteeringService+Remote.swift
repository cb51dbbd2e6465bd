// The explorer's steering on the models of another machine or process: a `crosscope serve` behind an address.
// Owns: requests and events on the wire, the check that both sides have the same files.
// Refuses: a service with another model, adapter or crosscoder than the store's; answers to something else than was
// asked; what services do not do yet. Their text is untrusted like a model's.

import Diffing
import Foundation
import Inference
import Serving
import Storage

extension SteeringService {
  /// Steering by a service.
  /// - Parameter pair: the local store's, whose latents the service must mean too.
  static func remote(_ client: ServiceClient, pair: ModelPair) -> SteeringService {
    let engine = RemoteEngine(client: client, identity: EngineIdentity(pair))
    return SteeringService(
      load: { progress in
        progress("asking \(client.address)")
        return try await engine.name()
      },
      run: { request in stream { continuation in try await engine.run(request) { continuation.yield($0) } } },
      sweep: { _, _ in stream { _ in throw CommandError.notServed("a sweep") } },
      trace: { _ in throw CommandError.notServed("activations along the answers") },
      preview: { request in stream { continuation in try await engine.preview(request) { continuation.yield($0) } } })
  }
}

extension TraceService {
  /// What stands in its place where a service has the models.
  static let notServed = TraceService { _ in stream { _ in throw CommandError.notServed("tracing a text") } }
}

extension CheckService {
  /// What stands in its place where a service has the models.
  static let notServed = CheckService { _ in stream { _ in throw CommandError.notServed("a latent's check") } }
}

/// A service and the files that it must have.
private struct RemoteEngine: Sendable {
  let client: ServiceClient
  let identity: EngineIdentity

  /// The model's name and where it is.
  func name() async throws -> String {
    let list: ModelList = try read(try await client.get("/v1/models"))
    guard let model = list.data.first else { throw invalid("no model") }
    try check(model.identity)
    return "\(String(model.id.prefix(120))) at \(client.address)"
  }

  func run(_ request: SteeringRequest, _ emit: (SteeringEvent) -> Void) async throws {
    if request.freezesAttention { throw CommandError.notServed("an answer with frozen attention") }
    var (tokens, isFinished) = (0, false)
    try await exchange("/v1/steer", SteerWireRequest(request, isSampled: true)) { event in
      guard let event = event.ofRun, !isFinished else { throw invalid("something else") }
      switch event {
      case .baseline(_, let sample), .steered(_, let sample):
        tokens += 1
        guard (0..<request.samples).contains(sample), tokens <= 2 * request.samples * request.maxTokens else {
          throw invalid("more tokens than were asked for")
        }
      case .frozen, .activations: throw invalid("something else")
      case .answered: break
      case .finished(let document):
        isFinished = true
        guard document.answers(request) else { throw invalid("an answer to something else") }
      }
      emit(event)
    }
    guard isFinished else { throw ServiceError.lost(client.address.description) }
  }

  func preview(_ request: SteeringRequest, _ emit: (PreviewEvent) -> Void) async throws {
    var tokens = 0
    try await exchange("/v1/steer/preview", SteerWireRequest(request, isSampled: false)) { event in
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

  /// Asks, and hands over what comes once the service has named its files.
  private func exchange(
    _ path: String, _ request: SteerWireRequest, _ take: (SteerExchangeEvent) throws -> Void
  ) async throws {
    var isChecked = false
    try await client.post(path, body: try JSONEncoder().encode(request)) { data in
      if let error = try? JSONDecoder().decode(APIError.self, from: data) {
        throw ServiceError.refused(client.address.description, status: 200, message: String(error.message.prefix(300)))
      }
      let event: SteerExchangeEvent = try read(data)
      if let began = event.began {
        try check(began)
        isChecked = true
        return
      }
      guard isChecked else { throw invalid("none of its files named") }
      try take(event)
    }
  }

  private func check(_ found: EngineIdentity) throws(CommandError) {
    if let what = found.difference(from: identity) {
      throw .otherEngine(address: client.address.description, what: what)
    }
  }

  private func read<T: Decodable>(_ data: Data) throws(ServiceError) -> T {
    do {
      return try JSONDecoder().decode(T.self, from: data)
    } catch {
      throw invalid("something else")
    }
  }

  private func invalid(_ found: String) -> ServiceError { .answerInvalid(client.address.description, found: found) }
}

/// What the explorer asks of /v1/steer and its preview. Fields that would change nothing are nil: they are refused.
private struct SteerWireRequest: Encodable {
  let prompt: String
  let turns: [ChatMessage]
  let interventions: [SteeringIntervention]
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
  let stream = true

  private enum CodingKeys: CodingKey {
    case prompt, turns, interventions, positions, conditions, decoder, all_layers, raw_strength, swap_base
    case max_tokens, temperature, top_p, min_p, frequency_penalty, seed, samples, watch, stream
  }

  init(_ request: SteeringRequest, isSampled: Bool) {
    (prompt, turns, interventions) = (request.prompt, request.turns, request.interventions)
    swap_base = request.swapsBase
    if !interventions.isEmpty {
      (positions, conditions, decoder) = (request.positions, request.conditions, request.decoder)
      (all_layers, raw_strength) = (request.blocks == .ownAndAbove, request.unit == .norm)
    }
    guard isSampled else { return }
    (max_tokens, temperature, top_p, min_p) = (request.maxTokens, request.temperature, request.topP, request.minP)
    (frequency_penalty, seed, samples) = (request.frequencyPenalty, request.seed, request.samples)
    watch = request.watched
  }
}

extension SteeringDocument {
  /// Whether it is of this request, with figures for the tokens that it has. What the service alone knows is not asked.
  fileprivate func answers(_ request: SteeringRequest) -> Bool {
    var asked = request.parameters
    (asked.layer, asked.projectMean) = (parameters.layer, parameters.projectMean)
    asked.maxActivations = parameters.maxActivations
    // Without interventions the settings of steering are not sent.
    if request.interventions.isEmpty {
      (asked.positions, asked.decoder, asked.conditions) = (.all, .chat, [])
      (asked.steersAllLayers, asked.takesRawStrength) = (false, false)
    }
    guard prompt == request.prompt, parameters == asked, interventions == request.planned,
      outputs.frozenAttention == nil, outputs.steered.count == 1
    else { return false }
    return ([outputs.baseline] + outputs.steered).allSatisfy { answer in
      answer.samples.count == request.samples && answer.watched.map(\.text) == request.watched
        && zip(answer.samples, outputs.baseline.samples).allSatisfy { $0.isSound(baseline: $1, request) }
    }
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
