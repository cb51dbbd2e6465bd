// Activations of a text against whole passes of each model, dense codes and naive distributions in fp64; pieces against
// the whole.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing
@testable import Kernels

@Suite struct TextActivationsTests {
  static let (d, F, layer) = (TinyModel.dModel, 24, 1)
  let folder = TemporaryFolder()
  let engine: Engine
  let crosscoder: Crosscoder
  let chat: RenderedChat

  init() throws {
    engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
    crosscoder = randomCrosscoder(d: Self.d, F: Self.F, seed: 11, threshold: 0.5)
    chat = try engine.encodePrompt("hello, how are you?")
  }

  private func reading(_ engine: Engine? = nil, _ crosscoder: Crosscoder? = nil) throws -> TextActivations {
    try TextActivations(
      engine: engine ?? self.engine, crosscoder: crosscoder ?? self.crosscoder, layer: Self.layer, candidates: 5)
  }

  private func whole(_ reading: TextActivations) throws -> [TokenActivations] {
    try reading.append(chat.ids, templateMask: chat.templateMask)
  }

  /// log softmax of one model's logits after each token, in fp64.
  private func logProbabilities(_ model: PairModel) throws -> [[Double]] {
    let transformer = engine.transformer(of: model)
    let segment = Segment(
      stream: 0, cache: transformer.makeCache(), tokens: chat.ids, adapter: engine.adapter(of: model), logits: .all)
    let logits = try transformer.forward([segment])[0]
    return (0..<logits.rows).map { row in
      let values = logits.row(row).map(Double.init)
      let largest = values.max() ?? 0
      let total = largest + log(values.reduce(0) { $0 + exp($1 - largest) })
      return values.map { $0 - total }
    }
  }

  @Test func activationsAreTheScaledCodesOfTheText() throws {
    let tokens = try whole(try reading())
    let activations = try Harvester(engine: engine, layer: Self.layer).activations(of: [chat.ids])[0]
    let codes = try crosscoder.encode(text: activations)
    let scaled = codes.dense(crosscoder.scaled(codes))
    #expect(tokens.map(\.id) == chat.ids && tokens.map(\.isTemplate) == chat.templateMask)
    #expect(tokens[0].isLeftOut && tokens[0].activations.isEmpty)
    #expect(tokens.dropFirst().allSatisfy { !$0.isLeftOut } && tokens.contains { $0.activations.count > 2 })
    for (token, read) in tokens.enumerated() {
      var dense = [Float](repeating: 0, count: Self.F)
      for activation in read.activations { dense[activation.latent] = activation.value }
      let expected = Array(scaled[token * Self.F..<(token + 1) * Self.F])
      #expect(relativeDifference(dense.doubles, expected.doubles) < 1e-5)
      #expect(read.activations.map(\.value) == read.activations.map(\.value).sorted(by: >))
    }
  }

