// A build with nested levels: the store knows every latent's level and parent, filters use them, and the page of a latent
// lists its parent and its parts. `crosscope evaluate` measures the dictionary.

import Foundation
import Storage
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Pipeline
@testable import crosscope

@Suite struct MatryoshkaBuildTests {
  private static let levels = [8, 24, 64]

  private static func nested(_ text: String, levels: [Int] = levels) -> String {
    text.replacing(#""latents": 64,"#, with: #""method": "matryoshka", "latents": 64, "levels": \#(levels),"#)
  }

  @Test func aStoreKnowsLevelsAndParents() throws {
    let build = try TinyBuild()
    try build.write { Self.nested($0) }
    try build.run()
    #expect(try Crosscoder.load(folder: build.folder.path + "/crosscoder").card.levels == Self.levels)
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try Set(store.metricNames()).isSuperset(of: [LatentMetric.level, LatentMetric.parent]))
    for (level, expected) in [(1, 0..<8), (2, 8..<24), (3, 24..<64)] {
      let found = try store.latentIDs(matching: Filter(argument: "level:\(level)", of: store))
      #expect(found.sorted() == Array(expected))
    }
    let children = try store.latentIDs(matching: Filter(argument: "parent>=0", of: store))
    #expect(!children.isEmpty, "the seed is meant to give parents")
    for child in children {
      let page = try store.page(of: child)
      let parent = try #require(page.relatives.first { $0.kind == .parent })
      let level = try #require(page.latent.metrics[LatentMetric.level])
      let above = try store.page(of: parent.other)
      #expect(try #require(above.latent.metrics[LatentMetric.level]) < level)
      #expect(above.relatives.contains { $0.kind == .part && $0.other == child && $0.coFiring == parent.coFiring })
      #expect((0.2...1).contains(try #require(parent.coFiring)))
    }
    let log = try String(contentsOfFile: build.folder.path + "/work/training.jsonl", encoding: .utf8)
    let last = try JSONDecoder().decode(TrainingLogLine.self, from: Data(log.split(separator: "\n").last!.utf8))
    #expect(last.fve_levels_base?.count == 3 && last.fve_levels_chat?.count == 3)
    #expect(last.fve_levels_chat?.last == last.fve_chat)
  }

  @Test func levelsThatDoNotFitAreRefusedByName() throws {
    let build = try TinyBuild()
    for levels in [[8, 24], [24, 8, 64], [0, 64], []] {
      try build.write { Self.nested($0, levels: levels) }
      #expect { try build.run() } throws: { "\($0)".contains("training.levels") }
    }
    try build.write { $0.replacing(#""latents": 64,"#, with: #""latents": 64, "levels": [8, 64],"#) }
    #expect { try build.run() } throws: { "\($0)".contains("training.levels") }
  }

  @Test func evaluateMeasuresTheDictionary() throws {
    let build = try TinyBuild()
    try build.run()
    let texts = build.folder.path + "/held.jsonl"
    try #"""
    {"text": "rain river stone and paper"}
    {"messages": [{"role": "user", "content": "why rain"}, {"role": "assistant", "content": "love and code"}]}
    """#.write(toFile: texts, atomically: true, encoding: .utf8)
    let output = try Program.run(["evaluate", build.storePath, "--texts", texts, "--json"])
    #expect(output.code == 0, "\(output.error)")
    let report = try output.json()
    #expect(report["text_count"] as? Int == 2)
    for model in ["base", "chat"] {
      let figures = try #require(report[model] as? [String: Any])
      func value(_ name: String) throws -> Double {
        try #require((figures[name] as? [String: Any])?["value"] as? Double)
      }
      let (clean, made, zeroed) = try (value("clean"), value("reconstructed"), value("zeroed"))
      let recovered = try value("loss_recovered")
      #expect(clean > 0 && made > 0 && zeroed > 0)
      #expect(abs(recovered - (zeroed - made) / (zeroed - clean)) < 1e-9)
    }
  }
}
