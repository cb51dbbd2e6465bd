// The figures of a run over a set of prompts: tables with charts for people, and CSV for programs.

import Diffing
import Experiments
import Foundation
import TUI

extension DoseResponse {
  /// The name of a row: the arm, and how many draws it averages.
  package func name(_ row: Row) -> String {
    let name = row.arm.title
    return row.draws > 1 ? "\(name) (mean of \(row.draws))" : name
  }

  // MARK: - For people

  /// The tables, a chart of refusals and one of the divergence by strength, and a note on the figures.
  package func text(asciiOnly: Bool) -> String {
    var table = TextTable([
      .init(title: "arm"), .init(title: "strength", isNumber: true), .init(title: "refused"), .init(title: "KL"),
      .init(title: "perplexity"), .init(title: "repetition"),
      .init(title: asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖", isNumber: true),
    ])
    for row in rows {
      table.add([
        name(row), row.arm == .baseline ? "" : shortNumber(row.strength), row.refused.text(0, times: 100, unit: "%"),
        row.kl?.text(3) ?? "-", row.perplexity?.text(2) ?? "-", row.repetition?.text(0, times: 100, unit: "%") ?? "-",
        row.relativeChange.map { String(format: "%.2f", $0) } ?? "-",
      ])
    }
    return table.text + behaviourTables + "\n\(coherent.text)" + charts(asciiOnly: asciiOnly) + "\n\(note)\n"
  }

  /// The behaviours beside refusals; their rates have tables of their own.
  package var otherBehaviours: [String] { behaviours.names.filter { $0 != Behaviour.refused.name } }

  private static let behavioursAtOnce = 4

  /// The rates of the other behaviours, a few to a table. Each table repeats the perplexity, since a rate of broken text is
  /// no effect.
  private var behaviourTables: String {
    let names = otherBehaviours
    return stride(from: 0, to: names.count, by: Self.behavioursAtOnce).map { start in
      let shown = names[start..<min(start + Self.behavioursAtOnce, names.count)]
      var table = TextTable(
        [.init(title: "arm"), .init(title: "strength", isNumber: true), .init(title: "perplexity", isNumber: true)]
          + shown.map { .init(title: $0) })
      for row in rows {
        table.add(
          [
            name(row), row.arm == .baseline ? "" : shortNumber(row.strength),
            row.perplexity.map { fixed($0.value, 2) } ?? "-",
          ] + shown.map { row.rate(of: $0)?.text(0, times: 100, unit: "%") ?? "-" })
      }
      return "\n" + table.text
    }.joined()
  }

  /// A chart of refusals and one of the divergence, if there are strengths to draw.
  package func charts(asciiOnly: Bool) -> String {
    let measures: [(String, (Row) -> Double)] = [
      ("refused, share of answers", { $0.refused.value }), ("KL, nats a token", { $0.kl?.value ?? 0 }),
    ]
    return measures.compactMap { chart($0.0, $0.1, asciiOnly: asciiOnly) }.map { "\n" + $0 }.joined()
  }

  /// A note that says what the figures are means or shares of.
  package var note: String {
    let random =
      switch control {
      case .equalNorm: "; random: living latents' directions with the same norm of the change"
      case .ownActivation: "; random: living latents, same mode and strength on their own activation"
      case nil: ""
      }
    let direction = against.map { "; direction: \(termSafe($0.name)) with the same norm of the change" } ?? ""
    return "\(prompts) prompts; 95% intervals over prompts\(random)\(direction)"
  }

  private func chart(_ title: String, _ value: (Row) -> Double, asciiOnly: Bool) -> String? {
    let baseline = rows.first { $0.arm == .baseline }
    let series = EvidenceArm.Kind.allCases.filter { $0 != .baseline }.compactMap { kind -> LineChart.Series? in
      var points = rows.filter { $0.arm == kind }.map { (x: $0.strength, y: value($0)) }
      // The baseline is drawn at strength 0.
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

  /// One line for each row; a field is empty if nothing was measured. The other behaviours come last.
  package var csv: String {
    let measures: [(String, (Row) -> Interval?)] = [
      ("refused", { $0.refused }), ("kl", { $0.kl }), ("perplexity", { $0.perplexity }),
      ("repetition", { $0.repetition }),
    ]
    func columns(_ name: String) -> [String] { [name, name + "_low", name + "_high"] }
    func cells(_ interval: Interval?) -> [Double?] { [interval?.value, interval?.low, interval?.high] }
    let names = measures.flatMap { columns($0.0) } + ["relative_change"] + otherBehaviours.flatMap(columns)
    let lines = rows.map { row in
      let values =
        measures.flatMap { cells($0.1(row)) } + [row.relativeChange]
        + otherBehaviours.flatMap { cells(row.rate(of: $0)) }
      return
        ([row.arm.rawValue, "\(row.strength)", "\(row.draws)", "\(prompts)"] + values.map { $0.map { "\($0)" } ?? "" })
        .joined(separator: ",")
    }
    return (["arm,strength,draws,prompts,\(names.joined(separator: ","))"] + lines)
      .joined(separator: "\n") + "\n"
  }
}
