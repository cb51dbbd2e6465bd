// The other latents on a latent's page: its parent and its parts, those with a similar direction, its twin, and those active on the same tokens.

import Experiments
import Reports
import Storage
import TUI

extension LatentLines {
  /// Parent and parts, similar latents and the twin, then latents that fire together with this one.
  func neighbours(width: Int) -> [PageLine] {
    let contrast = content.items.count { if case .contrast = $0 { true } else { false } }
    var item = content.ranking.entries.count + contrast
    var lines: [PageLine] = []
    func add(_ other: Int, _ number: String, _ meaning: String) {
      let isSelected = item == state.latent.selected
      let lead = "  \(number)  "
      lines.append(
        PageLine(
          [
            text(isSelected ? "›" : " ", Style(.accent, .bold)), text(String(other).leftPadded(to: 6)), text(lead),
            text(truncated(meaning, to: max(8, width - 7 - displayWidth(lead))), .muted),
          ], item: item))
      item += 1
    }
    if !page.relatives.isEmpty { lines.append(.heading("Parent and parts", note: "latents of other levels")) }
    for relative in page.relatives {
      add(relative.other, percent(relative.coFiring).leftPadded(to: 6), relative.kind.meaning)
    }
    if !page.neighbours.isEmpty { lines.append(.heading("Most similar latents")) }
    for neighbour in page.neighboursByKind {
      add(neighbour.other, "cos \(fixed(neighbour.cosine, 2))", neighbour.kind.meaning)
    }
    guard let surroundings = state.latent.surroundings else { return lines }
    guard let coFiring = surroundings.coFiring else {
      return lines + [.heading("Fires together with", note: "open the store for writing once to see them")]
    }
    guard !coFiring.isEmpty else { return lines }
    lines.append(.heading("Fires together with", note: "common tokens in its contexts"))
    for record in coFiring {
      let contexts = counted(record.contexts, "context", "contexts")
      add(record.other, percent(record.share).leftPadded(to: 6), "\(record.both) of \(record.either), \(contexts)")
    }
    return lines
  }
}

extension RelativeRecord.Kind {
  /// What the share beside it says.
  var meaning: String {
    switch self {
    case .parent: "of its tokens also fire this coarser latent, its parent"
    case .part: "of this finer latent's tokens also fire the present one"
    }
  }
}

extension NeighbourKind {
  /// Which directions the cosine compares.
  var meaning: String {
    switch self {
    case .chat: "chat directions"
    case .base: "base directions"
    case .twin: "twin: its chat direction and the other's base direction"
    }
  }
}
