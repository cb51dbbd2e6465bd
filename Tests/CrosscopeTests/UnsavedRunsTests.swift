// A store that cannot take a run, a tag or a note: full, read-only, held by another program. Nothing is lost, the store
// stays whole, and what was not saved is saved once there is room.

import Foundation
import GRDB
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports
@testable import Storage
@testable import crosscope

@Suite struct UnsavedRunsTests {
  private let sample: SampleStore
  private let store: Store
  private var driver: ExplorerDriver
  private var message: String? { driver.state.message?.text }

  init() async throws {
    sample = try SampleStore()
    store = try sample.open()
    driver = try await ExplorerDriver(store, size: Size(columns: 120, rows: 40))
  }

  private func fill() throws { try store.setMaximumPages(1) }
  private func makeRoom() throws { try store.setMaximumPages(1 << 30) }

  /// Runs a prompt too long for the pages that the store has.
  private mutating func run(_ beginning: String) async {
    await driver.press("f2", "s", "i", "ctrl-u")
    await driver.send(.terminal(.input(.paste(beginning + String(repeating: " and so on", count: 700)))))
    await driver.press("enter")
    await driver.press("f2")
  }

  @Test mutating func aRunThatTheStoreDidNotTakeIsListedOpenedExportedAndSavedLater() async throws {
    try fill()
    await run("Who was first?")
    #expect(driver.asked.contains { if case .save = $0 { true } else { false } })
    await driver.press("f6")
    #expect(driver.text.contains("1 experiment · 1 not saved (!)") && driver.text.contains("!1"))
    #expect(driver.text.contains("Experiment !1") && driver.text.contains("steer, not saved"))
    await driver.press("S")
    #expect(message == "the run is not saved: the disk is full; e exports it, S in Experiments saves it again")
    #expect(driver.state.experiments.unsaved.runs.count == 1, "not twice")
    await driver.press("d")
    #expect(driver.state.experiments.unsaved.runs.count == 1 && message?.contains("in memory only") == true)

    await driver.press("enter")
    #expect(driver.state.screen == .experiment && driver.text.contains("I am sorry"))
    let path = sample.folder + "/run.json"
    await driver.press("e", "ctrl-u")
    await driver.type(path)
    await driver.press("enter")
    #expect(message == "the file is written: \(path)")
    let exported = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any]
    #expect((exported?["prompt"] as? String)?.hasPrefix("Who was first?") == true)
    #expect(try store.experiments().isEmpty)

    try makeRoom()
    await driver.press("esc", "S")
    #expect(message == "the run is saved as experiment 1")
    #expect(!driver.text.contains("not saved") && driver.state.experiments.ids == [1])
    let saved = try #require(try store.experiments().first)
    #expect(saved.prompt == exported?["prompt"] as? String && saved.created == exported?["created"] as? String)
    await driver.press("S")
    #expect(message?.contains("every experiment here is saved") == true)
    #expect(try store.check().isEmpty)
  }

  @Test mutating func whatCouldNotBeSavedFollowsTheNextThatIsAndIsNotLostByAKey() async throws {
    try fill()
    for text in ["First", "Second"] { await run(text) }
    await driver.press("q")
    #expect(driver.state.ending == nil)
    #expect(message == "2 runs are not saved: S in Experiments saves again, e exports; quit again to lose them")
    await driver.press("f6", "/")
    await driver.type("second")
    #expect(driver.state.experiments.ids == [-2])
    await driver.press("esc")
    #expect(driver.state.experiments.ids == [-2, -1])
    await driver.press("space", "space", "c")
    #expect(driver.text.contains("Experiments !2 and !1"))
    await driver.press("esc")
    try makeRoom()
    await run("Third")
    #expect(try store.experiments().map { String($0.prompt.prefix(3)) } == ["Sec", "Fir", "Thi"])
    #expect(driver.state.experiments.unsaved.isEmpty)
    await driver.press("q")
    #expect(driver.state.ending == 0)
  }

  @Test mutating func aSignalTriesOnceMore() async throws {
    try fill()
    await run("First")
    try makeRoom()
    await driver.send(.terminal(.terminate(signal: 15)))
    #expect(driver.state.ending == 15)
    #expect(try store.experiments().count == 1)
  }

  @Test mutating func aStoreHeldByAnotherProgramIsSaidAndWaitedForNoLonger() async throws {
    var configuration = GRDB.Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: sample.path, configuration: configuration)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    // The other program keeps the store for as long as this takes.
    await run("First")
    #expect(driver.state.experiments.unsaved.runs.count == 1)
    await driver.press("f6", "S")
    #expect(
      message
        == "the run is not saved: another program is writing to the store; e exports it, S in Experiments saves it again"
    )
    try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    await driver.press("S")
    #expect(message == "the run is saved as experiment 1")
  }

  @Test mutating func aNoteThatWasNotSavedComesBackIntoTheEditor() async throws {
    let text = String(repeating: "a long note ", count: 700)
    try fill()
    await driver.press("n")
    await driver.send(.terminal(.input(.paste(text))))
    await driver.press("enter")
    let id = try #require(driver.state.currentLatent)
    #expect(message == "the note is not saved: the disk is full; n on latent \(id) brings it back")
    await driver.press("n")
    guard let editor = driver.state.overlay as? NoteEditor else { throw CancellationError() }
    #expect(editor.text.text == text.trimmed)
    try makeRoom()
    await driver.press("enter")
    #expect(driver.state.unsavedNotes.isEmpty)
    #expect(try store.page(of: id).note == text.trimmed)
  }
}

