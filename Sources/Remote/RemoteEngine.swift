// A client that does jobs by a `crosscope serve` in another process or on another machine. Both sides must have the same files.
// The client does not trust the service: an event that does not answer the request is an error.

import Experiments
import Foundation
import Serving

/// A service and the files that it must have.
package struct RemoteEngine: Laboratory {
  package let client: ServiceClient
  /// The files of the local store; the service must have the same ones.
  package let identity: EngineIdentity

  package init(client: ServiceClient, identity: EngineIdentity) { (self.client, self.identity) = (client, identity) }

  package func load(_ progress: @escaping @Sendable (String) -> Void) async throws -> String {
    progress("asking \(client.address)")
    return "\(String(try await model().id.prefix(120))) at \(client.address)"
  }

  package func versions() async throws -> [String: String] { try await model().versions ?? [:] }

  private func model() async throws -> ModelList.Model {
    let list: ModelList = try read(try await client.get("/v1/models"))
    guard let model = list.data.first else { throw invalid("a list without a model") }
    try check(model.identity)
    return model
  }

  package func events<J: Job>(
    of job: J, loading: @escaping @Sendable (String) -> Void
  ) -> AsyncThrowingStream<J.Event, any Error> {
    stream { continuation in
      var answer = job.answer(from: identity)
      var isChecked = false
      try await client.post(J.path, body: try JSONEncoder().encode(StreamedJob(job: job))) { data in
        if let error = try? JSONDecoder().decode(APIError.self, from: data) {
          throw ServiceError.refused(
            client.address.description, status: 200, message: String(error.message.prefix(300)))
        }
        if let began = try? JSONDecoder().decode(Began.self, from: data) {
          try check(began.began)
          isChecked = true
          return
        }
        guard isChecked else { throw invalid("a model that names none of its files") }
        let event: J.Event = try read(data)
        do throws(UnexpectedAnswer) { try answer.take(event) } catch { throw failure(error) }
        continuation.yield(event)
      }
      guard answer.outcome != nil else { throw failure(nil) }
    }
  }

  package func failure(_ unexpected: UnexpectedAnswer?) -> any Error {
    unexpected.map { invalid($0.found) } ?? ServiceError.lost(client.address.description)
  }

  private func invalid(_ found: String) -> ServiceError { .answerInvalid(client.address.description, found: found) }

  private func check(_ found: EngineIdentity) throws(OtherEngine) {
    if let what = found.difference(from: identity) {
      throw OtherEngine(address: client.address.description, what: what)
    }
  }

  private func read<T: Decodable>(_ data: Data) throws -> T {
    do {
      return try JSONDecoder().decode(T.self, from: data)
    } catch let error as UnexpectedAnswer {
      throw failure(error)
    } catch {
      throw invalid("something else")
    }
  }
}

/// The error for a service whose files differ from those of the store that is open here.
package struct OtherEngine: Error, Equatable, CustomStringConvertible {
  let address: String
  let what: String

  package var description: String {
    "\(address) has another \(what) than this store; serve a copy of this store there"
  }
}
