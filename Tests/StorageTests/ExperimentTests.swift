// Finding experiments, deleting them and bringing them back.

import GRDB
import Testing

@testable import Storage

@Suite struct ExperimentTests {
  let folder: TemporaryFolder
  let store: Store

  init() throws {
    folder = try TemporaryFolder()
    try Content(latents: 20, seed: 31).write(to: folder.file())
    store = try Store(path: folder.file(), access: .readWrite)
  }

  private func experiment(_ prompt: String, outputs: String = "{\"baseline\":{\"text\":\"No.\"}}") -> ExperimentRecord {
    ExperimentRecord(
      created: "2026-01-01T00:00:00Z", prompt: prompt, kind: "steer",
      interventions: "[{\"latent\":12,\"mode\":\"add\"}]",
      parameters: "{}", outputs: outputs, versions: "{}")
  }

  @Test func aDeletedExperimentComesBackAlsoWhereItsIDWasGivenAnew() throws {
    let first = try store.save(experiment("one"))
    let second = try store.save(experiment("two"))
    #expect(try store.deleteExperiments([second.id, 99]).summary == "experiment \(second.id) deleted")
    let other = try store.save(experiment("three"))
    #expect(other.id == second.id, "SQLite gives the largest id again")
    #expect(try store.undo()?.summary == "experiment \(second.id) deleted")
    #expect(try store.experiments().map(\.prompt) == ["two", "three", "one"])
    #expect(try store.redo() != nil)
    #expect(try store.experiments() == [other, first])
    #expect(try store.undo() != nil)
    #expect(try Set(store.experiments().map(\.prompt)) == ["one", "two", "three"])
  }

  @Test func undoBringsBackTheWholeRecordUnderItsID() throws {
    let saved = try ["one", "two", "three"].map { try store.save(experiment($0)) }
    try store.deleteExperiments(saved.map(\.id))
    #expect(try store.experiments().isEmpty)
    #expect(try store.undo() != nil)
    #expect(try store.experiments() == saved.reversed())
    #expect(storageError { _ = try store.experiments(ids: [7]) } == .noSuchExperiment(id: 7))
    try store.annotate([1], adding: ["x"])
    #expect(try store.undo()?.latents == [1], "one journal for all edits")
  }

  @Test func textIsFoundInPromptKindAnswersAndLatentsOnly() throws {
    let first = try store.save(experiment("Why is it so?"))
    let second = try store.save(
      experiment(
        "How?", outputs: "{\"baseline\":{\"text\":\"a \\\"b\\\"\"},\"steered\":[{\"text\":\"C%_'\"}, 5, null]}"))
    func found(_ text: String) throws -> [Int64] { try store.experimentIDs(matching: text) }
    #expect(try found("") == [second.id, first.id] && found("WHY") == [first.id] && found("a \"b\"") == [second.id])
    #expect(try found("c%_'") == [second.id] && found("%") == [second.id] && found("text").isEmpty)
    #expect(try found("latent 12").count == 2 && found("steer").count == 2 && found("mode").isEmpty)
    // Documents that are no JSON, in a store of somebody else, are no error.
    try store.write { try $0.execute(sql: "UPDATE experiment SET outputs = '{', interventions = 'x'") }
    #expect(try found("how") == [second.id] && found("latent 12").isEmpty)
  }
}
