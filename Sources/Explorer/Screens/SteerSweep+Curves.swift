// The measures and curves of a sweep in one form, whether they come from a document or from a set's report.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

/// A figure that a sweep has at each strength.
struct SweepMeasure: Sendable, Equatable {
  var name: String
  var short: String
  var digits: Int
  /// The behaviour whose rate it is, if it is one.
  var behaviour: String?
}

/// Figures by strength in the order of the measures, either of the steered answers or of their control.
struct SweepCurve: Sendable {
  var name: String
  /// The name in the head of a column.
  var short: String
  var role: Role
  var points: [(strength: Double, values: [Interval?])]
}

extension SteerSweep {
  /// The measures by name.
  func measures(asciiOnly: Bool) -> [SweepMeasure] {
    let common = answerMeasures.map { measure in
      func text(_ text: String) -> String { asciiOnly ? plainNorms(text) : text }
      return SweepMeasure(name: text(measure.name), short: text(measure.short), digits: measure.digits)
    }
    guard set != nil else { return common }
    func share(_ name: String) -> SweepMeasure {
      SweepMeasure(name: "\(name), share of answers", short: name, digits: 2, behaviour: name)
    }
    // The other behaviours come last, so that a narrow table keeps the perplexity beside them.
    return [share(Behaviour.refused.name)] + common + (report?.otherBehaviours ?? []).map(share)
  }

  /// What the line below the table says: the best coherent strength for the behaviour on the chart, or for refusals.
  var bestStrength: String? {
    report?.coherent.sentence(of: measures(asciiOnly: false)[measure].behaviour ?? Behaviour.refused.name)
  }

  /// The answers of a set have no watched phrases.
  private var answerMeasures: [AnswerMeasure] { AnswerMeasure.all(watching: set == nil ? request.watched : []) }

  /// The curves, with the steered answers first; empty until there are some.
  var curves: [SweepCurve] {
    if let report { return Self.curves(of: report) }
    guard let document else { return [] }
    func curve(_ name: String, _ short: String, _ role: Role, _ answers: [SteeringDocument.Answer]) -> SweepCurve {
      SweepCurve(
        name: name, short: short, role: role,
        points: answers.compactMap { answer in answer.strength.map { ($0, values(of: answer)) } })
    }
    var curves = [curve("steered", "steered", .chat, document.outputs.steered)]
    if let control { curves.append(curve("random latents", "control", .base, control.outputs.steered)) }
    if let frozen = document.outputs.frozenAttention {
      curves.append(curve("attention frozen", "frozen", .accent, frozen))
    }
    return curves
  }

  private func values(of answer: SteeringDocument.Answer) -> [Interval?] { answerMeasures.map { $0.value(answer) } }

  /// The baseline is drawn at strength 0.
  private static func curves(of report: DoseResponse) -> [SweepCurve] {
    let arms: [(EvidenceArm.Kind, String, String, Role)] = [
      (.steered, "steered", "steered", .chat), (.random, "random latents", "control", .base),
      (.direction, "direction", "direction", .muted), (.frozenAttention, "attention frozen", "frozen", .accent),
    ]
    return arms.compactMap { kind, name, short, role in
      let rows = report.rows(of: kind)
      guard rows.count > 1 else { return nil }
      return SweepCurve(
        name: name, short: short, role: role,
        points: rows.map { ($0.strength, $0.figures(report.otherBehaviours)) })
    }
  }

  /// Details of a strength: each curve's measure with its interval, and how the answer begins.
  func detail(_ index: Int, measure: Int) -> String {
    let digits = measures(asciiOnly: false)[measure].digits
    let figures = curves.compactMap { curve -> String? in
      guard curve.points.indices.contains(index), let interval = curve.points[index].values[measure],
        interval.low != nil
      else { return nil }
      return "\(curve.name) \(RunFigures.cell(interval, digits))"
    }
    if let report { return figures.joined(separator: ", ") + "; \(report.prompts) prompts, 95 %" }
    guard let answers = document?.outputs.steered, answers.indices.contains(index) else { return "" }
    let interval = figures.first.map { "\($0), 95 % over \(answers[index].samples.count) samples: " } ?? ""
    return interval + answers[index].text.replacing("\n", with: "↵")
  }
}

extension DoseResponse.Row {
  /// The figures in the order of a set's measures.
  fileprivate func figures(_ others: [String]) -> [Interval?] {
    [refused, kl, relativeChange.map { Interval(value: $0) }, perplexity, repetition] + others.map { rate(of: $0) }
  }
}

extension DoseResponse {
  /// The rows of an arm by strength, with the baseline's at strength 0.
  fileprivate func rows(of kind: EvidenceArm.Kind) -> [Row] {
    rows.filter { $0.arm == kind || $0.arm == .baseline }.sorted { $0.strength < $1.strength }
  }
}
