// Activation patching: its arms by their formulas and identities, its predictions by hand, its divergences against
// whole forward passes with a hook and a naive sum in fp64.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing
@testable import Kernels

@Suite struct ActivationPatchingTests {
  static let (d, F, layer) = (TinyModel.dModel, 24, 1)
  let folder = TemporaryFolder()
  let engine: Engine
  let crosscoder: Crosscoder
  let chat: RenderedChat

  init() throws {
    engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
    crosscoder = randomCrosscoder(d: Self.d, F: Self.F, seed: 11, threshold: 0.5)
    chat = try engine.encodeChat(
      [
        ChatMessage(role: .user, content: "hello"), ChatMessage(role: .assistant, content: "good day to you"),
        ChatMessage(role: .user, content: "and"), ChatMessage(role: .assistant, content: "well"),
      ], addGenerationPrompt: false)
  }

  private func measure(_ arms: [PatchingArm], _ crosscoder: Crosscoder? = nil) throws -> ChatDivergence {
    try ActivationPatching(engine: engine, crosscoder: crosscoder ?? self.crosscoder, layer: Self.layer, arms: arms)
      .measure(chat)
  }

  /// Chat's logits `[T, V]` of the whole text, its residual stream at the layer replaced by `rows` `[T, d]`.
  private func logits(_ rows: [Float]?) throws -> Matrix {
    var hooks = Hooks()
    if let rows {
      hooks.add(layer: Self.layer, site: .residPost) { view in
        for row in 0..<rows.count / view.d {
          for i in 0..<view.d { view.row(row)[i] = rows[row * view.d + i] }
        }
      }
    }
    let segment = Segment(
      stream: 0, cache: engine.model.makeCache(), tokens: chat.ids, adapter: engine.adapter, logits: .all)
    return try engine.model.forward([segment], hooks: hooks)[0]
  }

  /// Σ KL over positions, in fp64 throughout.
  private func naive(_ p: Matrix, _ q: Matrix, _ positions: [Int]) -> Double {
    func logSoftmax(_ row: ArraySlice<Float>) -> [Double] {
      let largest = Double(row.max() ?? 0)
      let total = largest + log(row.reduce(0) { $0 + exp(Double($1) - largest) })
      return row.map { Double($0) - total }
    }
    return positions.reduce(0) { sum, position in
      let (a, b) = (logSoftmax(p.row(position)), logSoftmax(q.row(position)))
      return sum + zip(a, b).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
    }
  }

  private var activations: PairedActivations {
    get throws { try Harvester(engine: engine, layer: Self.layer).activations(of: [chat.ids])[0] }
  }

  @Test func armsAreWholePassesWithTheRowsReplaced() throws {
    let (x, template) = (try activations, chat.templateMask)
    let codes = try crosscoder.encode(text: x)
    let chosen: Set<Int> = [1, 4, 7, 20]
    let arms: [PatchingArm] = [.none, .all, .error, .template, .latents(chosen)]
    let found = try measure(arms)
    let dense = codes.dense()
    for (arm, which) in arms.enumerated() {
      // The formulas once more, dense and in fp64.
      var rows: [Float] = []
      for token in 0..<x.tokens {
        let base = x.vector(token: token, model: .base).map(Double.init)
        let chatRow = x.vector(token: token, model: .chat).map(Double.init)
        for i in 0..<Self.d {
          func differences(_ latents: some Sequence<Int>) -> Double {
            latents.reduce(0) { sum, j in
              let directions = crosscoder.decoder.row(j)
              let (d, c) = (directions[directions.startIndex + i], directions[directions.startIndex + Self.d + i])
              return sum + Double(dense[token * Self.F + j]) * (Double(c) - Double(d))
            }
          }
          let value =
            switch which {
            case .none: base[i]
            case .all: base[i] + differences(0..<Self.F)
            case .error: chatRow[i] - differences(0..<Self.F)
            case .template: template[token] ? chatRow[i] : base[i]
            case .latents: base[i] + differences(chosen)
            }
          rows.append(Float(value))
        }
      }
      let (whole, patched) = (try logits(nil), try logits(rows))
      for scope in PatchingScope.allCases {
        let wanted = naive(whole, patched, scope.positions(in: chat))
        let sum = try #require(found.sums[scope]?[arm])
        #expect(abs(sum - wanted) < 1e-4 * max(1, wanted), "arm \(arm), \(scope)")
        #expect(wanted > 1e-3, "a test that can fail")
      }
    }
  }

