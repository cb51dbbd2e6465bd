// Activations before the answer begins, and the area under the curve, against their definitions.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct PromptReaderTests {
  @Test func theAreaIsTheShareOfPairsInOrder() {
    #expect(areaUnderCurve(own: [2, 3], others: [0, 1]) == 1)
    #expect(areaUnderCurve(own: [0, 0], others: [0, 0, 0]) == 0.5)
    #expect(areaUnderCurve(own: [], others: [1]) == nil)
    var generator = SplitMix64(seed: 3)
    for _ in 0..<20 {
      let (own, others) = (
        (0..<7).map { _ in Float(generator.next() % 4) }, (0..<9).map { _ in Float(generator.next() % 4) }
      )
      let naive = own.flatMap { a in others.map { a > $0 ? 1.0 : a == $0 ? 0.5 : 0 } }.reduce(0, +) / 63
      #expect(abs((areaUnderCurve(own: own, others: others) ?? -1) - naive) < 1e-12)
    }
  }

  @Test func onlyTheLastMessageAndTheOpeningCount() throws {
    let folder = TemporaryFolder()
    let engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
    let crosscoder = randomCrosscoder(d: TinyModel.dModel, F: 24, seed: 11, threshold: 0.5)
    let chat = try engine.encodeChat(
      [
        ChatMessage(role: .user, content: "hello"), ChatMessage(role: .assistant, content: "good day"),
        ChatMessage(role: .user, content: "and you"),
      ], addGenerationPrompt: true)
    let start = PromptReader.start(of: chat)
    #expect(start > 0 && chat.roles[start] == .user && chat.roles[start - 1] == .assistant)
    let x = try Harvester(engine: engine, layer: 1).activations(of: [chat.ids])[0]
    let codes = try crosscoder.encode(text: x)
    let (scaled, dense) = (crosscoder.scaled(codes), codes.dense())
    #expect(scaled.count == codes.values.count && !dense.isEmpty)
    let reading = try PromptReader(engine: engine, crosscoder: crosscoder, layer: 1).read(chat)
    let found = reading.largest
    for latent in 0..<24 {
      let expected =
        (start..<chat.ids.count).map { token in
          dense[token * 24 + latent] * Float(crosscoder.codeNorms[latent])
        }.max() ?? 0
      #expect(abs((found[latent] ?? 0) - expected) <= 1e-5 * max(1, expected), "latent \(latent)")
    }
    #expect(!found.isEmpty, "the seed is meant to make latents fire")

    let d = TinyModel.dModel
    func delta(_ token: Int) -> [Double] {
      (0..<d).map { Double(x.values[(2 * token + 1) * d + $0]) - Double(x.values[2 * token * d + $0]) }
    }
    let active = (start..<chat.ids.count).filter { token in (0..<24).contains { dense[token * 24 + $0] != 0 } }
    let whole = active.reduce(0) { $0 + delta($1).reduce(0) { $0 + $1 * $1 } }
    #expect(whole > 0)
    for latent in 0..<24 {
      let (base, chat) = (
        Array(crosscoder.decoderDirection(latent, .base)), Array(crosscoder.decoderDirection(latent, .chat))
      )
      let carried = active.reduce(0.0) { sum, token in
        let along = zip(delta(token), zip(chat, base)).reduce(0.0) { $0 + $1.0 * Double($1.1.0 - $1.1.1) }
        return sum + Double(dense[token * 24 + latent]) * along
      }
      #expect(abs(Double(reading.carried[latent] ?? 0) - carried / whole) < 1e-4, "latent \(latent)")
    }
  }
}
