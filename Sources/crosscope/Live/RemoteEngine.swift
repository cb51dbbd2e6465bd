// The models of another machine or process: a `crosscope serve` behind an address, as the explorer and the commands ask it.
// Owns: one exchange, the check that both sides have the same files. What is asked is in RemoteEngine+….swift.
// Refuses: a service with another model, adapter or crosscoder than the store's; answers to something else than was
// asked. Their text is untrusted like a model's.

import Foundation
import Serving

/// A service and the files that it must have.
struct RemoteEngine: Sendable {
  let client: ServiceClient
  /// The local store's, whose latents the service must mean too.
  let identity: EngineIdentity

  /// The model's name and where it is.
  func name() async throws -> String {
    let list: ModelList = try read(try await client.get("/v1/models"))
    guard let model = list.data.first else { throw invalid("no model") }
    try check(model.identity)
    return "\(String(model.id.prefix(120))) at \(client.address)"
  }

  /// Asks, and hands over what comes once the service has named its files.
  func exchange<Event: ExchangeEvent>(
    _ path: String, _ request: some Encodable, _ take: (Event) throws -> Void
  ) async throws {
    var isChecked = false
    try await client.post(path, body: try JSONEncoder().encode(request)) { data in
      if let error = try? JSONDecoder().decode(APIError.self, from: data) {
        throw ServiceError.refused(client.address.description, status: 200, message: String(error.message.prefix(300)))
      }
      let event: Event = try read(data)
      if let began = event.began {
        try check(began)
        isChecked = true
        return
      }
      guard isChecked else { throw invalid("none of its files named") }
      try take(event)
    }
  }

  /// What an exchange must have brought.
  /// - Throws: `ServiceError.lost` where it is missing.
  func required<Value>(_ value: Value?) throws(ServiceError) -> Value {
    guard let value else { throw .lost(client.address.description) }
    return value
  }

  func invalid(_ found: String) -> ServiceError { .answerInvalid(client.address.description, found: found) }

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
}
