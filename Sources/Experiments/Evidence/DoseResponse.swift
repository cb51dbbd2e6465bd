// The result of a run over a set of prompts: one row for each arm and strength, each figure with its 95 % interval. Rates have
// Wilson's interval, means Student's. Prompts are the independent samples: several random draws are averaged for each prompt
// first. Tables and charts of the result are in Reports.

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
    package let refused: Interval
    /// KL(baseline ‖ arm), nats a token.
    package let kl: Interval?
    /// The perplexity of the answers under the unsteered chat model, as the geometric mean over prompts.
    package let perplexity: Interval?
    /// The share of 4-grams that occurred before in the answer.
    package let repetition: Interval?
    /// Mean ‖Δh‖ ÷ ‖h‖.
    package let relativeChange: Double?

    private enum CodingKeys: String, CodingKey {
      case arm, strength, draws, refused, kl, perplexity, repetition
      case relativeChange = "relative_change"
    }
  }

  package let promptFile: String
  package let prompts: Int
  /// The request; its prompt is empty.
  package let request: SteeringRequest
  package let basis: SteeringBasis
  package let control: PromptSetRun.Control?
  package let settings: String
  package let versions: [String: String]
  package let rows: [Row]
  package let arms: [EvidenceArm]
  package let outcomes: [PromptOutcome]

  /// One row for each kind and strength, in the order of the arms.
  package static func rows(_ arms: [EvidenceArm], _ outcomes: [PromptOutcome]) -> [Row] {
    var groups: [[Int]] = []
    for (index, arm) in arms.enumerated() {
      let same = groups.firstIndex { arms[$0[0]].kind == arm.kind && arms[$0[0]].strength == arm.strength }
      if let same { groups[same].append(index) } else { groups.append([index]) }
    }
    return groups.map { group in
      /// Each prompt's mean over the group's arms.
      func means(_ value: (SteeredAnswer) -> Double) -> [Double] {
        outcomes.map { outcome in group.reduce(0) { $0 + value(outcome.answers[$1]) } / Double(group.count) }
      }
      let refused = means { $0.refused ? 1 : 0 }
      let changes = outcomes.flatMap { outcome in group.compactMap { outcome.answers[$0].relativeChange } }
      return Row(
        arm: arms[group[0]].kind, strength: arms[group[0]].strength, draws: group.count,
        refused: .wilson(rate: refused.reduce(0, +) / Double(max(1, refused.count)), n: refused.count),
        kl: .mean(means(\.kl)), perplexity: Interval.mean(means(\.logPerplexity)).map { $0.mapped(exp) },
        repetition: .mean(means(\.repetition)),
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
    case prompts, interventions, parameters, control, settings, versions, rows, arms, outcomes
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
    settings = try fields.decode(String.self, forKey: .settings)
    versions = try fields.decode([String: String].self, forKey: .versions)
    rows = try fields.decode([Row].self, forKey: .rows)
    outcomes = try fields.decode([PromptOutcome].self, forKey: .outcomes)
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(promptFile, forKey: .promptFile)
    try fields.encode(prompts, forKey: .prompts)
    try fields.encode(request.plan.interventions, forKey: .interventions)
    try fields.encode(RecordedSettings(request: request, basis: basis), forKey: .parameters)
    try fields.encodeIfPresent(control, forKey: .control)
    try fields.encode(settings, forKey: .settings)
    try fields.encode(versions, forKey: .versions)
    try fields.encode(rows, forKey: .rows)
    try fields.encode(arms, forKey: .arms)
    try fields.encode(outcomes, forKey: .outcomes)
  }
}

extension DoseResponse {
  /// The report of a run whose prompts are all answered.
  package init(_ run: PromptSetRun, _ outcomes: [PromptOutcome], promptFile: String) {
    self.promptFile = promptFile
    prompts = outcomes.count
    (request, basis) = (run.setup.request.recorded, run.setup.basis)
    (control, settings, versions) = (run.control, run.settings, run.setup.models.context.versions)
    (rows, arms, self.outcomes) = (Self.rows(run.arms, outcomes), run.arms, outcomes)
  }

  /// The report together with prompts that an earlier run answered, in the order of the set.
  package func adding(_ earlier: [PromptOutcome]) -> DoseResponse {
    DoseResponse(self, outcomes: (earlier + outcomes).sorted { $0.index < $1.index })
  }

  private init(_ report: DoseResponse, outcomes: [PromptOutcome]) {
    (promptFile, prompts, request, basis) = (report.promptFile, outcomes.count, report.request, report.basis)
    (control, settings, versions, arms) = (report.control, report.settings, report.versions, report.arms)
    (rows, self.outcomes) = (Self.rows(report.arms, outcomes), outcomes)
  }
}
