// Training: gradients against finite differences in double, recovery of a planted dictionary, determinism, resume.

import Foundation
import Inference
import Kernels
import TestSupport
import Testing

@testable import Diffing

@Suite struct BatchTopKTrainerTests {
  /// Parameters of a tiny crosscoder in double, and the loss as the formulas say it, without any cleverness.
  struct Naive {
    var encoder, encoderBias, decoder, decoderBias: [Double]
    let F: Int
    let d: Int

    /// L of one batch x `[B, 2·d]`: the k·B largest f·n kept, dead latents for the auxiliary loss.
    /// - Parameter residual: the constant e of the auxiliary loss; nil to leave that out.
    func loss(
      _ x: [Double], k: Int, squared: Bool, dead: [Int], auxiliaryCount: Int, weight: Double, residual: [Double]?
    ) -> (loss: Double, residual: [Double]) {
      let (width, B) = (2 * d, x.count / (2 * d))
      func norm(_ latent: Int) -> Double {
        (0..<2).reduce(0) { sum, model in
          sum + (0..<d).reduce(0) { $0 + pow(decoder[latent * width + model * d + $1], 2) }.squareRoot()
        }
      }
      var f = [Double](repeating: 0, count: B * F)
      for token in 0..<B {
        for latent in 0..<F {
          let sum = (0..<width).reduce(encoderBias[latent]) {
            $0 + encoder[latent * width + $1] * x[token * width + $1]
          }
          f[token * F + latent] = max(0, sum)
        }
      }
      let order = f.indices.sorted { (-f[$0] * norm($0 % F), $0) < (-f[$1] * norm($1 % F), $1) }
      let kept = Set(order.prefix(k * B))
      var (total, residuals) = (0.0, [Double](repeating: 0, count: x.count))
      for token in 0..<B {
        for model in 0..<2 {
          var square = 0.0
          for index in model * d..<(model + 1) * d {
            var e = x[token * width + index] - decoderBias[index]
            for latent in 0..<F where kept.contains(token * F + latent) {
              e -= f[token * F + latent] * decoder[latent * width + index]
            }
            residuals[token * width + index] = e
            square += e * e
          }
          total += (squared ? square : square.squareRoot()) / Double(2 * B)
        }
      }
      guard let residual, !dead.isEmpty else { return (total, residuals) }
      var (numerator, variance) = (0.0, 0.0)
      for index in 0..<width {
        let mean = (0..<B).reduce(0.0) { $0 + residual[$1 * width + index] } / Double(B)
        variance += (0..<B).reduce(0.0) { $0 + pow(residual[$1 * width + index] - mean, 2) } / Double(B)
      }
      for token in 0..<B {
        let best = dead.sorted {
          (-f[token * F + $0] * norm($0), $0) < (-f[token * F + $1] * norm($1), $1)
        }.prefix(auxiliaryCount)
        for index in 0..<width {
          let part = best.reduce(0.0) { $0 + f[token * F + $1] * decoder[$1 * width + index] }
          numerator += pow(residual[token * width + index] - part, 2) / Double(B)
        }
      }
      return (total + weight * numerator / variance, residuals)
    }
  }

  private func configuration(d: Int, F: Int, k: Int, steps: Int = 100) -> BatchTopKTrainer.Configuration {
    var configuration = BatchTopKTrainer.Configuration(dModel: d, nLatents: F, k: k, steps: steps)
    configuration.warmupSteps = 0
    configuration.seed = 11
    return configuration
  }

