// Damaged stores, made by breaking single pages and single rows: what can be read is kept.
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct StoreRepairTests {
  private let folder: TemporaryFolder
  private let content = Content(latents: 100, sequences: 40, seed: 71)
  private var path: String { folder.file() }

  init() throws {
    folder = try TemporaryFolder()
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readWrite)
    for tag in 0..<12 { try store.annotate((0..<60).map { ($0 * 7 + tag) % 100 }, adding: ["tag \(tag)"]) }
    try store.annotate([5, 6], note: "a note about platypus")
    try store.save(
      ExperimentRecord(
        created: "2025", prompt: "p", kind: "steer", interventions: "[]", parameters: "{}", outputs: "{}",
        versions: "{}"))
  }

  private func page(of table: String, _ which: Int = 0) throws -> (number: Int, size: Int) {
    try DatabaseQueue(path: path).read { db in
      let size = try Int.fetchOne(db, sql: "PRAGMA page_size") ?? 0
      let root = try Int.fetchOne(db, sql: "SELECT rootpage FROM sqlite_master WHERE name = ?", arguments: [table]) ?? 0
      return (root, size)
    }
  }

  private func overwrite(page: Int, size: Int, with byte: UInt8 = 0xA5) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.seek(toOffset: UInt64((page - 1) * size))
    try file.write(contentsOf: [UInt8](repeating: byte, count: size))
    try file.close()
  }

  /// What two programs without each other's locks leave behind: an index that does not agree with its table.
  @Test func anIndexThatDisagreesIsMadeAnew() throws {
    let before = try Store(path: path, access: .readOnly).userAnnotations()
    let index = try page(of: "tag_latent")
    // The root of the index becomes an empty leaf, as it is in a store without tags.
    var empty = [UInt8](repeating: 0, count: index.size)
    empty.replaceSubrange(0..<8, with: [10, 0, 0, 0, 0, UInt8(index.size >> 8), UInt8(index.size & 255), 0])
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.seek(toOffset: UInt64((index.number - 1) * index.size))
    try file.write(contentsOf: empty)
    try file.close()
    let findings = try Store(path: path, access: .readOnly).check()
    #expect(findings.contains { $0.detail.contains("index tag_latent") }, "\(findings)")

    let repair = try StoreRepair.run(path: path)
    #expect(repair.lost.isEmpty, "\(repair.lost)")
    let store = try Store(path: path, access: .readOnly)
    #expect(try store.check().isEmpty)
    #expect(try store.userAnnotations() == before)
    #expect(try store.latentIDs(matching: Filter("\"platypus\"")).sorted() == [5, 6])
    #expect(try !store.latentIDs(matching: Filter("\"nobel\"")).isEmpty)
    #expect(repair.damagedPath == StoreFile.absolute(path) + ".damaged")
    #expect(try !Store(path: repair.damagedPath, access: .readOnly).check().isEmpty, "the damaged file is kept")
  }

  /// Every page in turn: the repair ends, the result is whole, and what is not on that page is kept.
  @Test func whicheverPageIsBrokenTheRestIsKept() throws {
    let good = try Data(contentsOf: URL(filePath: path))
    let size = try page(of: "tag").size
    let before = try Store(path: path, access: .readOnly).userAnnotations()
    var repaired = 0
    for number in 2...good.count / size {
      try good.write(to: URL(filePath: path))
      try overwrite(page: number, size: size)
      let repair: StoreRepair
      do { repair = try StoreRepair.run(path: path) } catch let error as StorageError {
        // The pair of models, or the list of tables itself.
        guard case .damaged = error else {
          Issue.record("page \(number): \(error)")
          continue
        }
        #expect(try Data(contentsOf: URL(filePath: path)).count == good.count, "nothing has changed")
        continue
      }
      repaired += 1
      let store = try Store(path: path, access: .readOnly)
      let findings = try store.check()
      #expect(findings.isEmpty, "page \(number): \(findings)")
      #expect(try store.latentCount() == 100)
      let after = try store.userAnnotations()
      // A page holds some of the tags, the notes or the experiment, and never two of these.
      let kept = [after.tags == before.tags, after.notes == before.notes, after.experiments == before.experiments]
      #expect(kept.count { !$0 } <= 1, "page \(number): \(kept)")
      if after.tags != before.tags {
        Issue.record("page \(number): tags are lost though the index has them: \(repair.lost)")
      }
      store.close()
      try FileManager.default.removeItem(atPath: repair.damagedPath)
    }
    #expect(repaired > good.count / size / 2)
    #expect(folder.names == ["a.crosscope"])
  }

  /// The first, a middle and the last page of a table: all rows of its other pages are kept.
  @Test(arguments: [[0, 5, -1], [0], [-1], [4, -1], [0, 6]])
  func severalPagesOfATableMayBeBroken(which: [Int]) throws {
    let store = try Store(path: path, access: .readWrite)
    for number in 0..<200 {
      try store.save(
        ExperimentRecord(
          created: "2025", prompt: String(repeating: "prompt \(number) ", count: 30), kind: "steer",
          interventions: "[]", parameters: "{}", outputs: "{}", versions: "{}"))
    }
    let before = try store.userAnnotations().experiments
    store.close()
    let root = try page(of: "experiment")
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    func number(_ page: Int, _ offset: Int, _ count: Int) -> Int {
      let start = (page - 1) * root.size + offset
      return bytes[start..<start + count].reduce(0) { $0 << 8 | Int($1) }
    }
    // https://www.sqlite.org/fileformat.html#b_tree_pages: the root's children, each a leaf.
    #expect(number(root.number, 0, 1) == 5)
    let children = (0..<number(root.number, 3, 2)).map {
      number(root.number, number(root.number, 12 + 2 * $0, 2), 4)
    }
    let leaves = children + [number(root.number, 8, 4)]
    #expect(leaves.count > 8)
    let broken = which.map { leaves[$0 < 0 ? leaves.count + $0 : $0] }
    let lost = broken.reduce(0) { $0 + number($1, 3, 2) }
    for page in broken { try overwrite(page: page, size: root.size) }

    let repair = try StoreRepair.run(path: path)
    #expect(repair.lost.map(\.table) == ["experiment"], "\(repair.lost)")
    let after = try Store(path: path, access: .readOnly).userAnnotations().experiments
    #expect(lost > 0 && after.count == before.count - lost)
    #expect(after == before.filter { after.map(\.id).contains($0.id) })
  }

  @Test func aStoreInUseIsNotRepaired() throws {
    let store = try Store(path: path, access: .readWrite)
    try store.annotate([1], adding: ["x"])
    #expect(storageError { _ = try StoreRepair.run(path: path) } == .busy(path: store.path))
    store.close()
    #expect(try StoreRepair.run(path: path).lost.isEmpty)
    #expect(folder.names == ["a.crosscope", "a.crosscope.damaged"])
    #expect(try StoreRepair.run(path: path).damagedPath.hasSuffix(".damaged-2"))
  }
}