  @Test func distributionsAndDivergencesAreThoseOfTheModels() throws {
    let tokens = try whole(try reading())
    let (base, chatLogs) = (try logProbabilities(.base), try logProbabilities(.chat))
    for (token, read) in tokens.enumerated() {
      for (found, logs) in [(read.base, base[token]), (read.chat, chatLogs[token])] {
        let expected = logs.indices.sorted { logs[$0] > logs[$1] }.prefix(5)
        #expect(found.map { Int($0.id) } == Array(expected))
        for (candidate, id) in zip(found, expected) { #expect(abs(candidate.probability - exp(logs[id])) < 1e-5) }
      }
      func divergence(_ p: [Double], _ q: [Double]) -> Double {
        zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      }
      #expect(abs((read.klChatBase ?? -1) - divergence(chatLogs[token], base[token])) < 1e-5)
      #expect(abs((read.klBaseChat ?? -1) - divergence(base[token], chatLogs[token])) < 1e-5)
    }
    #expect(tokens.contains { ($0.klChatBase ?? 0) > 0.01 }, "the pair differs")
  }

  @Test func piecesEqualTheWhole() throws {
    let expected = try whole(try reading())
    for size in [1, 2, 7] {
      let reading = try reading()
      var tokens: [TokenActivations] = []
      for start in stride(from: 0, to: chat.ids.count, by: size) {
        let part = start..<min(chat.ids.count, start + size)
        tokens += try reading.append(Array(chat.ids[part]), templateMask: Array(chat.templateMask[part]))
      }
      #expect(reading.count == chat.ids.count && tokens.map(\.isLeftOut) == expected.map(\.isLeftOut))
      for (found, wanted) in zip(tokens, expected) {
        #expect(found.activations.map(\.latent) == wanted.activations.map(\.latent))
        let (values, other) = (found.activations.map(\.value), wanted.activations.map(\.value))
        #expect(relativeDifference(values.doubles, other.doubles) < 1e-4)
        #expect(abs((found.klChatBase ?? -1) - (wanted.klChatBase ?? -2)) < 1e-4)
      }
      let best = reading.chatLogits.indices.max { reading.chatLogits[$0] < reading.chatLogits[$1] }
      #expect(best.map(Int32.init) == expected.last?.chat.first?.id, "goes on as chat does")
    }
  }

  @Test func tokensBeyondTheNormLimitAreLeftOut() throws {
    let activations = try Harvester(engine: engine, layer: Self.layer).activations(of: [chat.ids])[0]
    let norms = (0..<activations.tokens).map { token in
      PairModel.allCases.map { model in
        activations.vector(token: token, model: model).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      }.max() ?? 0
    }
    let limit = norms.dropFirst().sorted()[norms.count / 2]
    var strict = crosscoder
    strict.card.metrics["norm_limit"] = limit
    let tokens = try whole(try reading(engine, strict))
    for (token, read) in tokens.enumerated() where token > 0 && abs(norms[token] - limit) > 1e-4 * limit {
      #expect(read.isLeftOut == (norms[token] > limit))
      #expect(!read.isLeftOut || read.activations.isEmpty)
    }
    #expect(Set(tokens.dropFirst().map(\.isLeftOut)).count == 2)
  }

  @Test func oneModelHasNoDivergence() throws {
    let alone = try Engine(model: folder.path + "/tiny.gguf")
    for token in try whole(try reading(alone)) {
      #expect(token.base.isEmpty && token.klChatBase == nil && token.klBaseChat == nil && token.chat.count == 5)
    }
  }

  @Test func aTextThatIsTooLongIsRefusedBeforeAnythingIsComputed() throws {
    let reading = try reading()
    _ = try whole(reading)
    let more = [Int32](repeating: 40, count: 513 - chat.ids.count)
    #expect(throws: DiffingError.self) {
      try reading.append(more, templateMask: [Bool](repeating: false, count: more.count))
    }
    #expect(reading.count == chat.ids.count)
    do {
      try reading.checkRoom(for: more.count)
      Issue.record("no error")
    } catch {
      #expect(error.description.contains("at most 512 tokens, the model's context length, not 513"))
    }
    let fits = try reading.append(Array(more.dropLast()), templateMask: [Bool](repeating: false, count: more.count - 1))
    #expect(fits.count == more.count - 1 && reading.count == 512, "several passes")
  }

  @Test func aCancelledReadingEndsWithAWholePass() async throws {
    let (engine, crosscoder, chat) = (engine, crosscoder, chat)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      let reading = try TextActivations(engine: engine, crosscoder: crosscoder, layer: Self.layer)
      #expect(throws: DiffingError.file(.cancelled)) {
        try reading.append(chat.ids, templateMask: chat.templateMask)
      }
      return reading.count
    }
    #expect(try await task.value == 0)
  }

  @Test func aCrosscoderOfAnotherModelIsRefused() {
    let other = randomCrosscoder(d: Self.d * 2, F: Self.F, seed: 1)
    #expect(throws: DiffingError.self) { try reading(engine, other) }
    #expect(throws: DiffingError.self) { try TextActivations(engine: engine, crosscoder: crosscoder, layer: 4) }
  }
}
