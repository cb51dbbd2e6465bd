// How a latent's page is drawn, and what its numbers mean in words.

import Reports
import Storage
import TUI

extension ScreenDefinition {
  @Sendable static func drawLatent(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    guard let id = state.latent.id, let page = state.pages[id] else {
      canvas.notice(["reading…"], in: body)
      return nil
    }
    let layout = LatentPageLayout(page, state)
    let selected = state.latent.selected
    canvas.put(layout.aside, from: layout.asideTop, selected: selected, in: layout.asideRect)
    canvas.put(layout.scrolled, from: state.latent.top, selected: selected, in: layout.scrolledRect)
    return layout.cursor(top: state.latent.top)
  }
}

extension Canvas {
  /// The lines from `top` on, with a mark where there are more below.
  mutating func put(_ lines: [PageLine], from top: Int, selected: Int? = nil, in rect: Rect) {
    if lines.count - top > rect.rows, !rect.isEmpty {
      put("▼", row: rect.endRow - 1, column: rect.endColumn, style: .muted)
    }
    let shown = lines.dropFirst(top).prefix(rect.rows)
    for (index, line) in shown.enumerated() {
      if let title = line.heading {
        heading(title.title, note: title.note, in: rect.line(index))
      } else {
        put(line.spans, row: rect.row + index, column: rect.column, clip: rect)
        // Nothing is cut without a sign of it.
        if line.spans.reduce(0, { $0 + displayWidth($1.text) }) > rect.columns, rect.columns > 0 {
          put("…", row: rect.row + index, column: rect.endColumn - 1, style: .muted)
        }
      }
    }
    if let selected, let first = shown.firstIndex(where: { $0.item == selected }) {
      select(Point(row: rect.row + first - shown.startIndex, column: rect.column))
    }
  }
}

/// What a metric's value says, in a few words.
enum Meaning {
  static func deltaNorm(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    switch value {
    case ..<0.1: return "base only"
    case ..<0.4: return "stronger in base"
    case ...0.6: return "shared by both models"
    case ..<0.9: return "stronger in chat"
    default: return "chat only"
    }
  }

  static func nuError(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    switch value {
    case ..<0.2: return "absent from base (< 0.2)"
    case ..<0.5: return "weak in base"
    default: return "base has it too"
    }
  }

  static func nuReconstruction(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    return value < 0.5 ? "little in base (< 0.5)" : "other latents carry it"
  }

  static func band(_ quantile: Int) -> String {
    switch quantile {
    case 0: "up to 25 % of the maximum"
    case 1: "25–50 % of the maximum"
    case 2: "50–75 % of the maximum"
    case 3: "75–95 % of the maximum"
    case 4: "above 95 % of the maximum"
    default: "beyond the recorded maximum"
    }
  }
}
