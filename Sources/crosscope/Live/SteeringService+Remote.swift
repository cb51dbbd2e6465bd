// The explorer's steering on the models of another machine or process: a `crosscope serve` behind an address.
// Owns: requests and events on the wire, the check that both sides have the same files.
// Refuses: a service with another model, adapter or crosscoder than the store's; its text is untrusted like a model's.

import Diffing
import Foundation
import Inference
import Serving
import Storage

extension SteeringService {
  /// Steering by a service.
  /// - Parameter pair: the local store's, whose latents the service must mean too.
  static func remote(_ client: ServiceClient, pair: ModelPair) -> SteeringService {
    let identity = EngineIdentity(pair)
    return SteeringService(
      load: { progress in
        progress("asking \(client.address)")
        let list = try JSONDecoder.reading(ModelList.self, try await client.get("/v1/models"), client)
        guard let model = list.data.first else {
          throw ServiceError.answerInvalid(client.address.description, found: "no model")
        }
        try check(model.identity, identity, client)
        return "\(String(model.id.prefix(120))) at \(client.address)"
      },
      run: { request in
        AsyncThrowingStream { continuation in
          let task = Task {
            do {
              try await answer(request, client, identity) { continuation.yield($0) }
              continuation.finish()
            } catch {
              continuation.finish(throwing: error)
            }
          }
          continuation.onTermination = { _ in task.cancel() }
        }
      })
  }

  private static func check(
    _ found: EngineIdentity, _ expected: EngineIdentity, _ client: ServiceClient
  ) throws(CommandError) {
    if let what = found.difference(from: expected) {
      throw .otherEngine(address: client.address.description, what: what)
    }
  }

  private static func answer(
    _ request: SteeringRequest, _ client: ServiceClient, _ identity: EngineIdentity, _ emit: (SteeringEvent) -> Void
  ) async throws {
    let body = try JSONEncoder().encode(SteerWireRequest(request))
    var (isChecked, tokens) = (false, 0)
    try await client.post("/v1/steer", body: body) { data in
      if let error = try? JSONDecoder().decode(APIError.self, from: data) {
        throw ServiceError.refused(client.address.description, status: 200, message: String(error.message.prefix(300)))
      }
      let event = try JSONDecoder.reading(SteerExchangeEvent.self, data, client)
      if let began = event.began {
        try check(began.identity, identity, client)
        isChecked = true
      }
      if event.token != nil { tokens += 1 }
      guard isChecked, tokens <= 2 * request.maxTokens else {
        throw ServiceError.answerInvalid(
          client.address.description, found: isChecked ? "more tokens than were asked for" : "none of its files named")
      }
      if let token = event.token, !token.text.isEmpty {
        emit(token.stream == .baseline ? .baseline(token.text) : .steered(token.text))
      }
      if let finished = event.finished { emit(.finished(SteeringInfo(finished))) }
    }
  }
}

/// What the explorer asks of /v1/steer.
private struct SteerWireRequest: Encodable {
  let prompt: String
  let interventions: [SteeringIntervention]
  /// Nil without interventions, where it would change nothing.
  let positions: TokenPositions?
  let max_tokens: Int
  let temperature: Double
  let seed: UInt64
  let stream = true

  private enum CodingKeys: CodingKey { case prompt, interventions, positions, max_tokens, temperature, seed, stream }

  init(_ request: SteeringRequest) {
    (prompt, interventions) = (request.prompt, request.interventions)
    positions = interventions.isEmpty ? nil : request.positions
    (max_tokens, temperature, seed) = (request.maxTokens, request.temperature, request.seed)
  }
}

extension SteeringInfo {
  fileprivate init(_ result: SteerExchangeResult) {
    self.init(
      tokensPerSecond: result.tokens_per_second, relativeChange: result.steered.relative_change, layer: result.layer,
      decoder: result.decoder.rawValue, baseline: result.baseline.ids, steered: result.steered.ids,
      baselineEnded: result.baseline.finished, steeredEnded: result.steered.finished, versions: result.versions)
  }
}

extension JSONDecoder {
  /// Reads what a service answered.
  fileprivate static func reading<T: Decodable>(
    _ type: T.Type, _ data: Data, _ client: ServiceClient
  ) throws(ServiceError) -> T {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch {
      throw .answerInvalid(client.address.description, found: "something else")
    }
  }
}
