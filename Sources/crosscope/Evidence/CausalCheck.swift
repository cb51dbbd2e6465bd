// Whether one latent does to the chat model what its contexts suggest, against random latents that fire as often:
//   added           h += s · a_max · u on neutral prompts, s = 0.5 and 1; control: other directions, the same ‖Δh‖
//   taken away      h −= f (d^chat − d^base) on the latent's own top contexts, from the peak on; control: others' differences
// Owns: choosing the control, the figures and their intervals. Refuses: latents that never fired; a store without base.
// It is made from a store, goes on a text a step, says how far it is, and ends when its task is cancelled.

import Diffing
import Foundation
import Inference
import Storage

/// A check of one latent, made ready. One owner at a time.
struct CausalCheck {
  /// How many of each there are; every count is at least 1.
  struct Size: Codable, Sendable, Equatable {
    var random = 8
    var prompts = 20
    var contexts = 10
    /// Tokens of an answer, and of a context after its peak.
    var tokens = 24

    static let mostRandom = 64

    /// For somebody who waits for it: under a minute on two cores and a small model.
    static let interactive = Size(random: 4, prompts: 6, contexts: 6, tokens: 16)
  }

  static let strengths = [0.5, 1]

  let latent: Int
  let size: Size
  private let added: PromptSetRun
  private let context: SteeringContext
  private let contexts: [Context]
  /// The latents of the control, as many as `size.random`.
  let random: [Int]
  private(set) var outcomes: [PromptOutcome] = []
  private var takenAway: [[ContextEffect]] = []

  /// - Parameter others: the latents of the control, as many as `size.random`; nil to choose them.
  /// - Throws: `CommandError.inputInvalid` for a latent that never fired or has no contexts, or where there are too few
  ///   others; `CommandError.notSaid` without base.
  init(
    _ latent: Int32, size: Size = Size(), against others: [Int]? = nil, seed: UInt64 = 0, context: SteeringContext,
    store: Store
  ) throws {
    self.latent = Int(latent)
    (self.size, self.context) = (size, context)
    try context.requireBase(store: store)
    let record = try store.latents(ids: [latent])[0]
    contexts = try store.contexts(of: latent, limit: 4 * size.contexts).filter {
      $0.peak + 1 < $0.sequence.tokenIDs.count
    }.prefix(size.contexts).map { $0 }
    guard record.maxActivation ?? 0 > 0, !contexts.isEmpty else {
      throw CommandError.inputInvalid(
        source: "latent \(latent)", expected: "one that fired, with contexts in the store", found: "none")
    }
    let pool = try others ?? Self.alike(record, count: size.random, in: store)
    added = try PromptSetRun(
      SteeringExperiment(
        context: context, store: store,
        interventions: [Intervention(latent: Int(latent), mode: .add, strength: 1)],
        parameters: SteeringDocument.Parameters(
          settings: GenerationSettings(maxTokens: size.tokens, temperature: 0, seed: seed)),
        strengths: Self.strengths, watch: []),
      prompts: neutralPrompts.prefix(size.prompts).map { SetPrompt(prompt: $0) }, draws: pool.map { [$0] }, store: store
    )
    random = pool
  }

  /// The living latents whose frequency is nearest to a latent's, by ratio.
  private static func alike(_ record: LatentRecord, count: Int, in store: Store) throws -> [Int] {
    let ids = try store.latentIDs(sortedBy: .id, matching: Filter("not dead"))
    let wanted = log(max(record.frequency ?? 0, 1e-9))
    let others = try store.latents(ids: ids).filter { $0.id != record.id && $0.maxActivation ?? 0 > 0 }
    guard others.count >= count else {
      throw CommandError.inputInvalid(
        source: store.path, expected: "\(count) other living latents", found: "\(others.count)")
    }
    func distance(_ latent: LatentRecord) -> Double { abs(log(max(latent.frequency ?? 0, 1e-9)) - wanted) }
    return others.sorted { (distance($0), $0.id) < (distance($1), $1.id) }.prefix(count).map { Int($0.id) }
  }

  /// Prompts and contexts, all and finished.
  var total: Int { added.prompts.count + contexts.count }
  var done: Int { outcomes.count + takenAway.count }

  /// Goes through the next prompt or context.
  /// - Returns: the report when all are finished.
  /// - Throws: what the engine throws; cancelled within a token.
  mutating func step() throws -> CausalCheckReport? {
    if outcomes.count < added.prompts.count {
      outcomes.append(try added.outcome(outcomes.count))
    } else if takenAway.count < contexts.count {
      takenAway.append(try effects(on: contexts[takenAway.count]))
    }
    guard done == total else { return nil }
    return CausalCheckReport(self, added: DoseResponse.rows(added.arms, outcomes), takenAway: takenAway)
  }

  /// Of the answers to the prompts.
  var arms: [EvidenceArm] { added.arms }

  var versions: [String: String] { context.versions }