  @Test func aCrosscoderThatReconstructsLeavesNothing() throws {
    // Latents ±e_i, read from chat − base and written to chat alone: Σ f_j Δ_j is the difference itself.
    let (d, n) = (Self.d, 2 * Self.d)
    var encoder = Matrix(rows: n, columns: 2 * d)
    var decoder = Matrix(rows: n, columns: 2 * d)
    for i in 0..<d {
      for (row, sign) in [(2 * i, Float(1)), (2 * i + 1, -1)] {
        encoder[row, i] = -sign
        encoder[row, d + i] = sign
        decoder[row, d + i] = sign
      }
    }
    let exact = Crosscoder(
      encoder: encoder, encoderBias: [Float](repeating: 0, count: n), decoder: decoder,
      decoderBias: [Float](repeating: 0.3, count: d) + [Float](repeating: -0.3, count: d))
    let result = try measure([.all, .none, .error, .latents(Set(0..<n))], exact)
    let sums = try #require(result.sums[.response])
    // The first token's codes mean nothing, so there base's row stays: the residue is what that does.
    let x = try activations
    var rows = (0..<x.tokens).flatMap { x.vector(token: $0, model: .chat) }
    rows.replaceSubrange(0..<d, with: x.vector(token: 0, model: .base))
    let residue = naive(try logits(nil), try logits(rows), PatchingScope.response.positions(in: chat))
    #expect(abs(sums[0] - residue) < 1e-5)
    #expect(sums[0] < 0.2 * sums[1], "all but the first token is closed")
    #expect(abs(sums[3] - sums[0]) < 1e-5, "all by name and all by number are one")
  }

  @Test func allAndErrorMakeChat() throws {
    let x = try activations
    let codes = try crosscoder.encode(text: x)
    func rows(_ arm: PatchingArm) -> [Float] {
      crosscoder.patched(arm, x, codes: codes, templateMask: chat.templateMask)
    }
    let (all, error, none) = (rows(.all), rows(.error), rows(.none))
    var largest: Float = 0
    for token in 0..<x.tokens {
      for (i, value) in x.vector(token: token, model: .chat).enumerated() {
        let place = token * Self.d + i
        largest = max(largest, abs(all[place] + error[place] - none[place] - value))
      }
    }
    #expect(largest < 2e-6 * (all.map(abs).max() ?? 0))
    #expect(none == (0..<x.tokens).flatMap { x.vector(token: $0, model: .base) })
    // What decoder biases add is no latent's: they change no arm.
    let biased = Crosscoder(
      encoder: crosscoder.encoder, encoderBias: crosscoder.encoderBias, decoder: crosscoder.decoder,
      decoderBias: crosscoder.decoderBias.map { $0 + 5 }, k: crosscoder.k, threshold: crosscoder.threshold)
    #expect(biased.patched(.all, x, codes: codes, templateMask: chat.templateMask) == all)
  }

  @Test func templateTokensAloneAreBothModelsInTurn() throws {
    let masks = [[Bool](repeating: true, count: chat.ids.count), [Bool](repeating: false, count: chat.ids.count)]
    let x = try activations
    let codes = try crosscoder.encode(text: x)
    for (mask, model) in zip(masks, [PairModel.chat, .base]) {
      let rows = crosscoder.patched(.template, x, codes: codes, templateMask: mask)
      #expect(rows == (0..<x.tokens).flatMap { x.vector(token: $0, model: model) })
    }
  }

  @Test func firstAndOutlyingTokensHaveNoCodes() throws {
    var x = randomActivations(tokens: 6, d: Self.d, seed: 3)
    for i in 0..<Self.d { x.values[(2 * 4 + 1) * Self.d + i] *= 100 }
    var limited = crosscoder
    limited.card.metrics["norm_limit"] = 50
    let (codes, whole) = (try limited.encode(text: x), try crosscoder.encode(x))
    for token in 0..<6 {
      let (found, wanted) = (codes.entries(of: token), whole.entries(of: token))
      if token == 0 || token == 4 {
        #expect(found.isEmpty)
      } else {
        #expect(!found.isEmpty && codes.latents[found] == whole.latents[wanted])
        #expect(codes.values[found] == whole.values[wanted])
      }
    }
  }

