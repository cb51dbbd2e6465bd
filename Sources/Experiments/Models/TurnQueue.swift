// One at a time, first come first served, and not too many waiting. Owns: whose turn it is, ending it when it is closed.
// Refuses: those beyond the limit at once, and everybody once it is closed.

/// A bounded queue in front of something that serves one at a time.
package actor TurnQueue {
  /// Why a turn is not given.
  package enum Refusal: Error, Equatable { case full, closed }

  private let limit: Int
  /// Whether somebody has the turn.
  package private(set) var isTaken = false
  private var isClosed = false
  /// What is done in the present turn.
  private var current: Task<Void, any Error>?
  private var waiting: [(number: Int, continuation: CheckedContinuation<Void, any Error>)] = []
  private var lastNumber = 0

  /// - Parameter limit: how many may wait besides the one who has its turn.
  package init(limit: Int) { self.limit = limit }

  /// Those waiting.
  package var count: Int { waiting.count }

  /// Runs `body` when its turn comes.
  /// - Throws: `Refusal`, `.closed` also in the midst of `body`; `CancellationError` while waiting; what `body` throws.
  package func take(_ body: @escaping @Sendable () async throws -> Void) async throws {
    try await wait()
    defer { pass() }
    // It may have been closed after the turn was passed on.
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

  /// Refuses whoever waits and whoever comes, and cancels who has its turn.
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
        // A task cancelled before now has no entry to be taken out by `leave`.
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
