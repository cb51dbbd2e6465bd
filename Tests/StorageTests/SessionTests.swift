// Undo and redo of several sessions on one store: each takes back its own edits only.
import Foundation
import Testing

@testable import Storage

@Suite struct SessionTests {
  private let folder: TemporaryFolder
  private let mine: Store
  private let other: Store

  init() throws {
    folder = try TemporaryFolder()
    try Content(latents: 20, seed: 61).write(to: folder.file())
    mine = try Store(path: folder.file(), access: .readWrite)
    other = try Store(path: folder.file(), access: .readWrite)
  }

  private func expectConflict(_ subject: String, _ body: () throws -> Void) {
    guard case .editedSince(_, _, subject, _)? = storageError(body) else {
      Issue.record("expected a conflict about \(subject)")
      return
    }
  }

  @Test func onlyOnesOwnEditsAreTakenBack() throws {
    try mine.annotate([1], adding: ["x"])
    try other.annotate([2], adding: ["y"])
    #expect(try mine.undo()?.summary == "tag x on latent 1")
    #expect(try mine.undo() == nil)
    #expect(try other.undo()?.summary == "tag y on latent 2")
    #expect(try other.redo() != nil && mine.redo() != nil)
    #expect(try mine.tags(of: [1, 2]) == [1: ["x"], 2: ["y"]])
  }

  @Test func whatAnotherSessionChangedSinceStays() throws {
    try mine.annotate([1, 3], adding: ["x"])
    try other.annotate([3], note: "seen")
    expectConflict("latent 3") { _ = try mine.undo() }
    #expect(try mine.tags(of: [1, 3]) == [1: ["x"], 3: ["x"]])
    #expect(try mine.note(of: 3) == "seen")

    // Once the other session has taken its edit back, nothing is in the way.
    #expect(try other.undo() != nil)
    #expect(try mine.undo() != nil)
    // An edit of the other session after that keeps the redo away.
    try other.annotate([1], adding: ["z"])
    expectConflict("latent 1") { _ = try mine.redo() }
    #expect(try mine.tags(of: [1, 3]) == [1: ["z"]])
  }

  @Test func takingBackAnOldEditIsAChangeToo() throws {
    try other.annotate([1], adding: ["x"])
    try mine.annotate([1], note: "tagged by the other one")
    expectConflict("latent 1") { _ = try other.undo() }
    #expect(try mine.undo() != nil)
    #expect(try other.undo() != nil)
    // Mine would put the note back on a latent that has changed since.
    expectConflict("latent 1") { _ = try mine.redo() }
  }

  @Test func aNewEditForgetsOnlyWhatItsOwnSessionTookBack() throws {
    try mine.annotate([1], adding: ["x"])
    try other.annotate([2], adding: ["y"])
    _ = try mine.undo()
    _ = try other.undo()
    try mine.annotate([5], adding: ["z"])
    #expect(try mine.redo() == nil)
    #expect(try other.redo()?.latents == [2])
  }

  @Test func aDeletedExperimentThatAnotherSessionRestoredStays() throws {
    let saved = try mine.save(
      ExperimentRecord(
        created: "2025", prompt: "p", kind: "steer", interventions: "[]", parameters: "{}", outputs: "{}",
        versions: "{}"))
    try mine.deleteExperiments([saved.id])
    #expect(try other.undo() == nil)
    #expect(try mine.undo() != nil)
    try other.deleteExperiments([saved.id])
    expectConflict("experiment \(saved.id)") { _ = try mine.redo() }
  }

  @Test func editsFromBeforeSessionsAreNobodys() throws {
    try mine.write { db in
      try db.execute(
        sql: """
          INSERT INTO tag VALUES ('old', 4);
          INSERT INTO journal (action, changes, undone)
          VALUES ('tag old on latent 4', '[{"tagged":{"name":"old","latents":[4]}}]', 0)
          """)
    }
    #expect(try mine.undo() == nil)
    try mine.annotate([4], adding: ["new"])
    #expect(try mine.undo() != nil)
    #expect(try mine.tags(of: [4]) == [4: ["old"]])
  }
}
