// L1 crosscoders and sparse autoencoders of one model: they learn what is planted, resume, and are read back.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct L1TrainerTests {
  private func settings(_ d: Int, steps: Int) -> TrainingSettings {
    var settings = TrainingSettings(dModel: d, nLatents: 64, steps: steps, batch: 128)
    settings.learningRate = 3e-3
    settings.warmupSteps = 0
    settings.normInitScale = 0.3
    return settings
  }

  @Test func aLargerPenaltyMakesFewerLatentsActive() throws {
    func run(_ mu: Double) throws -> TrainingLosses {
      var planted = Planted(seed: 1)
      var configuration = L1Trainer.Configuration(settings: settings(planted.d, steps: 400))
      configuration.mu = mu
      let trainer = try L1Trainer(configuration: configuration)
      var losses = TrainingLosses()
      for _ in 0..<configuration.settings.steps { losses = try trainer.step(planted.batch(128)) }
      let crosscoder = trainer.crosscoder()
      #expect(crosscoder.thresholds.isEmpty && crosscoder.k == nil)
      let codes = try crosscoder.encode(planted.batch(500))
      #expect(abs(codes.l0 - losses.l0) < 0.3 * losses.l0 + 1)
      return losses
    }
    let (none, some) = (try run(0), try run(4.1e-2))
    #expect(some.sparsity < none.sparsity && some.l0 < none.l0)
    #expect(some.fve.allSatisfy { $0 > 0.7 } && none.fve.allSatisfy { $0 > 0.9 })
  }

  @Test func aResumedRunGivesTheBitsOfAnUninterruptedOne() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/state.safetensors"
    var planted = Planted(seed: 4)
    let batches = (0..<8).map { _ in planted.batch(100) }
    var configuration = L1Trainer.Configuration(settings: settings(planted.d, steps: 8))
    configuration.muWarmupSteps = 4
    let whole = try L1Trainer(configuration: configuration)
    let wholeLosses = try batches.map { try whole.step($0) }
    var trainer = try L1Trainer(configuration: configuration)
    var losses: [TrainingLosses] = []
    for batch in batches {
      losses.append(try trainer.step(batch))
      try trainer.save(state: path)
      trainer = try L1Trainer(state: path, configuration: configuration)
    }
    #expect(losses == wholeLosses)
    #expect(trainer.run.encoder.values.array == whole.run.encoder.values.array)
    #expect(trainer.run.decoder.moment2.array == whole.run.decoder.moment2.array)
    let batchTopK = BatchTopKTrainer.Configuration(settings: configuration.settings, k: 2)
    #expect { try BatchTopKTrainer(state: path, configuration: batchTopK) } throws: { "\($0)".contains("method") }
    configuration.mu = 1
    #expect(throws: DiffingError.self) { try L1Trainer(state: path, configuration: configuration) }
  }

  @Test func everyTruncatedStateIsRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/state.safetensors"
    let configuration = L1Trainer.Configuration(settings: TrainingSettings(dModel: 2, nLatents: 2, steps: 3))
    try L1Trainer(configuration: configuration).save(state: path)
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    for count in stride(from: 0, to: whole.count, by: 5) {
      try whole.prefix(count).write(to: URL(fileURLWithPath: path))
      #expect(throws: DiffingError.self) { try L1Trainer(state: path, configuration: configuration) }
    }
  }

  @Test func settingsOutOfRangeAreRefusedByName() throws {
    var configuration = L1Trainer.Configuration(settings: settings(3, steps: 3))
    configuration.mu = -1
    #expect { try L1Trainer(configuration: configuration) } throws: { "\($0)".contains("mu should be") }
    configuration.mu = 1
    configuration.settings.codeNormalization = .decoupled
    #expect { try L1Trainer(configuration: configuration) } throws: { "\($0)".contains("DECOUPLED") }
    configuration.settings.codeNormalization = .crosscoder
    configuration.settings.target = .base
    #expect { try L1Trainer(configuration: configuration) } throws: { "\($0)".contains("target") }
  }

  @Test func theBoundForDeadLatentsIsATenthOfTheRun() {
    var settings = TrainingSettings(dModel: 2, nLatents: 2, steps: 50_000, batch: 2000)
    #expect(settings.deadBound == 10_000_000)
    settings.steps = 300
    #expect(settings.deadBound == 60_000)
    settings.deadAfterTokens = 7
    #expect(settings.deadBound == 7)
  }
}