  @Test(arguments: [(false, false), (true, false), (false, true), (true, true)])
  func gradientsAgreeWithFiniteDifferences(squared: Bool, dead: Bool) throws {
    let (d, F, k, B) = (3, 9, 2, 5)
    var configuration = configuration(d: d, F: F, k: k)
    configuration.squaredLoss = squared
    configuration.auxiliaryWeight = 0.5
    configuration.auxiliaryLatents = 2
    configuration.deadAfterTokens = dead ? 1 : 1_000_000
    configuration.normalisesInput = false
    let trainer = try BatchTopKTrainer(configuration: configuration)
    // Two models that differ, and biases that let dead latents be positive.
    var generator = SplitMix64(seed: 5)
    trainer.decoder.values.copy(generator.normals(F * 2 * d))
    trainer.encoder.values.copy(generator.normals(F * 2 * d))
    trainer.encoderBias.values.copy((0..<F).map { _ in 0.2 * generator.normal() })
    trainer.updateCodeNorms(0..<F)
    let batch = randomActivations(tokens: B, d: d, seed: 6)
    let losses = try trainer.computeGradients(batch)

    let silent = trainer.tokensSinceFired.indices.filter { trainer.tokensSinceFired[$0] > 0 }
    let deadLatents = dead ? silent : []
    #expect(silent.count > 2, "the case is meant to have dead latents to choose from")
    func values(_ block: ParameterBlock) -> [Double] { block.values.array.map(Double.init) }
    var naive = Naive(
      encoder: values(trainer.encoder), encoderBias: values(trainer.encoderBias), decoder: values(trainer.decoder),
      decoderBias: values(trainer.decoderBias), F: F, d: d)
    let x = batch.values.map(Double.init)
    func loss(_ residual: [Double]?) -> (loss: Double, residual: [Double]) {
      naive.loss(
        x, k: k, squared: squared, dead: deadLatents, auxiliaryCount: 2, weight: 0.5, residual: residual)
    }
    let residual = loss(nil).residual
    #expect(abs(losses.total - loss(residual).loss) < 1e-5)
    #expect((losses.auxiliary > 0) == dead)

    let parameters: [(String, ParameterBlock, WritableKeyPath<Naive, [Double]>)] = [
      ("encoder", trainer.encoder, \.encoder), ("encoder bias", trainer.encoderBias, \.encoderBias),
      ("decoder", trainer.decoder, \.decoder), ("decoder bias", trainer.decoderBias, \.decoderBias),
    ]
    for (name, block, path) in parameters {
      var expected: [Double?] = []
      for index in naive[keyPath: path].indices {
        let value = naive[keyPath: path][index]
        var ends: [Double] = []
        for step in [1e-6, -1e-6] {
          naive[keyPath: path][index] = value + step
          ends.append(loss(residual).loss)
        }
        naive[keyPath: path][index] = value
        expected.append((ends[0] - ends[1]) / 2e-6)
      }
      var found = block.gradient.array.doubles
      if block.gradient.count == F * 2 * d {
        for latent in 0..<F where !trainer.hasGradient[latent] {
          for index in 0..<2 * d { found[latent * 2 * d + index] = 0 }
        }
      }
      #expect(relativeDifference(found, expected) < 1e-4, "\(name)")
    }
  }

