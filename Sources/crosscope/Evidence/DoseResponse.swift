// What a run over a set of prompts comes to: a row an arm and strength, each figure with its 95 % interval.
// Rates have Wilson's interval, means Student's; prompts are the independent samples, so that of several random draws
// each prompt's mean counts once. Owns: the rows, the document, the experiment in the store, the table, the chart, CSV.

import Diffing
import Foundation
import Storage
import TUI

/// The finished report.
struct DoseResponse: Codable, Sendable, Equatable {
  struct Row: Codable, Sendable, Equatable {
    let arm: EvidenceArm.Kind
    let strength: Double
    /// Sets of latents that were drawn; 1 for what is not random.
    let draws: Int
    let refused: Interval
    /// KL(baseline ‖ arm), nats a token.
    let kl: Interval?
    /// Of the answers under the unsteered chat model: the geometric mean over prompts.
    let perplexity: Interval?
    /// Share of 4-grams that were there before.
    let repetition: Interval?
    /// Mean ‖Δh‖ ÷ ‖h‖.
    let relativeChange: Double?

    private enum CodingKeys: String, CodingKey {
      case arm, strength, draws, refused, kl, perplexity, repetition
      case relativeChange = "relative_change"
    }
  }

  let promptFile: String
  let prompts: Int
  let interventions: [Intervention]
  let parameters: SteeringDocument.Parameters
  let control: PromptSetRun.Control?
  let settings: String
  let versions: [String: String]
  let rows: [Row]
  let arms: [EvidenceArm]
  let outcomes: [PromptOutcome]

  private enum CodingKeys: String, CodingKey {
    case prompts, interventions, parameters, control, settings, versions, rows, arms, outcomes
    case promptFile = "prompt_file"
  }

  /// A row for each kind and strength, in the arms' order.
  static func rows(_ arms: [EvidenceArm], _ outcomes: [PromptOutcome]) -> [Row] {
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

  /// The experiment as the store keeps it; the time is now.
  func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601),
      prompt: "\(prompts) prompts of \(URL(filePath: promptFile).lastPathComponent)",
      kind: Self.kind, interventions: storedJSON(interventions), parameters: storedJSON(parameters),
      outputs: storedJSON(self), versions: storedJSON(versions))
  }

  /// What such an experiment is called in the store.
  static let kind = "prompt set"

  /// What a row is of: the arm, and how many draws it is the mean of.
  func name(_ row: Row) -> String {
    let name = row.arm.title
    return row.draws > 1 ? "\(name) (mean of \(row.draws))" : name
  }

  // MARK: - For people

  /// The table, a chart of refusals and one of the divergence by strength, and what the figures are.
  func text(asciiOnly: Bool) -> String {
    var table = TextTable([
      .init(title: "arm"), .init(title: "strength", isNumber: true), .init(title: "refused"), .init(title: "KL"),
      .init(title: "perplexity"), .init(title: "repetition"),
      .init(title: asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖", isNumber: true),
    ])
    func cell(_ interval: Interval?, _ digits: Int, percent: Bool = false) -> String {
      guard let interval else { return "-" }
      let factor = percent ? 100.0 : 1
      func number(_ value: Double) -> String { String(format: "%.\(digits)f", value * factor) }
      guard let low = interval.low, let high = interval.high else { return number(interval.value) }
      return "\(number(interval.value))\(percent ? "%" : "") [\(number(low)), \(number(high))]"
    }
    for row in rows {
      table.add([
        name(row), row.arm == .baseline ? "" : shortNumber(row.strength), cell(row.refused, 0, percent: true),
        cell(row.kl, 3), cell(row.perplexity, 2), cell(row.repetition, 0, percent: true),
        row.relativeChange.map { String(format: "%.2f", $0) } ?? "-",
      ])
    }
    return table.text + charts(asciiOnly: asciiOnly) + "\n\(note)\n"
  }

  /// A chart of refusals and one of the divergence, as far as there are strengths to draw.
  func charts(asciiOnly: Bool) -> String {
    let measures: [(String, (Row) -> Double)] = [
      ("refused, share of answers", { $0.refused.value }), ("KL, nats a token", { $0.kl?.value ?? 0 }),
    ]
    return measures.compactMap { chart($0.0, $0.1, asciiOnly: asciiOnly) }.map { "\n" + $0 }.joined()
  }

  /// What the figures are of.
  var note: String {
    let random =
      switch control {
      case .equalNorm: "; random: living latents' directions with the same norm of the change"
      case .ownActivation: "; random: living latents, same mode and strength on their own activation"
      case nil: ""
      }
    return "\(prompts) prompts; 95% intervals over prompts\(random)"
  }

  private func chart(_ title: String, _ value: (Row) -> Double, asciiOnly: Bool) -> String? {
    let baseline = rows.first { $0.arm == .baseline }
    let series = EvidenceArm.Kind.allCases.filter { $0 != .baseline }.compactMap { kind -> LineChart.Series? in
      var points = rows.filter { $0.arm == kind }.map { (x: $0.strength, y: value($0)) }
      // No strength is the baseline.
      if let baseline, !points.contains(where: { $0.x == 0 }) { points.append((0, value(baseline))) }
      guard points.count > 2 else { return nil }
      return LineChart.Series(
        name: kind.title, points: points.sorted { $0.x < $1.x }, role: .accent)
    }
    guard !series.isEmpty else { return nil }
    var canvas = Canvas(size: Size(columns: 76, rows: 14), asciiOnly: asciiOnly)
    LineChart(title: title, xLabel: "strength", series: series).draw(into: &canvas, canvas.bounds)
    return canvas.text
  }

  // MARK: - For programs

  /// A line a row, empty where nothing was measured.
  var csv: String {
    let measures: [(String, (Row) -> Interval?)] = [
      ("refused", { $0.refused }), ("kl", { $0.kl }), ("perplexity", { $0.perplexity }),
      ("repetition", { $0.repetition }),
    ]
    let names = measures.flatMap { [$0.0, $0.0 + "_low", $0.0 + "_high"] }
    let lines = rows.map { row in
      let values = measures.flatMap { [$0.1(row)?.value, $0.1(row)?.low, $0.1(row)?.high] } + [row.relativeChange]
      return
        ([row.arm.rawValue, "\(row.strength)", "\(row.draws)", "\(prompts)"] + values.map { $0.map { "\($0)" } ?? "" })
        .joined(separator: ",")
    }
    return (["arm,strength,draws,prompts,\(names.joined(separator: ",")),relative_change"] + lines)
      .joined(separator: "\n") + "\n"
  }
}

extension DoseResponse {
  /// The report of a run whose prompts are all answered.
  init(_ run: PromptSetRun, _ outcomes: [PromptOutcome], promptFile: String) {
    self.init(
      promptFile: promptFile, prompts: outcomes.count, interventions: run.experiment.interventions,
      parameters: run.experiment.parameters, control: run.control, settings: run.settings,
      versions: run.experiment.context.versions, rows: Self.rows(run.arms, outcomes), arms: run.arms,
      outcomes: outcomes)
  }
}
