// Notices what other programs, and other parts of this one, do to a store. The file is opened only through SQLite,
// since any other way would drop the locks of this process (see StoreFile).

import Dispatch
import Foundation

/// What has happened to a store.
public enum StoreChange: Sendable, Equatable {
  /// Somebody has changed tags, notes, explanations or experiments. Read again whatever is shown of them.
  case edited
  /// Another store has taken its place. Every use of this object throws `StorageError.replaced`; open the path again.
  case replaced
}

extension Store {
  /// Yields what has changed, looking once in each interval, until the stream or the store is released. A replaced
  /// store is reported at every look.
  ///
  /// Changes made between this call and the first look are reported too. The looks run on a queue of their own: on
  /// Swift's few shared threads they would wait behind whatever is being read there.
  public func changes(every interval: Duration = .seconds(1)) -> AsyncStream<StoreChange> {
    let start = try? look().commits
    return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
      let task = Task(executorPreference: LookoutExecutor()) { [weak self] in
        var last = start
        while !Task.isCancelled, self != nil {
          // A store that cannot be read for a moment, for instance a locked one, is looked at after the next interval.
          if let look = try? self?.look() {
            if look.isReplaced {
              continuation.yield(.replaced)
            } else if look.commits != last {
              continuation.yield(.edited)
            }
            last = look.commits
          }
          try? await Task.sleep(for: interval)
        }
        continuation.finish()
      }
      continuation.onTermination = { _ in task.cancel() }
    }
  }
}

/// The queue on which the looks of one stream run.
private final class LookoutExecutor: TaskExecutor {
  private let queue = DispatchQueue(label: "crosscope.store.changes")

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
