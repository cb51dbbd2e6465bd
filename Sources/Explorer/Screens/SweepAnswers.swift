// The whole answers of a sweep at one strength, which Enter opens and y copies.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// All texts of one strength.
struct SweepAnswers {
  let strength: Double
  /// The steered answers as text to be copied.
  let steered: String
  /// All of the answers to read, with their control.
  let page: TextPage
}

extension SteerSweep {
  /// The answers at the strength under the cursor; nil until there are some.
  func answers() -> SweepAnswers? {
    guard let points = curves.first?.points, !points.isEmpty else { return nil }
    let strength = points[min(list.selected, points.count - 1)].strength
    return report.map { answers(of: $0, at: strength) } ?? document.flatMap { answers(of: $0, at: strength) }
  }

  private func answers(of document: SteeringDocument, at strength: Double) -> SweepAnswers? {
    func parts(_ name: String, _ answer: SteeringDocument.Answer?) -> [TextPage.Part] {
      guard let answer else { return [] }
      return answer.samples.enumerated().map { index, sample in
        let which = answer.samples.count > 1 ? ", \(sample.title(index, of: answer.samples.count))" : ""
        let end = sample.ending(limit: request.sampling.maxTokens).map { " \($0)" } ?? ""
        return TextPage.Part(title: name + which, note: answer.figuresText(of: sample), text: sample.text + end)
      }
    }
    func at(_ answers: [SteeringDocument.Answer]?) -> SteeringDocument.Answer? {
      answers?.first { $0.strength == strength }
    }
    guard let steered = at(document.outputs.steered) else { return nil }
    return SweepAnswers(
      strength: strength, steered: steered.samples.map(\.text).joined(separator: "\n\n"),
      page: TextPage(
        title: "Answers at ×\(compact(strength))",
        parts: parts("Steered", steered) + parts("Attention frozen", at(document.outputs.frozenAttention))
          + parts("Random latents", at(control?.outputs.steered)) + parts("Baseline", document.outputs.baseline)))
  }

  /// Every prompt of a set with the answers of all arms at that strength; the baseline has strength 0.
  private func answers(of report: DoseResponse, at strength: Double) -> SweepAnswers {
    let run = SavedRun(report.record())
    let shown = report.arms.indices.filter { report.arms[$0].strength == strength || report.arms[$0].kind == .baseline }
    var steered: [String] = []
    let parts = report.outcomes.enumerated().flatMap { index, outcome in
      let names = run.armNames(outcome)
      let arms = shown.filter { outcome.answers.indices.contains($0) }
      for arm in arms where (report.arms[arm].kind == .steered) || (strength == 0) {
        steered.append("\(outcome.prompt)\n\(outcome.answers[arm].text)")
      }
      return [TextPage.Part(title: "Prompt \(index + 1) of \(report.outcomes.count)", text: outcome.prompt)]
        + arms.map {
          TextPage.Part(
            title: names[$0].capitalizedFirst, note: outcome.answers[$0].figuresText, text: outcome.answers[$0].text)
        }
    }
    return SweepAnswers(
      strength: strength, steered: steered.joined(separator: "\n\n"),
      page: TextPage(title: "Answers at ×\(compact(strength))", parts: parts))
  }
}