  @Test func companyAndRepetitionDoNotMatter() throws {
    let arms: [PatchingArm] = [.none, .latents([3, 5]), .all]
    let (first, second) = (try measure(arms), try measure(arms))
    let test = try ActivationPatching(engine: engine, crosscoder: crosscoder, layer: Self.layer, arms: arms)
    _ = try test.measure(chat.prefix(20))
    let afterAnother = try test.measure(chat)
    for scope in PatchingScope.allCases {
      #expect(first.sums[scope] == second.sums[scope])
      #expect(first.sums[scope] == afterAnother.sums[scope], "nothing stays of the chat before")
      let alone = try #require(try measure([.all]).sums[scope]?.first)
      let together = try #require(first.sums[scope]?.last)
      #expect(abs(alone - together) < 1e-5 * max(1, alone))
    }
  }

  @Test func whatDoesNotFitIsRefused() {
    for latent in [-1, Self.F] {
      #expect(throws: DiffingError.self) { try measure([.latents([latent])]) }
    }
    #expect(throws: DiffingError.self) { try measure([.all], randomCrosscoder(d: 8, F: 4, seed: 1)) }
    #expect(throws: DiffingError.self) {
      try ActivationPatching(engine: engine, crosscoder: crosscoder, layer: TinyModel.nLayers, arms: [.all])
    }
  }
}

@Suite struct PatchingScopeTests {
  private func chat(_ tokens: [(ChatMessage.Role, Bool)]) -> RenderedChat {
    var chat = RenderedChat(plain: (0..<tokens.count).map { Int32($0) })
    chat.roles = tokens.map(\.0)
    chat.templateMask = tokens.map(\.1)
    return chat
  }

  @Test func predictionsAreCountedByWhatTheyPredict() {
    // 0–1 head, 2–3 user's text, 4 its end, 5–6 head, 7–18 answer of 12 tokens, 19 its end, 20 head, 21–22 answer.
    let user = ChatMessage.Role.user
    let tokens: [(ChatMessage.Role, Bool)] =
      [(user, true), (user, true), (user, false), (user, false), (user, true)]
      + [(.assistant, true), (.assistant, true)] + (0..<12).map { _ in (.assistant, false) }
      + [(.assistant, true), (.assistant, true), (.assistant, false), (.assistant, false)]
    let chat = chat(tokens)
    #expect(PatchingScope.all.positions(in: chat) == [1, 2] + Array(6...17) + [20, 21])
    #expect(PatchingScope.response.positions(in: chat) == Array(6...17) + [20, 21])
    // The 10 first positions that predict an answer are 6…15; 6 is a template token.
    #expect(PatchingScope.first9.positions(in: chat) == Array(7...15) + [21])
  }

  @Test func nothingIsPredictedWhereThereIsNothing() {
    for scope in PatchingScope.allCases {
      #expect(scope.positions(in: chat([])).isEmpty)
      #expect(scope.positions(in: chat([(.assistant, false)])).isEmpty)
      #expect(scope.positions(in: chat([(.assistant, false), (.assistant, true)])).isEmpty)
    }
  }
}

@Suite struct ClusteredRatioTests {
  @Test func agreesWithTheFormulaByHand() throws {
    // R = 9/6; deviations 1 − 1.5, 6 − 4.5, 2 − 3 = −0.5, 1.5, −1: squares 3.5; SE = √(1.5 · 3.5)/6.
    let ratio = try #require(ClusteredRatio([1, 6, 2], over: [1, 3, 2]))
    #expect(ratio.value == 1.5)
    #expect(abs((ratio.halfWidth ?? 0) - 1.96 * (1.5 * 3.5).squareRoot() / 6) < 1e-12)
  }

  @Test func copiesOfAChatDoNotNarrowButMoreChatsDo() throws {
    var generator = SplitMix64(seed: 4)
    let (a, b) = ((0..<40).map { _ in generator.uniform() }, (0..<40).map { _ in generator.uniform() + 1 })
    let few = try #require(ClusteredRatio(a, over: b)?.halfWidth)
    let scaled = try #require(ClusteredRatio(a.map { 3 * $0 }, over: b.map { 3 * $0 })?.halfWidth)
    let many = try #require(ClusteredRatio(a + a + a + a, over: b + b + b + b)?.halfWidth)
    #expect(abs(few - scaled) < 1e-12, "longer chats are not more chats")
    #expect(abs(many / few - 0.5 * (39.0 / 40 * 160 / 159).squareRoot()) < 1e-9)
  }

  @Test func isMissingWhereThereIsNothingToDivideBy() {
    #expect(ClusteredRatio([], over: []) == nil)
    #expect(ClusteredRatio([1, 2], over: [0, 0]) == nil)
    #expect(ClusteredRatio([1], over: [2])?.value == 0.5 && ClusteredRatio([1], over: [2])?.halfWidth == nil)
  }
}
