// Directions as `crosscope direction` prints them.

import Diffing
import Experiments
import Foundation
import TUI

extension [DirectionEntry] {
  /// A table of directions.
  package var text: String {
    guard !isEmpty else {
      return "The store has no direction yet; `crosscope direction --help` says how to make one.\n"
    }
    var table = TextTable([
      .init(title: "name"), .init(title: "block", isNumber: true), .init(title: "unit", isNumber: true),
      .init(title: "tags"), .init(title: "source"),
    ])
    for entry in self {
      table.add([
        entry.name, "\(entry.layer)", shortNumber(entry.unit), entry.tags.joined(separator: ", "), entry.source,
      ])
    }
    return table.text
  }
}

extension DirectionDocument {
  /// The direction's page.
  package var text: String {
    let entry = direction
    var text = """
      \(termSafe(entry.name)): \(termSafe(entry.source))
      It acts after block \(entry.layer); strength 1 adds a norm of \(shortNumber(entry.unit)).\n
      """
    if !entry.tags.isEmpty { text += "Tags: \(termSafe(entry.tags.joined(separator: ", ")))\n" }
    if let promoted { text += "\nThe logit lens reads it as: \(Self.words(promoted))\n" }
    if let opposite { text += "and its opposite as:         \(Self.words(opposite))\n" }
    if let latents, !latents.isEmpty {
      text += "\nLatents whose chat direction points its way, or against it:\n"
      var table = TextTable([
        .init(title: "latent", isNumber: true), .init(title: "cosine", isNumber: true), .init(title: "tags"),
      ])
      for item in latents + (opposed ?? []) {
        table.add(["\(item.latent)", fixed(item.cosine, 3), item.tags.joined(separator: ", ")])
      }
      text += table.text
    }
    if let parts, let explained {
      text += "\nAs a sum of latents' directions without negative weights, one more in each row:\n"
      var table = TextTable([
        .init(title: "latent", isNumber: true), .init(title: "weight", isNumber: true),
        .init(title: "explained so far", isNumber: true),
      ])
      for part in parts { table.add(["\(part.latent)", fixed(part.weight, 3), percent(part.explained)]) }
      text += table.text
      text += "Together they explain \(percent(explained)) of the squared length"
      text += explainedByChance.map { "; of random vectors as many latents explain \(percent($0)).\n" } ?? ".\n"
    }
    return text
  }

  private static func words(_ tokens: [Token]) -> String {
    tokens.map { "\(quoted($0.text)) \(fixed($0.probability, 3))" }.joined(separator: "  ")
  }
}
