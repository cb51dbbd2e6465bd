// The store behind the service. When another store takes its place, the file is opened again. Two stores never answer at once:
// the running answer ends, and waiting requests fail with 503 as they do at a stop.

import Experiments
import Serving
import Storage
import Synchronization

/// Answers requests from the store that is at a path now.
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
  /// - Parameter log: receives one line about each such event.
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

  /// Ends the running answer and closes the store.
  package func stop() async {
    await routes.owner.stop()
    routes.store.close()
  }
}