@Suite struct SparseAutoencoderTests {
  private func trained(_ target: TrainingTarget, steps: Int = 600) throws -> (BatchTopKTrainer, Planted) {
    var planted = Planted(seed: 6)
    var settings = TrainingSettings(dModel: planted.d, nLatents: 32, steps: steps, batch: 128)
    settings.target = target
    settings.learningRate = 3e-3
    settings.warmupSteps = 0
    settings.normInitScale = 0.5
    var configuration = BatchTopKTrainer.Configuration(settings: settings, k: 2)
    configuration.thresholdStart = steps / 2
    configuration.thresholdDecay = 0.99
    let trainer = try BatchTopKTrainer(configuration: configuration)
    for _ in 0..<steps { _ = try trainer.step(planted.batch(128)) }
    return (trainer, planted)
  }

  @Test(arguments: [TrainingTarget.base, .chat, .difference])
  func learnsWhatIsPlantedInItsTargetAlone(target: TrainingTarget) throws {
    var (trainer, planted) = try trained(target)
    let autoencoder = trainer.autoencoder()
    let x = planted.batch(1000)
    let codes = try autoencoder.encode(x)
    #expect((0.8...4).contains(codes.l0))
    let (rows, decoded) = (target.rows(of: x), autoencoder.decode(codes))
    let error = zip(rows, decoded.values).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }
    #expect(error < 0.3 * rows.reduce(0.0) { $0 + Double($1 * $1) })
    for index in 0..<16 {
      let best =
        (0..<32).map { latent in
          abs(zip(autoencoder.decoder.row(latent), planted.directions[index]).reduce(0) { $0 + $1.0 * $1.1 })
        }.max() ?? 0
      let there =
        switch target {
        case .difference: index >= 8
        case .chat: Planted.isIn(index, .chat)
        default: Planted.isIn(index, .base)
        }
      #expect((best > 0.9) == there, "planted \(index): \(best)")
    }
  }

  @Test func readsTheSameBack() throws {
    var (trainer, planted) = try trained(.difference, steps: 60)
    let folder = TemporaryFolder()
    var card = CrosscoderCard()
    card.layer = 3
    let autoencoder = trainer.autoencoder(card: card)
    try autoencoder.save(folder: folder.path)
    let read = try SparseAutoencoder.load(folder: folder.path)
    let x = planted.batch(200)
    let (found, expected) = (try read.encode(x), try autoencoder.encode(x))
    #expect(relativeDifference(found.dense().doubles, expected.dense().doubles) < 1e-5)
    #expect(
      read.target == .difference && read.k == 2 && read.threshold == autoencoder.threshold && read.card.layer == 3)
    // As dictionary_learning's BatchTopKSAE computes it from the file: ReLU(W (x − b_dec) + b), on where above θ.
    let file = try SafetensorsFile(path: folder.path + "/model.safetensors")
    func values(_ name: String) throws -> [Double] { try file.tensor(named: name).doubles() }
    let (weights, bias, decoderBias) = (try values("encoder.weight"), try values("encoder.bias"), try values("b_dec"))
    #expect(try file.shape(of: "decoder.weight") == [planted.d, 32])
    let rows = TrainingTarget.difference.rows(of: x)
    let d = planted.d
    let theirs: [Double?] = (0..<200 * 32).map { place in
      let (token, latent) = (place / 32, place % 32)
      let code = (0..<d).reduce(bias[latent]) {
        $0 + weights[latent * d + $1] * (Double(rows[token * d + $1]) - decoderBias[$1])
      }
      return code > max(0, Double(read.threshold)) ? code : 0
    }
    #expect(relativeDifference(found.dense().doubles, theirs) < 1e-5)
  }

  @Test func refusesAFolderThatDoesNotFit() throws {
    let (trainer, _) = try trained(.base, steps: 3)
    let folder = TemporaryFolder()
    func error() -> String {
      do {
        _ = try SparseAutoencoder.load(folder: folder.path)
        return ""
      } catch { return error.description }
    }
    #expect(error().contains("config.json"))
    try trainer.autoencoder().save(folder: folder.path)
    #expect(error().isEmpty)
    let path = folder.path + "/config.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for (from, to, word) in [
      ("\"base\"", "\"pair\"", "activations"), ("32", "31", "decoder.weight"), ("\"k\" : 2", "\"k\" : 0", "k"),
    ] {
      try text.replacing(from, with: to).write(toFile: path, atomically: true, encoding: .utf8)
      #expect(error().contains(word), "\(to)")
    }
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let weights = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/model.safetensors"))
    for count in stride(from: 0, to: weights.count, by: 97) {
      try weights.prefix(count).write(to: URL(fileURLWithPath: folder.path + "/model.safetensors"))
      #expect(!error().isEmpty)
    }
  }
}
