// What chat says when what fine-tuning changed counts twice: answers by base, by chat, and by logits z + (z − z of base). What
// little a pair was taught becomes plain there.

import Diffing
import Foundation
import Inference

extension DifferenceFindings {
  /// The factor on chat's logits beyond base's.
  private static let factor = 1.0

  /// Greedy answers to prompts: those of the chats that were read, evenly, or neutral ones if there are none. A model
  /// without a chat template answers none.
  package func amplified(
    _ count: Int, tokens length: Int, progress: (Int, Int) -> Void
  ) throws -> [DifferenceDocument.Amplified] {
    let chats = texts.compactMap { text in
      text.answerStart.map { RenderedChat(plain: Array(text.ids[..<$0])) }
    }.filter { !$0.ids.isEmpty }.spread(count)
    let prompts = try chats.isEmpty ? neutral(count) : chats
    let crosscoder = Crosscoder(withoutLatents: models.chat.configuration.dModel)
    let layer = models.chat.configuration.nLayers / 2
    return try prompts.enumerated().map { index, prompt in
      let plans = [-1, Self.factor].map { SteeringPlan(interventions: [], amplification: Amplification(logits: $0)) }
      let run = try SteeringRun(
        engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans,
        settings: GenerationSettings(maxTokens: length), mayOverflow: true, maxActivations: { _ in nil })
      while !run.isFinished { _ = try run.step() }
      progress(index + 1, prompts.count)
      func text(_ arm: Int) -> String {
        var text = GeneratedText(tokenizer: engine.tokenizer)
        for id in run.produced(run.stream(arm: arm, sample: 0)) { _ = text.append(id) }
        _ = text.finish()
        return text.text
      }
      return .init(
        prompt: engine.tokenizer.decode(prompt.ids), factor: Self.factor, base: text(1), chat: text(0), answer: text(2))
    }
  }

  private func neutral(_ count: Int) throws -> [RenderedChat] {
    guard engine.hasChatTemplate else { return [] }
    return try neutralPrompts.spread(count).map {
      try engine.encodeChat([ChatMessage(role: .user, content: $0)], addGenerationPrompt: true)
    }
  }
}
