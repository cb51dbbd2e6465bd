// The figures of a causal check as a table.

import Diffing
import Experiments
import Foundation

extension CausalCheckReport {
  /// The table, with one line for each measure, and the best coherent strengths if they are known.
  package var text: String {
    var table = TextTable([
      .init(title: "measure"), .init(title: "latent \(latent)"), .init(title: "\(random.count) random latents"),
      .init(title: "apart"),
    ])
    for effect in effects {
      table.add([
        effect.measure, effect.latent?.text(3) ?? "-", effect.random?.text(3) ?? "-", effect.apart ? "yes" : "no",
      ])
    }
    return table.text + (coherent.map { "\n\($0.text)" } ?? "")
  }

  /// A sentence that says how many measures tell the latent from random ones.
  package var headline: String {
    "\(effects.count(where: \.apart)) of \(effects.count) measures are apart from random latents"
  }
}
