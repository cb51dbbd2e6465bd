// The figures of answers by name. The page, the sweep's chart and table, and Markdown all use them, so that they agree. A
// figure of several samples is their mean with its 95 % interval. A column without any value is not shown, and a table that is
// too wide is cut into blocks.

import Diffing
import Experiments
import Foundation
import TUI

/// A figure that an answer may have.
package struct AnswerMeasure: Sendable {
  package var name: String
  /// The name in the head of a column.
  package var short: String
  package var digits: Int
  package var value: @Sendable (SteeringDocument.Answer) -> Interval?

  /// The figures that every answer may have, followed by those of the phrases and the rates of behaviours.
  package static func all(watching phrases: [String], showing behaviours: [String] = []) -> [AnswerMeasure] {
    [
      AnswerMeasure(name: "KL, nats a token", short: "KL", digits: 3, value: { $0.mean(\.klMean) }),
      AnswerMeasure(name: "‖Δh‖/‖h‖", short: "‖Δh‖/‖h‖", digits: 2, value: { $0.mean(\.relativeChange) }),
      AnswerMeasure(
        name: "perplexity, unsteered model", short: "perplexity", digits: 1,
        value: { $0.mean(\.logPerplexity)?.mapped(exp) }),
      AnswerMeasure(name: "repeated 4-grams, share", short: "repeated", digits: 2, value: { $0.mean(\.repetition) }),
    ]
      + phrases.map { phrase in
        AnswerMeasure(
          name: "log p(\(phrase))", short: "log p(\(phrase))", digits: 2,
          value: { answer in
            answer.watched.first { $0.text == phrase }?.logProbability.map { Interval(value: $0) }
          })
      }
      + behaviours.map { behaviour in
        AnswerMeasure(
          name: "\(behaviour), share of samples", short: behaviour, digits: 2, value: { $0.rate(of: behaviour) })
      }
  }

  /// The figure that an answer gives about its own tokens.
  package static let ownTokens = AnswerMeasure(
    name: "log p of its own tokens, mean", short: "own log p", digits: 2,
    value: { answer in
      answer.mean { sample in
        sample.logProbabilities.flatMap { $0.isEmpty ? nil : $0.reduce(0, +) / Double($0.count) }
      }
    })
}

extension SteeringDocument.Answer {
  /// The figures of one sample, as `KL 0.123, ‖Δh‖/‖h‖ 0.31, log p(no) -4.50`, and the behaviours that it shows.
  package func figuresText(of sample: SteeringDocument.Sample) -> String {
    let alone = SteeringDocument.Answer(strength: strength, samples: [sample], watched: watched)
    let figures = AnswerMeasure.all(watching: watched.map(\.text)).compactMap { measure in
      measure.value(alone).map { "\(measure.short) \(fixed($0.value, measure.digits))" }
    }
    return (figures + (sample.behaviours ?? [])).joined(separator: ", ")
  }

  /// The mean over the samples that have the figure.
  fileprivate func mean(_ figure: (SteeringDocument.Sample) -> Double?) -> Interval? {
    .mean(samples.compactMap(figure))
  }
}

