// Files that other programs shorten, overwrite or replace while the program reads them: one line, nothing recorded,
// and everything works again once the file is well.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import crosscope

@Suite struct ChangedFileTests {
  private let build: TinyBuild
  private let model: String
  private let request: SteeringRequest

  init() throws {
    build = try TinyBuild()
    try build.run()
    model = build.folder.path + "/tiny.gguf"
    let latent = try build.livingLatents(1)[0]
    request = SteeringRequest(
      prompt: "Hi", interventions: [Intervention(latent: latent, mode: .add, strength: 0.5)], maxTokens: 4,
      temperature: 0, seed: 1)
  }

  private func owner() throws -> ModelOwner {
    ModelOwner(
      store: try Store(path: build.storePath, access: .readOnly), files: ModelLocations(), precision: .exact)
  }

  /// The tokens of both answers. Last bits of other figures depend on the kernels, which other tests switch meanwhile.
  private func answers(_ owner: ModelOwner) async throws -> [[Int32]] {
    let outputs = try await owner.outcome(of: SteeringJob(request)).outputs
    return ([outputs.baseline] + outputs.steered).map(\.first.ids)
  }

  /// A run, and what happens in its midst: after the first of its tokens.
  private func meanwhile(_ owner: ModelOwner, _ body: () throws -> Void) async throws {
    let models = LoadedModels(
      context: try SteeringContext.load(store: owner.store, precision: .exact), store: owner.store)
    var steps = try SteeringJob(request).begin(on: models)
    _ = try steps.step { _ in }
    try body()
    while try steps.step({ _ in }) {}
  }

  @Test func aRunOnAModelThatWasShortenedFailsAndTheNextLoadsItAgain() async throws {
    let owner = try owner()
    let whole = try Data(contentsOf: URL(filePath: model))
    let before = try await answers(owner)
    await #expect(throws: InferenceError.fileChanged(path: model, how: .shortened)) {
      try await meanwhile(owner) { #expect(truncate(model, 8192) == 0) }
    }
    // As it is, it cannot be loaded.
    await #expect(throws: InferenceError.self) { try await answers(owner) }
    try whole.write(to: URL(filePath: model))
    #expect(try await answers(owner) == before)
  }

  @Test func aModelThatWasOverwrittenIsNotTheStoresAnyMore() async throws {
    let owner = try owner()
    let whole = try Data(contentsOf: URL(filePath: model))
    let before = try await answers(owner)
    var other = whole
    other[other.count - 100] ^= 1
    await #expect(throws: InferenceError.fileChanged(path: model, how: .changed)) {
      try await meanwhile(owner) { try other.write(to: URL(filePath: model), options: []) }
    }
    await #expect { try await answers(owner) } throws: { "\($0)".contains("was made with another model") }
    try whole.write(to: URL(filePath: model), options: [])
    #expect(try await answers(owner) == before)
  }

  @Test func aModelThatWasReplacedOrRemovedGoesOnUnderItsOwnHash() async throws {
    let owner = try owner()
    let before = try await answers(owner)
    _ = try TinyModel.writeGGUF(in: build.folder, name: "other.gguf", seed: 9)
    try FileManager.default.removeItem(atPath: model)
    #expect(try await answers(owner) == before)
    try FileManager.default.moveItem(atPath: build.folder.path + "/other.gguf", toPath: model)
    #expect(try await answers(owner) == before)
  }

  @Test func activationsThatWereShortenedAreNotTrainedOn() throws {
    let folder = build.folder.path + "/work/activations"
    let shards = try ActivationShards(folder: folder)
    let path = folder + "/" + shards.index.shards[0].file
    let tokens = shards.tokens
    #expect(truncate(path, 4096) == 0)
    #expect(shards.gather([tokens / 2]).values.allSatisfy { $0 == 0 }, "read as zeros, not a crash")
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try shards.check() }
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try shards.shard(0) }
    #expect(throws: InferenceError.fileChanged(path: path, how: .shortened)) { try shards.contentHash() }
  }

  @Test func aCrosscoderReadInPlaceSaysThatItChanged() throws {
    let path = build.folder.path + "/crosscoder/model.safetensors"
    try Crosscoder.load(folder: build.folder.path + "/crosscoder").save(folder: build.folder.path + "/crosscoder")
    let file = try CrosscoderFile(path: path)
    let rows = try file.decoderRows()
    let norms = try #require(rows.geometry().chatNorms)
    #expect(norms.contains { $0 > 0 })
    #expect(truncate(path, 4096) == 0)
    #expect(try #require(rows.geometry().chatNorms).last == 0)
    let error = DiffingError.file(.fileChanged(path: path, how: .shortened))
    #expect(throws: error) { try file.check() }
    #expect(throws: error) { try file.decoderRows() }
    #expect(throws: error) { try file.crosscoder() }
  }
}
