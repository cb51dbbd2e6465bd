// A pair of two whole files: each model reads with its own weights, one pass over both is all or nothing, and other
// shapes are refused.

import TestSupport
import Testing

@testable import Inference

@Suite struct PairOfFilesTests {
  let folder = TemporaryFolder()
  let (basePath, chatPath): (String, String)

  init() throws {
    basePath = try TinyModel.writeGGUF(in: folder, name: "base.gguf", seed: 1)
    chatPath = try TinyModel.writeGGUF(in: folder, name: "chat.gguf", seed: 9)
  }

  /// Three timelines of chat, base, chat.
  private let models: [PairModel] = [.chat, .base, .chat]

  private func segments(_ engine: Engine, _ ids: [Int32]) -> [Segment] {
    models.enumerated().map { Segment(stream: $0, cache: engine.transformer(of: $1).makeCache(), tokens: ids) }
  }

  @Test func eachReadsWithItsOwnWeights() throws {
    let ids: [Int32] = [5, 90, 17, 200]
    func alone(_ path: String) throws -> [Float] {
      let model = try Transformer.load(path: path)
      return try model.forward([Segment(stream: 0, cache: model.makeCache(), tokens: ids)])[0].values
    }
    let engine = try Engine(model: chatPath, base: basePath)
    let segments = segments(engine, ids)
    let found = try engine.forward(segments, of: models).map(\.values)
    let (base, chat) = (try alone(basePath), try alone(chatPath))
    #expect(base != chat)
    #expect(zip(found, [chat, base, chat]).allSatisfy { Families.difference($0, $1) < 1e-5 })
    #expect(segments.allSatisfy { $0.cache.count == ids.count })
  }

  @Test func aPassThatFailsAdvancesNobody() throws {
    let engine = try Engine(model: chatPath, base: basePath)
    let segments = segments(engine, [1, 2, 3])
    var hooks = Hooks()
    nonisolated(unsafe) var seenBase = false
    hooks.add(layer: 1, site: .residPost) { view throws(InferenceError) in
      if view.segment(ofStream: 1) != nil { seenBase = true } else { throw .cancelled }
    }
    #expect(throws: InferenceError.cancelled) { try engine.forward(segments, of: models, hooks: hooks) }
    #expect(seenBase && segments.allSatisfy { $0.cache.count == 0 })
  }

  @Test func anotherShapeOrBothKindsOfPairAreRefused() throws {
    let larger = try TinyModel.writeGGUF(in: folder, name: "larger.gguf", padding: 4)
    let error = #expect(throws: InferenceError.self) { try Engine(model: chatPath, base: larger) }
    #expect(error.map { "\($0)" }?.contains("larger.gguf") == true)
    let adapter = try TinyModel.writeAdapter(in: folder)
    #expect(throws: InferenceError.self) { try Engine(model: chatPath, adapter: adapter, base: basePath) }
  }
}
