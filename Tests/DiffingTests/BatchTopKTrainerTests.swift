// BatchTopK: selection, recovery of a planted dictionary, dead latents, determinism, resume, schedules.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct BatchTopKTrainerTests {
  private func configuration(d: Int, F: Int, k: Int, steps: Int = 100) -> BatchTopKTrainer.Configuration {
    var settings = TrainingSettings(dModel: d, nLatents: F, steps: steps)
    settings.warmupSteps = 0
    settings.seed = 11
    return BatchTopKTrainer.Configuration(settings: settings, k: k)
  }

  @Test func exactlyTheLargestAreKept() throws {
    let (d, F, k, B) = (4, 40, 3, 130)
    let trainer = try BatchTopKTrainer(configuration: configuration(d: d, F: F, k: k))
    // The second step starts from the first one's bound, the third from a bound that is far too high.
    for step in 0..<3 {
      if step == 2 { trainer.lastKept = [1e6] }
      _ = try trainer.computeGradients(randomActivations(tokens: B, d: d, seed: UInt64(step)))
      let norms = trainer.run.codeNorms.array
      let bias = trainer.run.encoderBias.values.array
      var scaled: [Float] = []
      for token in 0..<B {
        for latent in 0..<F {
          scaled.append(max(0, trainer.run.product.start[token * F + latent] + bias[latent]) * norms[latent])
        }
      }
      let order = scaled.indices.sorted { (-scaled[$0], $0) < (-scaled[$1], $1) }.prefix(k * B)
      let expected = order.filter { scaled[$0] > 0 }.sorted()
      let found = (0..<B).flatMap { token in
        (trainer.kept.offsets[token]..<trainer.kept.offsets[token + 1]).map {
          token * F + Int(trainer.kept.latents[$0])
        }
      }
      #expect(found == expected)
    }
  }

  @Test func tiesGoToTheEarlierEntry() {
    #expect(largest(rank: 2, of: [[3, 1], [2, 2, 5]]) == 3)
    #expect(largest(rank: 3, of: [[3, 1], [2, 2, 5]]) == 2)
    #expect(largest(rank: 5, of: [[3, 1], [2, 2, 5]]) == 1)
    var generator = SplitMix64(seed: 3)
    for count in 1...40 {
      var values = (0..<count).map { _ in Float(generator.next() % 8) }
      var indices = (0..<Int32(count)).map { $0 }
      let expected = (0..<count).sorted { (-values[$0], $0) < (-values[$1], $1) }
      let n = 1 + Int(generator.next() % UInt64(count))
      values.withUnsafeMutableBufferPointer { values in
        indices.withUnsafeMutableBufferPointer { indices in
          if let values = values.baseAddress, let indices = indices.baseAddress {
            moveLargestFirst(n, values, indices, count: count)
          }
        }
      }
      #expect(Set(indices.prefix(n).map { Int($0) }) == Set(expected.prefix(n)))
    }
  }

  @Test func aPlantedDictionaryIsFoundWithItsOwners() throws {
    var planted = Planted(seed: 1)
    var configuration = configuration(d: planted.d, F: 64, k: 2, steps: 1500)
    configuration.settings.learningRate = 3e-3
    configuration.settings.decayStart = 1200
    configuration.thresholdStart = 200
    configuration.thresholdDecay = 0.99
    configuration.settings.deadAfterTokens = 2000
    configuration.settings.normInitScale = 0.5
    let trainer = try BatchTopKTrainer(configuration: configuration)
    var losses = TrainingLosses()
    for _ in 0..<configuration.settings.steps { losses = try trainer.step(planted.batch(128)) }
    #expect(losses.fve.allSatisfy { $0 > 0.9 }, "\(losses)")
    let crosscoder = trainer.crosscoder().foldingNormaliser()
    let deltas = crosscoder.deltaNorms
    for index in 0..<16 {
      let model: PairModel = Planted.isIn(index, .chat) ? .chat : .base
      let cosines = (0..<64).map { latent -> Double in
        zip(crosscoder.decoderDirection(latent, model), planted.directions[index]).reduce(0.0) {
          $0 + Double($1.0) * Double($1.1)
        } / (model == .chat ? crosscoder.chatNorms : crosscoder.baseNorms)[latent]
      }
      let best = try #require(cosines.indices.max { cosines[$0] < cosines[$1] })
      #expect(cosines[best] > 0.95, "planted \(index)")
      let delta = try #require(deltas[best])
      switch index {
      case 0..<8: #expect((0.4...0.6).contains(delta), "planted \(index)")
      case 8..<12: #expect(delta > 0.85, "planted \(index)")
      default: #expect(delta < 0.15, "planted \(index)")
      }
    }
    // At inference the threshold keeps about k latents a token, and Latent Scaling tells the owners apart.
    let test = planted.batch(2000)
    let codes = try crosscoder.encode(test)
    #expect((1...4).contains(codes.l0))
    var scaling = LatentScaling(crosscoder: crosscoder)
    try scaling.add(codes: codes, activations: test)
    let betas = scaling.betas()
    for latent in 0..<64 where betas[latent].activeTokens > 100 {
      guard let delta = deltas[latent], let nu = betas[latent].nuError else { continue }
      if delta > 0.9 { #expect(nu < 0.2) }
      if (0.45...0.55).contains(delta) { #expect(nu > 0.7) }
    }
  }

  @Test func deadLatentsComeBackThroughTheAuxiliaryLoss() throws {
    /// Dead latents at the end, of 20 that 16 planted directions need.
    func dead(weight: Double) throws -> Int {
      var planted = Planted(seed: 2)
      var configuration = configuration(d: planted.d, F: 20, k: 2, steps: 400)
      configuration.settings.learningRate = 3e-3
      configuration.settings.normInitScale = 0.5
      configuration.settings.deadAfterTokens = 1000
      configuration.auxiliaryWeight = weight
      let trainer = try BatchTopKTrainer(configuration: configuration)
      // Ten of them start too low to be kept, though positive at some tokens.
      let bias = trainer.run.encoderBias.values.array
      trainer.run.encoderBias.values.copy(bias.indices.map { $0 < 10 ? -0.3 : bias[$0] })
      var losses = TrainingLosses()
      for _ in 0..<configuration.settings.steps { losses = try trainer.step(planted.batch(128)) }
      return losses.dead
    }
    let (with, without) = (try dead(weight: 1.0 / 32), try dead(weight: 0))
    #expect(without >= 5)
    #expect(with < without)
  }

  @Test func theSameSeedGivesTheSameBits() throws {
    func run(_ seed: UInt64) throws -> ([Float], [TrainingLosses]) {
      var planted = Planted(seed: 3)
      var configuration = configuration(d: planted.d, F: 32, k: 2)
      configuration.settings.seed = seed
      let trainer = try BatchTopKTrainer(configuration: configuration)
      let losses = try (0..<5).map { _ in try trainer.step(planted.batch(150)) }
      return (trainer.run.encoder.values.array + trainer.run.decoder.values.array, losses)
    }
    let (first, again, other) = (try run(1), try run(1), try run(2))
    #expect(first.0 == again.0)
    #expect(first.1 == again.1)
    #expect(first.0 != other.0)
  }

  @Test func aResumedRunGivesTheBitsOfAnUninterruptedOne() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/state.safetensors"
    var planted = Planted(seed: 4)
    let batches = (0..<12).map { _ in planted.batch(100) }
    var configuration = configuration(d: planted.d, F: 32, k: 2, steps: 12)
    configuration.settings.learningRate = 1e-2
    configuration.settings.warmupSteps = 3
    configuration.settings.decayStart = 9
    configuration.thresholdStart = 2
    configuration.settings.deadAfterTokens = 150
    let whole = try BatchTopKTrainer(configuration: configuration)
    let wholeLosses = try batches.map { try whole.step($0) }
    #expect(wholeLosses.contains { $0.auxiliary > 0 }, "the case is meant to include dead latents")

    var trainer = try BatchTopKTrainer(configuration: configuration)
    var losses: [TrainingLosses] = []
    for batch in batches {
      losses.append(try trainer.step(batch))
      try trainer.save(state: path)
      trainer = try BatchTopKTrainer(state: path, configuration: configuration)
    }
    #expect(losses == wholeLosses)
    for (found, expected) in [
      (trainer.run.encoder, whole.run.encoder), (trainer.run.decoder, whole.run.decoder),
      (trainer.run.encoderBias, whole.run.encoderBias),
      (trainer.run.decoderBias, whole.run.decoderBias),
    ] {
      #expect(found.values.array.map(\.bitPattern) == expected.values.array.map(\.bitPattern))
      #expect(found.moment2.array == expected.moment2.array)
    }
    #expect(trainer.thresholds == whole.thresholds)
    #expect(trainer.run.tokensSinceFired == whole.run.tokensSinceFired)

    var other = configuration
    other.settings.learningRate = 2e-2
    #expect(throws: DiffingError.self) { try BatchTopKTrainer(state: path, configuration: other) }
  }

  @Test func aValueThatIsNotFiniteNamesTheStep() throws {
    let trainer = try BatchTopKTrainer(configuration: configuration(d: 3, F: 8, k: 2))
    _ = try trainer.step(randomActivations(tokens: 8, d: 3, seed: 1))
    let before = trainer.run.encoder.values.array
    var bad = randomActivations(tokens: 8, d: 3, seed: 2)
    bad.values[5] = .nan
    #expect(throws: DiffingError.trainingNotFinite(what: "an activation", step: 1)) { try trainer.step(bad) }
    for index in 0..<6 { bad.values[index] = 3e38 }
    #expect(throws: DiffingError.self) { try trainer.step(bad) }
    #expect(trainer.run.encoder.values.array == before)
    #expect(throws: DiffingError.self) { try trainer.step(randomActivations(tokens: 8, d: 4, seed: 2)) }
  }

  @Test func schedulesFollowTheMethod() throws {
    var configuration = configuration(d: 3, F: 64, k: 4, steps: 100)
    configuration.settings.learningRate = 2
    configuration.settings.warmupSteps = 10
    configuration.settings.decayStart = 80
    configuration.kInitial = 20
    configuration.kAnnealingSteps = 8
    var trainer = try BatchTopKTrainer(configuration: configuration)
    #expect([0, 5, 10, 79, 80, 90, 100].map { trainer.run.settings.learningRate(at: $0) } == [0, 1, 2, 2, 2, 1, 0])
    #expect([0, 4, 8, 50].map { trainer.configuration.k(at: $0) } == [20, 12, 4, 4])
    // No annealing steps means k from the beginning, not k for ever at its maximum.
    configuration.kAnnealingSteps = 0
    trainer = try BatchTopKTrainer(configuration: configuration)
    #expect([0, 50].map { trainer.configuration.k(at: $0) } == [4, 4])
  }

  @Test func theThresholdStartsLateAndThenFollowsTheSmallestKept() throws {
    var configuration = configuration(d: 3, F: 16, k: 2)
    configuration.thresholdStart = 1
    configuration.thresholdDecay = 0.5
    let trainer = try BatchTopKTrainer(configuration: configuration)
    var expected: Float = -1
    for step in 0..<5 {
      let losses = try trainer.step(randomActivations(tokens: 20, d: 3, seed: UInt64(step)))
      if step > 1 { expected = expected < 0 ? trainer.lastKept[0] : 0.5 * expected + 0.5 * trainer.lastKept[0] }
      #expect(losses.thresholds == [expected])
    }
    #expect(expected > 0)
  }

  @Test func settingsOutOfRangeAreRefusedByName() throws {
    var configuration = configuration(d: 3, F: 8, k: 9)
    #expect { try BatchTopKTrainer(configuration: configuration) } throws: { "\($0)".contains("k should be") }
    configuration.k = 2
    configuration.settings.learningRate = -1
    #expect { try BatchTopKTrainer(configuration: configuration) } throws: { "\($0)".contains("learningRate") }
  }

  @Test func theGeometricMedianIgnoresAnOutlier() {
    var values: [Float] = []
    for token in 0..<101 {
      values += token == 100 ? [1000, 1000, 1000, 1000] : [1, 2, 3, 4].map { $0 + (token % 2 == 0 ? 0.1 : -0.1) }
    }
    let median = geometricMedian(of: values, nModels: 2, dModel: 2)
    for (found, expected) in zip(median, [1, 2, 3, 4] as [Float]) { #expect(abs(found - expected) < 0.15) }
  }
}
