// Draws the amplifications of the steer screen's list.

import Inference
import Kernels
import Reports
import TUI

extension SteerScreen {
  /// Draws a row: whether it is on, its part, α or λ, and a bar of its distance from chat.
  static func draw(_ row: SteerState.AmplifiedRow, _ canvas: inout Canvas, _ line: Rect) {
    let quiet: Style = row.isOn ? .plain : .muted
    var column = canvas.put(
      row.isOn ? "[x] " : "[ ] ", row: line.row, column: line.column, style: row.isOn ? Style(.good, .bold) : .muted,
      clip: line)
    column = canvas.put(
      truncated("amplify \(row.term.part.text)", to: 19).rightPadded(to: 19), row: line.row, column: column,
      style: quiet, clip: line)
    column = canvas.put(
      strengthText(row.term.value).leftPadded(to: 6) + "    ", row: line.row, column: column, style: quiet, clip: line)
    let bar = Rect(row: line.row, column: column, rows: 1, columns: min(12, line.endColumn - column))
    let distance = row.term.distance
    canvas.bar(abs(distance) / 3, in: bar, style: row.isOn ? Style(distance < 0 ? .base : .chat) : .muted)
    canvas.put(
      truncated(meaning(row.term), to: line.endColumn - bar.endColumn - 2), row: line.row, column: bar.endColumn + 2,
      style: .muted, clip: line)
  }

  /// Where the row stands between base and chat, in words.
  private static func meaning(_ term: AmplificationTerm) -> String {
    switch term.distance {
    case 0: "chat"
    case -1: "base"
    case ..<(-1): "beyond base"
    case ..<0: "between base and chat"
    default: "beyond chat"
    }
  }

  /// The formula of the selected amplification, in several lengths.
  static func formulas(_ term: AmplificationTerm) -> [String] {
    guard case .weights = term.part else {
      return ["logits: z + α · (z − z of base); −1 is base, 0 chat", "z + α · (z − z_base)"]
    }
    return ["weights: W of base + λ · (W − W of base); 0 is base, 1 chat", "W_base + λ · (W − W_base)"]
  }
}
