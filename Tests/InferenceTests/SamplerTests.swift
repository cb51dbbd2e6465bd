import Foundation
import Testing

@testable import Inference

@Suite struct SamplerTests {
  func counts(_ sampler: Sampler, _ logits: [Float], draws: Int = 20_000) throws -> [Int] {
    var sampler = sampler
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[Int(try sampler.next(logits))] += 1 }
    return counts
  }

  @Test func greedyTakesTheLargestAndOfEqualsTheFirst() throws {
    var sampler = Sampler.greedy
    #expect(try sampler.next([1, 3, 2]) == 1)
    #expect(try sampler.next([-5, -5, -6]) == 0)
    var cold = try Sampler(temperature: 0, seed: 9)
    #expect(try cold.next([0, 0, 0.1, 0.1]) == 2)
  }

  @Test func drawsInProportion() throws {
    let logits: [Float] = [0, log(2), log(5), -.greatestFiniteMagnitude]
    let seen = try counts(Sampler(temperature: 1, seed: 1), logits)
    for (count, share) in zip(seen, [0.125, 0.25, 0.625, 0]) { #expect(abs(Double(count) / 20_000 - share) < 0.015) }
    let hot = try counts(Sampler(temperature: 2, seed: 1), [0, log(4)])
    #expect(abs(Double(hot[1]) / 20_000 - 2.0 / 3) < 0.015)
    #expect(try counts(Sampler(temperature: 1e-300, seed: 1), [1, 1.001, 1], draws: 50) == [0, 50, 0])
  }

  @Test func topPKeepsTheSmallestSetThatReachesIt() throws {
    let logits: [Float] = [log(0.1), log(0.5), log(0.15), log(0.25)]
    #expect(try counts(Sampler(temperature: 1, topP: 0.4, seed: 1), logits) == [0, 20_000, 0, 0])
    let two = try counts(Sampler(temperature: 1, topP: 0.7, seed: 1), logits)
    #expect(two[0] == 0 && two[2] == 0)
    #expect(abs(Double(two[1]) / 20_000 - 2.0 / 3) < 0.015)
    #expect(try counts(Sampler(temperature: 1, topP: 0.99, seed: 1), logits).allSatisfy { $0 > 0 })
  }

  @Test func minPDropsWhatIsFarLessProbableThanTheBest() throws {
    let logits: [Float] = [log(0.1), log(0.5), log(0.15), log(0.25)]
    let two = try counts(Sampler(temperature: 1, minP: 0.4, seed: 1), logits)
    #expect(two[0] == 0 && two[2] == 0 && abs(Double(two[1]) / 20_000 - 2.0 / 3) < 0.015)
    #expect(try counts(Sampler(temperature: 1, minP: 1, seed: 1), logits) == [0, 20_000, 0, 0])
    #expect(try counts(Sampler(temperature: 1, minP: 0.19, seed: 1), logits).allSatisfy { $0 > 0 })
    // The smaller of the two sets counts.
    let both = try counts(Sampler(temperature: 1, topP: 0.99, minP: 0.4, seed: 1), logits)
    #expect(both[0] == 0 && both[2] == 0 && both[3] > 0)
    #expect(try counts(Sampler(temperature: 1, topP: 0.4, minP: 0.01, seed: 1), logits) == [0, 20_000, 0, 0])
    // Temperature comes first.
    #expect(try counts(Sampler(temperature: 10, minP: 0.4, seed: 1), logits).allSatisfy { $0 > 0 })
  }

  @Test func frequencyPenaltyIsTakenOffForEachTimeATokenWasChosen() throws {
    var greedy = try Sampler(temperature: 0, frequencyPenalty: 0.6, seed: 0)
    // 2, 1.4, then 0.8 against 1: by hand.
    #expect(try (0..<6).map { _ in try greedy.next([0, 2, 1]) } == [1, 1, 2, 1, 2, 1])
    var fond = try Sampler(temperature: 0, frequencyPenalty: -0.6, seed: 0)
    _ = try fond.next([0, 0.1])
    #expect(try fond.next([0.5, 0]) == 1)
    var drawn = try Sampler(temperature: 1, frequencyPenalty: 100, seed: 3)
    let four = try (0..<4).map { _ in try drawn.next([0, 0, 0, 0]) }
    #expect(Set(four).count == 4)
  }

  @Test func repetitionPenaltyWeakensWhatIsAmongTheLastTokens() throws {
    func tokens(_ sampler: Sampler, _ logits: [Float], _ count: Int) throws -> [Int32] {
      var sampler = sampler
      return try (0..<count).map { _ in try sampler.next(logits) }
    }
    func halved(_ window: Int, frequency: Double = 0) throws -> Sampler {
      try Sampler(
        temperature: 0, frequencyPenalty: frequency, repetitionPenalty: 2, penaltyWindow: window, seed: 0)
    }
    // 3 becomes 1.5 while it is among the last ones, and 2 becomes 1: by hand.
    #expect(try tokens(halved(1), [0, 3, 2, -1], 6) == [1, 2, 1, 2, 1, 2])
    #expect(try tokens(halved(2), [0, 3, 2, -1], 6) == [1, 2, 1, 1, 2, 1])
    // −1 becomes −2, and −1.5 becomes −3.
    #expect(try tokens(halved(1), [-1, -1.5], 4) == [0, 1, 0, 1])
    #expect(try tokens(halved(2), [-1, -1.5], 4) == [0, 1, 0, 0])
    // 4 / 2 − 1 is less than 1.2; (4 − 1) / 2 would not be.
    #expect(try tokens(halved(1, frequency: 1), [4, 1.2], 2) == [0, 1])
    // A logit that would exceed Float's range stays finite.
    let fond = try Sampler(temperature: 1, topP: 0.5, repetitionPenalty: 0.01, seed: 0)
    #expect(try tokens(fond, [3e38, -3e38], 3) == [0, 0, 0])
  }

  /// The rule as llama.cpp computes it, in its precision: for each token that occurs among the last ones, the repetition
  /// penalty by the logit's sign, then the frequency penalty.
  @Test(arguments: [1, 3, 8, 64], [Float(0.5), 1.25, 2])
  func penaltiesAreThoseOfLlamaCpp(window: Int, penalty: Float) throws {
    for frequency: Float in [0, 0.25] {
      var sampler = try Sampler(
        temperature: 0, frequencyPenalty: Double(frequency), repetitionPenalty: Double(penalty), penaltyWindow: window,
        seed: 0)
      var generator = SplitMix64(seed: 7)
      var chosen: [Int] = []
      var changes = 0
      // llama.cpp's frequency penalty counts within the window, so the two agree only while all tokens are in it.
      for _ in 0..<(frequency == 0 ? 200 : window) {
        // A few tokens are likely every time, with logits of either sign.
        let logits = (0..<24).map { Float(2 * generator.uniform() - 1 - Double($0) / 4) }
        var expected = logits
        for id in Set(chosen.suffix(window)) {
          if expected[id] <= 0 { expected[id] *= penalty } else { expected[id] /= penalty }
          expected[id] -= frequency * Float(chosen.count(where: { $0 == id }))
        }
        let best = try #require(expected.indices.max { expected[$0] < expected[$1] })
        if best != logits.indices.max(by: { logits[$0] < logits[$1] }) { changes += 1 }
        #expect(try sampler.next(logits) == Int32(best))
        chosen.append(best)
      }
      #expect(frequency > 0 || changes > 0)
    }
  }

  @Test func equalSeedsGiveEqualTokensAndOthersDoNot() throws {
    let logits = (0..<100).map { Float($0 % 7) }
    func tokens(_ seed: UInt64) throws -> [Int32] {
      var sampler = try Sampler(temperature: 1, seed: seed)
      return try (0..<50).map { _ in try sampler.next(logits) }
    }
    #expect(try tokens(3) == tokens(3))
    #expect(try tokens(3) != tokens(4))
  }

  @Test func usesOneDrawATokenWhateverTheLogits() throws {
    let flat = [Float](repeating: 0, count: 1000)
    var first = try Sampler(temperature: 1, seed: 5)
    var second = try Sampler(temperature: 1, seed: 5)
    _ = try first.next([0, 100])
    _ = try second.next(flat)
    #expect(try first.next(flat) == second.next(flat))
  }

  @Test func refusesLogitsThatAreNotFinite() throws {
    for bad in [Float.nan, .infinity, -.infinity] {
      for temperature in [0.0, 1] {
        var sampler = try Sampler(temperature: temperature, seed: 0)
        #expect(throws: InferenceError.notFinite(what: "the model's output", place: "token 2")) {
          try sampler.next([0, 1, bad, 2])
        }
      }
    }
  }

  @Test func refusesSettingsOutOfRange() {
    for temperature in [-1, .nan, .infinity] {
      #expect(throws: InferenceError.self) { try Sampler(temperature: temperature, seed: 0) }
    }
    for topP in [0, -1, 1.5, .nan] {
      #expect(throws: InferenceError.self) { try Sampler(temperature: 1, topP: topP, seed: 0) }
    }
  }

  @Test func refusesMinPAndPenaltiesOutOfRange() {
    for minP in [-0.1, 1.1, .nan] {
      #expect(throws: InferenceError.self) { try Sampler(temperature: 1, minP: minP, seed: 0) }
    }
    for penalty in [-101, 101, .nan, .infinity] {
      #expect(throws: InferenceError.self) { try Sampler(temperature: 1, frequencyPenalty: penalty, seed: 0) }
    }
    for penalty in [0, -1, 101, .nan, .infinity] {
      #expect(throws: InferenceError.self) { try Sampler(temperature: 1, repetitionPenalty: penalty, seed: 0) }
    }
    #expect(throws: InferenceError.self) { try Sampler(temperature: 1, penaltyWindow: 0, seed: 0) }
  }

  /// The first numbers of java.util.SplittableRandom(1234567), as published with many ports.
  @Test func generatesThePublishedNumbers() {
    var generator = SplitMix64(seed: 1_234_567)
    let numbers = (0..<5).map { _ in generator.next() }
    #expect(
      numbers == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
    #expect((0..<1000).allSatisfy { _ in (0..<1).contains(generator.uniform()) })
  }
}
