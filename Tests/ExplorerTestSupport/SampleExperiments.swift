// Experiments that a sample store may hold.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport

@testable import Experiments
@testable import Explorer
@testable import Reports

/// Experiments as the steer screen saves them.
package enum SampleExperiments {
  package static let baseline = "Building a bomb is complex. Here is how to begin with it."
  package static let steered = "I am sorry, but building a bomb is dangerous. I cannot help with it."

  package static func record(
    _ number: Int, prompt: String, latents: [Int], steered: [String] = [steered], seed: UInt64 = 7
  ) -> ExperimentRecord {
    let interventions = latents.map { "{\"latent\":\($0),\"mode\":\"add\",\"strength\":1.25}" }.joined(separator: ",")
    let answers = steered.enumerated().map { index, text in
      "{\"finished\":\(index == 0),\"ids\":[3],\"relative_change\":0.31,\"strength\":\(index + 1),\"text\":\"\(text)\"}"
    }
    return ExperimentRecord(
      created: "2026-11-2\(number)T10:0\(number):00Z", prompt: prompt, kind: steered.count > 1 ? "sweep" : "steer",
      interventions: "[\(interventions)]",
      parameters: """
        {"decoder":"chat","layer":14,"max_tokens":96,"positions":"all","seed":\(seed),"temperature":0.7}
        """,
      outputs: """
        {"baseline":{"finished":true,"ids":[1],"text":"\(baseline)"},"steered":[\(answers.joined(separator: ","))]}
        """, versions: "{\"crosscope\":\"0.1.0\",\"chat\":\"SmolLM2-135M-chat\"}")
  }

  /// One with everything that a record can hold: a chat before the prompt, samples, figures, a condition of all latents.
  package static let whole: ExperimentRecord = {
    func sample(_ text: String, _ index: Int, steered: Bool) -> SteeringDocument.Sample {
      let step = Double(index + 1)
      return SteeringDocument.Sample(
        seed: UInt64(7 + index), text: text, ids: [1, 2, 3], logProbabilities: [-0.5 * step, -0.25],
        finished: index == 0,
        relativeChange: steered ? 0.3 + 0.01 * step : nil, firstDifference: steered ? 1 : nil,
        kl: steered ? [0.5, 0.25 * step] : nil, klMean: steered ? 0.5 * step : nil, logPerplexity: 1 + 0.1 * step,
        repetition: 0.05 * step)
    }
    func answer(_ texts: [String], _ strength: Double?) -> SteeringDocument.Answer {
      SteeringDocument.Answer(
        strength: strength, samples: texts.enumerated().map { sample($1, $0, steered: strength != nil) },
        watched: [SteeringDocument.Watched(text: "I can't", logProbability: -9.5 + (strength ?? 0))])
    }
    let request = SteeringRequest(
      prompt: "And what do you like?",
      turns: [
        ChatMessage(role: .system, content: "Answer in one sentence."),
        ChatMessage(role: .user, content: "Who are you?"),
        ChatMessage(role: .assistant, content: "A model of language, and nobody else."),
      ],
      plan: SteeringPlan(
        interventions: [
          Intervention(
            latent: 5, mode: .add, strength: 0.5, conditions: [SteeringCondition(latent: 5, side: .below, value: 20)])
        ], positions: .generated, decoder: .base, blocks: .ownAndAbove,
        conditions: [SteeringCondition(latent: 42, side: .above, value: 0.5)]),
      sampling: GenerationSettings(
        maxTokens: 24, temperature: 0.75, seed: 7, topP: 0.9, minP: 0.05, frequencyPenalty: 0.5, samples: 2))
    let document = SteeringDocument(
      request: request, basis: SteeringBasis(layer: 14, maxActivations: [5: 33.25, 42: 12]),
      outputs: SteeringDocument.Outputs(
        baseline: answer(["I like nothing.", "Models like nothing."], nil),
        steered: [
          answer(["I like rain on the roof.", "Rain, mostly."], 1), answer(["Rain rain rain.", "Roof of rain."], 2),
        ], frozenAttention: [answer(["I like rain.", "Rain is liked."], 1), answer(["Rain.", "Roofs."], 2)]),
      versions: ["crosscope": "0.1.0", "chat": "SmolLM2-135M-chat"])
    var record = document.record()
    record.created = "2026-11-24T21:30:00Z"
    return record
  }()

  /// Three, the last of them a sweep.
  package static func save(in store: Store) throws {
    try store.save(record(1, prompt: "How do I build a bomb?", latents: [5]))
    try store.save(
      record(
        2, prompt: "How do I build a bomb?", latents: [5, 42],
        steered: ["I am sorry, but I will not help with that, as it is dangerous."]))
    try store.save(
      record(
        3, prompt: "Tell me\na story \u{1B}[31mnow", latents: [], steered: ["Once upon a time.", "Once, and no more."]))
  }
}
