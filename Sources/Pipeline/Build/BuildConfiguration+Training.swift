// The `training` section of a build's configuration chooses a method and its settings. A setting that the method does not know
// is an error, and so is one out of range. A missing setting has the method's default.

import Diffing
import Experiments
import Foundation
import Inference
import Reports

extension BuildConfiguration {
  /// The methods with which a dictionary can be trained.
  package enum Method: String, Codable, CaseIterable {
    case batchTopK = "batchtopk"
    case matryoshka
    case dedicated
    case l1
    case saeBase = "sae-base"
    case saeChat = "sae-chat"
    case saeDifference = "sae-difference"

    package var target: TrainingTarget {
      switch self {
      case .batchTopK, .matryoshka, .dedicated, .l1: .pair
      case .saeBase: .base
      case .saeChat: .chat
      case .saeDifference: .difference
      }
    }
  }

  package struct Training: Codable, Equatable {
    /// The method; `batchtopk` if missing.
    package var method: Method?
    package var latents: Int
    /// For `matryoshka`: the sizes of the nested parts, ascending to `latents`.
    package var levels: [Int]?
    /// For `dedicated`: the share of the latents that each model gets for itself; 0.05 if missing. The paper has 0.03 to
    /// 0.1.
    package var dedicated_share: Double?
    /// How many latents a token keeps; for all methods but `l1`.
    package var k: Int?
    /// k at the beginning, and the number of steps in which it falls to `k`.
    package var k_initial: Int?
    package var k_annealing_steps: Int?
    /// α, the weight of the auxiliary loss; 1/32 if missing.
    package var auxiliary_weight: Double?
    /// For `l1`: the weight of the penalty, 0.041 if missing, and the number of steps in which it rises to that.
    package var mu: Double?
    package var mu_warmup_steps: Int?
    /// For crosscoders: `crosscoder` (if missing), `sae`, `mixed`, `none`, or for all methods but `l1` `decoupled`.
    package var code_normalization: String?
    /// Whether the loss is ‖h − ĥ‖² instead of ‖h − ĥ‖.
    package var squared_loss: Bool?
    package var batch: Int
    package var steps: Int
    package var learning_rate: Double
    /// The initial norm of every latent's encoder and decoder rows in each model. The authors use 1; a short run does
    /// better with less, because both models' rows begin equal and f sums two inputs.
    package var norm_init_scale: Double
    package var warmup_steps: Int
    /// The fraction of the steps, at the end, in which the learning rate falls to 0.
    package var decay_fraction: Double
    /// A latent that is silent for so many tokens is dead; a tenth of the run if missing.
    package var dead_after_tokens: Int?
    /// How many tokens are held in memory if there are more activations; as many as fit 2.5 GB if missing.
    package var shuffle_buffer_tokens: Int?

    package var chosenMethod: Method { method ?? .batchTopK }

    private var dedicatedLatents: DedicatedLatents { DedicatedLatents(share: dedicated_share ?? 0.05, of: latents) }

    /// The keys of settings that are given but that the method does not know.
    private var unknownToMethod: [String] {
      let selection: [(String, Bool)] = [
        ("k", k != nil), ("k_initial", k_initial != nil), ("k_annealing_steps", k_annealing_steps != nil),
        ("auxiliary_weight", auxiliary_weight != nil),
      ]
      let penalty = [("mu", mu != nil), ("mu_warmup_steps", mu_warmup_steps != nil)]
      let pair = [("code_normalization", code_normalization != nil)]
      let nested = [("levels", levels != nil)]
      let dedicated = [("dedicated_share", dedicated_share != nil)]
      let unknown =
        switch chosenMethod {
        case .batchTopK: penalty + nested + dedicated
        case .matryoshka: penalty + dedicated
        case .dedicated: penalty + nested
        case .l1: selection + nested + dedicated
        case .saeBase, .saeChat, .saeDifference: penalty + pair + nested + dedicated
        }
      return unknown.filter(\.1).map(\.0)
    }

    /// Throws the error that `invalid` makes of the first fault, from what was expected and what was found.
    package func check(_ invalid: (String, String) -> InputError) throws {
      if let key = unknownToMethod.first {
        throw invalid("settings of the method \(chosenMethod.rawValue)", "training.\(key)")
      }
      if chosenMethod != .l1, k == nil { throw invalid("training.k", "none") }
      if chosenMethod == .matryoshka {
        guard LatentLevels(sizes: levels ?? []).ascend(to: latents) else {
          throw invalid(
            "training.levels that ascend to training.latents, such as [\(max(1, latents / 16)), \(latents)]",
            levels.map { "\($0)" } ?? "none")
        }
      }
      if chosenMethod == .dedicated {
        guard (0...0.5).contains(dedicated_share ?? 0), dedicatedLatents.fit(into: latents) else {
          throw invalid(
            "training.dedicated_share of 0 to 0.5 of at least 2 training.latents",
            "\(dedicated_share ?? 0) of \(latents)")
        }
      }
      if let name = code_normalization,
        Self.normalization(name) == nil
          || chosenMethod == .l1 && name == "decoupled"
      {
        throw invalid(
          "training.code_normalization crosscoder, sae, mixed, none or (but for l1) decoupled", quoted(name))
      }
      let largest = max(1, latents)
      let ranges: [(String, Int?, ClosedRange<Int>)] = [
        ("latents", latents, 1...1 << 24), ("k", k, 1...largest), ("k_initial", k_initial, 1...largest),
        ("k_annealing_steps", k_annealing_steps, 0...1 << 30), ("batch", batch, 1...1 << 20),
        ("steps", steps, 1...1 << 30), ("warmup_steps", warmup_steps, 0...max(0, steps)),
        ("mu_warmup_steps", mu_warmup_steps, 0...1 << 30), ("dead_after_tokens", dead_after_tokens, 1...Int.max),
        ("shuffle_buffer_tokens", shuffle_buffer_tokens, 2 * min(max(1, batch), 1 << 29)...1 << 30),
      ]
      for (key, value, range) in ranges {
        guard let value, !range.contains(value) else { continue }
        throw invalid("training.\(key) in \(range.lowerBound)…\(range.upperBound)", "\(value)")
      }
      for (key, value, range) in [
        ("decay_fraction", decay_fraction, 0...1), ("mu", mu ?? 0, 0...1e6),
        ("auxiliary_weight", auxiliary_weight ?? 0, 0...1e6),
      ] where !range.contains(value) {
        throw invalid("training.\(key) in \(range.lowerBound)…\(range.upperBound)", "\(value)")
      }
      for (key, value) in [("learning_rate", learning_rate), ("norm_init_scale", norm_init_scale)]
      where !(value > 0 && value.isFinite) {
        throw invalid("a positive training.\(key)", "\(value)")
      }
    }

    /// Checks that this machine's memory holds the dictionary in training and the shuffle buffer.
    /// - Parameter bufferBytes: the size of the shuffle buffer, if it is known.
    /// - Throws: `InputError.invalid` with both sizes.
    package func checkMemory(dModel: Int, bufferBytes: Int = 0, source: String) throws {
      // Encoder and decoder rows of each model in fp32: values, gradients, Adam's two moments, and the copies made for a save.
      let needed = Double(latents) * Double(chosenMethod.target.nModels * dModel) * 2 * 4 * 6
      let there = Double(MemoryBudget.available())
      func gigabytes(_ bytes: Double) -> String { String(format: "%.0f GB", bytes / 1e9) }
      guard needed < there else {
        throw InputError.invalid(
          source: source, expected: "training.latents that fit into \(gigabytes(there)) of memory",
          found: "\(latents) latents, which need \(gigabytes(needed))")
      }
      guard needed + Double(bufferBytes) < there else {
        throw InputError.invalid(
          source: source,
          expected: "training.shuffle_buffer_tokens that fit into \(gigabytes(there - needed)) of memory",
          found: "a buffer of \(gigabytes(Double(bufferBytes)))")
      }
    }

    private static func normalization(_ name: String) -> CodeNormalization? {
      switch name {
      case "crosscoder": .crosscoder
      case "sae": .sae
      case "mixed": .mixed(sae: 1, crosscoder: 0.1)
      case "none": CodeNormalization.none
      case "decoupled": .decoupled
      default: nil
      }
    }

    /// The settings that all methods share.
    package func settings(dModel: Int, seed: UInt64) -> TrainingSettings {
      var result = TrainingSettings(dModel: dModel, nLatents: latents, steps: steps, batch: batch)
      result.target = chosenMethod.target
      result.codeNormalization = code_normalization.flatMap(Self.normalization) ?? .crosscoder
      result.learningRate = learning_rate
      result.warmupSteps = warmup_steps
      result.decayStart = decay_fraction > 0 ? Int(Double(steps) * (1 - decay_fraction)) : nil
      result.squaredLoss = squared_loss ?? false
      result.deadAfterTokens = dead_after_tokens
      result.normInitScale = norm_init_scale
      result.seed = seed
      return result
    }

    /// The configuration of BatchTopK with these settings, which Matryoshka and autoencoders use too.
    package func batchTopK(_ settings: TrainingSettings) -> BatchTopKTrainer.Configuration {
      var result = BatchTopKTrainer.Configuration(settings: settings, k: k ?? 1)
      result.kInitial = k_initial
      result.levels = levels
      result.dedicated = chosenMethod == .dedicated ? dedicatedLatents : nil
      result.kAnnealingSteps = k_annealing_steps ?? 0
      if let auxiliary_weight { result.auxiliaryWeight = auxiliary_weight }
      // The paper waits 1000 of its 50,000 steps; a short run must not end without a threshold.
      result.thresholdStart = min(1000, steps / 2)
      result.thresholdDecay = steps < 10_000 ? 0.99 : 0.999
      return result
    }

    /// The configuration of L1 with these settings.
    package func l1(_ settings: TrainingSettings) -> L1Trainer.Configuration {
      var result = L1Trainer.Configuration(settings: settings)
      if let mu { result.mu = mu }
      result.muWarmupSteps = mu_warmup_steps ?? 0
      return result
    }
  }
}
