// Explanations: saved in place of the former one, found by the text search, one of them standing for the latent in lists.

import Testing

@testable import Storage

@Suite struct ExplanationTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open() throws -> Store {
    try Content(latents: 12, seed: 1).write(to: folder.file())
    return try Store(path: folder.file(), access: .readWrite)
  }

  private func explanation(_ latent: Int, _ source: String, _ text: String, score: Double? = nil) -> ExplanationRecord {
    ExplanationRecord(latent: latent, source: source, text: text, detectionScore: score, details: "{\"a\":1}")
  }

  @Test func aLaterOneTakesTheEarliersPlace() throws {
    let store = try open()
    try store.save(explanations: [explanation(1, "model", "about walruses", score: 0.75)])
    #expect(try store.latentIDs(matching: Filter("\"walruses\"")) == [1])
    try store.save(explanations: [explanation(1, "model", "about herons", score: 1)])
    #expect(try store.latentIDs(matching: Filter("\"walruses\"")).isEmpty)
    #expect(try store.latentIDs(matching: Filter("\"herons\"")) == [1])
    let found = try store.page(of: 1).explanations.filter { $0.source == "model" }
    #expect(found == [explanation(1, "model", "about herons", score: 1)])
    #expect(try store.check().isEmpty)
  }

  @Test func aModelsSentenceStandsBeforeTokens() throws {
    let store = try open()
    let before = try store.summaries(of: [0, 1])
    #expect(before[1] == "fires on zebra number 1", "the fixture's own, of source test")
    try store.save(explanations: [explanation(1, Store.tokenSource, "on “a”"), explanation(1, "a model", "b")])
    #expect(try store.summaries(of: [1])[1] == "b")
    #expect(try store.latentsExplained(by: Store.tokenSource) == [1])
  }

  @Test func allOrNothingIsSaved() throws {
    let store = try open()
    for bad in [
      explanation(9999, "m", "x"), explanation(2, "m", ""), explanation(2, "m", "x", score: 1.5),
      explanation(2, "m", String(repeating: "x", count: Store.longestExplanation + 1)),
    ] {
      #expect(throws: StorageError.self) { try store.save(explanations: [explanation(1, "m", "kept out"), bad]) }
    }
    #expect(try store.latentIDs(matching: Filter("\"kept out\"")).isEmpty)
  }

  @Test func sequencesAreDrawnWithoutRepetition() throws {
    let store = try open()
    var (one, same) = (SeededGenerator(3), SeededGenerator(3))
    let some = try store.sequences(count: 2, excluding: [0], using: &one)
    #expect(some.count == 2 && Set(some.map(\.id)).count == 2 && !some.map(\.id).contains(0))
    #expect(try store.sequences(count: 2, excluding: [0], using: &same) == some)
    let all = try store.sequences(count: 1000, excluding: [], using: &one)
    #expect(Set(all.map(\.id)).count == all.count && all.count >= 3)
  }

  @Test func theyMoveToARebuiltStore() throws {
    let store = try open()
    try store.save(explanations: [
      explanation(1, "model", "about herons", score: 1), explanation(1, Store.tokenSource, "on “a”"),
    ])
    let kept = try store.userAnnotations()
    #expect(kept.explanations.contains(explanation(1, "model", "about herons", score: 1)))
    #expect(!kept.explanations.contains { $0.source == Store.tokenSource }, "a build makes those itself")
  }
}
