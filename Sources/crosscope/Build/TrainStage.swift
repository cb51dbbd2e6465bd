// Stage 2: residual streams → crosscoder. Batches are drawn from a seeded permutation of all tokens, a new one each
// epoch, so that a run resumed from its saved state sees the same batches.

import Diffing
import Foundation
import Inference
import TUI

/// Trains a BatchTopK crosscoder on harvested activations.
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
      old == (try? stamp()), (try? Crosscoder.load(folder: paths.crosscoder)) != nil
    {
      writeError("train: \(paths.crosscoder) is there already")
      return
    }
    let state = paths.trainerState(identity: shards.index.identity)
    paths.removeTrainerStates(but: state)
    let configuration = build.trainer(dModel: shards.dModel)
    let trainer = try makeTrainer(configuration, state: state, shards: shards)
    var log = try TrainingLog(path: paths.trainingLog, keepingSteps: trainer.step)
    var order = EpochOrder(count: shards.tokens, batch: batch, seed: build.seed)
    var progress = Progress("train", total: configuration.steps, unit: "steps", done: trainer.step)
    var last: BatchTopKTrainer.Losses?
    while trainer.step < configuration.steps {
      let losses = try trainer.step(shards.gather(order.tokens(ofStep: trainer.step)))
      last = losses
      try log.append(losses)
      progress.update(
        trainer.step,
        note:
          "FVE base \(percent(losses.fveBase)) chat \(percent(losses.fveChat))  L0 \(Int(losses.l0))  dead \(losses.dead)"
      )
      if trainer.step % stepsPerSave == 0, trainer.step < configuration.steps { try trainer.save(state: state) }
    }
    var card = CrosscoderCard()
    card.layer = build.layer
    card.modelName = "\(build.chat_name)-\(build.base_name)"
    card.modelHash = try ModelSource.sha256(path: paths.model)
    card.adapterHash = try paths.adapter.map { try Adapter.sha256(folder: $0) }
    card.baseModelHash = try paths.baseModel.map { try ModelSource.sha256(path: $0) }
    card.data = shards.index.identity
    card.seed = build.seed
    card.trainingTokens = configuration.steps * batch
    if let last {
      card.metrics = ["fve_base": last.fveBase, "fve_chat": last.fveChat, "l0": last.l0, "dead": Double(last.dead)]
    }
    card.metrics["norm_limit"] = shards.normLimit()
    try trainer.crosscoder(card: card).foldingNormaliser().save(folder: paths.crosscoder, as: .bf16)
    try write(json: stamp(), to: stampPath)
    paths.removeTrainerStates()
  }

  /// The trainer where an interrupted run of the same configuration stopped, or a new one.
  private func makeTrainer(
    _ configuration: BatchTopKTrainer.Configuration, state: String, shards: ActivationShards
  ) throws -> BatchTopKTrainer {
    if FileManager.default.fileExists(atPath: state) {
      do {
        let resumed = try BatchTopKTrainer(state: state, configuration: configuration)
        writeError("train: going on at step \(resumed.step)")
        return resumed
      } catch {
        writeError("train: beginning anew: \(termSafe(error.description))")
      }
    }
    var moments = ActivationMoments(dModel: shards.dModel)
    let step = max(1, shards.tokens / 65_536)
    let sample = Array(stride(from: 0, to: shards.tokens, by: step))
    for start in stride(from: 0, to: sample.count, by: 4096) {
      moments.add(shards.gather(sample[start..<min(start + 4096, sample.count)]))
    }
    return try BatchTopKTrainer(
      configuration: configuration, normaliser: moments.normaliser(targetRMS: configuration.targetRMS))
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