  /// What taking away does after a context's peak: of the latent first, then of the random ones.
  private func effects(on example: Context) throws -> [ContextEffect] {
    let (ids, peak) = (example.sequence.tokenIDs, example.peak)
    let prompt = RenderedChat(plain: Array(ids[...peak]))
    let plans = ([latent] + random).map {
      SteeringPlan(interventions: [Intervention(latent: $0, mode: .difference, strength: -1)])
    }
    let given = try GivenAnswers(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt, plans: plans,
      maxActivations: { _ in nil })
    let next = Array(ids[(peak + 1)...].prefix(size.tokens))
    let scores = try given.score(next)
    return scores.dropFirst().map { score in
      ContextEffect(
        kl: score.divergences.reduce(0, +) / Double(next.count),
        logProbability: (score.logProbability - scores[0].logProbability) / Double(next.count))
    }
  }
}

/// What one patch does to the tokens after a peak.
struct ContextEffect: Equatable {
  /// KL(unsteered ‖ patched), nats a token.
  var kl: Double
  /// Change of the mean log-probability of the context's own next tokens.
  var logProbability: Double
}

/// The finished check. Intervals are 95 %, over prompts or contexts; several random latents' mean counts once for each.
struct CausalCheckReport: Codable, Sendable, Equatable {
  struct Effect: Codable, Sendable, Equatable {
    let measure: String
    let latent: Interval?
    let random: Interval?
    /// Whether the two intervals have no value in common.
    let apart: Bool
  }

  let latent: Int
  let random: [Int]
  let size: CausalCheck.Size
  let effects: [Effect]
  let added: [DoseResponse.Row]
  let versions: [String: String]
  /// The answers to the prompts, by which the check is compared when it is made again; older records have none.
  var answers: [PromptOutcome]?

  /// What it was made of.
  var sizeText: String {
    "\(random.count) random latents, \(size.prompts) prompts, \(size.contexts) contexts, up to \(size.tokens) tokens"
  }

  /// The arms of its answers: the latent at each strength, then each random one.
  var arms: [EvidenceArm] {
    [EvidenceArm(kind: .baseline, strength: 0, latents: [])]
      + CausalCheck.strengths.map { EvidenceArm(kind: .steered, strength: $0, latents: [latent]) }
      + random.flatMap { other in
        CausalCheck.strengths.map { EvidenceArm(kind: .random, strength: $0, latents: [other]) }
      }
  }

  /// A line a measure.
  var text: String {
    func cell(_ interval: Interval?) -> String {
      guard let interval else { return "-" }
      guard let low = interval.low, let high = interval.high else { return String(format: "%.3f", interval.value) }
      return String(format: "%.3f [%.3f, %.3f]", interval.value, low, high)
    }
    var table = TextTable([
      .init(title: "measure"), .init(title: "latent \(latent)"), .init(title: "\(random.count) random latents"),
      .init(title: "apart"),
    ])
    for effect in effects {
      table.add([effect.measure, cell(effect.latent), cell(effect.random), effect.apart ? "yes" : "no"])
    }
    return table.text
  }

  /// The experiment as the store keeps it; the time is now.
  func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601), prompt: "latent \(latent)", kind: Self.kind,
      interventions: storedJSON([Intervention(latent: latent, mode: .add, strength: 1)]),
      parameters: storedJSON(size), outputs: storedJSON(self), versions: storedJSON(versions))
  }
}

extension CausalCheckReport {
  /// What such an experiment is called in the store.
  static let kind = "causal check"

  /// The figures of a check that has gone through all of its texts.
  init(_ check: CausalCheck, added rows: [DoseResponse.Row], takenAway: [[ContextEffect]]) {
    func effect(_ measure: String, _ own: Interval?, _ random: Interval?) -> Effect {
      Effect(
        measure: measure, latent: own, random: random,
        apart: own.flatMap { own in random.map { own.isApart(from: $0) } } ?? false)
    }
    var effects: [Effect] = []
    for strength in CausalCheck.strengths {
      func row(_ kind: EvidenceArm.Kind) -> DoseResponse.Row? {
        rows.first { $0.arm == kind && $0.strength == strength }
      }
      let (own, other) = (row(.steered), row(.random))
      let name = "added ×\(compact(strength)): "
      effects.append(effect(name + "KL", own?.kl, other?.kl))
      effects.append(effect(name + "refused", own?.refused, other?.refused))
      effects.append(effect(name + "perplexity", own?.perplexity, other?.perplexity))
    }
    for (name, value) in [
      ("taken away: KL after the peak", { $0.kl }), ("taken away: log p of the next tokens", { $0.logProbability }),
    ] as [(String, (ContextEffect) -> Double)] {
      let others = takenAway.map { arms in
        arms.dropFirst().map(value).reduce(0, +) / Double(max(1, arms.count - 1))
      }
      effects.append(effect(name, .mean(takenAway.map { value($0[0]) }), .mean(others)))
    }
    self.init(
      latent: check.latent, random: check.random, size: check.size, effects: effects, added: rows,
      versions: check.versions, answers: check.outcomes)
  }
}