/// A table of figures with one row for each answer, or for each arm of a set.
package struct RunFigures: Sendable {
  package struct Column: Sendable, Equatable {
    package var title: String
    package var digits: Int
  }

  package struct Row: Sendable {
    package var name: String
    /// The values by the title of their column.
    package var values: [String: Interval]
  }

  /// The columns in the order in which rows first used them.
  private var known: [Column] = []
  package private(set) var rows: [Row] = []

  /// The columns in which some row has a value.
  package var columns: [Column] { known.filter { column in rows.contains { $0.values[column.title] != nil } } }

  package var isEmpty: Bool { columns.isEmpty }

  /// Adds a row; a value may be missing.
  package mutating func add(_ name: String, _ values: [(Column, Interval?)]) {
    var row = Row(name: name, values: [:])
    for (column, value) in values {
      if !known.contains(where: { $0.title == column.title }) { known.append(column) }
      row.values[column.title] = value
    }
    rows.append(row)
  }

  /// Adds the rows of another table and puts a prefix before their names.
  package mutating func add(_ other: RunFigures, prefix: String) {
    for row in other.rows { add(prefix + row.name, other.known.map { ($0, row.values[$0.title]) }) }
  }

  /// A cell as `0.123 [0.045, 0.201]`; – if there is no value.
  package static func cell(_ interval: Interval?, _ digits: Int) -> String {
    interval?.text(digits) ?? fixed(nil, digits)
  }

  private func cells(_ row: Row, _ columns: ArraySlice<Column>) -> [String] {
    columns.map { Self.cell(row.values[$0.title], $0.digits) }
  }

  /// The table's lines, in as many blocks of columns as the width requires; each block begins with the names of the
  /// rows.
  package func lines(width: Int) -> [String] {
    let columns = columns
    guard !columns.isEmpty else { return [] }
    func block(_ columns: ArraySlice<Column>) -> [String] {
      var table = TextTable([.init(title: "")] + columns.map { .init(title: termSafe($0.title), isNumber: true) })
      for row in rows { table.add([row.name] + cells(row, columns)) }
      return table.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }
    var lines: [String] = []
    var start = 0
    while start < columns.count {
      var shown = block(columns[start..<start + 1])
      var end = start + 1
      while end < columns.count {
        let wider = block(columns[start..<end + 1])
        guard wider.allSatisfy({ displayWidth($0) <= width }) else { break }
        (shown, end) = (wider, end + 1)
      }
      lines += shown
      start = end
    }
    return lines
  }

  /// The table in Markdown.
  package var markdown: String {
    guard !isEmpty else { return "" }
    return markdownLine([""] + columns.map(\.title)) + markdownLine(["---"] + columns.map { _ in "---:" })
      + rows.map { markdownLine([$0.name] + cells($0, columns[...])) }.joined()
  }

  /// The rows of steered answers in words, such as `steered ×1: KL 0.123, ‖Δh‖/‖h‖ 0.31`.
  package var phrases: [String] {
    rows.filter { !$0.values.isEmpty && $0.name != "baseline" }.map { row in
      let figures = columns.compactMap { column in
        row.values[column.title].map { "\(column.title) \(Self.cell($0, column.digits))" }
      }
      return "\(row.name): \(figures.joined(separator: ", "))"
    }
  }
}

extension SavedRun {
  /// The measured figures by answer or arm.
  package var figures: RunFigures {
    if let set { return set.figures }
    var figures = RunFigures()
    let measures =
      AnswerMeasure.all(watching: baseline?.watched.map(\.text) ?? [], showing: behaviours) + [.ownTokens]
    for (name, answer) in namedAnswers {
      figures.add(name, measures.map { (RunFigures.Column(title: $0.short, digits: $0.digits), $0.value(answer)) })
    }
    return figures
  }

  /// Every answer with its name: `baseline`, `steered`, or in a sweep `×0.5`.
  package var namedAnswers: [(name: String, answer: SteeringDocument.Answer)] {
    func name(_ answer: SteeringDocument.Answer, _ word: String, _ all: [SteeringDocument.Answer]) -> String {
      guard all.count > 1, let strength = answer.strength else { return word }
      return "\(word) ×\(compact(strength))"
    }
    return (baseline.map { [("baseline", $0)] } ?? []) + steered.map { (name($0, "steered", steered), $0) }
      + frozen.map { (name($0, "attention frozen", frozen), $0) }
  }

  /// The divergence of the steered answers; for a sweep the range.
  package var klText: String {
    let values =
      set?.rows.filter { $0.arm == .steered }.compactMap { $0.kl?.value }
      ?? steered.compactMap { $0.mean(\.klMean)?.value }
    guard let least = values.min(), let largest = values.max() else { return "–" }
    return least == largest ? fixed(least, 3) : "\(fixed(least, 2))–\(fixed(largest, 2))"
  }
}

extension DoseResponse {
  /// The rows as a table of figures; shares are between 0 and 1.
  package var figures: RunFigures {
    var figures = RunFigures()
    for row in rows {
      let strength = row.arm == .baseline ? "" : " ×\(compact(row.strength))"
      figures.add(
        name(row) + strength,
        [
          (.init(title: "refused", digits: 2), row.refused), (.init(title: "KL", digits: 3), row.kl),
          (.init(title: "perplexity", digits: 2), row.perplexity),
          (.init(title: "repeated", digits: 2), row.repetition),
          (.init(title: "‖Δh‖/‖h‖", digits: 2), row.relativeChange.map { Interval(value: $0) }),
        ] + otherBehaviours.map { (.init(title: $0, digits: 2), row.rate(of: $0)) })
    }
    return figures
  }
}
