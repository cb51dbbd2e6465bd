// Whose turn it is: in order, one at a time, not too many waiting, none left behind.

import TestSupport
import Testing

@testable import Experiments

struct TurnQueueTests {
  private actor Record {
    var list: [Int] = []
    func add(_ index: Int) { list.append(index) }
  }

  /// A queue whose turn is taken until `release` is called.
  private func taken(_ queue: TurnQueue, _ group: inout ThrowingTaskGroup<Void, any Error>) async -> () -> Void {
    let (gate, gateEnd) = AsyncStream<Void>.makeStream()
    let (started, startedEnd) = AsyncStream<Void>.makeStream()
    group.addTask {
      try await queue.take {
        startedEnd.finish()
        for await _ in gate {}
      }
    }
    for await _ in started {}
    return { gateEnd.finish() }
  }

  private func settle(_ queue: TurnQueue, at count: Int) async {
    while await queue.count != count { await Task.yield() }
  }

  @Test func whoWaitsIsServedInOrder() async throws {
    let (queue, record) = (TurnQueue(limit: 8), Record())
    try await withThrowingTaskGroup(of: Void.self) { group in
      let release = await taken(queue, &group)
      for index in 0..<8 {
        group.addTask { try await queue.take { await record.add(index) } }
        await settle(queue, at: index + 1)
      }
      release()
      try await group.waitForAll()
    }
    #expect(await record.list == Array(0..<8))
  }

  @Test func whoIsOneTooManyIsRefusedAtOnce() async throws {
    let queue = TurnQueue(limit: 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let release = await taken(queue, &group)
      group.addTask { try await queue.take {} }
      await settle(queue, at: 1)
      await #expect(throws: TurnQueue.Refusal.full) { try await queue.take {} }
      release()
      try await group.waitForAll()
    }
    try await queue.take {}
  }

  @Test func whoGivesUpLeavesItsPlace() async throws {
    let queue = TurnQueue(limit: 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let release = await taken(queue, &group)
      let waiting = Task { try await queue.take {} }
      await settle(queue, at: 1)
      waiting.cancel()
      await #expect(throws: CancellationError.self) { try await waiting.value }
      #expect(await queue.count == 0)
      release()
      try await group.waitForAll()
    }
  }

  @Test func aClosedQueueRefusesThoseWaitingAndThoseToCome() async throws {
    let queue = TurnQueue(limit: 1)
    try await withThrowingTaskGroup(of: Void.self) { group in
      let release = await taken(queue, &group)
      let waiting = Task { try await queue.take {} }
      await settle(queue, at: 1)
      await queue.close()
      await #expect(throws: TurnQueue.Refusal.closed) { try await waiting.value }
      await #expect(throws: TurnQueue.Refusal.closed) { try await queue.take {} }
      release()
      try await group.waitForAll()
    }
  }

  @Test func closingEndsTheTurnThatIsUnderWay() async throws {
    let queue = TurnQueue(limit: 0)
    let (started, startedEnd) = AsyncStream<Void>.makeStream()
    let turn = Task {
      try await queue.take {
        startedEnd.finish()
        try await untilCancelled()
      }
    }
    for await _ in started {}
    #expect(await queue.isTaken)
    await queue.close()
    await #expect(throws: TurnQueue.Refusal.closed) { try await turn.value }
    #expect(await !queue.isTaken)
  }

  @Test func anErrorPassesTheTurnOn() async throws {
    struct Wrong: Error {}
    let queue = TurnQueue(limit: 0)
    await #expect(throws: Wrong.self) { try await queue.take { throw Wrong() } }
    try await queue.take {}
  }
}
