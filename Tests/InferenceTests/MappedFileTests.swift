// What becomes of a mapping when another program shortens, overwrites, replaces or removes the file.

import Foundation
import Kernels
import TestSupport
import Testing

@testable import Inference

@Suite struct MappedFileTests {
  private let folder = TemporaryFolder()
  private static let page = 4096

  /// A file of so many pages, each full of its number from 1 on, last changed long ago.
  private func pages(_ count: Int, name: String = "file") throws -> String {
    let bytes = (0..<count).flatMap { [UInt8](repeating: UInt8($0 % 255 + 1), count: Self.page) }
    let path = try folder.file(name, bytes)
    try setTime(path)
    return path
  }

  private func setTime(_ path: String) throws {
    try FileManager.default.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
  }

  @Test func aShortenedFileReadsAsZerosAndSaysSo() throws {
    let path = try pages(8)
    let (file, other) = (try MappedFile(path: path), try MappedFile(path: pages(8, name: "other")))
    #expect(file.bytes[7 * Self.page] == 8)
    #expect(truncate(path, 2 * Self.page) == 0)
    #expect(file.bytes[7 * Self.page] == 0 && file.bytes[2 * Self.page] == 0, "zeros where nothing is any more")
    #expect(file.bytes[2 * Self.page - 1] == 2, "what is still there is read")
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try file.check() }
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try file.contents() }
    try other.check()
    #expect(other.bytes[7 * Self.page] == 8)
    // The same size and time again do not bring back what was read meanwhile.
    #expect(truncate(path, 8 * Self.page) == 0)
    try setTime(path)
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try file.check() }
    try MappedFile(path: path).check()
  }

  @Test func theThreadsOfThePoolMeetTheEndAsWell() throws {
    let path = try pages(64)
    let file = try MappedFile(path: path)
    #expect(truncate(path, 0) == 0)
    Compute.parallel { thread, threads in
      for page in Compute.share(of: 64, thread: thread, threads: threads) where file.bytes[page * Self.page] != 0 {
        Issue.record("page \(page) is not zero")
      }
    }
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try file.check() }
  }

  @Test func guardsAreManyAndAreUsedAgain() throws {
    for _ in 0..<2 {
      let files = try (0..<150).map { try MappedFile(path: pages(2, name: "file-\($0)")) }
      for (number, file) in files.enumerated() where number % 2 == 0 { #expect(truncate(file.path, 0) == 0) }
      for (number, file) in files.enumerated() {
        #expect(file.bytes[Self.page] == (number % 2 == 0 ? 0 : 2))
        #expect((try? file.check()) == nil ? number % 2 == 0 : number % 2 == 1)
      }
    }
  }

  @Test func anOverwrittenFileSaysSo() throws {
    let path = try pages(4)
    let file = try MappedFile(path: path)
    let handle = try FileHandle(forWritingTo: URL(filePath: path))
    try handle.seek(toOffset: 5)
    try handle.write(contentsOf: [9])
    try handle.close()
    #expect(throws: InferenceError.fileChanged(path: path, how: .changed)) { try file.check() }
  }

  @Test func anotherNameOrNoneIsNoChange() throws {
    let path = try pages(4)
    let file = try MappedFile(path: path)
    try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    try file.checkName()
    #expect(file.bytes[3 * Self.page] == 4)
    _ = try pages(4)
    try file.check()
    #expect(throws: InferenceError.fileChanged(path: path, how: .replaced)) { try file.checkName() }
    try FileManager.default.removeItem(atPath: path + ".old")
    try file.check()
    #expect(file.bytes[3 * Self.page] == 4)
  }

  @Test func aForwardPassOnAShortenedModelFailsAndLeavesTheTimeline() throws {
    let path = try TinyModel.writeGGUF(in: folder)
    let engine = try Engine(model: path)
    let cache = engine.model.makeCache()
    _ = try engine.model.forward([Segment(stream: 0, cache: cache, tokens: [5, 6, 7])])
    #expect(truncate(path, Self.page) == 0)
    let error = InferenceError.fileChanged(path: path, how: .shortened)
    #expect(throws: error) { try engine.model.forward([Segment(stream: 0, cache: cache, tokens: [8])]) }
    #expect(throws: error) { try engine.checkFiles() }
    #expect(cache.count == 3)
    #expect("\(error)".contains("was shortened while crosscope read it; put the file back"))
  }

  @Test func aRemovedModelGoesOnAndAReplacedOneIsNotHashedInItsPlace() throws {
    let path = try TinyModel.writeGGUF(in: folder)
    let engine = try Engine(model: path)
    let before = try engine.model.forward([Segment(stream: 0, cache: engine.model.makeCache(), tokens: [5, 6])])
    try FileManager.default.removeItem(atPath: path)
    let after = try engine.model.forward([Segment(stream: 0, cache: engine.model.makeCache(), tokens: [5, 6])])
    #expect(before[0].values == after[0].values)
    try engine.checkNames()
    _ = try TinyModel.writeGGUF(in: folder, seed: 9)
    try engine.checkFiles()
    #expect(throws: InferenceError.fileChanged(path: path, how: .replaced)) { try engine.checkNames() }
  }

  @Test(arguments: [Truncation.toNothing, .toAPage, .byOneByte])
  func filesOfTensorsSayThatTheyWereShortened(by truncation: Truncation) throws {
    var writer = SafetensorsWriter()
    writer.add("x", shape: [4096], floats: [Float](repeating: 1, count: 4096))
    let path = folder.path + "/x.safetensors"
    try writer.write(to: path)
    let file = try TensorFile(path: path)
    #expect(truncate(path, truncation.size(of: path)) == 0)
    let error = InferenceError.fileChanged(path: path, how: .shortened)
    #expect(throws: error) { try file.floats(named: "x") }
    #expect(throws: error) { try file.sha256() }
  }

  enum Truncation {
    case toNothing, toAPage, byOneByte
    func size(of path: String) -> Int {
      switch self {
      case .toNothing: 0
      case .toAPage: 4096
      case .byOneByte: (try? MappedFile(path: path).count - 1) ?? 0
      }
    }
  }
}
