// A prompt computed once up to a block: streams that go on from there give what they give alone; prompts are forgotten
// by a budget; a cancelled task ends between two blocks and leaves the timelines as they were.

import TestSupport
import Testing

@testable import Inference
@testable import Kernels

@Suite struct PromptPrefixTests {
  let folder = TemporaryFolder()
  let engine: Engine
  let prompt: [Int32] = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]

  init() throws {
    engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
  }

  /// Three streams, of which one is base; the second is steered after a block.
  private func produced(_ shared: Decoding.Shared?, layer: Int) throws -> [[Int32]] {
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      guard let rows = view.segment(ofStream: 1) else { return }
      for row in rows.rows { for i in 0..<view.d { view.row(row)[i] += Float(i % 3) } }
    }
    let decoding = Decoding(
      engine: engine,
      streams: [PairModel.chat, .chat, .base].map { DecodingStream(model: $0, source: .sampled(.greedy)) },
      prompt: prompt, limit: 12, shared: shared, hooks: hooks)
    while !decoding.isFinished { _ = try decoding.step() }
    return (0..<3).map { decoding.produced($0) }
  }

  @Test func sharedPromptsGiveTheSameTokens() throws {
    for layer in 0..<engine.model.configuration.nLayers {
      let prefixes = PromptPrefixes()
      let alone = try produced(nil, layer: layer)
      #expect(alone[0] != alone[1], "steering changes nothing, so nothing is shown")
      #expect(try produced(Decoding.Shared(through: layer, prefixes: prefixes), layer: layer) == alone)
      #expect(prefixes.count == 2, "one of the chat model, one of base")
      #expect(try produced(Decoding.Shared(through: layer, prefixes: prefixes), layer: layer) == alone)
      #expect(prefixes.count == 2)
    }
  }

  @Test func goingOnGivesTheSameLogits() throws {
    let model = engine.model
    let whole = try model.forward(
      [Segment(stream: 0, cache: model.makeCache(), tokens: prompt, adapter: engine.adapter, logits: .all)])[0]
    let prefix = try PromptPrefix(model: model, adapter: engine.adapter, tokens: prompt, layer: 0)
    let cache = prefix.makeCache()
    var pieces: [Float] = []
    for part in [0..<4, 4..<prompt.count] {
      pieces += try model.forward([
        Segment(
          stream: 0, cache: cache, tokens: Array(prompt[part]), start: prefix.start(part), adapter: engine.adapter,
          logits: .all)
      ])[0].values
    }
    #expect(Families.difference(pieces, whole.values) < 1e-5)
  }

  @Test func promptsBeyondTheBudgetAreForgottenOldestFirst() throws {
    func prefix(_ prefixes: PromptPrefixes, _ first: Int32) throws -> PromptPrefix {
      try prefixes.prefix(of: .base, engine: engine, tokens: [first] + prompt, layer: 0)
    }
    let size = try prefix(PromptPrefixes(), 1).byteCount
    let prefixes = PromptPrefixes(budget: 2 * size)
    let one = try prefix(prefixes, 1)
    _ = try prefix(prefixes, 2)
    #expect(try prefix(prefixes, 1) === one)
    _ = try prefix(prefixes, 3)
    #expect(prefixes.count == 2 && prefixes.byteCount <= 2 * size)
    #expect(try prefix(prefixes, 1) === one, "used last but one, so kept")
    let tiny = PromptPrefixes(budget: 1)
    #expect(try prefix(tiny, 1) !== prefix(tiny, 2))
    #expect(tiny.count == 1, "the latest is always kept")
  }

  @Test func whatExceedsTheContextLengthIsRefusedBeforeAnyWork() throws {
    let length = engine.model.configuration.contextLength
    for limit in [length - prompt.count, length - prompt.count + 1] {
      nonisolated(unsafe) var passes = 0
      var hooks = Hooks()
      hooks.add(layer: 0, site: .residPre) { _ in passes += 1 }
      let decoding = Decoding(
        engine: engine, streams: [DecodingStream(source: .sampled(.greedy))], prompt: prompt,
        limit: limit, hooks: hooks)
      if limit + prompt.count <= length {
        #expect(try decoding.step().count == 1)
      } else {
        #expect(throws: InferenceError.self) { try decoding.step() }
        #expect(passes == 0)
      }
    }
  }

  @Test func aCancelledTaskEndsBetweenBlocks() async throws {
    let model = engine.model
    let tokens = prompt
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      let cache = model.makeCache()
      let error = #expect(throws: InferenceError.self) {
        try model.forward([Segment(stream: 0, cache: cache, tokens: tokens)])
      }
      return (error, cache.count)
    }
    let (error, count) = await task.value
    #expect(error == .cancelled && count == 0)
  }
}
