// A service that has the right files but says what it likes.

@testable import ExplorerTestSupport
import Foundation
import Serving
import Storage

@testable import Experiments
@testable import Remote
@testable import crosscope

enum LyingService {
  /// Answers with events, after its files were named, whatever is asked.
  static func answer<Event: Encodable & Sendable>(
    _ events: [Event], as build: TinyBuild, _ ask: (RemoteEngine) async throws -> Void
  ) async throws {
    let address = ServiceAddress.unix(path: build.folder.path + "/liar")
    let identity = EngineIdentity(try Store(path: build.storePath, access: .readOnly).modelPair())
    let service = try HTTPService(address: address, token: nil, log: { _ in }) { _ in
      .events { send in
        try await send(try jsonText(Began(began: identity)))
        for event in events { try await send(try jsonText(event)) }
      }
    }
    let (listening, isListening) = AsyncStream<Void>.makeStream()
    let (ending, end) = AsyncStream<Void>.makeStream()
    async let running: Void = service.run(listening: { _ in isListening.finish() }, until: { for await _ in ending {} })
    for await _ in listening {}
    let result = await Result { () async throws in
      try await ask(RemoteEngine(client: ServiceClient(address: address, token: nil), identity: identity))
    }
    end.finish()
    try await running
    try result.get()
  }
}

extension Result where Failure == any Error {
  fileprivate init(catching body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
