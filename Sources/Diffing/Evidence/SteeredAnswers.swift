// Measures what steering does to answers: each arm's answer to a prompt with what can be counted in it.
//   refused         by RefusalClassifier
//   kl              mean KL(baseline ‖ arm) in nats a token, both given the baseline's answer
//   log perplexity  −1/n Σ log p(y_i) of the arm's own answer under the unsteered chat model: broken text is unlikely
//   repetition      share of the answer's 4-grams that occurred in it before
// One prompt is answered after another; all arms of a prompt run in one batch.

import Inference
import Kernels

/// One arm's answer to one prompt.
public struct SteeredAnswer: Sendable, Codable, Equatable {
  public var text: String
  public var ids: [Int32]
  /// Whether the model ended the answer; otherwise the limit cut it off.
  public var finished: Bool
  public var refused: Bool
  public var kl: Double
  public var logPerplexity: Double
  public var repetition: Double
  /// Mean ‖Δh‖ ÷ ‖h‖; nil for the baseline.
  public var relativeChange: Double?

  public init(
    text: String, ids: [Int32], finished: Bool, refused: Bool, kl: Double, logPerplexity: Double, repetition: Double,
    relativeChange: Double?
  ) {
    (self.text, self.ids, self.finished, self.refused) = (text, ids, finished, refused)
    (self.kl, self.logPerplexity, self.repetition) = (kl, logPerplexity, repetition)
    self.relativeChange = relativeChange
  }

  private enum CodingKeys: String, CodingKey {
    case text, ids, finished, refused, kl, repetition
    case logPerplexity = "log_perplexity"
    case relativeChange = "relative_change"
  }
}

/// Answers prompts under the baseline and under each plan. It has one owner at a time.
public final class SteeredAnswers {
  private let engine: Engine
  private let crosscoder: Crosscoder
  private let layer: Int
  private let plans: [SteeringPlan]
  private let settings: GenerationSettings
  private let maxActivations: (Int) -> Double?
  private let prefixes = PromptPrefixes(budget: 64 << 20)

  /// The parameters are those of `SteeringRun`, but each arm gives only one sample.
  public init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, plans: [SteeringPlan], settings: GenerationSettings,
    maxActivations: @escaping (Int) -> Double?
  ) {
    precondition(settings.samples == 1, "there is only one answer for each arm")
    (self.engine, self.crosscoder, self.layer, self.plans) = (engine, crosscoder, layer, plans)
    (self.settings, self.maxActivations) = (settings, maxActivations)
  }

  /// The answers to a prompt, the baseline's first.
  /// - Throws: `DiffingError`; `.file(.cancelled)` between two tokens if the task is cancelled.
  public func answer(_ prompt: RenderedChat) throws(DiffingError) -> [SteeredAnswer] {
    let run = try SteeringRun(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans, settings: settings,
      prefixes: prefixes, maxActivations: maxActivations)
    while !run.isFinished { try reading { () throws(InferenceError) in _ = try run.step() } }
    let baseline = run.produced(SteeringRun.baseline)
    let given = try scorer(prompt, plans)
    let scores = try reading { () throws(InferenceError) in try given.score(baseline) }
    let unsteered = try scorer(prompt, [])
    var answers: [SteeredAnswer] = []
    for arm in 0...plans.count {
      let ids = run.produced(arm)
      let own = try reading { () throws(InferenceError) in try unsteered.score(ids)[0] }
      let divergences = scores[arm].divergences
      let text = engine.tokenizer.decode(ids.filter { !engine.tokenizer.endOfTurnIDs.contains($0) })
      answers.append(
        SteeredAnswer(
          text: text, ids: ids, finished: run.ended(arm), refused: RefusalClassifier.refuses(text),
          kl: divergences.reduce(0, +) / Double(max(1, divergences.count)),
          logPerplexity: -own.logProbability / Double(max(1, ids.count)), repetition: repeatedShare(ids),
          relativeChange: arm == 0 ? nil : run.size(ofPlan: arm - 1).relative))
    }
    return answers
  }

  private func scorer(_ prompt: RenderedChat, _ plans: [SteeringPlan]) throws(DiffingError) -> GivenAnswers {
    try GivenAnswers(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans, prefixes: prefixes,
      maxActivations: maxActivations)
  }
}

/// The share of n-grams that occurred earlier in the same text; 0 for a text of fewer than n + 1 tokens.
public func repeatedShare(_ ids: [Int32], n: Int = 4) -> Double {
  guard ids.count > n else { return 0 }
  let grams = (0...ids.count - n).map { Array(ids[$0..<$0 + n]) }
  return Double(grams.count - Set(grams).count) / Double(grams.count)
}
