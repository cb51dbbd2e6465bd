// A queue that serves one request at a time, first come, first served. Requests beyond its limit fail at once; after
// `close` all of them fail.

/// A bounded queue in front of something that serves one request at a time.
package actor TurnQueue {
  /// Why a request does not get its turn.
  package enum Refusal: Error, Equatable { case full, closed }

  private let limit: Int
  /// Whether a request has its turn.
  package private(set) var isTaken = false
  private var isClosed = false
  /// The work of the present turn.
  private var current: Task<Void, any Error>?
  private var waiting: [(number: Int, continuation: CheckedContinuation<Void, any Error>)] = []
  private var lastNumber = 0

  /// - Parameter limit: how many requests may wait besides the one that has its turn.
  package init(limit: Int) { self.limit = limit }

  /// The number of waiting requests.
  package var count: Int { waiting.count }

  /// Runs `body` when its turn comes.
  /// - Throws: `Refusal`, of which `.closed` may also come while `body` runs; `CancellationError` while waiting; what
  ///   `body` throws.
  package func take(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await wait()
    defer { pass() }
    // The queue may have been closed after this turn was granted.
    guard !isClosed else { throw Refusal.closed }
    let turn = Task { try await body() }
    current = turn
    do {
      try await withTaskCancellationHandler {
        try await turn.value
      } onCancel: {
        turn.cancel()
      }
    } catch {
      throw isClosed ? Refusal.closed : error
    }
  }

  /// Waiting and new requests fail with `.closed`, and the running one is cancelled.
  package func close() {
    isClosed = true
    current?.cancel()
    for (_, continuation) in waiting { continuation.resume(throwing: Refusal.closed) }
    waiting = []
  }

  private func wait() async throws {
    guard !isClosed else { throw Refusal.closed }
    guard isTaken else {
      isTaken = true
      return
    }
    guard waiting.count < limit else { throw Refusal.full }
    lastNumber += 1
    let number = lastNumber
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        // A task that was cancelled before this point has no entry that `leave` could remove.
        if Task.isCancelled {
          continuation.resume(throwing: CancellationError())
        } else {
          waiting.append((number, continuation))
        }
      }
    } onCancel: {
      Task { await self.leave(number) }
    }
  }

  private func leave(_ number: Int) {
    guard let index = waiting.firstIndex(where: { $0.number == number }) else { return }
    waiting.remove(at: index).continuation.resume(throwing: CancellationError())
  }

  private func pass() {
    current = nil
    if waiting.isEmpty {
      isTaken = false
    } else {
      waiting.removeFirst().continuation.resume()
    }
  }
}
