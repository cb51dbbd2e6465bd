// Writes one saved run or a comparison of two as Markdown, with everything that the records hold. Texts stand in fences that
// are longer than any fence in them, so that nothing in a text is taken for markup.

import Diffing
import Experiments
import Foundation
import Storage
import TUI

extension SavedRun {
  /// The run as a document for people.
  package var markdown: String {
    var text = record.id > 0 ? "# Experiment \(record.id)\n\n" : "# Experiment, not saved\n\n"
    let facts = [("Made", record.created), ("Kind", record.kind), ("Interventions", interventionsText)]
    let about = set == nil && check == nil ? [] : [("Of", record.prompt)]
    for (name, value) in facts + about + (settings + scales).map({ ($0.name.capitalizedFirst, $0.value) })
    where !value.isEmpty {
      text += item(name, value)
    }
    if !versions.isEmpty {
      text += "\n## Made with\n\n" + versions.map { item($0.name, $0.version) }.joined()
    }
    if let check { text += "\n## Effects\n\n" + fenced(check.text) }
    if let set { text += "\n## Figures\n\n" + fenced(set.text(asciiOnly: false)) }
    if let outcomes, !outcomes.isEmpty { return text + answers(outcomes) }
    guard check == nil, set == nil else { return text }
    for turn in turns { text += "\n## Before: \(turn.role)\n\n" + fenced(turn.text) }
    text += "\n## Prompt\n\n" + fenced(record.prompt)
    if !figures.isEmpty { text += "\n## Figures\n\n" + figures.markdown }
    if let coherent { text += "\n## Coherent strengths\n\n" + fenced(coherent.text) }
    for (name, answer) in namedAnswers {
      text += "\n## \(name.capitalizedFirst)\n\n"
      for (index, sample) in answer.samples.enumerated() {
        if answer.samples.count > 1 {
          text += "### \(sample.title(index, of: answer.samples.count)): \(answer.figuresText(of: sample))\n\n"
        }
        text += fenced(sample.text)
        let end = sample.ending(limit: recorded?.request.sampling.maxTokens ?? 0)
        if let end { text += "\n\(end)\n" }
        if index + 1 < answer.samples.count { text += "\n" }
      }
    }
    return text
  }

  /// The prompts of a set or a check with their answers in all arms.
  private func answers(_ outcomes: [PromptOutcome]) -> String {
    outcomes.enumerated().map { index, outcome in
      "\n## Prompt \(index + 1) of \(outcomes.count)\n\n" + fenced(outcome.prompt)
        + zip(armNames(outcome), outcome.answers).map { name, answer in
          "\n### \(name.capitalizedFirst): \(answer.figuresText)\n\n" + fenced(answer.text)
        }.joined()
    }.joined()
  }

  /// A comparison of two runs: their differences, their common settings, and the figures and answers of both.
  package static func markdown(comparing first: SavedRun, _ second: SavedRun) -> String {
    let runs = [first, second]
    let difference = RunDifference(first, second)
    var text = "# Experiments \(first.name) and \(second.name)\n\n## Settings that differ\n\n"
    if difference.differing.isEmpty { text += "none\n" }
    for (name, one, other) in difference.differing {
      text += "- \(name.capitalizedFirst)\n"
      for (run, value) in zip(runs, [one, other]) { text += "  - \(run.name): \(termSafe(value))\n" }
    }
    text += "\n## The same in both\n\n" + difference.common.map { item($0.name.capitalizedFirst, $0.value) }.joined()
    let figures = RunFigures(comparing: first, second)
    if !figures.isEmpty { text += "\n## Figures\n\n" + figures.markdown }
    for run in runs { if let check = run.check { text += "\n## Effects of \(run.name)\n\n" + fenced(check.text) } }
    let named = runs.map(\.namedAnswers)
    let names = named[0].map(\.name) + named[1].map(\.name).filter { name in !named[0].contains { $0.name == name } }
    for name in names {
      for (run, answers) in zip(runs, named) {
        for answer in answers.filter({ $0.name == name }).map(\.answer) {
          for (index, sample) in answer.samples.enumerated() {
            let which = answer.samples.count > 1 ? ", \(sample.title(index, of: answer.samples.count))" : ""
            text += "\n## \(name.capitalizedFirst) of \(run.name)\(which)\n\n" + fenced(sample.text)
          }
        }
      }
    }
    return text
  }
}

extension RunFigures {
  /// The figures of two runs; the names of rows begin with the run's number.
  package init(comparing first: SavedRun, _ second: SavedRun) {
    self.init()
    for run in [first, second] { add(run.figures, prefix: "\(run.name) ") }
  }
}

extension SteeringDocument.Sample {
  /// The title of a sample, as `sample 2 of 3, seed 8`.
  package func title(_ index: Int, of count: Int) -> String {
    "sample \(index + 1) of \(count)" + (seed.map { ", seed \($0)" } ?? "")
  }
}

extension SteeredAnswer {
  /// The figures, as `refused, KL 0.123, perplexity 4.1, repeated 0.05, ‖Δh‖/‖h‖ 0.31`, and the other behaviours.
  package var figuresText: String {
    let figures = [
      refused ? "refused" : "not refused", "KL \(fixed(kl, 3))", "perplexity \(fixed(exp(logPerplexity), 1))",
      "repeated \(fixed(repetition, 2))",
    ]
    let others = behaviours.filter { $0 != Behaviour.refused.name }
    return (figures + (relativeChange.map { ["‖Δh‖/‖h‖ \(fixed($0, 2))"] } ?? []) + others).joined(separator: ", ")
  }
}

extension String {
  /// The text with its first letter in upper case.
  package var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

private func item(_ name: String, _ value: String) -> String { "- \(termSafe(name)): \(termSafe(value))\n" }

private func fenced(_ text: String) -> String {
  let longest = text.split(whereSeparator: { $0 != "`" }).map(\.count).max() ?? 0
  let fence = String(repeating: "`", count: max(3, longest + 1))
  return "\(fence)text\n\(text)\n\(fence)\n"
}
