// Hashes of large models are remembered as long as the file is the same, and a cache is never trusted further than that.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Experiments

@Suite struct RememberedHashTests {
  let folder = TemporaryFolder()
  var cache: String { folder.path + "/cache" }

  private func hash(_ path: String, smallest: Int = 1) throws -> String {
    try RememberedHash.sha256(path: path, cache: cache, smallest: smallest)
  }

  @Test func aFileIsReadOnceUntilItChanges() throws {
    let model = try folder.file("model.gguf", [1, 2, 3])
    let first = try ModelSource.sha256(path: model)
    #expect(try hash(model) == first)
    // What the cache says is believed, so the second time nothing was read.
    let file = cache + "/hashes.json"
    let other = String(repeating: "a", count: 64)
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try text.replacing(first, with: other).write(toFile: file, atomically: true, encoding: .utf8)
    #expect(try hash(model) == other)
    try Data([1, 2, 4]).write(to: URL(filePath: model))
    #expect(try hash(model) == ModelSource.sha256(path: model))
  }

  @Test func aDamagedOrMissingCacheCostsTimeOnly() throws {
    let model = try folder.file("model.gguf", [1, 2, 3])
    let wanted = try ModelSource.sha256(path: model)
    try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
    for content in ["nonsense", "{}", "[1]", #"{"a": 1}"#] {
      try content.write(toFile: cache + "/hashes.json", atomically: true, encoding: .utf8)
      #expect(try hash(model) == wanted)
    }
    #expect(try RememberedHash.sha256(path: model, cache: model + "/nowhere", smallest: 1) == wanted)
  }

  @Test func smallModelsLeaveNothing() throws {
    let model = try folder.file("model.gguf", [1, 2, 3])
    #expect(try hash(model, smallest: 4) == ModelSource.sha256(path: model))
    #expect(!FileManager.default.fileExists(atPath: cache))
  }
}
