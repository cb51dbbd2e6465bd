// The modes' formulas on single tokens, for every kind of code. What a latent contributes is taken from the
// reconstruction (Crosscoder.decode), which the authors' library checks elsewhere, not from steering's own arithmetic.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct SteeringModeTests {
  /// A crosscoder as its checkpoint has it, the same as steering wants it, and activations.
  struct Case: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let stored: Crosscoder
    let x: PairedActivations

    static let (d, F) = (16, 10)

    static func all() throws -> [Case] {
      let x = randomActivations(tokens: 40, d: d, seed: 3)
      let normaliser = InputNormaliser(
        mean: (0..<2 * d).map { Float($0 % 5) * 0.3 - 0.5 }, std: [Float](repeating: 1, count: 2 * d), targetRMS: 3)
      let decoupled = try fixture("training/decoupled")
      let plain = try Crosscoder.load(folder: decoupled)
      let width = 2 * plain.dModel
      let scaling = InputNormaliser(
        mean: (0..<width).map { Float($0 % 3) * 0.1 }, std: [Float](repeating: 1, count: width), targetRMS: 1,
        scales: [1.25])
      return [
        Case(testDescription: "L1", stored: randomCrosscoder(d: d, F: F, seed: 11), x: x),
        Case(testDescription: "BatchTopK", stored: randomCrosscoder(d: d, F: F, seed: 11, threshold: 6), x: x),
        Case(
          testDescription: "normalised",
          stored: randomCrosscoder(d: d, F: F, seed: 12, threshold: 6, normaliser: normaliser), x: x),
        Case(
          testDescription: "code normalisation NONE",
          stored: randomCrosscoder(d: d, F: F, seed: 13, threshold: 1, normalization: .none), x: x),
        Case(
          testDescription: "DECOUPLED, normalised",
          stored: Crosscoder(
            encoder: plain.encoder, encoderBias: plain.encoderBias, decoder: plain.decoder,
            decoderBias: plain.decoderBias, codeNormalization: .decoupled, k: plain.k, thresholds: plain.thresholds,
            normaliser: scaling, card: plain.card),
          x: try PairedActivations(path: decoupled + "/reference.safetensors")),
        Case(
          testDescription: "DECOUPLED", stored: plain,
          x: try PairedActivations(path: decoupled + "/reference.safetensors")),
      ]
    }
  }

  static func steered(
    _ plan: SteeringPlan, _ crosscoder: Crosscoder, _ x: PairedActivations, token: Int, isFirst: Bool = false,
    maxActivation: Double? = 3
  ) throws -> [Float] {
    let steering = try PreparedSteering(plan: plan, crosscoder: crosscoder, layer: 0, nLayers: 1) { _ in maxActivation }
    var h = Array(x.vector(token: token, model: .chat))
    let base = Array(x.vector(token: token, model: .base))
    steering.apply(to: &h, base: base, isFirst: isFirst)
    return h
  }

  private func plan(_ latent: Int, _ mode: SteeringMode, _ strength: Double, _ decoder: PairModel = .chat)
    -> SteeringPlan
  {
    SteeringPlan(
      interventions: [Intervention(latent: latent, mode: mode, strength: strength)], decoder: decoder)
  }

  /// What latent j adds to a model's reconstruction at each token, in the residual stream's own units.
  private func contributions(_ latent: Int, _ model: PairModel, _ one: Case, _ codes: SparseCodes) -> [[Double]] {
    var rows: [[Double]] = []
    let without = codes.keepingLatents { $0 != latent }
    let (whole, rest) = (one.stored.decode(codes, of: one.x), one.stored.decode(without, of: one.x))
    for token in 0..<one.x.tokens {
      let (a, b) = (whole.vector(token: token, model: model), rest.vector(token: token, model: model))
      rows.append(zip(a, b).map { Double($0) - Double($1) })
    }
    return rows
  }

  @Test(arguments: try Case.all(), PairModel.allCases)
  func ablateTakesAwayWhatTheLatentContributes(_ one: Case, decoder: PairModel) throws {
    let crosscoder = one.stored.foldingNormaliser()
    let codes = try one.stored.encode(one.x)
    var seen = 0
    for latent in 0..<crosscoder.nLatents {
      let contributions = contributions(latent, decoder, one, codes)
      for token in 0..<one.x.tokens {
        let h = one.x.vector(token: token, model: .chat)
        let found = try Self.steered(plan(latent, .ablate, 1, decoder), crosscoder, one.x, token: token)
        let expected = zip(h, contributions[token]).map { Double($0) - $1 }
        #expect(relativeDifference(found.doubles, expected) < 2e-5)
        if contributions[token].contains(where: { $0 != 0 }) { seen += 1 }
        let first = try Self.steered(plan(latent, .ablate, 1, decoder), crosscoder, one.x, token: token, isFirst: true)
        #expect(first == Array(h), "codes of the first token mean nothing")
      }
    }
    #expect(seen > 20)
  }

  @Test(arguments: try Case.all(), PairModel.allCases)
  func clampHoldsTheLatentAtItsValue(_ one: Case, decoder: PairModel) throws {
    let crosscoder = one.stored.foldingNormaliser()
    for latent in 0..<crosscoder.nLatents {
      let direction = crosscoder.decoderDirection(latent, decoder).map(Double.init)
      for token in 0..<one.x.tokens {
        // Half of a largest scaled activation of 3 is a code of 1.5/n.
        let held = try Self.steered(plan(latent, .clamp, 0.5, decoder), crosscoder, one.x, token: token)
        let without = try Self.steered(plan(latent, .ablate, 1, decoder), crosscoder, one.x, token: token)
        let value = 1.5 / crosscoder.codeNorms[latent]
        let expected = zip(without, direction).map { Double($0) + value * $1 }
        #expect(relativeDifference(held.doubles, expected) < 2e-5)
        #expect(
          try Self.steered(plan(latent, .clamp, 0, decoder), crosscoder, one.x, token: token, maxActivation: nil)
            == without, "held at 0 is ablated")
      }
    }
  }

  @Test(arguments: try Case.all())
  func clampAtItsOwnActivationChangesNothing(_ one: Case) throws {
    let crosscoder = one.stored.foldingNormaliser()
    let codes = try crosscoder.encode(one.x)
    let scaled = crosscoder.scaled(codes)
    var seen = 0
    for token in 0..<one.x.tokens {
      for entry in codes.entries(of: token) where codes.models(of: entry) == .both {
        let found = try Self.steered(
          plan(Int(codes.latents[entry]), .clamp, 1), crosscoder, one.x, token: token,
          maxActivation: Double(scaled[entry]))
        let h = Array(one.x.vector(token: token, model: .chat))
        #expect(relativeDifference(found.doubles, h.doubles) < 2e-6)
        seen += 1
      }
    }
    #expect(seen > 20)
  }

  @Test func projectLeavesTheMeansComponentAndItsCode() throws {
    let (d, F) = (Case.d, 3)
    let plain = randomCrosscoder(d: d, F: F, seed: 21)
    // Encoders that read chat along their own directions see of h what the projection leaves.
    var encoder = plain.encoder
    for latent in 0..<F {
      for i in 0..<d {
        encoder.values[2 * latent * d + i] = 0
        encoder.values[(2 * latent + 1) * d + i] = plain.decoder.values[(2 * latent + 1) * d + i]
      }
    }
    let crosscoder = Crosscoder(
      encoder: encoder, encoderBias: [100, 100, 100], decoder: plain.decoder, decoderBias: plain.decoderBias)
    let mean = try crosscoder.residualMean(.chat)
    #expect(mean.source == .decoderBias && mean.values == Array(plain.decoderBias[d...]))
    let x = randomActivations(tokens: 10, d: d, seed: 22)
    let several = SteeringPlan(
      interventions: (0..<F).map { Intervention(latent: $0, mode: .project, strength: $0 == 2 ? 0.5 : 1) })
    for token in 0..<x.tokens {
      let h = try Self.steered(several, crosscoder, x, token: token)
      let before = Array(x.vector(token: token, model: .chat))
      for latent in 0..<F {
        let reader = try LatentReader(latent, crosscoder)
        let (found, atMean, whole) = (
          reader.code(base: h, chat: h).f, reader.code(base: h, chat: mean.values).f,
          reader.code(base: h, chat: before).f
        )
        // Each by its own strength, although the directions overlap.
        let expected = latent == 2 ? (atMean + whole) / 2 : atMean
        #expect(abs(found - expected) < 1e-3 && abs(whole - atMean) > 1e-2)
      }
    }
    let twice = SteeringPlan(
      interventions: [Int](repeating: 1, count: 2).map { .init(latent: $0, mode: .project, strength: 1) })
    #expect(throws: DiffingError.self) { try Self.steered(twice, crosscoder, x, token: 0) }
  }

  @Test func theMeanIsTheCheckpointsWhereItHasOneAndNeverZero() throws {
    let d = Case.d
    let mean = (0..<2 * d).map { Float($0) }
    let normaliser = InputNormaliser(mean: mean, std: [Float](repeating: 1, count: 2 * d), targetRMS: 1)
    let folded = randomCrosscoder(d: d, F: 4, seed: 1, normaliser: normaliser).foldingNormaliser()
    #expect(try folded.residualMean(.chat) == ResidualMean(source: .activationMean, values: Array(mean[d...])))
    #expect(try folded.residualMean(.base).values == Array(mean[..<d]))
    var card = CrosscoderCard()
    card.inputScaling = .meanNorm
    let plain = randomCrosscoder(d: d, F: 4, seed: 1)
    let unscaled = Crosscoder(
      encoder: plain.encoder, encoderBias: plain.encoderBias, decoder: plain.decoder, decoderBias: plain.decoderBias,
      card: card)
    let scaled = try unscaled.scalingInputs(meanNorms: [2, 3]).foldingNormaliser()
    #expect(try scaled.residualMean(.chat).source == .decoderBias, "scales alone measure no mean")
    let none = Crosscoder(
      encoder: plain.encoder, encoderBias: plain.encoderBias, decoder: plain.decoder,
      decoderBias: [Float](repeating: 0, count: 2 * d))
    #expect(throws: DiffingError.self) { try none.residualMean(.chat) }
  }

  @Test func addTakesEitherDecoderAndRawNorms() throws {
    let crosscoder = randomCrosscoder(d: Case.d, F: Case.F, seed: 11)
    let x = randomActivations(tokens: 2, d: Case.d, seed: 3)
    for decoder in PairModel.allCases {
      var plan = plan(4, .add, -2.5, decoder)
      plan.unit = .norm
      let found = try Self.steered(plan, crosscoder, x, token: 1, maxActivation: nil)
      let change = zip(found, x.vector(token: 1, model: .chat)).map { Double($0) - Double($1) }
      #expect(abs(change.reduce(0) { $0 + $1 * $1 }.squareRoot() - 2.5) < 1e-5)
      let norm = decoder == .base ? crosscoder.baseNorms[4] : crosscoder.chatNorms[4]
      let expected = crosscoder.decoderDirection(4, decoder).map { -2.5 * Double($0) / norm }
      #expect(relativeDifference(change, expected) < 1e-5)
    }
  }

  @Test(arguments: try Case.all())
  func conditionsFollowTheScaledActivation(_ one: Case) throws {
    let crosscoder = one.stored.foldingNormaliser()
    let codes = try crosscoder.encode(one.x)
    let scaled = codes.dense(crosscoder.scaled(codes))
    let F = crosscoder.nLatents
    let positive = scaled.filter { $0 > 0 }.sorted()
    var values = [0] + [0.25, 0.5, 0.75].map { Double(positive[Int(Double(positive.count) * $0)]) + 0.01 }
    // Between the activation of a latent that is on in one model and what it would be if it were on in both.
    values += codes.latents.indices.filter { codes.models(of: $0) != .both }.prefix(3).map {
      Double(crosscoder.scaled(codes)[$0]) / 2
        + Double(codes.values[$0]) * crosscoder.codeNorms[Int(codes.latents[$0])] / 2
    }
    var (steered, left) = (0, 0)
    for side in SteeringCondition.Side.allCases {
      for value in values where side == .above || value > 0 {
        for latent in 0..<F {
          var plan = plan((latent + 1) % F, .add, 1)
          plan.conditions = [SteeringCondition(latent: latent, side: side, value: value)]
          for token in 0..<one.x.tokens {
            let activation = Double(scaled[token * F + latent])
            // Rounding decides nothing here.
            guard value == 0 || abs(activation - value) > 1e-4 else { continue }
            let isMet = side == .above ? activation > value : activation < value
            let h = Array(one.x.vector(token: token, model: .chat))
            #expect((try Self.steered(plan, crosscoder, one.x, token: token) != h) == isMet)
            #expect(try Self.steered(plan, crosscoder, one.x, token: token, isFirst: true) == h)
            if isMet { steered += 1 } else { left += 1 }
          }
        }
      }
    }
    #expect(steered > 50 && left > 50)
  }

  @Test(arguments: try Case.all())
  func aConditionGatesItsOwnInterventionAndNoOther(_ one: Case) throws {
    let crosscoder = one.stored.foldingNormaliser()
    let codes = try crosscoder.encode(one.x)
    let scaled = codes.dense(crosscoder.scaled(codes))
    let F = crosscoder.nLatents
    var (met, unmet) = (0, 0)
    for free in SteeringMode.allCases {
      for mode in SteeringMode.allCases {
        let first = Intervention(latent: 0, mode: free, strength: 0.5)
        let second = Intervention(latent: 5, mode: mode, strength: 0.75)
        for latent in 0..<F {
          var gated = second
          gated.conditions = [SteeringCondition(latent: latent, side: .above, value: 0)]
          for token in 0..<one.x.tokens {
            func steered(_ items: [Intervention], isFirst: Bool = false) throws -> [Float] {
              try Self.steered(SteeringPlan(interventions: items), crosscoder, one.x, token: token, isFirst: isFirst)
            }
            let found = try steered([first, gated])
            if scaled[token * F + latent] > 0 {
              #expect(relativeDifference(found.map(Double.init), try steered([first, second]).map(Double.init)) < 1e-5)
              met += 1
            } else {
              #expect(try found == steered([first]), "\(free) is steered where the condition of \(mode) does not hold")
              unmet += 1
            }
            #expect(try steered([first, gated], isFirst: true) == steered([first], isFirst: true))
          }
        }
      }
    }
    #expect(met > 50 && unmet > 50)
  }

  @Test func allConditionsOfAnInterventionAndOfThePlanMustHold() throws {
    let crosscoder = randomCrosscoder(d: Case.d, F: Case.F, seed: 11)
    let x = randomActivations(tokens: 12, d: Case.d, seed: 3)
    let holds = SteeringCondition(latent: 1, side: .below, value: 1e9)
    let fails = SteeringCondition(latent: 2, side: .above, value: 1e9)
    for token in 0..<x.tokens {
      func change(_ own: [SteeringCondition], _ common: [SteeringCondition]) throws -> [Float] {
        let item = Intervention(latent: 4, mode: .add, strength: 1, conditions: own)
        return try Self.steered(
          SteeringPlan(interventions: [item], conditions: common), crosscoder, x, token: token)
      }
      let h = Array(x.vector(token: token, model: .chat))
      let whole = try change([], [])
      for (own, common, isSteered) in [
        ([holds], [], true), ([holds], [holds], true), ([holds, fails], [], false), ([holds], [fails], false),
        ([fails], [holds], false), ([], [holds, fails], false),
      ] {
        #expect(try change(own, common) == (isSteered ? whole : h))
      }
    }
  }

  @Test func anInterventionsConditionsAreInItsJSONAndOldRecordsHaveNone() throws {
    func json(_ item: Intervention) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return String(decoding: try encoder.encode(item), as: UTF8.self)
    }
    let old = #"{"latent":5,"mode":"add","on":true,"strength":1}"#
    let plain = Intervention(latent: 5, mode: .add, strength: 1)
    #expect(try JSONDecoder().decode(Intervention.self, from: Data(old.utf8)) == plain)
    #expect(try json(plain) == old)
    let gated = Intervention(
      latent: 5, mode: .add, strength: 1, conditions: [.init(latent: 7, side: .below, value: 0.5)])
    #expect(
      try json(gated)
        == #"{"conditions":[{"latent":7,"side":"below","value":0.5}],"latent":5,"mode":"add","on":true,"strength":1}"#)
    #expect(try JSONDecoder().decode(Intervention.self, from: Data(json(gated).utf8)) == gated)
  }

  @Test(arguments: try Case.all())
  func theOrderOfInterventionsDoesNotMatter(_ one: Case) throws {
    let crosscoder = one.stored.foldingNormaliser()
    var items = SteeringMode.allCases.flatMap { mode in
      [0, 2, 5].map { Intervention(latent: $0, mode: mode, strength: 0.3 + Double($0)) }
    }
    for latent in [0, 5] {
      items.append(
        Intervention(
          latent: latent, mode: .add, strength: 0.3, conditions: [.init(latent: 1, side: .below, value: 2)]))
      items.append(
        Intervention(
          latent: 4, mode: .add, strength: 1, conditions: [.init(latent: latent, side: .above, value: 0)]))
    }
    items.append(Intervention(latent: 1, mode: .add, strength: 9, isOn: false))
    for token in 0..<5 {
      let found = try [items, Array(items.reversed()), Array(items.dropLast())].map {
        try Self.steered(SteeringPlan(interventions: $0), crosscoder, one.x, token: token)
      }
      #expect(found[0] == found[1] && found[0] == found[2])
    }
  }

  @Test(arguments: SteeringMode.allCases.filter { $0 != .clamp })
  func strengthZeroAndOffChangeNoBit(mode: SteeringMode) throws {
    for one in try Case.all() {
      let crosscoder = one.stored.foldingNormaliser()
      for token in 0..<5 {
        let h = Array(one.x.vector(token: token, model: .chat)).map(\.bitPattern)
        for latent in 0..<crosscoder.nLatents {
          #expect(try Self.steered(plan(latent, mode, 0), crosscoder, one.x, token: token).map(\.bitPattern) == h)
          var off = plan(latent, mode, 2)
          off.interventions[0].isOn = false
          #expect(try Self.steered(off, crosscoder, one.x, token: token).map(\.bitPattern) == h)
        }
      }
    }
  }

  @Test func settingsThatAModeCannotUseAreRefused() throws {
    let crosscoder = randomCrosscoder(d: Case.d, F: Case.F, seed: 11)
    let x = randomActivations(tokens: 1, d: Case.d, seed: 3)
    func refuses(_ mode: SteeringMode, maxActivation: Double? = 3, _ change: (inout SteeringPlan) -> Void) {
      var plan = plan(1, mode, 1)
      change(&plan)
      #expect(throws: DiffingError.self) {
        try Self.steered(plan, crosscoder, x, token: 0, maxActivation: maxActivation)
      }
    }
    for mode in SteeringMode.allCases where mode != .add {
      refuses(mode) { $0.unit = .norm }
      refuses(mode) { $0.blocks = .ownAndAbove }
    }
    refuses(.add) { ($0.blocks, $0.swapsBase) = (.ownAndAbove, true) }
    refuses(.difference) { $0.decoder = .base }
    refuses(.clamp, maxActivation: nil) { _ in }
    refuses(.clamp, maxActivation: 0) { _ in }
    refuses(.project) { $0.swapsBase = true }
    for condition in [(99, 1.0), (-1, 1), (0, -1), (0, .nan), (0, .infinity)] {
      let condition = SteeringCondition(latent: condition.0, side: .above, value: condition.1)
      refuses(.add) { $0.conditions = [condition] }
      refuses(.add) { $0.interventions[0].conditions = [condition] }
    }
  }
}

extension SparseCodes {
  /// The same codes without some latents.
  fileprivate func keepingLatents(_ keep: (Int) -> Bool) -> SparseCodes {
    var result: [SparseCodes] = []
    for token in 0..<tokens {
      let kept = entries(of: token).filter { keep(Int(latents[$0])) }
      result.append(
        SparseCodes(
          nLatents: nLatents, offsets: [0, kept.count], latents: kept.map { latents[$0] },
          values: kept.map { values[$0] }, selections: selections.map { all in kept.map { all[$0] } }))
    }
    return SparseCodes(joining: result)
  }
}
