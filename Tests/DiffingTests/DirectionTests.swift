// Directions: twins, similar latents, the logit lens, unit vectors with their card.

@testable import Diffing
import Kernels
import Testing

/// A crosscoder of given decoder directions (base, chat).
private func crosscoder(_ directions: [(base: [Float], chat: [Float])]) -> Crosscoder {
  let d = directions[0].base.count
  return Crosscoder(
    encoder: Matrix(rows: directions.count, columns: 2 * d),
    encoderBias: [Float](repeating: 0, count: directions.count),
    decoder: Matrix(rows: directions.count, columns: 2 * d, values: directions.flatMap { $0.base + $0.chat }),
    decoderBias: [Float](repeating: 0, count: 2 * d))
}

@Suite struct DirectionTests {
  @Test func twinsAreComponentsOfExactlyTwo() {
    let tiny: [Float] = [0.001, 0, 0]
    let directions: [(base: [Float], chat: [Float])] = [
      (tiny, [1, 0.01, 0]),  // chat-only, twin of 1
      ([2, 0, 0], tiny),  // base-only
      (tiny, [0, 1, 0]),  // chat-only with two base-only partners: no twin
      ([0, 1, 0.01], tiny),
      ([0, 1, 0.02], tiny),
      (tiny, [0, 0, 1]),  // chat-only without a partner
      ([0, 0, 1], [0, 0, 1]),  // shared
    ]
    let crosscoder = crosscoder(directions)
    #expect(crosscoder.classes[0] == .chatOnly && crosscoder.classes[1] == .baseOnly)
    #expect(crosscoder.classes[6] == .shared)
    let twins = crosscoder.twins(dead: [Bool](repeating: false, count: 7))
    #expect(twins.map(\.chatOnly) == [0])
    #expect(twins.map(\.baseOnly) == [1])
    #expect((twins.first?.cosine ?? 0) > 0.99)
    // With one of the two partners dead, the other becomes a twin.
    let withoutOne = crosscoder.twins(dead: [false, false, false, false, true, false, false])
    #expect(withoutOne.map(\.baseOnly) == [1, 3])
    #expect(crosscoder.twins(dead: [Bool](repeating: true, count: 7)).isEmpty)
  }

  @Test func divergenceCountsTokensWhereOneIsHighAndTheOtherLow() {
    let crosscoder = crosscoder([([0.25], [0.75]), ([0.75], [0.25])])  // n = 1
    var divergence = TwinDivergence(
      twins: [Twins(chatOnly: 0, baseOnly: 1, cosine: 1)], crosscoder: crosscoder, maxima: [10, 5])
    #expect(divergence.divergences == [nil])
    // High is above 4, low at most 1.
    divergence.add(
      codes: SparseCodes(
        nLatents: 2, offsets: [0, 1, 3, 5, 6, 6], latents: [0, 0, 1, 0, 1, 0], values: [5, 5, 3, 0.5, 4.5, 3]))
    #expect(divergence.divergences == [2.0 / 3])
  }

  @Test func similarLatentsAreTheOnesOfHighestCosine() {
    let directions: [(base: [Float], chat: [Float])] = [
      ([1, 0], [0, 1]), ([2, 0.1], [1, 0]), ([0, 3], [0, -1]), ([1, 1], [0.1, 1]), ([0, 0], [0, 0]),
    ]
    let crosscoder = crosscoder(directions)
    #expect(crosscoder.similarLatents(.base, top: 2)[0].map(\.latent) == [1, 3])
    #expect(crosscoder.similarLatents(.chat, top: 2)[0].map(\.latent) == [3, 1])
    #expect(crosscoder.similarLatents(.chat, top: 2)[4].isEmpty)
    let cosine = crosscoder.similarLatents(.base)[0][0].cosine
    #expect(abs(cosine - 2 / (4.01 as Float).squareRoot()) < 1e-6)
  }

  @Test func theLensShowsPromotedAndSuppressedTokensOfBothAndOfTheDifference() {
    // Logits are w ⊙ direction: token 2 reads a dimension that the final norm doubles.
    let unembedding = Matrix(rows: 4, columns: 2, values: [1, 0, -1, 0, 0, 1, 0, -1])
    let lens = LogitLens(finalNormWeight: [1, 2], unembedding: unembedding)
    let crosscoder = crosscoder([([3, 0], [3, 4]), ([0, 0], [0, -1])])
    var done: [Int] = []
    let readings = lens.read(crosscoder.decoderRows, latents: 0..<2, top: 2) { done.append($0) }
    #expect(done == [2])
    #expect(readings[0].base?.promoted.map(\.token) == [0, 2])
    #expect(readings[0].base?.suppressed.map(\.token) == [1, 2])
    #expect(readings[0].base?.promoted[0].logit == 1)
    #expect(readings[0].chat.promoted.map(\.token) == [2, 0])
    #expect(abs(readings[0].chat.promoted[0].logit - 1.6) < 1e-6)
    #expect(readings[0].difference?.promoted[0] == LensToken(token: 2, logit: 2))
    #expect(readings[1].chat.promoted[0].token == 3)
    #expect(readings[1].base?.promoted[0].logit == 0, "a direction without length promotes nothing")
  }

  @Test func logitsAreCentredOverTheVocabulary() {
    let lens = LogitLens { directions in
      Matrix(rows: directions.rows, columns: 3, values: (0..<directions.rows).flatMap { _ in [4, 5, 9] as [Float] })
    }
    let reading = lens.readings(Matrix(rows: 1, columns: 1, values: [1]), top: 1)[0]
    #expect(reading.promoted == [LensToken(token: 2, logit: 3)])
    #expect(reading.suppressed == [LensToken(token: 0, logit: -2)])
  }

  @Test func aDirectionIsAUnitVectorWithItsCard() throws {
    var crosscoder = crosscoder([([3, 4], [0, 0])])
    crosscoder.card.layer = 14
    let direction = try crosscoder.direction(0, .base)
    #expect(direction.vector == [0.6, 0.8])
    #expect(direction.norm == 5)
    #expect(direction.layer == 14 && direction.site == .residPost)
    #expect(direction.provenance.latent == 0)
    #expect(throws: DiffingError.self) { try crosscoder.direction(0, .chat) }
  }

  @Test func deltaAndClassFollowTheNorms() {
    let crosscoder = crosscoder([
      ([1, 0], [1, 0]), ([0, 0], [2, 0]), ([2, 0], [0, 0]), ([0, 0], [0, 0]), ([1, 0], [0, 2]),
    ])
    #expect(crosscoder.deltaNorms == [0.5, 1, 0, nil, 0.75])
    #expect(crosscoder.classes == [.shared, .chatOnly, .baseOnly, .other, .other])
    #expect(crosscoder.cosines == [1, nil, nil, nil, 0])
  }
}