/// Commands where the disk is full, or a file may not become as large as it would.
@Suite struct FullDiskTests {
  private let build: TinyBuild

  init() throws {
    build = try TinyBuild()
    try build.run()
  }

  @Test func filesAppearWholeOrNotAtAll() throws {
    let latent = "\(try build.livingLatents(1)[0])"
    let before = Set(build.folder.names)
    let out = build.folder.path + "/out.gguf"
    try Program.run(
      ["export", build.storePath, "control-vector", "--latent", latent, "--out", out], after: "ulimit -f 0"
    ).expectOneLine(saying: "cannot write \(out): File too large")
    #expect(Set(build.folder.names) == before)
    for more in [[], ["--json"]] {
      try Program.run(["latents", build.storePath] + more, after: "exec >/dev/full")
        .expectOneLine(saying: "standard output: No space left on device")
    }
  }

  @Test func aBuildThatFindsNoRoomLeavesNothingHalfAndGoesOnLater() throws {
    let store = try Data(contentsOf: URL(filePath: build.storePath))
    try FileManager.default.removeItem(atPath: build.folder.path + "/work")
    let crosscoder = build.folder.path + "/crosscoder"
    try FileManager.default.removeItem(atPath: crosscoder)
    // In blocks of 512 bytes.
    for blocks in [2, 64, 400] {
      let outcome = try Program.run(["build", build.configurationPath], after: "ulimit -f \(blocks)")
      #expect(outcome.code == 1 && outcome.error.contains("File too large"), "\(outcome)")
      let names = FileManager.default.enumerator(atPath: build.folder.path)?.compactMap { $0 as? String } ?? []
      #expect(!names.contains { $0.hasSuffix(".tmp") || $0.hasSuffix(".partial") }, "\(names)")
      #expect(try Data(contentsOf: URL(filePath: build.storePath)) == store, "the former store is untouched")
    }
    let whole = try Program.run(["build", build.configurationPath])
    #expect(whole.code == 0, "\(whole)")
  }

  @Test func aStoreOnAFullDiskStaysWholeAndTakesTheTagLater() throws {
    let disk = TemporaryFolder()
    guard try shell("mount -t tmpfs -o size=24m none \(disk.path)") == 0 else { return }
    defer { _ = try? shell("umount \(disk.path)") }
    #expect(try shell("cp -r \(build.folder.path)/. \(disk.path)") == 0)
    let store = disk.path + "/tiny.crosscope"
    let latent = "\(try build.livingLatents(1)[0])"
    let steer = [
      "steer", store, "--latent", latent, "--prompt", "Hi", "--max-tokens", "4", "--save", "--json",
    ]
    #expect(try shell("dd if=/dev/zero of=\(disk.path)/filler bs=4096 2>/dev/null") != 0)
    try Program.run(["tag", store, latent, "--add", "kept"]).expectOneLine(saying: "the disk is full")
    let run = try Program.run(steer)
    #expect(run.code == 1 && run.error.contains("the disk is full"), "\(run.error)")
    #expect(try run.json()["baseline"] != nil, "what was computed is printed")
    let checked = try Program.run(["check", store])
    #expect(checked.code == 0, "\(checked)")
    #expect(try shell("rm \(disk.path)/filler") == 0)
    #expect(try Program.run(["tag", store, latent, "--add", "kept"]).code == 0)
    let saved = try Program.run(steer)
    #expect(saved.code == 0 && saved.error.contains("saved as experiment 1"), "\(saved.error)")
    #expect(try Program.run(["check", store]).code == 0)
  }

  private func shell(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
