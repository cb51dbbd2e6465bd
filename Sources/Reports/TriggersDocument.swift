// What `crosscope triggers` prints: for each kind of prompts the latents that tell it best, and how they do on the other kinds.

import Experiments
import TUI

/// The best latents of every kind.
package struct TriggersDocument: Encodable, Sendable {
  package struct Row: Encodable, Sendable {
    package var kind: String
    package var latent: Int
    /// For each kind in the order of `kinds`, the area under the curve of this latent against all other prompts.
    package var auc: [Double]
  }

  package let kinds: [String]
  /// The number of prompts by kind; those of none of the kinds are `others`.
  package let prompts: [String: Int]
  package let rows: [Row]

  /// - Parameter limit: the most latents for a kind.
  package init(_ scores: TriggerScores, limit: Int) {
    (kinds, prompts) = (scores.kinds, scores.prompts)
    rows = scores.kinds.indices.flatMap { kind in
      scores.best(of: kind, count: limit).map { place in
        Row(kind: scores.kinds[kind], latent: scores.latents[place], auc: scores.auc.map { $0[place] })
      }
    }
  }

  private var heads: [String] { ["kind", "latent"] + kinds.map { "\($0) (\(prompts[$0] ?? 0))" } }

  private func cells(_ row: Row) -> [String] { [row.kind, "\(row.latent)"] + row.auc.map { fixed($0, 2) } }

  /// The table for a terminal.
  package var text: String {
    var table = TextTable(
      heads.enumerated().map { TextTable.Column(title: termSafe($0.element), isNumber: $0.offset > 0) })
    for row in rows { table.add(cells(row)) }
    return table.text
      + "Area under the curve of each kind against all other prompts; \(prompts["others"] ?? 0) prompts are of no kind.\n"
  }

  /// The table in Markdown.
  package var markdown: String { markdownTable(heads, rows.map(cells)) }
}
