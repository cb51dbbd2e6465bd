// Gradients by hand against finite differences in double and against PyTorch's autograd, for every loss; whole runs
// against PyTorch's. References: Fixtures/training, by the script there.

import Foundation
import Inference
import Kernels
import Testing

@testable import Diffing

@Suite struct TrainingGradientTests {
  /// A loss, named as in the references.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var target = TrainingTarget.pair
    var kind = CodeNormalization.crosscoder
    var squared = false
    var dead = false
    /// Nil for L1.
    var k: Int? = 2
    /// The sizes of nested parts, for a dictionary of that many latents.
    var levels: @Sendable (Int) -> [Int]? = { _ in nil }
    var dedicated: DedicatedLatents?
    var testDescription: String { name }
  }

  static let kinds: [(String, CodeNormalization)] = [
    ("crosscoder", .crosscoder), ("sae", .sae), ("mixed", .mixed(sae: 1, crosscoder: 0.1)), ("none", .none),
  ]

  static let cases: [Case] =
    kinds.map { Case(name: "batchtopk-\($0.0)", kind: $0.1) }
    + kinds.map { Case(name: "l1-\($0.0)", kind: $0.1, k: nil) }
    + TrainingTarget.allCases.filter { $0 != .pair }.map {
      Case(name: "sae-\($0.rawValue)", target: $0, dead: true)
    } + [
      Case(name: "batchtopk-decoupled", kind: .decoupled), Case(name: "batchtopk-squared", squared: true),
      Case(name: "batchtopk-crosscoder-dead", dead: true, k: 1),
      Case(name: "batchtopk-decoupled-dead", kind: .decoupled, dead: true, k: 1),
      Case(name: "l1-squared", squared: true, k: nil), Case(name: "matryoshka", k: 3, levels: nested),
      Case(name: "matryoshka-squared", kind: .sae, squared: true, k: 3, levels: nested),
      Case(name: "matryoshka-decoupled", kind: .decoupled, k: 3, levels: nested),
      Case(name: "matryoshka-dead", dead: true, k: 1, levels: nested), Case(name: "dedicated", dedicated: owned),
      Case(name: "dedicated-decoupled", kind: .decoupled, dedicated: owned),
      Case(name: "dedicated-dead", dead: true, k: 1, dedicated: owned),
    ]

  private static let nested: @Sendable (Int) -> [Int]? = { [2, 5, $0] }
  private static let owned = DedicatedLatents(base: 2, chat: 3)
  private static let mu = 0.3
  private static let auxiliary = (weight: 0.5, count: 2)

  /// The case's trainer with given parameters, after its gradients have been computed.
  private func gradients(
    _ test: Case, F: Int, x: PairedActivations, parameters: [[Float]]
  ) throws -> (run: TrainingRun, losses: TrainingLosses) {
    var settings = TrainingSettings(dModel: x.dModel, nLatents: F, steps: 10)
    settings.target = test.target
    settings.codeNormalization = test.kind
    settings.squaredLoss = test.squared
    settings.normalisesInput = false
    settings.deadAfterTokens = test.dead ? 1 : nil
    func place(_ run: TrainingRun) {
      for (block, values) in zip(blocks(run), parameters) { block.values.copy(values) }
      run.updateNorms(0..<F)
      // After the first step, at which the decoder bias would be set.
      run.step = 1
    }
    if let k = test.k {
      var configuration = BatchTopKTrainer.Configuration(settings: settings, k: k)
      configuration.auxiliaryWeight = Self.auxiliary.weight
      configuration.auxiliaryLatents = Self.auxiliary.count
      configuration.levels = test.levels(F)
      configuration.dedicated = test.dedicated
      let trainer = try BatchTopKTrainer(configuration: configuration)
      place(trainer.run)
      trainer.mask(\.values)
      trainer.run.updateNorms(0..<F)
      return (trainer.run, try trainer.computeGradients(x))
    }
    var configuration = L1Trainer.Configuration(settings: settings)
    configuration.mu = Self.mu
    let trainer = try L1Trainer(configuration: configuration)
    place(trainer.run)
    return (trainer.run, try trainer.computeGradients(x))
  }

  private func blocks(_ run: TrainingRun) -> [ParameterBlock] {
    [run.encoder, run.encoderBias, run.decoder, run.decoderBias]
  }

  /// What stands in the gradient blocks; rows of latents without one are 0.
  private func found(_ run: TrainingRun) -> [[Double?]] {
    let (F, width) = (run.settings.nLatents, run.settings.width)
    return blocks(run).map { block in
      var values = block.gradient.array.doubles
      guard values.count == F * width, width > 1 else { return values }
      for latent in 0..<F where !run.hasGradient[latent] {
        for index in 0..<width { values[latent * width + index] = 0 }
      }
      return values
    }
  }

  @Test(arguments: cases) func agreeWithFiniteDifferences(test: Case) throws {
    let (d, F, B) = (3, 9, 5)
    let M = test.target.nModels
    var generator = SplitMix64(seed: 5)
    let parameters = [
      generator.normals(F * M * d), generator.normals(F).map { 0.2 * $0 }, generator.normals(F * M * d),
      generator.normals(M * d).map { 0.2 * $0 },
    ]
    let batch = randomActivations(tokens: B, d: d, seed: 6)
    let (run, losses) = try gradients(test, F: F, x: batch, parameters: parameters)
    let doubles = blocks(run).map { $0.values.array.map(Double.init) }
    var naive = NaiveDictionary(
      encoder: doubles[0], encoderBias: doubles[1], decoder: doubles[2], decoderBias: doubles[3], F: F, d: d, M: M,
      kind: test.kind)
    let x = test.target.rows(of: batch).map(Double.init)
    let silent = run.tokensSinceFired.indices.filter { run.tokensSinceFired[$0] > 0 }
    if test.dead { #expect(silent.count > 2, "the case is meant to have dead latents to choose from") }
    let levels = test.levels(F) ?? [F]
    let residual = test.k.map { naive.batchTopK(x, k: $0, squared: test.squared, levels: levels).residual } ?? []
    func loss(_ naive: NaiveDictionary) -> Double {
      guard let k = test.k else { return naive.l1(x, mu: Self.mu, squared: test.squared) }
      let loss = naive.batchTopK(x, k: k, squared: test.squared, levels: levels).loss
      guard test.dead else { return loss }
      return loss + Self.auxiliary.weight
        * naive.auxiliary(x, residual: residual, dead: silent, count: Self.auxiliary.count)
    }
    #expect(abs(losses.total - loss(naive)) < 1e-5 * max(1, losses.total))
    #expect((losses.auxiliary > 0) == test.dead)
    var expected = naive.differences(loss)
    if let dedicated = test.dedicated { Self.mask(&expected, dedicated, F: F, d: d) }
    for (name, (found, expected)) in zip(["encoder", "bias", "decoder", "decoder bias"], zip(found(run), expected)) {
      #expect(relativeDifference(found, expected) < 1e-4, "\(name)")
    }
  }

  /// What the other model's rows of a dedicated latent would get is left out.
  private static func mask(_ gradients: inout [[Double]], _ dedicated: DedicatedLatents, F: Int, d: Int) {
    for model in PairModel.allCases {
      for latent in dedicated.latents(of: model, nLatents: F) {
        for index in 0..<d {
          for block in [0, 2] { gradients[block][(2 * latent + 1 - model.index) * d + index] = 0 }
        }
      }
    }
  }

  @Test(arguments: cases) func agreeWithAutograd(test: Case) throws {
    let path = try fixture("training/gradients.safetensors")
    let file = try SafetensorsFile(path: path)
    func values(_ name: String) throws -> [Double] { try file.tensor(named: "\(test.name).\(name)").doubles() }
    let names = ["encoder", "encoder_bias", "decoder", "decoder_bias"]
    let (run, losses) = try gradients(
      test, F: 12, x: PairedActivations(path: path), parameters: names.map { try values($0).map { Float($0) } })
    #expect(try abs(losses.total - values("loss")[0]) < 1e-5 * losses.total)
    for (name, found) in zip(names, found(run)) {
      #expect(try relativeDifference(found, values("gradient." + name)) < 1e-5, "\(name)")
    }
  }

  static let runs: [Case] =
    kinds.map { Case(name: "batchtopk-\($0.0)", kind: $0.1) }
    + [
      Case(name: "batchtopk-decoupled", kind: .decoupled), Case(name: "sae-chat", target: .chat),
      Case(name: "sae-difference", target: .difference), Case(name: "l1-crosscoder", k: nil),
      Case(name: "l1-squared", squared: true, k: nil), Case(name: "l1-mixed", kind: kinds[2].1, k: nil),
      Case(name: "matryoshka", k: 3, levels: { [4, 16, $0] }),
      Case(name: "dedicated", dedicated: DedicatedLatents(base: 6, chat: 8)),
    ]

  @Test(arguments: runs) func aHundredStepsAgreeWithPyTorch(test: Case) throws {
    let file = try SafetensorsFile(path: fixture("training/runs.safetensors"))
    func values(_ name: String) throws -> [Double] { try file.tensor(named: name).doubles() }
    let (steps, d, F, B) = (100, 16, 64, 16)
    var settings = TrainingSettings(dModel: d, nLatents: F, steps: steps, batch: B)
    settings.target = test.target
    settings.codeNormalization = test.kind
    settings.squaredLoss = test.squared
    settings.learningRate = 5e-3
    settings.warmupSteps = 10
    settings.decayStart = 80
    settings.deadAfterTokens = 300
    settings.normalisesInput = false
    let trainer: any Trainer
    if test.k == nil {
      var configuration = L1Trainer.Configuration(settings: settings)
      configuration.muWarmupSteps = test.squared ? 25 : 0
      trainer = try L1Trainer(configuration: configuration)
    } else {
      var configuration = BatchTopKTrainer.Configuration(settings: settings, k: 3)
      configuration.kInitial = 10
      configuration.kAnnealingSteps = 20
      configuration.thresholdDecay = 0.9
      configuration.thresholdStart = 30
      configuration.levels = test.levels(F)
      configuration.dedicated = test.dedicated
      trainer = try BatchTopKTrainer(configuration: configuration)
    }
    let weight = try values("weight").map { Float($0) }
    let rows = (0..<F).flatMap { latent in
      (0..<settings.nModels).flatMap { _ in weight[latent * d..<(latent + 1) * d] }
    }
    trainer.run.encoder.values.copy(rows)
    trainer.run.decoder.values.copy(rows)
    (trainer as? BatchTopKTrainer)?.mask(\.values)
    trainer.run.updateNorms(0..<F)
    let x = PairedActivations(dModel: d, values: try values("x").map { Float($0) })
    let losses = try (0..<steps).map { try trainer.step(x.tokens($0 * B..<($0 + 1) * B)) }
    let expected = try values("\(test.name).loss")
    let difference = zip(losses, expected).map { abs($0.total - $1) / $1 }.max() ?? .infinity
    #expect(difference < 1e-4, "largest relative difference of a step's loss \(difference)")
    guard let trainer = trainer as? BatchTopKTrainer else { return }
    if let dedicated = test.dedicated {
      let trained = trainer.crosscoder()
      #expect(trained.card.dedicated == dedicated)
      #expect(dedicated.latents(of: .base, nLatents: F).allSatisfy { trained.deltaNorms[$0] == 0 })
      #expect(dedicated.latents(of: .chat, nLatents: F).allSatisfy { trained.deltaNorms[$0] == 1 })
    }
    #expect(try trainer.run.tokensSinceFired.map(Double.init) == values("\(test.name).silence"))
    #expect(losses.contains { $0.auxiliary > 0 }, "the case is meant to have dead latents")
    let thresholds = try values("\(test.name).thresholds")
    #expect(relativeDifference(trainer.thresholds.doubles, thresholds) < 1e-3)
  }
}
