import Foundation
import GRDB
import Glibc
import Testing

@testable import Storage

@Suite struct HostileFileTests {
  let folder: TemporaryFolder
  let path: String
  let good: Data

  init() throws {
    folder = try TemporaryFolder()
    try Content(latents: 12, sequences: 6, contexts: 3, seed: 61).write(to: folder.file())
    path = StoreFile.absolute(folder.file())
    good = try Data(contentsOf: URL(fileURLWithPath: path))
  }

  private func put(_ data: Data) throws {
    // In place of the old one, as another inode, so that no connection still open is disturbed.
    try data.write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  /// Uses all that a program would; a thrown error is fine, a crash is not.
  private func useEverything() -> StorageError? {
    storageError {
      let store = try Store(path: path, access: .readWrite)
      _ = try store.modelPair()
      for sort in LatentSort.everywhere { _ = try store.latents(ids: store.latentIDs(sortedBy: sort).prefix(50)) }
      for id in try store.latentIDs(matching: Filter("\"nobel\" or tag:x or nu_error<2 or dead")) {
        _ = try store.page(of: id)
        _ = try store.coFiring(with: id)
        _ = try store.contrast(to: id)
      }
      try store.annotate([1], adding: ["x"], note: "y")
      _ = try store.undo()
      _ = try store.userAnnotations()
    }
  }

  private func isOneLine(_ error: StorageError) -> Bool {
    let text = error.description
    return !text.contains(where: \.isNewline) && text.count < 600 && text.contains("; ")
  }

  @Test func thingsThatAreNotStoresAreNamed() throws {
    #expect(
      storageError { _ = try Store(path: folder.path, access: .readOnly) }
        == .notAFile(path: StoreFile.absolute(folder.path)))
    #expect(storageError { _ = try Store(path: "/dev/null", access: .readOnly) } == .notAFile(path: "/dev/null"))
    #expect(
      storageError { _ = try Store(path: folder.file("no"), access: .readOnly) } == .missing(path: folder.file("no")))
    try put(Data())
    #expect(storageError { _ = try Store(path: path, access: .readOnly) } == .empty(path: path))
    try put(Data(repeating: 65, count: 9000))
    #expect(storageError { _ = try Store(path: path, access: .readWrite) } == .notSQLite(path: path))
    let other = folder.file("other.db")
    try DatabaseQueue(path: other).write { try $0.execute(sql: "CREATE TABLE x (y)") }
    #expect(
      storageError { _ = try Store(path: other, access: .readOnly) }
        == .otherApplication(path: StoreFile.absolute(other), applicationID: 0))
  }

  @Test func aNamedPipeDoesNotBlock() throws {
    #expect(mkfifo(folder.file("pipe"), 0o600) == 0)
    let pipe = StoreFile.absolute(folder.file("pipe"))
    #expect(storageError { _ = try Store(path: pipe, access: .readOnly) } == .notAFile(path: pipe))
  }

  @Test func aStoreCutAnywhereIsRefusedInOneLine() throws {
    var length = 0
    while length < good.count {
      try put(good.prefix(length))
      guard let error = useEverything() else {
        Issue.record("\(length) of \(good.count) bytes were accepted")
        break
      }
      #expect(isOneLine(error), "\(error)")
      length += length < 200 ? 1 : 997
    }
    try put(good.prefix(good.count - 1))
    #expect(
      storageError { _ = try Store(path: path, access: .readOnly) }
        == .truncated(path: path, expected: good.count, found: good.count - 1))
  }

  @Test func flippedBitsNeverCrash() throws {
    var random = SeededGenerator(62)
    let schema = 100..<4096
    for round in 0..<120 {
      var data = good
      for _ in 0..<(round % 4 == 3 ? 40 : 1) {
        let place =
          switch round % 3 {
          case 0: round / 3 % 100  // the header
          case 1: Int.random(in: schema, using: &random)
          default: Int.random(in: 0..<data.count, using: &random)
          }
        data[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      try put(data)
      if let error = useEverything() { #expect(isOneLine(error), "\(error)") }
      // Each of these only has to return or throw an error of ours.
      let checked = storageError {
        let findings = try Store(path: path, access: .readOnly).check()
        #expect(findings.allSatisfy { !$0.table.isEmpty })
      }
      if let checked { #expect(isOneLine(checked)) }
      for suffix in ["-wal", "-shm", "-journal"] { unlink(path + suffix) }
    }
  }

  /// Edits the store with plain SQLite, as somebody else's program would.
  private func edit(_ sql: String) throws {
    var configuration = Configuration()
    configuration.foreignKeysEnabled = false
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try queue.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA ignore_check_constraints = ON")
      try db.execute(sql: sql)
    }
    try queue.close()
  }

  @Test(
    arguments: [
      ("UPDATE example SET positions = x'80'", "example", "positions"),
      ("UPDATE example SET \"values\" = x'0080'", "example", "values"),
      ("UPDATE example SET \"values\" = x''", "example", "values"),
      ("UPDATE example SET max_activation = -1", "example", "not an activation"),
      ("UPDATE example SET sequence = 77", "example", "sequence"),
      ("UPDATE sequence SET token_ids = x'FFFFFFFF7F'", "sequence", "token_ids"),
      ("UPDATE sequence SET token_ids = x''", "example", "positions"),
      ("UPDATE sequence SET template_mask = x'0102030405'", "sequence", "mask"),
      ("UPDATE logit SET promoted_values = x'00'", "logit", "promoted_values"),
      ("UPDATE logit SET direction = 'up' WHERE direction = 'base'", "logit", "direction"),
      ("UPDATE latent SET class = 'new'", "latent", "class"),
      ("UPDATE latent SET nu_error = 1e999 WHERE id = 3", "latent", "nu_error"),
      ("UPDATE latent SET dead = 2", "latent", "dead"),
      ("UPDATE latent SET frequency = 3", "latent", "frequency"),
      ("UPDATE latent SET chat_specificity = 1", "latent", "chat_specificity"),
      ("UPDATE latent SET id = 5000 WHERE id = 11", "latent", "not one of"),
      ("INSERT INTO tag VALUES ('a' || char(27), 3)", "tag", "name"),
      ("INSERT INTO tag VALUES ('a', 3000)", "tag", "is not there"),
      ("UPDATE token SET id = 99999 WHERE id = 3", "token", "vocabulary"),
      ("DELETE FROM model_pair", "model_pair", "exactly one row"),
      ("UPDATE model_pair SET card = '['", "model_pair", "card"),
      ("INSERT INTO journal (action, changes, undone) VALUES ('x', '{', 0)", "journal", "changes"),
      ("INSERT INTO experiment VALUES (1, '', '', '', '{', '', '', '')", "experiment", "JSON"),
      ("CREATE TABLE intruder (x)", "file", "defined"),
      ("DROP INDEX latent_nu_error", "file", "defined"),
    ])
  func checkFindsWhatIsWrong(sql: String, table: String, hint: String) throws {
    try edit(sql)
    let findings = try Store(path: path, access: .readOnly).check()
    #expect(findings.contains { $0.table == table && $0.detail.contains(hint) }, "\(findings)")
    #expect(findings.count <= 100)
    if let error = useEverything() { #expect(isOneLine(error)) }
  }

  @Test func triggersAndViewsOfTheFileDoNotRun() throws {
    try edit("CREATE TRIGGER evil AFTER INSERT ON tag BEGIN DELETE FROM latent; END")
    let store = try Store(path: path, access: .readWrite)
    try store.annotate([1], adding: ["x"])
    #expect(try store.latentCount() == 12)
    store.close()
    try edit("DROP TRIGGER evil; ALTER TABLE meta RENAME TO m; CREATE VIEW meta AS SELECT 'a' AS key, 'b' AS value")
    #expect(
      storageError { _ = try Store(path: path, access: .readOnly) }
        == .damaged(path: path, detail: "table meta is missing"))
  }

  @Test func aNewerStoreIsRefusedAndLeftAlone() throws {
    try edit("INSERT INTO grdb_migrations VALUES ('2')")
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    for access in [Store.Access.readOnly, .readWrite] {
      #expect(
        storageError { _ = try Store(path: path, access: access) } == .newerSchema(path: path, migrations: ["2"]))
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func anOlderStoreIsBroughtUpToDateWhereItMayBeWritten() throws {
    var migrator = Schema.migrator
    migrator.registerMigration("2") { try $0.execute(sql: "CREATE TABLE later (x INTEGER) STRICT") }
    #expect(
      storageError { _ = try Store(path: path, access: .readOnly, migrator: migrator) } == .olderSchema(path: path))
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == good)
    let store = try Store(path: path, access: .readWrite, migrator: migrator)
    #expect(try store.latentCount() == 12)
    store.close()
    #expect(
      storageError { _ = try Store(path: path, access: .readOnly) } == .newerSchema(path: path, migrations: ["2"]))
  }

  @Test func aStoreWithoutItsVersionIsDamaged() throws {
    try edit("DELETE FROM grdb_migrations")
    #expect(
      storageError { _ = try Store(path: path, access: .readWrite) }
        == .damaged(path: path, detail: "there is no record of its version"))
  }

  @Test func aReplacedStoreTakesNoEdits() throws {
    let store = try Store(path: path, access: .readWrite)
    let before = try store.look()
    #expect(!before.isReplaced)
    try put(good)
    let after = try store.look()
    #expect(after.isReplaced && after != before)
    #expect(storageError { try store.annotate([1], adding: ["x"]) } == .replaced(path: path))
    #expect(try Store(path: path, access: .readOnly).tagCounts().isEmpty)
  }

  @Test func aStoreInAFolderThatCannotBeWrittenOpens() throws {
    try #require(geteuid() == 0 || chmod(folder.path, 0o500) == 0)
    defer { chmod(folder.path, 0o700) }
    // As root nothing is unwritable; what is tested then is the opening itself.
    let store = try Store(path: path, access: .readWrite)
    #expect(try store.latentCount() == 12)
    if geteuid() != 0 {
      #expect(!store.isWritable)
      #expect(storageError { try store.annotate([1], adding: ["x"]) } == .readOnly(path: path))
    }
  }

  @Test func everyErrorIsOneLineThatEndsInARemedy() {
    let errors: [StorageError] = [
      .missing(path: "p"), .notAFile(path: "p"), .empty(path: "p"), .notSQLite(path: "p"),
      .otherApplication(path: "p", applicationID: 1), .truncated(path: "p", expected: 2, found: 1),
      .newerSchema(path: "p", migrations: ["9"]), .olderSchema(path: "p"), .damaged(path: "p", detail: "d"),
      .notPermitted(path: "p"), .readOnly(path: "p"), .busy(path: "p"), .cancelled(path: "p"), .replaced(path: "p"),
      .diskFull(path: "p"),
      .inputOutput(path: "p", detail: "d"), .noSuchLatent(id: 1, count: 1), .invalidTag(name: "n", reason: "r"),
      .invalidRecord(table: "t", detail: "d"), .annotationsOfAnotherCrosscoder(path: "p"),
    ]
    for error in errors { #expect(isOneLine(error), "\(error)") }
    let sqlite = DatabaseError(resultCode: .SQLITE_CORRUPT, message: "bad\nfile")
    #expect(StorageError.translating(sqlite, path: "p") == .damaged(path: "p", detail: "bad file"))
    #expect(StorageError.translating(DatabaseError(resultCode: .SQLITE_FULL), path: "p") == .diskFull(path: "p"))
    #expect(
      StorageError.translating(DatabaseError(resultCode: .SQLITE_IOERR_WRITE), path: "p").description.contains("disk"))
    #expect(StorageError.system(ENOSPC, path: "p") == .diskFull(path: "p"))
    #expect(StorageError.system(EACCES, path: "p") == .notPermitted(path: "p"))
  }
}
