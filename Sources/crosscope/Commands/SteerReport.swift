// What `crosscope steer` reports: the JSON document and its short form for reading. Keys are the field's words in snake
// case; log-probabilities and divergences are in nats. Owns: the document's shape, putting it together from a run.

import Diffing
import Foundation
import Inference
import Kernels

/// One prompt's answers.
struct SteerReport: Encodable {
  let prompt: String
  let interventions: [Intervention]
  let conditions: [SteeringCondition]
  let positions: TokenPositions
  let swap_base: Bool
  let layer: Int
  let decoder: PairModel
  let all_layers: Bool
  let raw_strength: Bool
  /// Where the mean that mode project leaves in place is from.
  let project_mean: ResidualMean.Source?
  let precision: Precision
  let settings: GenerationSettings
  let baseline: Answer
  let steered: [Answer]

  /// One arm; of several samples the first one's figures are the arm's own.
  struct Answer: Encodable {
    /// Multiplies the strengths of the interventions; nil for the baseline.
    let strength: Double?
    let samples: [Sample]
    let watched: [Watched]

    private enum CodingKeys: CodingKey { case strength, samples, watched }

    func encode(to encoder: any Encoder) throws {
      try samples[0].encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeIfPresent(strength, forKey: .strength)
      try container.encode(watched, forKey: .watched)
      if samples.count > 1 { try container.encode(samples, forKey: .samples) }
    }
  }

  /// One answer.
  struct Sample: Encodable {
    let seed: UInt64
    let text: String
    let ids: [Int32]
    /// Of each token, by the stream itself.
    let log_probabilities: [Double]
    /// Whether the model ended the answer; otherwise the limit cut it.
    let finished: Bool
    let relative_change: Double?
    /// The first token that is not the baseline's.
    let first_difference: Int?
    /// KL(baseline ‖ steered) before each token of the baseline's answer, given that answer.
    let kl: [Double]?
    let kl_mean: Double?
  }

  /// A phrase at the start of the answer.
  struct Watched: Encodable {
    let text: String
    let log_probability: Double
  }
}

extension SteerReport.Sample {
  /// What a finished run has of one arm (0 the baseline) in a sample.
  init(_ run: SteeringRun, arm: Int, sample: Int, seed: UInt64, divergences: [Double], tokenizer: Tokenizer) {
    let stream = run.stream(arm: arm, sample: sample)
    var text = GeneratedText(tokenizer: tokenizer)
    let ids = run.produced(stream)
    for id in ids { _ = text.append(id) }
    _ = text.finish()
    let isSteered = arm > 0
    self.init(
      seed: seed, text: text.text, ids: ids, log_probabilities: run.logProbabilities(stream),
      finished: run.ended(stream),
      relative_change: isSteered ? run.size(ofPlan: arm - 1, sample: sample).relative : nil,
      first_difference: isSteered ? run.firstDifference(stream) : nil, kl: isSteered ? divergences : nil,
      kl_mean: isSteered && !divergences.isEmpty ? divergences.reduce(0, +) / Double(divergences.count) : nil)
  }
}

extension SteerReport {
  /// The short form.
  func print() {
    writeOut("prompt    \(termSafeLines(prompt))\n")
    write(baseline, label: "baseline")
    for answer in steered { write(answer, label: "steered ") }
    writeOut("\n")
  }

  private func write(_ answer: Answer, label: String) {
    let first = answer.samples[0]
    var figures: [String] = []
    if let strength = answer.strength {
      figures.append("×\(strength)")
      figures.append(String(format: "‖Δh‖/‖h‖ %.2f", first.relative_change ?? 0))
      figures.append(String(format: "KL %.3f", first.kl_mean ?? 0))
      figures.append(first.first_difference.map { "differs from token \($0)" } ?? "same tokens")
    }
    figures += answer.watched.map { String(format: "log p(\(termSafeLines($0.text))) %.2f", $0.log_probability) }
    writeOut("\(label)  \(figures.joined(separator: "  "))\n")
    for sample in answer.samples {
      let seed = answer.samples.count > 1 ? "seed \(sample.seed): " : ""
      writeOut("          \(seed)\(termSafeLines(sample.text))\n")
    }
  }
}
