// The store behind the service, also after another one has taken its place.
// Owns: the routes of the store that is open now, and opening it again. Refuses: to answer from two stores at once; when the
// store is replaced, the answer under way ends, and what waits is refused with 503 as at a stop.

import Experiments
import Serving
import Storage
import Synchronization

/// Answers requests from whatever store is at a path.
package final class ServedStore: Sendable {
  private let open: @Sendable () throws -> Routes
  private let current: Mutex<Routes>

  /// - Parameter open: opens the store, with the models that belong to it.
  package init(open: @escaping @Sendable () throws -> Routes) throws {
    self.open = open
    current = Mutex(try open())
  }

  /// The routes of the store that is open now.
  package var routes: Routes { current.withLock { $0 } }

  /// Answers one request.
  @Sendable package func handle(_ request: ServiceRequest) async throws -> ServiceReply {
    try await routes.handle(request)
  }

  /// Opens the store again whenever another one has taken its place, until the task is cancelled.
  /// - Parameter log: told in one line what has happened.
  package func follow(log: @Sendable (String) -> Void) async {
    while !Task.isCancelled {
      let former = routes
      for await change in former.store.changes() where change == .replaced { break }
      guard !Task.isCancelled else { return }
      do {
        let next = try open()
        current.withLock { $0 = next }
        await former.owner.stop()
        log("another store has taken the place of \(former.store.path); answers come from that one now")
      } catch {
        log("the store was replaced and cannot be opened: \(error)")
        try? await Task.sleep(for: .seconds(5))
      }
    }
  }

  /// Ends the answer under way and closes the store.
  package func stop() async {
    await routes.owner.stop()
    routes.store.close()
  }
}
