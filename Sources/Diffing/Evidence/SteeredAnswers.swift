// Measures what steering does to answers: each arm's answer to a prompt with what can be counted in it.
//   behaviours      the built-in `refused`; reports count those of a file from the texts
//   kl              mean KL(baseline ‖ arm) in nats a token, both given the baseline's answer
//   kl to base      mean KL(base ‖ arm), both given base's answer, if asked for
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
  /// The names of the behaviours that the answer shows, in the order of the report's list.
  public var behaviours: [String]
  public var kl: Double
  public var logPerplexity: Double
  public var repetition: Double
  /// Mean ‖Δh‖ ÷ ‖h‖; nil for the baseline.
  public var relativeChange: Double?
  /// Mean KL(base ‖ arm) in nats a token, both given base's own answer; nil if it was not asked for.
  public var klToBase: Double?

  public init(
    text: String, ids: [Int32], finished: Bool, behaviours: [String], kl: Double, logPerplexity: Double,
    repetition: Double, relativeChange: Double?, klToBase: Double? = nil
  ) {
    (self.text, self.ids, self.finished, self.behaviours) = (text, ids, finished, behaviours)
    (self.kl, self.logPerplexity, self.repetition) = (kl, logPerplexity, repetition)
    (self.relativeChange, self.klToBase) = (relativeChange, klToBase)
  }

  /// Whether the answer shows the behaviour of that name.
  public func shows(_ behaviour: String) -> Bool { behaviours.contains(behaviour) }

  /// Whether the answer refuses.
  public var refused: Bool { shows(Behaviour.refused.name) }
}

extension SteeredAnswer {
  private enum CodingKeys: String, CodingKey {
    case text, ids, finished, refused, behaviours, kl, repetition
    case logPerplexity = "log_perplexity"
    case relativeChange = "relative_change"
    case klToBase = "kl_to_base"
  }

  /// Reads an answer; older documents say of behaviours only whether it refused.
  public init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let refused = try fields.decode(Bool.self, forKey: .refused)
    self.init(
      text: try fields.decode(String.self, forKey: .text), ids: try fields.decode([Int32].self, forKey: .ids),
      finished: try fields.decode(Bool.self, forKey: .finished),
      behaviours: try fields.decodeIfPresent([String].self, forKey: .behaviours)
        ?? (refused ? [Behaviour.refused.name] : []),
      kl: try fields.decode(Double.self, forKey: .kl),
      logPerplexity: try fields.decode(Double.self, forKey: .logPerplexity),
      repetition: try fields.decode(Double.self, forKey: .repetition),
      relativeChange: try fields.decodeIfPresent(Double.self, forKey: .relativeChange),
      klToBase: try fields.decodeIfPresent(Double.self, forKey: .klToBase))
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(text, forKey: .text)
    try fields.encode(ids, forKey: .ids)
    try fields.encode(finished, forKey: .finished)
    try fields.encode(refused, forKey: .refused)
    try fields.encode(behaviours, forKey: .behaviours)
    try fields.encode(kl, forKey: .kl)
    try fields.encode(logPerplexity, forKey: .logPerplexity)
    try fields.encode(repetition, forKey: .repetition)
    try fields.encodeIfPresent(relativeChange, forKey: .relativeChange)
    try fields.encodeIfPresent(klToBase, forKey: .klToBase)
  }
}

/// Answers prompts under the baseline and under each plan. It has one owner at a time.
public final class SteeredAnswers {
  private let engine: Engine
  private let crosscoder: Crosscoder
  private let layer: Int
  private let plans: [SteeringPlan]
  private let settings: GenerationSettings
  private let comparesWithBase: Bool
  private let maxActivations: (Int) -> Double?
  private let prefixes = PromptPrefixes(budget: 64 << 20)

  /// The parameters are those of `SteeringRun`, but each arm gives only one sample.
  /// - Parameter comparesWithBase: whether each arm is compared with base along base's answer. Base is the chat model with
  ///   base's residual stream in the place of its own after the layer: base itself where fine-tuning changed nothing above.
  public init(
    engine: Engine, crosscoder: Crosscoder, layer: Int, plans: [SteeringPlan], settings: GenerationSettings,
    comparesWithBase: Bool = false, maxActivations: @escaping (Int) -> Double?
  ) {
    precondition(settings.samples == 1, "there is only one answer for each arm")
    (self.engine, self.crosscoder, self.layer, self.plans) = (engine, crosscoder, layer, plans)
    (self.settings, self.comparesWithBase, self.maxActivations) = (settings, comparesWithBase, maxActivations)
  }

  /// The answers to a prompt, the baseline's first.
  /// - Throws: `DiffingError`; `.file(.cancelled)` between two tokens if the task is cancelled.
  public func answer(_ prompt: RenderedChat) throws(DiffingError) -> [SteeredAnswer] {
    let swap = SteeringPlan(interventions: [], swapsBase: true)
    // A plan that is base already is not answered twice.
    let ofOwn = plans.firstIndex(of: swap)
    let base = comparesWithBase && ofOwn == nil ? [swap] : []
    let baseArm = (ofOwn ?? plans.count) + 1
    let run = try SteeringRun(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: prompt, plans: plans + base, settings: settings,
      prefixes: prefixes, maxActivations: maxActivations)
    while !run.isFinished { try reading { () throws(InferenceError) in _ = try run.step() } }
    let baseline = run.produced(SteeringRun.baseline)
    let given = try scorer(prompt, plans + base)
    let scores = try reading { () throws(InferenceError) in try given.score(baseline) }
    let ofBase =
      comparesWithBase
      ? try reading { () throws(InferenceError) in
        try given.score(run.produced(baseArm), against: baseArm)
      } : nil
    let unsteered = try scorer(prompt, [])
    var answers: [SteeredAnswer] = []
    for arm in 0...plans.count {
      let ids = run.produced(arm)
      let own = try reading { () throws(InferenceError) in try unsteered.score(ids)[0] }
      let text = engine.tokenizer.decode(ids.filter { !engine.tokenizer.endOfTurnIDs.contains($0) })
      answers.append(
        SteeredAnswer(
          text: text, ids: ids, finished: run.ended(arm),
          behaviours: Behaviours.builtIn.shown(by: text),
          kl: Self.mean(scores[arm].divergences),
          logPerplexity: -own.logProbability / Double(max(1, ids.count)), repetition: repeatedShare(ids),
          relativeChange: arm == 0 ? nil : run.size(ofPlan: arm - 1).relative,
          klToBase: ofBase.map { Self.mean($0[arm].divergences) }))
    }
    return answers
  }

  private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }

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
