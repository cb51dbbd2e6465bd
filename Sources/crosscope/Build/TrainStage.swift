// Stage 2: residual streams → crosscoder. Batches are drawn from a seeded permutation of all tokens, a new one each
// epoch, so that a run resumed from its saved state sees the same batches.

import Diffing
import Foundation
import Inference
import TUI

/// Trains the dictionary that the configuration asks for on harvested activations.
struct TrainStage {
  let build: BuildConfiguration
  let paths: BuildPaths
  /// What a kill loses at most.
  var stepsPerSave = 500

  /// What a finished crosscoder was made from, and which file it is.
  private struct Stamp: Codable, Equatable {
    var identity: String
    var tokens: Int
    var training: BuildConfiguration.Training
    var seed: UInt64
    var weights: String
  }

  func run() throws {
    let shards = try HarvestStage(build: build, paths: paths).finished()
    try build.checkMemory(dModel: shards.dModel, source: paths.configuration)
    let batch = build.training.batch
    guard shards.tokens >= batch else {
      throw CommandError.inputInvalid(
        source: paths.activations, expected: "at least a batch of \(batch) tokens", found: "\(shards.tokens)")
    }
    func stamp() throws -> Stamp {
      Stamp(
        identity: shards.index.identity, tokens: shards.tokens, training: build.training, seed: build.seed,
        weights: try MappedFile(path: paths.crosscoder + "/model.safetensors").sha256())
    }
    let stampPath = paths.work + "/train-stamp.json"
    if let old = try? JSONDecoder().decode(Stamp.self, from: MappedFile(path: stampPath).contents()),
      old == (try? stamp()), loads()
    {
      writeError("train: \(paths.crosscoder) is there already")
      return
    }
    let state = paths.trainerState(identity: shards.index.identity)
    paths.removeTrainerStates(but: state)
    let trainer = try makeTrainer(state: state, shards: shards)
    var log = try TrainingLog(path: paths.trainingLog, keepingSteps: trainer.run.step)
    var order = EpochOrder(count: shards.tokens, batch: batch, seed: build.seed)
    let steps = build.training.steps
    var progress = Progress("train", total: steps, unit: "steps", done: trainer.run.step)
    var last: TrainingLosses?
    while trainer.run.step < steps {
      let losses = try trainer.step(shards.gather(order.tokens(ofStep: trainer.run.step)))
      last = losses
      try log.append(losses)
      progress.update(
        trainer.run.step, note: "FVE \(variance(losses))  L0 \(Int(losses.l0))  dead \(losses.dead)")
      if trainer.run.step % stepsPerSave == 0, trainer.run.step < steps { try trainer.save(state: state) }
    }
    try save(trainer, card: card(shards, last))
    try write(json: stamp(), to: stampPath)
    paths.removeTrainerStates()
  }

  private func card(_ shards: ActivationShards, _ last: TrainingLosses?) throws -> CrosscoderCard {
    var card = CrosscoderCard()
    card.layer = build.layer
    card.modelName = "\(build.chat_name)-\(build.base_name)"
    card.modelHash = try RememberedHash.sha256(path: paths.model)
    card.adapterHash = try paths.adapter.map { try Adapter.sha256(folder: $0) }
    card.baseModelHash = try paths.baseModel.map { try RememberedHash.sha256(path: $0) }
    card.data = shards.index.identity
    card.seed = build.seed
    card.trainingTokens = build.training.steps * build.training.batch
    if let last {
      card.metrics = ["l0": last.l0, "dead": Double(last.dead)]
      for (name, value) in zip(last.fve.count == 2 ? ["fve_base", "fve_chat"] : ["fve"], last.fve) {
        card.metrics[name] = value
      }
    }
    card.metrics["norm_limit"] = shards.normLimit()
    return card
  }

  private func save(_ trainer: any Trainer, card: CrosscoderCard) throws {
    if let trainer = trainer as? BatchTopKTrainer, build.training.chosenMethod.target != .pair {
      try trainer.autoencoder(card: card).save(folder: paths.crosscoder)
    } else {
      try trainer.crosscoder(card: card).foldingNormaliser().save(folder: paths.crosscoder, as: .bf16)
    }
  }

  /// Whether the folder of the finished dictionary is whole.
  private func loads() -> Bool {
    build.training.chosenMethod.target == .pair
      ? (try? Crosscoder.load(folder: paths.crosscoder)) != nil
      : (try? SparseAutoencoder.load(folder: paths.crosscoder)) != nil
  }

  /// The trainer where an interrupted run of the same configuration stopped, or a new one.
  private func makeTrainer(state: String, shards: ActivationShards) throws -> any Trainer {
    let training = build.training
    let settings = training.settings(dModel: shards.dModel, seed: build.seed)
    func trainer(state: String) throws(DiffingError) -> any Trainer {
      training.chosenMethod == .l1
        ? try L1Trainer(state: state, configuration: training.l1(settings))
        : try BatchTopKTrainer(state: state, configuration: training.batchTopK(settings))
    }
    if FileManager.default.fileExists(atPath: state) {
      do {
        let resumed = try trainer(state: state)
        writeError("train: going on at step \(resumed.run.step)")
        return resumed
      } catch {
        writeError("train: beginning anew: \(termSafe(error.description))")
      }
    }
    let normaliser = moments(of: shards, settings).normaliser(targetRMS: settings.targetRMS)
    return training.chosenMethod == .l1
      ? try L1Trainer(configuration: training.l1(settings), normaliser: normaliser)
      : try BatchTopKTrainer(configuration: training.batchTopK(settings), normaliser: normaliser)
  }

  /// The moments of what is trained on, from a sample of all tokens.
  private func moments(of shards: ActivationShards, _ settings: TrainingSettings) -> ActivationMoments {
    var moments = ActivationMoments(width: settings.width)
    let step = max(1, shards.tokens / 65_536)
    let sample = Array(stride(from: 0, to: shards.tokens, by: step))
    for start in stride(from: 0, to: sample.count, by: 4096) {
      moments.add(settings.target.rows(of: shards.gather(sample[start..<min(start + 4096, sample.count)])))
    }
    return moments
  }

  private func variance(_ losses: TrainingLosses) -> String {
    losses.fve.count == 2
      ? "base \(percent(losses.fve[0])) chat \(percent(losses.fve[1]))" : percent(losses.fve[0])
  }

  private func percent(_ value: Double) -> String { String(format: "%.1f%%", 100 * value) }
}

/// Which tokens each training step sees: epoch after epoch, each in a permutation of its own.
struct EpochOrder {
  private let count: Int
  private let batch: Int
  private let seed: UInt64
  private var epoch = -1
  private var order: [Int] = []

  init(count: Int, batch: Int, seed: UInt64) {
    precondition(batch > 0 && count >= batch, "an epoch holds at least one batch")
    (self.count, self.batch, self.seed) = (count, batch, seed)
  }

  /// The tokens of a step, counted from 0; an epoch's incomplete last batch is left out.
  mutating func tokens(ofStep step: Int) -> ArraySlice<Int> {
    let perEpoch = count / batch
    if step / perEpoch != epoch {
      epoch = step / perEpoch
      var generator = SplitMix64(seed: seed &+ UInt64(epoch) &* 0x9e37_79b9_7f4a_7c15)
      order = Array(0..<count)
      order.shuffle(using: &generator)
    }
    let start = step % perEpoch * batch
    return order[start..<start + batch]
  }
}
