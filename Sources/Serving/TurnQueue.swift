// One at a time, first come first served, and not too many waiting. Owns: whose turn it is.
// Refuses: those beyond the limit at once, and everybody once it is closed.

/// A bounded queue in front of something that serves one at a time.
public actor TurnQueue {
  /// Why a turn is not given.
  public enum Refusal: Error, Equatable { case full, closed }

  private let limit: Int
  private var isTaken = false
  /// Whether nobody gets a turn any more.
  public private(set) var isClosed = false
  private var waiting: [(number: Int, continuation: CheckedContinuation<Void, any Error>)] = []
  private var lastNumber = 0

  /// - Parameter limit: how many may wait besides the one who has its turn.
  public init(limit: Int) { self.limit = limit }

  /// Those waiting.
  public var count: Int { waiting.count }

  /// Runs `body` when its turn comes.
  /// - Throws: `Refusal`, `CancellationError` while waiting, and what `body` throws.
  public func take(_ body: @Sendable () async throws -> Void) async throws {
    try await wait()
    defer { pass() }
    try await body()
  }

  /// Refuses whoever waits and whoever comes. Who has its turn keeps it.
  public func close() {
    isClosed = true
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
    if waiting.isEmpty {
      isTaken = false
    } else {
      waiting.removeFirst().continuation.resume()
    }
  }
}
