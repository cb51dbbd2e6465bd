// Stage 2 trains a dictionary on activations, which were harvested from a pair or made by others. Which tokens a step sees
// follows from the step's number (`TrainingBatches`), so that a run resumed from its saved state sees the same batches. The
// stage finds out what is done already, and writes state, log and view as it goes.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import TUI

/// Trains the dictionary that a configuration asks for.
package struct TrainStage {
  package let job: TrainingJob
  /// A kill loses at most this many steps.
  package var stepsPerSave = 500
  /// Measures loss recovered whenever the state is saved, and at the end; nil where the models are not at hand.
  package var lossTexts: LossTexts?

  package init(job: TrainingJob, stepsPerSave: Int = 500, lossTexts: LossTexts? = nil) {
    (self.job, self.stepsPerSave, self.lossTexts) = (job, stepsPerSave, lossTexts)
  }

  /// Records what a finished dictionary was made from, and the hash of its file.
  private struct Stamp: Codable, Equatable {
    var identity: String
    var tokens: Int
    var training: BuildConfiguration.Training
    var seed: UInt64
    var weights: String
  }

  package func run() throws {
    let (shards, training) = (job.shards, job.training)
    let batch = training.batch
    guard shards.tokens >= batch else {
      throw InputError.invalid(
        source: job.activations, expected: "at least a batch of \(batch) tokens", found: "\(shards.tokens)")
    }
    let bufferBytes = TrainingBatches.bufferBytes(
      shards: shards, batch: batch, bufferTokens: training.shuffle_buffer_tokens)
    try training.checkMemory(dModel: shards.dModel, bufferBytes: bufferBytes, source: job.configuration)
    func stamp() throws -> Stamp {
      Stamp(
        identity: job.identity, tokens: shards.tokens, training: training, seed: job.seed,
        weights: try MappedFile(path: job.crosscoder + "/model.safetensors").sha256())
    }
    if let old = try? JSONDecoder().decode(Stamp.self, from: MappedFile(path: job.stamp).contents()),
      old == (try? stamp()), loads()
    {
      writeError("train: \(job.crosscoder) is there already")
      return
    }
    var batches = TrainingBatches(
      shards: shards, batch: batch, seed: job.seed, bufferTokens: training.shuffle_buffer_tokens)
    let state = job.state(bufferTokens: batches.bufferTokens)
    job.removeStates(but: state)
    let trainer = try makeTrainer(state: state, isBuffered: batches.bufferTokens != nil)
    var log = try TrainingLog(path: job.log, keepingSteps: trainer.run.step)
    var display = TrainingDisplay(title: "train", steps: training.steps, done: trainer.run.step)
    display.draw()
    var last: TrainingLosses?
    while trainer.run.step < training.steps {
      let tokens = batches.batch(ofStep: trainer.run.step)
      try shards.check()
      let losses = try trainer.step(tokens)
      last = losses
      var line = TrainingLogLine(losses, steps: training.steps, batch: batch)
      if trainer.run.step % stepsPerSave == 0 || trainer.run.step == training.steps {
        line.add(try loss(of: trainer))
      }
      try log.append(line)
      display.update(line)
      if trainer.run.step % stepsPerSave == 0, trainer.run.step < training.steps { try trainer.save(state: state) }
    }
    try save(trainer, card: card(last))
    try write(json: stamp(), to: job.stamp)
    job.removeStates()
  }

  private func card(_ last: TrainingLosses?) throws -> CrosscoderCard {
    var card = try job.models()
    card.layer = job.shards.index.layer
    card.data = job.identity
    card.seed = job.seed
    card.trainingTokens = job.training.steps * job.training.batch
    if let last {
      card.metrics = ["l0": last.l0, "dead": Double(last.dead)]
      for (name, value) in zip(last.fve.count == 2 ? ["fve_base", "fve_chat"] : ["fve"], last.fve) {
        card.metrics[name] = value
      }
    }
    card.metrics["norm_limit"] = job.shards.normLimit()
    try job.shards.check()
    return card
  }

  /// What the reconstruction by the dictionary as trained so far costs; nil before its threshold is set, since codes
  /// would then be dense.
  private func loss(of trainer: any Trainer) throws -> ReconstructionLoss? {
    guard let lossTexts else { return nil }
    var card = CrosscoderCard()
    card.metrics["norm_limit"] = job.shards.normLimit()
    let crosscoder: Crosscoder
    if let trainer = trainer as? BatchTopKTrainer, job.training.chosenMethod.target != .pair {
      crosscoder = trainer.autoencoder(card: card).crosscoder()
    } else {
      crosscoder = trainer.crosscoder(card: card).foldingNormaliser()
    }
    return crosscoder.thresholds.allSatisfy { $0 >= 0 } ? try lossTexts.loss(of: crosscoder) : nil
  }

  private func save(_ trainer: any Trainer, card: CrosscoderCard) throws {
    if let trainer = trainer as? BatchTopKTrainer, job.training.chosenMethod.target != .pair {
      try trainer.autoencoder(card: card).save(folder: job.crosscoder)
    } else {
      try trainer.crosscoder(card: card).foldingNormaliser().save(folder: job.crosscoder, as: .bf16)
    }
  }

  /// Whether the finished dictionary can be read.
  private func loads() -> Bool {
    (try? Crosscoder.load(path: job.crosscoder)) != nil
  }

  /// The trainer of an interrupted run of the same configuration at its last saved step, or a new one.
  private func makeTrainer(state: String, isBuffered: Bool) throws -> any Trainer {
    let training = job.training
    let settings = training.settings(dModel: job.shards.dModel, seed: job.seed)
    func trainer(state: String) throws(DiffingError) -> any Trainer {
      training.chosenMethod == .l1
        ? try L1Trainer(state: state, configuration: training.l1(settings))
        : try BatchTopKTrainer(state: state, configuration: training.batchTopK(settings))
    }
    if FileManager.default.fileExists(atPath: state) {
      do {
        let resumed = try trainer(state: state)
        writeError("train: the run goes on at step \(resumed.run.step)")
        return resumed
      } catch {
        writeError("train: the run begins anew: \(termSafe(error.description))")
      }
    }
    let normaliser = try moments(settings, isBuffered: isBuffered).normaliser(targetRMS: settings.targetRMS)
    return training.chosenMethod == .l1
      ? try L1Trainer(configuration: training.l1(settings), normaliser: normaliser)
      : try BatchTopKTrainer(configuration: training.batchTopK(settings), normaliser: normaliser)
  }

  /// The moments of the activations, from a sample of all tokens.
  private func moments(_ settings: TrainingSettings, isBuffered: Bool) throws -> ActivationMoments {
    let shards = job.shards
    var moments = ActivationMoments(width: settings.width)
    let step = max(1, shards.tokens / 65_536)
    // If the set is larger than the buffer, whole runs of tokens are sampled; single tokens would read all of it from disk.
    let run = isBuffered ? 1024 : 1
    let sample = stride(from: 0, to: shards.tokens, by: step * run).flatMap { $0..<min($0 + run, shards.tokens) }
    for start in stride(from: 0, to: sample.count, by: 4096) {
      moments.add(settings.target.rows(of: shards.gather(sample[start..<min(start + 4096, sample.count)])))
      shards.releasePages()
    }
    try shards.check()
    return moments
  }
}
