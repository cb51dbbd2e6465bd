// Databases of examples that diffing-toolkit itself wrote (PipelineTests/Fixtures/toolkit): sparse and dense, with counted and with
// hashed sequences, with and without latents.
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct ToolkitExamplesTests {
  private let folder: TemporaryFolder
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "PipelineTests/Fixtures/toolkit").path

  init() throws { folder = try TemporaryFolder() }

  private func rows(_ path: String, _ sql: String) throws -> [Row] {
    var configuration = Configuration()
    configuration.readonly = true
    return try DatabaseQueue(path: path, configuration: configuration).read { try Row.fetchAll($0, sql: sql) }
  }

  @Test(arguments: ["crosscoder", "sae_difference"]) func everyExampleIsRead(form: String) throws {
    let path = "\(Self.fixtures)/\(form)/examples.db"
    let examples = try PublishedExamples(path: path)
    var (sequences, records): ([SequenceRecord], [ExampleRecord]) = ([], [])
    let numbers = try examples.readSequences(corpus: "c") { sequences += $0 }
    #expect(try examples.readExamples(nLatents: 64, sequences: numbers) { records += $0 } == 0)
    let corpora: [String] = try rows(path, "SELECT dataset_name FROM sequences ORDER BY sequence_uid").map { $0[0] }
    #expect(sequences.map(\.corpus) == corpora)
    let scores = try rows(path, "SELECT latent_idx, quantile_idx, score, sequence_uid FROM examples")
    #expect(records.count == scores.count && !records.isEmpty)
    for row in scores {
      let (latent, quantile, score, sequence): (Int, Int, Double, Int32) = (row[0], row[1], row[2], row[3])
      let found = records.filter { $0.latent == latent && $0.sequence == sequence && $0.quantile == quantile }
      #expect(found.contains { abs(Double($0.values.max() ?? 0) - score) < 1e-6 * score }, "latent \(latent)")
    }
    #expect(try examples.countWithoutLatent() == 0)
  }

  @Test func aStoreOfAMethodWithoutLatentsHasSequencesAndNoExamples() throws {
    let path = Self.fixtures + "/max_act_store_dense/max_kl.db"
    let examples = try PublishedExamples(path: path)
    var sequences: [SequenceRecord] = []
    let numbers = try examples.readSequences(corpus: "c") { sequences += $0 }
    let lengths: [Int] = try rows(path, "SELECT sequence_length FROM sequences ORDER BY sequence_uid").map { $0[0] }
    #expect(sequences.map(\.tokenIDs.count) == lengths)
    #expect(Set(sequences.map(\.corpus)) == ["chats", "texts"])
    #expect(sequences.allSatisfy { $0.id >= 0 }, "the keys are any 64-bit numbers")
    #expect(try examples.readExamples(nLatents: 1, sequences: numbers) { _ in Issue.record("there is none") } == 0)
    let count: Int = try rows(path, "SELECT count(*) FROM examples")[0][0]
    #expect(try examples.countWithoutLatent() == count)
  }

  /// With latents, a dense store has one activation a token.
  @Test func denseExamplesOfHashedSequencesKeepTheirValues() throws {
    let path = folder.file("dense.db")
    try FileManager.default.copyItem(atPath: Self.fixtures + "/max_act_store_dense/max_kl.db", toPath: path)
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "UPDATE examples SET latent_idx = 2") }
    let examples = try PublishedExamples(path: path)
    let numbers = try examples.readSequences(corpus: "c") { _ in }
    var records: [ExampleRecord] = []
    _ = try examples.readExamples(nLatents: 3, sequences: numbers) { records += $0 }
    let scores: [Double] = try rows(path, "SELECT score FROM examples ORDER BY score DESC").map { $0[0] }
    #expect(records.map { Double($0.values.max() ?? 0) } == scores)
    #expect(records.allSatisfy { $0.quantile == 4 }, "no band is the strongest one")
    try queue.write { try $0.execute(sql: "UPDATE config SET value = 'ragged' WHERE key = 'storage_format'") }
    #expect(
      storageError { _ = try PublishedExamples(path: path) }?.description.contains("storage_format: it is \"ragged\"")
        == true)
    try queue.close()
  }

  @Test func aDatabaseThatIsCutShortIsNamed() throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.fixtures + "/crosscoder/examples.db"))
    let path = folder.file("cut.db")
    for length in stride(from: 1, to: bytes.count, by: 97) {
      try bytes.prefix(length).write(to: URL(filePath: path))
      let error = storageError {
        let examples = try PublishedExamples(path: path)
        let numbers = try examples.readSequences(corpus: "c") { _ in }
        _ = try examples.readExamples(nLatents: 64, sequences: numbers) { _ in }
      }
      let message = try #require(error).description
      #expect(message.contains("cut.db") && !message.contains("\n"), "\(message)")
    }
  }
}
