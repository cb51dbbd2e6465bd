// The result of a run over a set of prompts: one row for each arm and strength, each figure with its 95 % interval. Rates have
// Wilson's interval, means Student's. Prompts are the independent samples: several random draws are averaged for each prompt
// first. The rates of behaviours stand beside the perplexity, and `CoherentStrengths` chooses among them. Tables and charts of
// the result are in Reports.

import Diffing
import Foundation
import Storage

/// The finished report.
package struct DoseResponse: Codable, Sendable, Equatable {
  package struct Row: Codable, Sendable, Equatable {
    package let arm: EvidenceArm.Kind
    package let strength: Double
    /// How many sets of latents were drawn; 1 if the row is not random.
    package let draws: Int
    /// The share of answers that show each behaviour, in the order of the report's list.
    package let behaviours: [Rate]
    /// KL(baseline ‖ arm), nats a token.
    package let kl: Interval?
    /// The perplexity of the answers under the unsteered chat model, as the geometric mean over prompts.
    package let perplexity: Interval?
    /// The share of 4-grams that occurred before in the answer.
    package let repetition: Interval?
    /// Mean ‖Δh‖ ÷ ‖h‖.
    package let relativeChange: Double?

    /// The rate of a behaviour; nil if it was not counted.
    package func rate(of behaviour: String) -> Interval? { behaviours.first { $0.name == behaviour }?.rate }

    /// The rate of refusals.
    package var refused: Interval { rate(of: Behaviour.refused.name) ?? Interval(value: 0) }
  }

  /// The share of answers that show a behaviour.
  package struct Rate: Codable, Sendable, Equatable {
    package let name: String
    package let rate: Interval
  }

  package let promptFile: String
  package let prompts: Int
  /// The request; its prompt is empty.
  package let request: SteeringRequest
  package let basis: SteeringBasis
  package let control: PromptSetRun.Control?
  /// The direction that the latents were compared with.
  package var against: SteeredDirection?
  package let settings: String
  package let versions: [String: String]
  package let rows: [Row]
  package let arms: [EvidenceArm]
  package let outcomes: [PromptOutcome]
  /// The behaviours that were counted.
  package var behaviours = Behaviours.builtIn
  /// The perplexity up to which text counts as coherent.
  package var coherentPerplexity = CoherentStrengths.usualPerplexity

  /// The best coherent strength of each behaviour.
  package var coherent: CoherentStrengths { CoherentStrengths(rows, perplexity: coherentPerplexity) }

  /// One row for each kind and strength, in the order of the arms.
  package static func rows(
    _ arms: [EvidenceArm], _ outcomes: [PromptOutcome], _ behaviours: Behaviours = .builtIn
  ) -> [Row] {
    var groups: [[Int]] = []
    for (index, arm) in arms.enumerated() {
      let same = groups.firstIndex { arms[$0[0]].kind == arm.kind && arms[$0[0]].strength == arm.strength }
      if let same { groups[same].append(index) } else { groups.append([index]) }
    }
    return groups.map { group in
      let answers = outcomes.map { outcome in group.map { outcome.answers[$0] } }
      let changes = answers.flatMap { $0.compactMap(\.relativeChange) }
      return Row(
        arm: arms[group[0]].kind, strength: arms[group[0]].strength, draws: group.count,
        behaviours: behaviours.names.map { Rate(name: $0, rate: answers.rate(of: $0)) },
        kl: .mean(answers.means(\.kl)), perplexity: answers.perplexity,
        repetition: .mean(answers.means(\.repetition)),
        relativeChange: changes.isEmpty ? nil : changes.reduce(0, +) / Double(changes.count))
    }
  }

  /// The experiment as the store keeps it, with the present time.
  package func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601),
      prompt: "\(prompts) prompts of \(URL(filePath: promptFile).lastPathComponent)",
      kind: Self.kind, interventions: storedJSON(request.plan.interventions),
      parameters: storedJSON(RecordedSettings(request: request, basis: basis)),
      outputs: storedJSON(self), versions: storedJSON(versions))
  }

  /// The store's name for this kind of experiment.
  package static let kind = "prompt set"
}

