// The pipeline end to end on a tiny random model: what it makes, that it is reproducible, resumes, and refuses well.

import Diffing
import Foundation
import Glibc
import Inference
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import Remote
@testable import crosscope

@Suite struct BuildTests {
  @Test func makesAStoreWhoseNumbersReproduce() throws {
    let build = try TinyBuild()
    try build.run()
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.check().isEmpty)
    let context = try SteeringContext.load(store: store)
    let latents = try store.latents(ids: 0..<64)
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

  @Test func givesTheSameStoreAgain() throws {
    let (first, second) = (try TinyBuild(), try TinyBuild())
    try first.run()
    try second.runAnew()
    let stores = try [first, second].map { try Data(contentsOf: URL(fileURLWithPath: $0.storePath)) }
    #expect(stores[0] == stores[1])
    // Run once more: every stage is found finished but the index, which writes the same again.
    try first.runAnew()
    #expect(try Data(contentsOf: URL(fileURLWithPath: first.storePath)) == stores[0])
    let leftovers = first.folder.names.filter { $0.contains("partial") || $0.contains("tmp") }
    #expect(leftovers.isEmpty)
  }

  @Test func aHarvestGoesOnWithTheNextShard() throws {
    let build = try TinyBuild()
    let (configuration, paths) = try BuildOptions.parse([build.configurationPath]).load()
    var harvest = HarvestStage(build: configuration, paths: paths)
    harvest.tokensPerShard = 700
    let engine = try Engine(model: paths.model, adapter: paths.adapter)
    try harvest.run(engine: engine)
    let whole = try harvest.finished()
    let last = whole.index.shards.count - 1
    #expect(last >= 3)
    func shard(_ number: Int) -> URL { URL(filePath: paths.activations + "/" + whole.index.shards[number].file) }
    func inode(_ number: Int) throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: shard(number).path)[.systemFileNumber] as? Int
    }
    let (before, bytes) = (try inode(0), try (0...last).map { try Data(contentsOf: shard($0)) })
    // As a kill leaves it: the index names the finished shards, a later file is half there.
    var index = whole.index
    index.shards.removeLast(last - 1)
    try JSONEncoder().encode(index).write(to: URL(filePath: paths.activations + "/activations.json"))
    try bytes[last].prefix(100).write(to: URL(filePath: paths.activations + "/.shard.1-2.tmp"))
    #expect(throws: InputError.self) { try harvest.finished() }
    try harvest.run(engine: engine)
    #expect(try harvest.finished().index == whole.index)
    #expect(try (0...last).map { try Data(contentsOf: shard($0)) } == bytes)
    #expect(try inode(0) == before, "finished shards are kept")
    // A shard that is gone or damaged is made again.
    try bytes[1].prefix(60).write(to: shard(1))
    try harvest.run(engine: engine)
    #expect(try Data(contentsOf: shard(1)) == bytes[1])
    #expect(try FileManager.default.contentsOfDirectory(atPath: paths.activations).count == last + 3, "no strays")
  }

  /// A number of texts reads a file's first lines, and is part of what activations are recognised by.
  @Test func readsTheFirstTextsOfAFile() throws {
    let build = try TinyBuild()
    func harvest() throws -> HarvestStage {
      let (configuration, paths) = try BuildOptions.parse([build.configurationPath]).load()
      return HarvestStage(build: configuration, paths: paths)
    }
    try build.write { $0.replacingOccurrences(of: #""plain"}"#, with: #""plain", "texts": 3}"#) }
    let stage = try harvest()
    try stage.run(engine: Engine(model: stage.paths.model, adapter: stage.paths.adapter))
    let texts = try stage.finished().readTexts()
    #expect(texts.filter { $0.corpus == .plain }.count == 3 && texts.filter { $0.corpus == .chat }.count == 40)
    try build.write { $0.replacingOccurrences(of: #""plain"}"#, with: #""plain", "texts": 4}"#) }
    #expect(throws: InputError.self) { try harvest().finished() }
  }

  /// Stopped at a step: its log may not grow beyond that step's line. What is there is then what a kill leaves, a saved
  /// state and half a line of the log.
  @Test func trainingGoesOnWhereItWasStopped() throws {
    let (first, second) = (try TinyBuild(), try TinyBuild())
    for build in [first, second] {
      try build.write { $0.replacing("\"steps\": 80", with: "\"steps\": 700") }
    }
    try first.runAnew()
    #expect(try Program.run(["harvest", second.configurationPath]).code == 0)
    let stopped = try Program.run(
      ["train", second.configurationPath],
      after: Program.limit(toSteps: 600, of: first.folder.path + "/work/training.jsonl"))
    stopped.expectOneLine(saying: "training.jsonl: ")
    func state() -> String? {
      let names = (try? FileManager.default.contentsOfDirectory(atPath: second.folder.path + "/work")) ?? []
      return names.first { $0.hasPrefix("trainer-state") }
    }
    #expect(state() != nil)
    let outcome = try Program.run(["build", second.configurationPath])
    #expect(outcome.code == 0 && outcome.error.contains("goes on at step 500"), "\(outcome.error)")
    #expect(state() == nil)
    let stores = try [first, second].map { try Data(contentsOf: URL(fileURLWithPath: $0.storePath)) }
    #expect(stores[0] == stores[1])
  }

  @Test(arguments: [
    (#""method": "l1", "mu": 0.02, "mu_warmup_steps": 20"#, CodeNormalization.crosscoder),
    (#""k": 4, "code_normalization": "decoupled", "k_initial": 16, "k_annealing_steps": 30"#, .decoupled),
    (#""k": 4, "code_normalization": "mixed", "squared_loss": true"#, .mixed(sae: 1, crosscoder: 0.1)),
  ])
  func makesAStoreWithEachMethod(settings: String, normalization: CodeNormalization) throws {
    let build = try TinyBuild()
    // Without a bound for dead latents: a tenth of the run.
    try build.write {
      $0.replacing(#""k": 4"#, with: settings).replacing(#""decay_fraction": 0.2,"#, with: #""decay_fraction": 0.2"#)
        .replacing(#""dead_after_tokens": 2000"#, with: "")
    }
    try build.runAnew()
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.check().isEmpty)
    let crosscoder = try SteeringContext.load(store: store).crosscoder
    #expect(crosscoder.codeNormalization == normalization)
    #expect(crosscoder.thresholds.count == (settings.contains("l1") ? 0 : normalization == .decoupled ? 2 : 1))
    #expect(crosscoder.thresholds.allSatisfy { $0 > 0 })
  }

  @Test(arguments: [("sae-base", TrainingTarget.base), ("sae-chat", .chat)])
  func trainsAnAutoencoderAndStopsThere(method: String, target: TrainingTarget) throws {
    let build = try TinyBuild()
    try build.write { $0.replacing(#""k": 4"#, with: #""k": 4, "method": "\#(method)""#) }
    try Program.run(["build", build.configurationPath]).expectOneLine(saying: "crosscope harvest and train")
    for stage in ["harvest", "train"] {
      let outcome = try Program.run([stage, build.configurationPath])
      #expect(outcome.code == 0, "\(outcome.error)")
    }
    let autoencoder = try SparseAutoencoder.load(folder: build.folder.path + "/crosscoder")
    #expect(autoencoder.target == target && autoencoder.k == 4 && autoencoder.threshold > 0)
    #expect(autoencoder.card.layer == 2 && autoencoder.card.modelName == "tiny-chat-tiny")
    #expect(try Program.run(["train", build.configurationPath]).error.contains("is there already"))
    try Program.run(["score", build.configurationPath]).expectOneLine(saying: "which reads one")
  }

  @Test func stagesRefuseActivationsOfAnotherConfiguration() throws {
    let build = try TinyBuild()
    try build.run()
    try build.write { $0.replacing("\"layer\": 2", with: "\"layer\": 1") }
    for stage in ["train", "score", "index"] {
      try Program.run([stage, build.configurationPath]).expectOneLine(saying: "activations of this configuration")
    }
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.modelPair().layer == 2)
  }

  @Test func replacesAStoreThatIsCutShort() throws {
    let build = try TinyBuild()
    try build.run()
    let bytes = try Data(contentsOf: URL(filePath: build.storePath))
    try bytes.prefix(5000).write(to: URL(filePath: build.storePath))
    try build.runAnew()
    #expect(try Data(contentsOf: URL(filePath: build.storePath)) == bytes)
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
    (#""latents": 64"#, #""latents": 0"#, "training.latents"), (#""steps": 80"#, #""steps": -1"#, "training.steps"),
    (#""k": 4"#, #""k": 4, "alpha": 1"#, "training.alpha"),
    (#""k": 4"#, #""k": 4, "mu": 0.1"#, "training.mu"), (#""k": 4,"#, "", "training.k"),
    (#""k": 4"#, #""k": 4, "method": "l1""#, "training.k"), (#""k": 4"#, #""method": "l2""#, "training.method"),
    (#""k": 4"#, #""method": "l1", "code_normalization": "decoupled""#, "code_normalization"),
    (#""k": 4"#, #""k": 4, "code_normalization": "SPARSE""#, "code_normalization"),
    (#""k": 4"#, #""k": 4, "k_initial": 65"#, "training.k_initial"),
    (#""k": 4"#, #""k": 4, "method": "sae-chat", "code_normalization": "sae""#, "code_normalization"),
    (#""k": 4"#, #""k": 4, "method": "sae-chat""#, "which reads one"),
    (#""corpus": "plain""#, #""corpus": "plain", "x": 1"#, "corpus.x"),
    (#""corpus": "plain""#, #""corpus": "web""#, "corpus.[0].corpus"),
    (#""corpus": "plain""#, #""corpus": "plain", "texts": 0"#, "corpus.texts"),
    (#""latents": 64"#, #""latents": 16777216"#, "memory"), (#""tiny.crosscope""#, #""tiny.gguf""#, "tiny.gguf"),
  ])
  func refusesABadConfigurationByName(from: String, to: String, word: String) throws {
    let build = try TinyBuild()
    try build.write { text in
      guard let range = text.range(of: from) else { return text }
      return text.replacingCharacters(in: range, with: to)
    }
    do {
      try build.runAnew()
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
      try build.runAnew()
      Issue.record("accepted")
    } catch { #expect("\(error)".contains("line 41")) }
  }

  @Test func aPairOfTwoFilesIsBuiltCheckedAndSteered() throws {
    let build = try TinyBuild()
    _ = try TinyModel.writeGGUF(
      in: build.folder, name: "chat.gguf", merging: build.folder.path + "/adapter")
    try build.write {
      $0.replacing(
        #""model": "tiny.gguf", "adapter": "adapter""#, with: #""model": "chat.gguf", "base_model": "tiny.gguf""#)
    }
    try build.runAnew()
    let store = try Store(path: build.storePath, access: .readOnly)
    let pair = try store.modelPair()
    #expect(pair.adapter == nil && pair.baseModel?.path == "tiny.gguf" && pair.model?.path == "chat.gguf")
    let latent = try #require(store.latents(ids: 0..<64).first { !$0.dead }).id
    let arguments = [
      "steer", build.storePath, "--latent", "\(latent)", "--prompt", "sun", "--max-tokens", "6", "--json",
    ]
    func steered(_ more: [String]) throws -> (baseline: [Int], steered: [Int]) {
      let outcome = try Program.run(arguments + more)
      #expect(outcome.code == 0, "\(outcome.error)")
      let json = try outcome.json()
      let steered = try #require(json["steered"] as? [[String: Any]])
      return (
        try #require((json["baseline"] as? [String: Any])?["ids"] as? [Int]), try #require(steered[0]["ids"] as? [Int])
      )
    }
    // After the last changed block base's residual stream is all of base: the answer with it is base's own.
    let swapped = try steered(["--swap-base"])
    #expect(swapped.baseline != swapped.steered)
    #expect(try Program.run(["check", build.storePath]).code == 0)

    let other = try TinyModel.writeGGUF(in: build.folder, name: "other.gguf", seed: 99)
    try Program.run(arguments + ["--base-model", other]).expectOneLine(saying: "base model")
    try FileManager.default.removeItem(atPath: build.folder.path + "/tiny.gguf")
    try Program.run(arguments).expectOneLine(saying: "tiny.gguf")
    try FileManager.default.copyItem(atPath: other, toPath: build.folder.path + "/tiny.gguf")
    #expect(try Program.run(["check", build.storePath]).out.contains("base model"))
  }

  /// Two latents that stand for one direction and never fire together: twins, wholly apart.
  @Test func twinsGetTheirDivergence() throws {
    let build = try TinyBuild()
    let (configuration, paths) = try BuildOptions.parse([build.configurationPath]).load()
    let engine = try Engine(model: paths.model, adapter: paths.adapter)
    try HarvestStage(build: configuration, paths: paths).run(engine: engine)
    try TrainStage(job: TrainingJob(build: configuration, paths: paths)).run()
    let trained = try Crosscoder.load(folder: paths.crosscoder)
    var (encoder, decoder, bias) = (trained.encoder, trained.decoder, trained.encoderBias)
    let d = trained.dModel
    (bias[0], bias[1]) = (0, 0)
    for i in 0..<2 * d {
      encoder[0, i] *= 50
      encoder[1, i] = -encoder[0, i]
    }
    for i in 0..<d {
      (decoder[0, i], decoder[1, d + i]) = (0, 0)
      decoder[1, i] = decoder[0, d + i]
    }
    try Crosscoder(
      encoder: encoder, encoderBias: bias, decoder: decoder, decoderBias: trained.decoderBias, k: trained.k,
      threshold: trained.threshold, card: trained.card
    ).save(folder: paths.crosscoder)
    try ScoreStage(build: configuration, paths: paths).run(engine: engine)
    try IndexStage(build: configuration, paths: paths).run(engine: engine)
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.page(of: 0).neighbours.contains { $0.kind == .twin && $0.other == 1 })
    #expect(try store.metricNames().contains("twin_divergence"))
    #expect(try store.latentIDs(matching: Filter(argument: "twin_divergence>0.99", of: store)) == [0, 1])
    #expect(try store.check().isEmpty)
  }

  @Test func aConfigurationNamesOneKindOfPair() throws {
    let build = try TinyBuild()
    for (pair, found) in [(#""adapter": "adapter", "base_model": "tiny.gguf""#, "both"), (#""seed": 3"#, "neither")] {
      try build.write { $0.replacing(#""adapter": "adapter""#, with: pair) }
      do {
        try build.runAnew()
        Issue.record("accepted")
      } catch { #expect("\(error)".contains(found), "\(error)") }
    }
  }

  @Test func aStoreRefusesOtherModels() throws {
    let build = try TinyBuild()
    try build.run()
    let store = try Store(path: build.storePath, access: .readOnly)
    let other = TemporaryFolder()
    let model = try TinyModel.writeGGUF(in: other, seed: 99)
    #expect(throws: InputError.self) { try SteeringContext.load(store: store, files: ModelLocations(model: model)) }
    let adapter = try TinyModel.writeAdapter(in: other, seed: 98)
    #expect(throws: InputError.self) {
      try SteeringContext.load(store: store, files: ModelLocations(adapter: adapter))
    }
    #expect(throws: Never.self) { try SteeringContext.load(store: store) }
  }
}
