// Runs that the store did not take because its disk was full, it is read-only, or another program held it. They are listed and
// opened like saved ones, with numbers below 0, until the store takes them or the program ends.

import Diffing
import Experiments
import Inference
import Reports
import Storage

/// Experiments in memory.
struct UnsavedRuns: Sendable, Equatable {
  /// The runs, the newest first.
  private(set) var runs: [SavedRun] = []
  private var underWay: Set<Int64> = []
  private var count: Int64 = 0
  /// Whether the user was told that they are lost when the program ends.
  var hasWarned = false

  var isEmpty: Bool { runs.isEmpty }

  func run(_ id: Int64) -> SavedRun? { runs.first { $0.record.id == id } }

  /// Their numbers, the newest first; if a text is given, only those of runs that contain it.
  func ids(matching text: String) -> [Int64] {
    let wanted = text.lowercased()
    return runs.filter { run in
      wanted.isEmpty
        || ([run.record.prompt, run.record.kind] + ([run.baseline].compactMap { $0 } + run.steered).map(\.text))
          .contains { $0.lowercased().contains(wanted) }
    }.map(\.record.id)
  }

  /// Keeps a run that could not be saved, at the first attempt or at a later one.
  mutating func keep(_ record: ExperimentRecord) {
    hasWarned = false
    guard record.id >= 0 else {
      underWay.remove(record.id)
      return
    }
    var record = record
    count += 1
    record.id = -count
    runs.insert(SavedRun(record), at: 0)
  }

  /// Drops a run that the store has taken.
  mutating func remove(_ id: Int64) {
    runs.removeAll { $0.record.id == id }
    underWay.remove(id)
  }

  /// The effects that save all runs which are not being saved already, the oldest first.
  mutating func saveAgain() -> [Effect] {
    let records = runs.map(\.record).filter { !underWay.contains($0.id) }.reversed()
    underWay.formUnion(records.map(\.id))
    return records.map { .save($0) }
  }
}

extension StorageError {
  /// The reason why something was not saved, in a few words.
  var cause: String {
    switch self {
    case .diskFull: "the disk is full"
    case .readOnly: "the store is read-only"
    case .busy: "another program is writing to the store"
    case .replaced: "a new store has taken the place of the open one"
    case .notPermitted: "permission is denied"
    default: description
    }
  }
}

extension ExplorerState {
  /// Keeps a run that the store did not take, and tells the user.
  mutating func notSaved(_ record: ExperimentRecord, _ cause: String) -> [Effect] {
    experiments.unsaved.keep(record)
    let isExported = bindings.contains { $0.action == .export }
    let again = store.isWritable ? ", S in Experiments saves it again" : ""
    tell("the run is not saved: \(cause); \(isExported ? "e exports it" : "Experiments has it")\(again)", .error)
    return ExperimentsState.changed(&self)
  }

  /// Tells the user that the store has a run. If there was room for it there may be room for others, so these are saved
  /// again.
  mutating func saved(_ id: Int64, formerly unsaved: Int64?) -> [Effect] {
    if let unsaved { experiments.unsaved.remove(unsaved) }
    tell("the run is saved as experiment \(id)", .good)
    return ExperimentsState.changed(&self) + experiments.unsaved.saveAgain()
  }

  /// Ends the program. If that would lose runs, it warns first and ends at the second request.
  mutating func quit() {
    let count = experiments.unsaved.runs.count
    guard count > 0, store.isWritable, !experiments.unsaved.hasWarned else {
      ending = 0
      return
    }
    experiments.unsaved.hasWarned = true
    tell(
      "\(counted(count, "run is", "runs are")) not saved: S in Experiments saves again, e exports; quit again to lose \(count > 1 ? "them" : "it")",
      .error)
  }
}