  @Test func exactlyTheLargestAreKept() throws {
    let (d, F, k, B) = (4, 40, 3, 130)
    let trainer = try BatchTopKTrainer(configuration: configuration(d: d, F: F, k: k))
    // The second step starts from the first one's bound, the third from a bound that is far too high.
    for step in 0..<3 {
      if step == 2 { trainer.lastKept = 1e6 }
      _ = try trainer.computeGradients(randomActivations(tokens: B, d: d, seed: UInt64(step)))
      let norms = trainer.codeNorms.array
      let bias = trainer.encoderBias.values.array
      var scaled: [Float] = []
      for token in 0..<B {
        for latent in 0..<F {
          scaled.append(max(0, trainer.scratch.product.start[token * F + latent] + bias[latent]) * norms[latent])
        }
      }
      let order = scaled.indices.sorted { (-scaled[$0], $0) < (-scaled[$1], $1) }.prefix(k * B)
      let expected = order.filter { scaled[$0] > 0 }.sorted()
      let found = (0..<B).flatMap { token in
        (trainer.scratch.offsets[token]..<trainer.scratch.offsets[token + 1]).map {
          token * F + Int(trainer.scratch.latents[$0])
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

  /// Sparse sums of planted directions: 0–7 in both models, 8–11 in chat alone, 12–15 in base alone.
  struct Planted {
    let d = 24
    let directions: [[Float]]
    var generator: SplitMix64

    init(seed: UInt64) {
      var generator = SplitMix64(seed: seed)
      directions = (0..<16).map { _ in
        let vector = generator.normals(24)
        let norm = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return vector.map { $0 / norm }
      }
      self.generator = generator
    }

    static func isIn(_ planted: Int, _ model: PairModel) -> Bool {
      planted < 8 || (planted < 12) == (model == .chat)
    }

    mutating func batch(_ tokens: Int) -> PairedActivations {
      var values = [Float](repeating: 0, count: tokens * 2 * d)
      for token in 0..<tokens {
        for planted in 0..<16 where generator.uniform() < 0.12 {
          let strength = Float(1 + generator.uniform())
          for model in PairModel.allCases where Self.isIn(planted, model) {
            for index in 0..<d {
              values[(2 * token + model.index) * d + index] += strength * directions[planted][index]
            }
          }
        }
      }
      return PairedActivations(dModel: d, values: values)
    }
  }

  @Test func aPlantedDictionaryIsFoundWithItsOwners() throws {
    var planted = Planted(seed: 1)
    var configuration = configuration(d: planted.d, F: 64, k: 2, steps: 1500)
    configuration.learningRate = 3e-3
    configuration.decayStart = 1200
    configuration.thresholdStart = 200
    configuration.thresholdDecay = 0.99
    configuration.deadAfterTokens = 2000
    configuration.normInitScale = 0.5
    let trainer = try BatchTopKTrainer(configuration: configuration)
    var losses = BatchTopKTrainer.Losses()
    for _ in 0..<configuration.steps { losses = try trainer.step(planted.batch(128)) }
    #expect(losses.fveBase > 0.9 && losses.fveChat > 0.9, "\(losses)")
    let crosscoder = try trainer.crosscoder().foldingNormaliser()
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
      configuration.learningRate = 3e-3
      configuration.normInitScale = 0.5
      configuration.deadAfterTokens = 1000
      configuration.auxiliaryWeight = weight
      let trainer = try BatchTopKTrainer(configuration: configuration)
      // Ten of them start too low to be kept, though positive at some tokens.
      let bias = trainer.encoderBias.values.array
      trainer.encoderBias.values.copy(bias.indices.map { $0 < 10 ? -0.3 : bias[$0] })
      var losses = BatchTopKTrainer.Losses()
      for _ in 0..<configuration.steps { losses = try trainer.step(planted.batch(128)) }
      return losses.dead
    }
    let (with, without) = (try dead(weight: 1.0 / 32), try dead(weight: 0))
    #expect(without >= 5)
    #expect(with < without)
  }

  @Test func theSameSeedGivesTheSameBits() throws {
    func run(_ seed: UInt64) throws -> ([Float], [BatchTopKTrainer.Losses]) {
      var planted = Planted(seed: 3)
      var configuration = configuration(d: planted.d, F: 32, k: 2)
      configuration.seed = seed
      let trainer = try BatchTopKTrainer(configuration: configuration)
      let losses = try (0..<5).map { _ in try trainer.step(planted.batch(150)) }
      return (trainer.encoder.values.array + trainer.decoder.values.array, losses)
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
    configuration.learningRate = 1e-2
    configuration.warmupSteps = 3
    configuration.decayStart = 9
    configuration.thresholdStart = 2
    configuration.deadAfterTokens = 150
    let whole = try BatchTopKTrainer(configuration: configuration)
    let wholeLosses = try batches.map { try whole.step($0) }
    #expect(wholeLosses.contains { $0.auxiliary > 0 }, "the case is meant to include dead latents")

    var trainer = try BatchTopKTrainer(configuration: configuration)
    var losses: [BatchTopKTrainer.Losses] = []
    for batch in batches {
      losses.append(try trainer.step(batch))
      try trainer.save(state: path)
      trainer = try BatchTopKTrainer(state: path, configuration: configuration)
    }
    #expect(losses == wholeLosses)
    for (found, expected) in [
      (trainer.encoder, whole.encoder), (trainer.decoder, whole.decoder), (trainer.encoderBias, whole.encoderBias),
      (trainer.decoderBias, whole.decoderBias),
    ] {
      #expect(found.values.array.map(\.bitPattern) == expected.values.array.map(\.bitPattern))
      #expect(found.moment2.array == expected.moment2.array)
    }
    #expect(trainer.threshold == whole.threshold)
    #expect(trainer.tokensSinceFired == whole.tokensSinceFired)

    var other = configuration
    other.learningRate = 2e-2
    #expect(throws: DiffingError.self) { try BatchTopKTrainer(state: path, configuration: other) }
  }

  @Test func aValueThatIsNotFiniteNamesTheStep() throws {
    let trainer = try BatchTopKTrainer(configuration: configuration(d: 3, F: 8, k: 2))
    _ = try trainer.step(randomActivations(tokens: 8, d: 3, seed: 1))
    let before = trainer.encoder.values.array
    var bad = randomActivations(tokens: 8, d: 3, seed: 2)
    bad.values[5] = .nan
    #expect(throws: DiffingError.trainingNotFinite(what: "an activation", step: 1)) { try trainer.step(bad) }
    for index in 0..<6 { bad.values[index] = 3e38 }
    #expect(throws: DiffingError.self) { try trainer.step(bad) }
    #expect(trainer.encoder.values.array == before)
    #expect(throws: DiffingError.self) { try trainer.step(randomActivations(tokens: 8, d: 4, seed: 2)) }
  }

  @Test func schedulesFollowTheMethod() throws {
    var configuration = configuration(d: 3, F: 64, k: 4, steps: 100)
    configuration.learningRate = 2
    configuration.warmupSteps = 10
    configuration.decayStart = 80
    configuration.kInitial = 20
    configuration.kAnnealingSteps = 8
    var trainer = try BatchTopKTrainer(configuration: configuration)
    #expect([0, 5, 10, 79, 80, 90, 100].map { trainer.learningRate(at: $0) } == [0, 1, 2, 2, 2, 1, 0])
    #expect([0, 4, 8, 50].map { trainer.k(at: $0) } == [20, 12, 4, 4])
    // No annealing steps means k from the beginning, not k for ever at its maximum.
    configuration.kAnnealingSteps = 0
    trainer = try BatchTopKTrainer(configuration: configuration)
    #expect([0, 50].map { trainer.k(at: $0) } == [4, 4])
  }

  @Test func theThresholdStartsLateAndThenFollowsTheSmallestKept() throws {
    var configuration = configuration(d: 3, F: 16, k: 2)
    configuration.thresholdStart = 1
    configuration.thresholdDecay = 0.5
    let trainer = try BatchTopKTrainer(configuration: configuration)
    var expected: Float = -1
    for step in 0..<5 {
      let losses = try trainer.step(randomActivations(tokens: 20, d: 3, seed: UInt64(step)))
      if step > 1 { expected = expected < 0 ? trainer.lastKept : 0.5 * expected + 0.5 * trainer.lastKept }
      #expect(losses.threshold == expected)
    }
    #expect(expected > 0)
  }

  @Test func settingsOutOfRangeAreRefusedByName() throws {
    var configuration = configuration(d: 3, F: 8, k: 9)
    #expect { try BatchTopKTrainer(configuration: configuration) } throws: { "\($0)".contains("k should be") }
    configuration.k = 2
    configuration.learningRate = -1
    #expect { try BatchTopKTrainer(configuration: configuration) } throws: { "\($0)".contains("learningRate") }
  }

  @Test func theGeometricMedianIgnoresAnOutlier() {
    var values: [Float] = []
    for token in 0..<101 {
      values += token == 100 ? [1000, 1000, 1000, 1000] : [1, 2, 3, 4].map { $0 + (token % 2 == 0 ? 0.1 : -0.1) }
    }
    let median = PairedActivations(dModel: 2, values: values).geometricMedian()
    for (found, expected) in zip(median, [1, 2, 3, 4] as [Float]) { #expect(abs(found - expected) < 0.15) }
  }
}
