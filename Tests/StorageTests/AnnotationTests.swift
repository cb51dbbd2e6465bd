import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct AnnotationTests {
  let folder: TemporaryFolder
  let content: Content

  init() throws {
    folder = try TemporaryFolder()
    content = Content(latents: 20, seed: 31)
    try content.write(to: folder.file())
  }

  private func tags(_ store: Store) throws -> [Int: [String]] { try store.tags(of: content.latents.map(\.id)) }

  @Test func tagsAreSavedCountedAndRemovedOnManyLatentsAtOnce() throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    #expect(try store.annotate([3, 1, 3], adding: [" refusal ", "b"]).latents == [1, 3])
    #expect(try store.annotate([1, 2], adding: ["refusal"]).latents == [2])
    #expect(try store.annotate([1], adding: ["refusal"]).summary == "nothing changed")
    #expect(try store.tagCounts().map { "\($0.name) \($0.count)" } == ["b 2", "refusal 3"])
    try store.annotate([1, 2, 3, 4], removing: ["b"])
    #expect(try tags(store) == [1: ["refusal"], 2: ["refusal"], 3: ["refusal"]])
    #expect(try store.tagCounts().count == 1, "a tag that nothing has is gone")
  }

  @Test(arguments: ["", "  ", "a\nb", "a\u{1B}[31m", "\u{202E}x", "say \"x\"", String(repeating: "x", count: 65)])
  func unfitTagNamesAreRefused(name: String) throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    guard case .invalidTag? = storageError({ try store.annotate([1], adding: [name]) }) else {
      Issue.record("accepted \(name.debugDescription)")
      return
    }
    #expect(try tags(store).isEmpty)
  }

  /// Names are composed as Unicode says, also beyond 16 bits and for Hangul.
  @Test func equalTagNamesAreOneAndOthersAreNot() throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    try store.annotate([1], adding: ["cafe\u{301}", "\u{AC00}\u{11A8}", "\u{10041}\u{301}"])
    func scalars(_ text: String) -> [UInt32] { text.unicodeScalars.map(\.value) }
    let names = try store.tagCounts().map { scalars($0.name) }
    #expect(names == [scalars("caf\u{E9}"), [0xAC01], [0x10041, 0x301]])
    #expect(try store.annotate([1], adding: ["caf\u{E9}", "\u{AC01}", "\u{C1}"]).latents == [1])
    #expect(try store.tagCounts().count == 4)
    let condition = try Filter("tag:cafe\u{301}").root?.condition { _ in .never }
    #expect(condition?.arguments == ["caf\u{E9}".databaseValue])
  }

  @Test func anEditThatFailsChangesNothing() throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    #expect(
      storageError { try store.annotate([1, 99], adding: ["x"], note: "n") } == .noSuchLatent(id: 99, count: 20))
    #expect(try tags(store).isEmpty)
    #expect(try store.note(of: 1) == nil)
    #expect(try store.undo() == nil)
  }

  /// After any sequence of edits, undoing all of them gives back every earlier state, and redoing every later one.
  @Test(arguments: [1, 2, 3, 4])
  func undoAndRedoWalkThroughEveryState(seed: UInt64) throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    var random = SeededGenerator(seed)
    func state() throws -> UserAnnotations { try store.userAnnotations() }
    var states = [try state()]
    for step in 0..<40 {
      let latents = (0..<3).map { _ in Int.random(in: 0..<20, using: &random) }
      let names = ["a", "b", "c"].filter { _ in Bool.random(using: &random) }
      let edit = try store.annotate(
        latents, adding: names, removing: ["c", "d"], note: step % 3 == 0 ? "note \(step % 6)" : nil)
      if !edit.latents.isEmpty { states.append(try state()) }
    }
    for expected in states.dropLast().reversed() {
      #expect(try store.undo() != nil)
      #expect(try state() == expected)
    }
    #expect(try store.undo() == nil)
    for expected in states.dropFirst() {
      #expect(try store.redo() != nil)
      #expect(try state() == expected)
    }
    #expect(try store.redo() == nil)
    _ = try store.undo()
    try store.annotate([7], adding: ["new"])
    #expect(try store.redo() == nil, "a new edit forgets what had been taken back")
    #expect(try store.check().isEmpty)
  }

  @Test func undoSurvivesClosingWhereTheSessionGoesOn() throws {
    let session: String
    do {
      let store = try Store(path: folder.file(), access: .readWrite)
      session = store.session
      try store.annotate([1], adding: ["x"], note: "hello")
      #expect(FileManager.default.fileExists(atPath: folder.file() + "-wal"))
    }
    #expect(folder.names == ["a.crosscope"], "a closed store is one file")
    #expect(try Store(path: folder.file(), access: .readWrite).undo() == nil, "another session's edit")
    let store = try Store(path: folder.file(), access: .readWrite, session: session)
    #expect(try store.undo()?.summary == "tag x on latent 1, note on latent 1")
    #expect(try tags(store).isEmpty)
    #expect(try store.note(of: 1) == nil)
  }

  @Test func twoOpenStoresSeeEachOthersTags() throws {
    let a = try Store(path: folder.file(), access: .readWrite)
    let b = try Store(path: folder.file(), access: .readWrite)
    let onlyReading = try Store(path: folder.file(), access: .readOnly)
    let (lookA, lookB, lookC) = (try a.look(), try b.look(), try onlyReading.look())
    #expect(try b.look() == lookB)
    try a.annotate([1], adding: ["x"])
    #expect(try b.look() != lookB)
    #expect(try a.look() != lookA, "also the one who wrote")
    #expect(try onlyReading.look() != lookC)
    try b.annotate([1], adding: ["y"])
    for store in [a, b, onlyReading] { #expect(try tags(store) == [1: ["x", "y"]]) }
    a.close()
    try b.annotate([2], adding: ["z"])
    #expect(try tags(onlyReading) == [1: ["x", "y"], 2: ["z"]])
  }

  @Test func changesOfAnotherStoreArriveInTheStream() async throws {
    let a = try Store(path: folder.file(), access: .readWrite)
    let b = try Store(path: folder.file(), access: .readOnly)
    let stream = b.changes(every: .milliseconds(1))
    try a.annotate([1], adding: ["x"])
    for await _ in stream { break }
    #expect(try tags(b) == [1: ["x"]])
  }

  @Test func thousandsAreTaggedAndUntaggedInOneStep() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 5000, sequences: 4, contexts: 1, seed: 9).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readWrite)
    let all = Array(0..<5000)
    try store.annotate([7, 9], adding: ["mine"])
    #expect(try store.annotate(all, adding: ["mine"]).latents.count == 4998)
    #expect(try store.tagCounts(of: all) == ["mine": 5000] && store.tagCounts(of: [7]) == ["mine": 1])
    #expect(try store.undo()?.latents.count == 4998)
    #expect(try store.tags(of: all) == [7: ["mine"], 9: ["mine"]])
    #expect(try store.redo()?.latents.count == 4998)
    #expect(try store.annotate(all, adding: ["other"], removing: ["mine"]).latents == all)
    #expect(try store.undo()?.latents == all)
    #expect(try store.tagCounts().map(\.name) == ["mine"])
    #expect(storageError { try store.annotate([1, 5000], adding: ["x"]) } == .noSuchLatent(id: 5000, count: 5000))
    #expect(storageError { try store.annotate([-1], adding: ["x"]) } == .noSuchLatent(id: -1, count: 5000))
    #expect(try store.tagCounts().map(\.name) == ["mine"])
  }

  @Test func notesAreFoundAmongLatents() throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    try store.annotate([1, 3], note: "seen")
    #expect(try store.noted(among: [0, 1, 2, 3]) == [1, 3])
  }

  @Test func lookingChangesNoByte() throws {
    let before = try Data(contentsOf: URL(fileURLWithPath: folder.file()))
    do {
      let store = try Store(path: folder.file(), access: .readWrite)
      _ = try store.latentIDs()
      _ = try store.page(of: 1)
      _ = try store.look()
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file())) == before)
    #expect(folder.names == ["a.crosscope"])
  }

  @Test func aReadOnlyStoreRefusesEdits() throws {
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(!store.isWritable)
    #expect(storageError { try store.annotate([1], adding: ["x"]) } == .readOnly(path: store.path))
  }

  @Test func experimentsComeBackNewestFirst() throws {
    let store = try Store(path: folder.file(), access: .readWrite)
    var experiment = ExperimentRecord(
      created: "2025-01-01T00:00:00Z", prompt: "How?", kind: "steer", interventions: "[]", parameters: "{}",
      outputs: "[\"x\"]", versions: "{}")
    let first = try store.save(experiment)
    experiment.prompt = "Why?"
    let second = try store.save(experiment)
    #expect(try store.experiments() == [second, first])
    #expect(try store.experiments(before: second.id) == [first])
    experiment.outputs = "{"
    #expect(
      storageError { try store.save(experiment) }
        == .invalidRecord(table: "experiment", detail: "column outputs is not JSON"))
    #expect(try store.deleteExperiments([first.id]).summary == "experiment \(first.id) deleted")
    #expect(try store.deleteExperiments([first.id]).summary == "nothing changed")
  }
}
