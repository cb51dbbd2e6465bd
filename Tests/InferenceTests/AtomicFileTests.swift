// A file that appears whole or not at all, and where asked, only where no other is.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct AtomicFileTests {
  let folder = TemporaryFolder()

  private var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] }

  @Test func aTakenNameIsLeftAloneWhereReplacingIsNotWanted() throws {
    let path = try folder.file("a.txt", Array("old".utf8))
    let file = try AtomicFile(path: path)
    try file.write(Array("new".utf8))
    #expect(
      throws: InferenceError.fileUnwritable(path: path, reason: "a file of this name is there already")
    ) { try file.commit(replacing: false) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "old" && names == ["a.txt"])
    let again = try AtomicFile(path: path)
    try again.write(Array("new".utf8))
    try again.commit()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "new" && names == ["a.txt"])
  }

  @Test func aFreeNameIsGiven() throws {
    let path = folder.path + "/b.txt"
    let file = try AtomicFile(path: path)
    try file.write(Array("text".utf8))
    #expect(names.isEmpty, "a kill would leave nothing here")
    try file.commit(replacing: false)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "text" && names == ["b.txt"])
  }
}
