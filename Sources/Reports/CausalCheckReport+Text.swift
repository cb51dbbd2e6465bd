// The figures of a causal check as a table.

import Diffing
import Experiments
import Foundation
import TUI

extension CausalCheckReport {
  /// The table, with one line for each measure, and the best coherent strengths if they are known.
  package var text: String {
    var columns: [TextTable.Column] = [
      .init(title: "measure"), .init(title: "latent \(latent)"), .init(title: "\(random.count) random latents"),
      .init(title: "apart"),
    ]
    if let against { columns.append(.init(title: "direction \(termSafe(against.name))")) }
    var table = TextTable(columns)
    for effect in effects {
      let cells = [
        effect.measure, effect.latent?.text(3) ?? "-", effect.random?.text(3) ?? "-", effect.apart ? "yes" : "no",
      ]
      table.add(cells + (against == nil ? [] : [effect.direction?.text(3) ?? "-"]))
    }
    return table.text + (coherent.map { "\n\($0.text)" } ?? "")
  }

  /// A sentence that says how many measures tell the latent from random ones.
  package var headline: String {
    "\(effects.count(where: \.apart)) of \(effects.count) measures are apart from random latents"
  }
}
