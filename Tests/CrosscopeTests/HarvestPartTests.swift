// A harvest in parts: joined, the parts are the bytes of a harvest in one; a part that is missing, cut off or damaged is named and
// made again, and the others stay as they are.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing
@testable import Pipeline
@testable import crosscope

@Suite struct HarvestPartTests {
  private let build: TinyBuild
  private let stage: HarvestStage
  private let paths: BuildPaths
  private let engine: Engine

  init() throws {
    build = try TinyBuild()
    let (configuration, paths) = try BuildOptions.parse([build.configurationPath]).load()
    stage = HarvestStage(build: configuration, paths: paths, tokensPerShard: 300)
    self.paths = paths
    engine = try Engine(model: paths.model, adapter: paths.adapter)
  }

  /// Every file of the activations by name.
  private func files() throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: paths.activations) {
      files[name] = try Data(contentsOf: URL(filePath: paths.activations + "/" + name))
    }
    return files
  }

  private func run(_ part: String) throws { try stage.run(engine: engine, part: HarvestPart(part)) }

  private func refusal() -> String {
    do {
      try stage.merge()
      return "accepted"
    } catch { return String(describing: error) }
  }

  @Test(arguments: [1, 2, 5, 50]) func joinedPartsAreTheBytesOfAHarvestInOne(_ count: Int) throws {
    try stage.run(engine: engine)
    let whole = try files()
    #expect(whole.count > 8)
    try FileManager.default.removeItem(atPath: paths.activations)
    for number in (1...count).reversed() { try run("\(number)/\(count)") }
    try stage.merge()
    #expect(try files() == whole)
    #expect(!FileManager.default.fileExists(atPath: HarvestPart.root(of: paths)))
    // The next stage takes them as they are, and so does another join.
    #expect(try stage.finished().index.shards.count == whole.count - 2)
    try stage.merge()
  }

  @Test func aPartThatIsMissingUnfinishedOrDamagedIsNamedAndMadeAgain() throws {
    try run("1/3")
    try run("3/3")
    #expect(refusal().contains("part 2/3 missing"))
    try run("2/3")
    // As a kill leaves it: the last shard is not in the index.
    let (second, third) = (HarvestPart(number: 2, count: 3), HarvestPart(number: 3, count: 3))
    let kept = try ActivationShards(folder: third.folder(of: paths)).index
    var index = try ActivationShards(folder: second.folder(of: paths)).index
    index.shards.removeLast()
    try JSONEncoder().encode(index).write(to: URL(filePath: second.folder(of: paths) + "/activations.json"))
    #expect(refusal().contains("part 2/3 missing, unfinished or damaged"))
    // A shard that is cut short.
    let shard = URL(filePath: third.folder(of: paths) + "/" + kept.shards[0].file)
    try Data(contentsOf: shard).prefix(90).write(to: shard)
    let words = refusal()
    #expect(words.contains("parts 2/3, 3/3") && words.contains("--part I/3") && !words.contains("\n"))
    let first = HarvestPart(number: 1, count: 3).folder(of: paths) + "/shard-00000.safetensors"
    let before = try FileManager.default.attributesOfItem(atPath: first)[.systemFileNumber] as? Int
    try run("2/3")
    try run("3/3")
    try stage.merge()
    let joined = paths.activations + "/shard-00000.safetensors"
    #expect(try FileManager.default.attributesOfItem(atPath: joined)[.systemFileNumber] as? Int == before)
    _ = try stage.finished()
  }

  @Test func partsOfDifferentHarvestsDoNotMix() throws {
    try run("1/2")
    try run("2/3")
    #expect(refusal().contains("2 and 3 parts"))
    try FileManager.default.removeItem(atPath: HarvestPart.root(of: paths))
    #expect(refusal().contains("found none"))
    for part in ["1/2", "2/2"] { try run(part) }
    var other = stage
    other.tokensPerShard = 400
    #expect(throws: (any Error).self) { try other.merge() }
    for wrong in ["", "1", "0/2", "3/2", "1/0", "a/b", "1/2/3", "1/10000", "-1/2"] {
      #expect(throws: (any Error).self, "\(wrong)") { try HarvestPart(wrong) }
    }
  }

  @Test func theCommandDoesAPartAndJoins() throws {
    let configuration = build.configurationPath
    for part in ["1/2", "2/2"] {
      let outcome = try Program.run(["harvest", configuration, "--part", part])
      #expect(outcome.code == 0, "\(outcome)")
    }
    let merged = try Program.run(["harvest", configuration, "--merge"])
    #expect(merged.code == 0 && merged.error.contains("2 parts are joined"), "\(merged)")
    #expect(try Program.run(["harvest", configuration]).error.contains("are there already"))
    let wrong = try Program.run(["harvest", configuration, "--part", "3/2"])
    #expect(wrong.code == 2 && wrong.error.contains("a part is I/N"), "\(wrong)")
    #expect(try Program.run(["harvest", configuration, "--part", "1/2", "--merge"]).code == 2)
  }
}
