// One store that several programs change at once, the way people use it: explorers and commands side by side.
import Foundation
import GRDB
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Storage

@Suite(.enabled(if: TmuxTerminal.isAvailable, "tmux is missing"))
struct StoreSharingTests {
  private let sample: SampleStore

  init() throws { sample = try SampleStore() }

  /// Looking whether the store was replaced used to open and close its file, and to drop this process's locks with that:
  /// the next program that ended took the log away under this one, and with it what was written after.
  @Test func lookingAtAStoreKeepsItsLocks() throws {
    let store = try sample.open()
    try store.annotate([1], adding: ["first"])
    #expect(try !store.look().isReplaced)
    let tagged = try Program.run(["tag", sample.path, "2", "--add", "second"])
    #expect(tagged.code == 0, "\(tagged.error)")
    try store.annotate([3], adding: ["third"])
    let again = try sample.open(.readOnly)
    #expect(try again.tags(of: [1, 2, 3]) == [1: ["first"], 2: ["second"], 3: ["third"]])
    #expect(try again.check().isEmpty)
  }

  /// Opening another store on the same path, and closing it, is no other matter.
  @Test func aSecondStoreOnThePathKeepsTheLocksOfTheFirst() throws {
    let store = try sample.open()
    try store.annotate([1], adding: ["first"])
    try sample.open(.readOnly).close()
    #expect(try Program.run(["check", sample.path]).code == 0)
    #expect(try Program.run(["tag", sample.path, "2", "--add", "second"]).code == 0)
    try store.annotate([3], adding: ["third"])
    #expect(try sample.open(.readOnly).tags(of: [1, 2, 3]) == [1: ["first"], 2: ["second"], 3: ["third"]])
  }

  @Test func aDamagedStoreIsRepairedByACommand() throws {
    #expect(try Program.run(["tag", sample.path, "1", "2", "--add", "kept"]).code == 0)
    #expect(
      try Program.run(["check", sample.path, "--repair"]).out.contains(
        "the store is whole, and there is nothing to repair"))
    try corrupt(index: "tag_latent")
    let found = try Program.run(["check", sample.path])
    #expect(found.code == 1 && found.out.contains("tag_latent"))
    #expect(found.error.contains("crosscope check --repair"), "\(found.error)")
    let repaired = try Program.run(["check", sample.path, "--repair"])
    #expect(repaired.code == 0 && repaired.out.contains("tag 2"), "\(repaired.out) \(repaired.error)")
    #expect(try Program.run(["check", sample.path]).code == 0)
    #expect(FileManager.default.fileExists(atPath: sample.path + ".damaged"))
    #expect(try sample.open(.readOnly).tags(of: [1, 2]) == [1: ["kept"], 2: ["kept"]])
  }

  /// The root of an index becomes an empty page, as after writes of two programs without each other's locks.
  private func corrupt(index: String) throws {
    let (size, root) = try DatabaseQueue(path: sample.path).read { db in
      (
        try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0,
        try Int.fetchOne(db, sql: "SELECT rootpage FROM sqlite_master WHERE name = ?", arguments: [index]) ?? 0
      )
    }
    let file = try FileHandle(forWritingTo: URL(filePath: sample.path))
    try file.seek(toOffset: UInt64((root - 1) * size))
    try file.write(contentsOf: [10, 0, 0, 0, 0, UInt8(size >> 8), UInt8(size & 255), 0])
    try file.close()
  }

  /// An explorer in which the first latent, 5, was tagged as refusal.
  private func explorerThatTagged() throws -> TmuxTerminal {
    let terminal = try TmuxTerminal()
    try terminal.explore(sample.path)
    try terminal.type("t")
    try terminal.wait(for: "[ ] refusal")
    try terminal.press("Enter")
    try terminal.wait(for: "[x] refusal")
    try terminal.escape("Tags of")
    return terminal
  }

  @Test func undoOfAnExplorerLeavesACommandsChange() throws {
    let terminal = try explorerThatTagged()
    #expect(try Program.run(["tag", sample.path, "5", "--note", "from outside"]).code == 0)
    try terminal.type("u")
    try terminal.wait(for: "is not undone")
    #expect(try sample.open(.readOnly).tags(of: [5]) == [5: ["refusal"]])
    #expect(try Program.run(["tag", sample.path, "7", "--add", "other"]).code == 0)
    try terminal.type("q")
    try terminal.wait(for: "status 0")
  }

  /// A build puts a new store in the place of the open one: the explorer goes on with it and keeps what it had.
  @Test func theExplorerGoesOnWithAStoreThatReplacesItsOwn() throws {
    let terminal = try explorerThatTagged()
    try SampleContent().write(to: sample.path, carrying: { $0 })
    try terminal.wait(for: "the store was built anew")
    try terminal.wait(for: "refusal")
    try terminal.type("u")
    try terminal.wait(for: "undone: tag refusal")
    #expect(try sample.open(.readOnly).tags(of: [5]).isEmpty)

    try SampleContent().write(to: sample.path, crosscoder: String(repeating: "e", count: 64), carrying: { _ in nil })
    try terminal.wait(for: "a store of another crosscoder")
    try terminal.type("q")
    try terminal.wait(for: "status 0")
    #expect(!FileManager.default.fileExists(atPath: sample.path + "-wal"))
  }
}
