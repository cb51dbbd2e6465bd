// The figures of a sweep over blocks: a chart of bars for each behaviour in which chat and base or some block differ, and a table
// of divergence and perplexity.

import Diffing
import Experiments
import TUI

extension BlockSweep {
  /// The largest width of a bar.
  private static let barWidth = 30

  /// The charts and the table for a terminal.
  package func text(asciiOnly: Bool) -> String {
    let shown = behaviours.names.filter { name in Set(rows.compactMap { $0.rate(of: name)?.value }).count > 1 }
    let charts = shown.map { chart($0, asciiOnly: asciiOnly) + "\n" }.joined()
    let same = behaviours.names.filter { !shown.contains($0) }
    let rest = same.isEmpty ? "" : "The same in all arms: \(same.joined(separator: ", ")).\n"
    return charts + table.text + rest + note
  }

  /// The rates of one behaviour as bars, with the difference from chat in percentage points.
  private func chart(_ behaviour: String, asciiOnly: Bool) -> String {
    var table = TextTable([
      .init(title: behaviour), .init(title: "", isNumber: true), .init(title: "− chat", isNumber: true),
      .init(title: ""),
    ])
    let chat = rows.first?.rate(of: behaviour)?.value ?? 0
    for row in rows {
      guard let rate = row.rate(of: behaviour)?.value else { continue }
      let length = Int((rate * Double(Self.barWidth)).rounded())
      let difference = signed((rate - chat) * 100, 0)
      table.add([
        row.arm.name, fixed(rate * 100, 0) + "%", row.arm.kind == .chat || rate == chat ? "" : difference,
        String(repeating: asciiOnly ? "#" : "█", count: length),
      ])
    }
    return table.text
  }

  private var table: TextTable {
    var table = TextTable([
      .init(title: "arm"), .init(title: "KL from chat"), .init(title: "perplexity"),
    ])
    for row in rows { table.add([row.arm.name, row.kl?.text(3) ?? "-", row.perplexity?.text(2) ?? "-"]) }
    return table
  }

  /// A note that says what was done and what the figures are.
  private var note: String {
    "Of one block at a time the change by fine-tuning counts \(shortNumber(factor)) times; "
      + "\(outcomes.count) prompts, 95% intervals over prompts.\n"
  }

  /// The rates of all behaviours, the divergence and the perplexity in Markdown.
  package var markdown: String {
    markdownTable(
      ["arm"] + behaviours.names + ["KL from chat", "perplexity"],
      rows.map { row in
        [row.arm.name] + row.behaviours.map { $0.rate.text(0, times: 100, unit: "%") }
          + [row.kl?.text(3) ?? "-", row.perplexity?.text(2) ?? "-"]
      }) + "\n" + note
  }
}