extension DoseResponse {
  private enum CodingKeys: String, CodingKey {
    case prompts, interventions, parameters, control, against, settings, versions, rows, arms, outcomes, behaviours,
      coherent
    case promptFile = "prompt_file"
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let recorded = try fields.decode(RecordedSettings.self, forKey: .parameters)
    arms = try fields.decode([EvidenceArm].self, forKey: .arms)
    var request = recorded.request
    request.plan.interventions = try fields.decode([Intervention].self, forKey: .interventions)
    request.strengths = arms.filter { $0.kind == .steered }.map(\.strength)
    request.freezesAttention = arms.contains { $0.kind == .frozenAttention }
    (self.request, basis) = (request, recorded.basis)
    promptFile = try fields.decode(String.self, forKey: .promptFile)
    prompts = try fields.decode(Int.self, forKey: .prompts)
    control = try fields.decodeIfPresent(PromptSetRun.Control.self, forKey: .control)
    against = try fields.decodeIfPresent(SteeredDirection.self, forKey: .against)
    settings = try fields.decode(String.self, forKey: .settings)
    versions = try fields.decode([String: String].self, forKey: .versions)
    rows = try fields.decode([Row].self, forKey: .rows)
    outcomes = try fields.decode([PromptOutcome].self, forKey: .outcomes)
    // Older reports count refusals alone.
    behaviours = try fields.decodeIfPresent(Behaviours.self, forKey: .behaviours) ?? .builtIn
    coherentPerplexity =
      try fields.decodeIfPresent(CoherentStrengths.self, forKey: .coherent)?.perplexity
      ?? CoherentStrengths.usualPerplexity
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(promptFile, forKey: .promptFile)
    try fields.encode(prompts, forKey: .prompts)
    try fields.encode(request.plan.interventions, forKey: .interventions)
    try fields.encode(RecordedSettings(request: request, basis: basis), forKey: .parameters)
    try fields.encodeIfPresent(control, forKey: .control)
    try fields.encodeIfPresent(against, forKey: .against)
    try fields.encode(settings, forKey: .settings)
    try fields.encode(versions, forKey: .versions)
    try fields.encode(rows, forKey: .rows)
    try fields.encode(arms, forKey: .arms)
    try fields.encode(outcomes, forKey: .outcomes)
    try fields.encode(behaviours, forKey: .behaviours)
    try fields.encode(coherent, forKey: .coherent)
  }
}

extension DoseResponse.Row {
  private enum CodingKeys: String, CodingKey {
    case arm, strength, draws, refused, behaviours, kl, perplexity, repetition
    case relativeChange = "relative_change"
  }

  /// Reads a row; older reports count refusals alone.
  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    let refused = try fields.decode(Interval.self, forKey: .refused)
    self.init(
      arm: try fields.decode(EvidenceArm.Kind.self, forKey: .arm),
      strength: try fields.decode(Double.self, forKey: .strength), draws: try fields.decode(Int.self, forKey: .draws),
      behaviours: try fields.decodeIfPresent([DoseResponse.Rate].self, forKey: .behaviours)
        ?? [.init(name: Behaviour.refused.name, rate: refused)],
      kl: try fields.decodeIfPresent(Interval.self, forKey: .kl),
      perplexity: try fields.decodeIfPresent(Interval.self, forKey: .perplexity),
      repetition: try fields.decodeIfPresent(Interval.self, forKey: .repetition),
      relativeChange: try fields.decodeIfPresent(Double.self, forKey: .relativeChange))
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(arm, forKey: .arm)
    try fields.encode(strength, forKey: .strength)
    try fields.encode(draws, forKey: .draws)
    try fields.encode(refused, forKey: .refused)
    try fields.encode(behaviours, forKey: .behaviours)
    try fields.encodeIfPresent(kl, forKey: .kl)
    try fields.encodeIfPresent(perplexity, forKey: .perplexity)
    try fields.encodeIfPresent(repetition, forKey: .repetition)
    try fields.encodeIfPresent(relativeChange, forKey: .relativeChange)
  }
}

extension DoseResponse {
  /// The report of a run whose prompts are all answered.
  package init(_ run: PromptSetRun, _ outcomes: [PromptOutcome], promptFile: String) {
    self.promptFile = promptFile
    prompts = outcomes.count
    (request, basis) = (run.setup.request.recorded, run.setup.basis)
    (control, against) = (run.control, run.against)
    (settings, versions) = (run.settings, run.setup.models.context.versions)
    (rows, arms, self.outcomes) = (Self.rows(run.arms, outcomes), run.arms, outcomes)
  }

  /// The report together with prompts that an earlier run answered, in the order of the set.
  package func adding(_ earlier: [PromptOutcome]) -> DoseResponse {
    DoseResponse(self, outcomes: (earlier + outcomes).sorted { $0.index < $1.index }, behaviours)
  }

  private init(_ report: DoseResponse, outcomes: [PromptOutcome], _ behaviours: Behaviours) {
    (promptFile, prompts, request, basis) = (report.promptFile, outcomes.count, report.request, report.basis)
    (control, against, arms) = (report.control, report.against, report.arms)
    (settings, versions) = (report.settings, report.versions)
    (rows, self.outcomes) = (Self.rows(report.arms, outcomes, behaviours), outcomes)
    (self.behaviours, coherentPerplexity) = (behaviours, report.coherentPerplexity)
  }
}

extension DoseResponse: BehaviourReport {
  package var texts: [AnswerText] { outcomes.texts }

  /// A report of a service or a store whose answers are not those of its arms stays as it is.
  package func counting(_ behaviours: Behaviours, coherent bound: Double) -> DoseResponse {
    guard outcomes.allSatisfy({ $0.answers.count == arms.count }) else { return self }
    var report = DoseResponse(self, outcomes: outcomes.showing(behaviours.told), behaviours.told)
    report.coherentPerplexity = bound
    return report
  }

  package func counting(_ behaviour: Behaviour, _ verdicts: [Bool]) -> DoseResponse {
    DoseResponse(self, outcomes: outcomes.showing(behaviour, verdicts), behaviours.adding(behaviour))
  }
}
