// A store that is replaced while others have it open: they lose nothing, read nothing wrong, and are told.
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct StoreReplacementTests {
  private let folder: TemporaryFolder
  private let content = Content(latents: 10, seed: 48)
  private var path: String { folder.file() }

  init() throws {
    folder = try TemporaryFolder()
    try content.write(to: folder.file())
  }

  private func replace(carrying carry: (UserAnnotations) throws -> UserAnnotations? = { $0 }) throws {
    let writer = try StoreWriter(replacing: path, pair: content.pair)
    try content.fill(writer)
    try writer.finish(carrying: carry)
  }

  @Test func usersOfTheFormerStoreAreTold() throws {
    let (reading, writing) = (try Store(path: path, access: .readOnly), try Store(path: path, access: .readWrite))
    try writing.annotate([1], adding: ["x"])
    let looks = (try reading.look(), try writing.look())
    #expect(!looks.0.isReplaced && !looks.1.isReplaced)
    try replace()
    for store in [reading, writing] {
      #expect(try store.look().isReplaced)
      #expect(storageError { _ = try store.latent(1) } == .replaced(path: store.path))
      #expect(storageError { try store.annotate([2], adding: ["y"]) } != nil)
    }
    #expect(try reading.look() != looks.0)
    #expect(try writing.look() != looks.1)
    let again = try Store(path: path, access: .readWrite, session: writing.session)
    #expect(try again.tags(of: [1, 2]) == [1: ["x"]])
    #expect(try again.check().isEmpty)
    // The journal came along.
    #expect(try again.undo()?.latents == [1])
    for store in [reading, writing, again] { store.close() }
    #expect(folder.names == ["a.crosscope"])
  }

  /// Nobody else writes: the new file takes the name, with the bytes that it has anywhere.
  @Test func aStoreThatNobodyWritesToGetsANewFile() throws {
    let reading = try Store(path: path, access: .readOnly)
    #expect(try reading.latent(1).id == 1)
    let before = try Data(contentsOf: URL(filePath: path))
    try content.write(to: path)
    #expect(try Data(contentsOf: URL(filePath: path)) == before)
    #expect(try reading.look().isReplaced)
    #expect(storageError { _ = try reading.latent(1) } == .replaced(path: reading.path))
    #expect(folder.names == ["a.crosscope"])
  }

  @Test func aStoreWhoseFileIsRemovedIsReadAndTakesNoEdits() throws {
    let store = try Store(path: path, access: .readWrite)
    #expect(try store.tags(of: [1]).isEmpty)
    try FileManager.default.removeItem(atPath: path)
    #expect(try store.tags(of: [1]).isEmpty)
    #expect((try? store.look().isReplaced) != true)
    #expect(storageError { try store.annotate([2], adding: ["y"]) } == .missing(path: store.path))
    // With a log, SQLite itself reads no more.
    try content.write(to: path)
    let logged = try Store(path: path, access: .readWrite)
    try logged.annotate([1], adding: ["x"])
    try FileManager.default.removeItem(atPath: path)
    #expect(storageError { try logged.annotate([2], adding: ["y"]) } == .missing(path: store.path))
  }

  @Test func theStreamTellsOfTheReplacement() async throws {
    let store = try Store(path: path, access: .readOnly)
    let stream = store.changes(every: .milliseconds(1))
    try replace()
    for await change in stream where change == .replaced { break }
  }

  /// What is written until the last moment is in the new store; after it nothing can be written to the former one.
  @Test func whatIsWrittenUntilTheLastMomentIsCarriedOver() throws {
    let store = try Store(path: path, access: .readWrite)
    let writer = try StoreWriter(replacing: path, pair: content.pair)
    try content.fill(writer)
    try store.annotate([3], adding: ["late"], note: "very late")
    try writer.finish { carried in
      #expect(carried.tags == ["late": [3]])
      return carried
    }
    let again = try Store(path: path, access: .readOnly)
    #expect(try again.tags(of: [3]) == [3: ["late"]])
    #expect(try again.note(of: 3) == "very late")
  }

  @Test func aReplacementThatFailsLeavesTheStoreInUse() throws {
    struct Refused: Error {}
    let store = try Store(path: path, access: .readWrite)
    try store.annotate([1], adding: ["x"])
    let before = try store.userAnnotations()
    #expect(throws: Refused.self) { try replace { _ in throw Refused() } }
    var other = content
    other.pair.crosscoder?.sha256 = String(repeating: "c", count: 64)
    let writer = try StoreWriter(replacing: path, pair: other.pair)
    try other.fill(writer)
    #expect(throws: StorageError.annotationsOfAnotherCrosscoder(path: store.path)) { try writer.finish { $0 } }
    #expect((try? store.look().isReplaced) != true)
    #expect(try store.userAnnotations() == before)
    try store.annotate([2], adding: ["y"])
    #expect(try store.check().isEmpty)
    store.close()
    #expect(folder.names == ["a.crosscope"])
  }

  /// A disk that is full at any page of the copy leaves the former store.
  @Test func aDiskThatIsFullDuringTheCopyLeavesTheFormerStore() throws {
    let store = try Store(path: path, access: .readWrite)
    try store.annotate([1], adding: ["x"])
    let larger = folder.file("larger.crosscope")
    try Content(latents: 200, seed: 49).write(to: larger)
    let source = try DatabaseQueue(path: larger)
    let needed = try source.read { try Int.fetchOne($0, sql: "PRAGMA page_count") ?? 0 }
    for pages in stride(from: needed / 2, to: needed, by: 7) {
      try store.setMaximumPages(pages)
      #expect(throws: (any Error).self) { try store.replaceContent(from: source) { _ in } }
      #expect(try store.tags(of: [1]) == [1: ["x"]])
      #expect(try store.latentCount() == 10)
    }
    try store.setMaximumPages(1 << 30)
    try store.replaceContent(from: source) { _ in }
    #expect(try Store(path: path, access: .readOnly).latentCount() == 200)
  }

  @Test func aFileThatLostItsNameDeletesNoLogOfItsSuccessor() throws {
    let former = try Store(path: path, access: .readWrite)
    try former.annotate([1], adding: ["former"])
    // Somebody moves another store over it, past this program.
    let other = folder.file("other.crosscope")
    try content.write(to: other)
    for suffix in ["-wal", "-shm"] { try FileManager.default.removeItem(atPath: path + suffix) }
    #expect(rename(other, path) == 0)
    let successor = try Store(path: path, access: .readWrite)
    try successor.annotate([2], adding: ["kept"])
    former.close()
    try successor.annotate([3], adding: ["kept"])
    successor.close()
    let again = try Store(path: path, access: .readOnly)
    #expect(try again.tags(of: [1, 2, 3]) == [2: ["kept"], 3: ["kept"]])
    #expect(try again.check().isEmpty)
  }
}
