// The pipeline end to end on a tiny random model: what it makes, that it is reproducible, resumes, and refuses well.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import crosscope

@Suite struct BuildTests {
  @Test func makesAStoreWhoseNumbersReproduce() throws {
    let build = try TinyBuild()
    try build.run()
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.check().isEmpty)
    let context = try SteeringContext.load(store: store)
    let latents = try store.latents(ids: (0..<64).map { Int32($0) })
    #expect(latents.count == 64)
    #expect(Set(latents.compactMap(\.chatSpecificity)) == Set(1...64))
    let alive = try #require(latents.filter { !$0.dead }.max { ($0.frequencyChat ?? 0) < ($1.frequencyChat ?? 0) })
    let page = try store.page(of: alive.id)
    #expect(!page.contexts.isEmpty && page.logits.count == 3 && !page.neighbours.isEmpty)

    // The activation in the store is what the models and the crosscoder give for that text again.
    let best = try #require(page.contexts.first { $0.maxActivation == page.contexts.map(\.maxActivation).max() })
    let activations = try Harvester(engine: context.engine, layer: context.pair.layer)
      .activations(of: [best.sequence.tokenIDs])[0]
    let codes = try context.crosscoder.encode(activations)
    let scaled = context.crosscoder.scaled(codes)
    let found = codes.entries(of: best.peak).first { codes.latents[$0] == alive.id }.map { scaled[$0] }
    // Activations were stored as bf16, texts cut to windows: equal to that precision.
    #expect(abs((found ?? 0) - best.maxActivation) <= 0.03 * best.maxActivation)
  }

  @Test func givesTheSameStoreAgainAndResumesAfterAKill() throws {
    let (first, second) = (try TinyBuild(), try TinyBuild())
    try first.run()
    // The second build stops half-way through the harvest and through training, as a kill would leave it.
    let harvest = try Harvest.parse([second.configurationPath])
    try harvest.run()
    let state = second.folder.path + "/work/trainer-state.safetensors"
    let (build, paths) = try BuildOptions.parse([second.configurationPath]).load()
    let shards = try ActivationShards(folder: paths.activations)
    try "garbage".write(toFile: state, atomically: true, encoding: .utf8)
    #expect(build.training.steps == 80 && shards.tokens > 64)
    try second.run()
    let stores = try [first, second].map { try Data(contentsOf: URL(fileURLWithPath: $0.storePath)) }
    #expect(stores[0] == stores[1])
    // Run once more: every stage is found finished but the index, which writes the same again.
    try first.run()
    #expect(try Data(contentsOf: URL(fileURLWithPath: first.storePath)) == stores[0])
    let leftovers = first.folder.names.filter { $0.contains("partial") || $0.contains("tmp") }
    #expect(leftovers.isEmpty)
  }

  @Test func keepsTagsOfAStoreThatItReplaces() throws {
    let build = try TinyBuild()
    try build.run()
    do {
      let store = try Store(path: build.storePath, access: .readWrite)
      _ = try store.annotate([3], adding: ["refusal"])
      store.close()
    }
    let index = try Index.parse([build.configurationPath])
    try index.run()
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.tags(of: [3]) == [3: ["refusal"]])
  }

  @Test(arguments: [
    (#""layer": 2"#, #""layer": 40"#, "layer"), (#""k": 4"#, #""k": 0"#, "training.k"),
    (#""seed": 3"#, #""sead": 3"#, "seed"), (#""seed": 3"#, #""seed": 3, "speed": 9"#, "speed"),
    (#""adapter": "adapter""#, #""adapter": "nowhere""#, "nowhere"), ("chat.jsonl", "absent.jsonl", "absent"),
    ("tiny.gguf", "absent.gguf", "absent.gguf"), ("{", "", "JSON"),
  ])
  func refusesABadConfigurationByName(from: String, to: String, word: String) throws {
    let build = try TinyBuild()
    try build.write { text in
      guard let range = text.range(of: from) else { return text }
      return text.replacingCharacters(in: range, with: to)
    }
    do {
      try build.run()
      Issue.record("accepted \(to)")
    } catch {
      #expect("\(error)".contains(word) && !"\(error)".contains("\n"))
    }
    #expect(!FileManager.default.fileExists(atPath: build.storePath))
  }

  @Test func namesTheLineOfABadText() throws {
    let build = try TinyBuild()
    let path = build.folder.path + "/plain.jsonl"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try (text + "{\"txt\": 1}\n").write(toFile: path, atomically: true, encoding: .utf8)
    do {
      try build.run()
      Issue.record("accepted")
    } catch { #expect("\(error)".contains("line 41")) }
  }

  @Test func aStoreRefusesOtherModels() throws {
    let build = try TinyBuild()
    try build.run()
    let store = try Store(path: build.storePath, access: .readOnly)
    let other = TemporaryFolder()
    let model = try TinyModel.writeGGUF(in: other, seed: 99)
    #expect(throws: CommandError.self) { try SteeringContext.load(store: store, model: model) }
    let adapter = try TinyModel.writeAdapter(in: other, seed: 98)
    #expect(throws: CommandError.self) { try SteeringContext.load(store: store, adapter: adapter) }
    #expect(throws: Never.self) { try SteeringContext.load(store: store) }
  }
}
