// The directions of the steer screen's list, which stand between its latents and its amplifications, and the store's directions
// from which they are chosen.

import Diffing
import Experiments
import Reports
import TUI

extension SteerState {
  /// One direction of the list.
  struct DirectionRow: KnobRow, Sendable, Equatable {
    var name: String
    var mode = SteeredDirection.Mode.add
    var strength = DirectionRow.firstStrength
    var isOn = true

    /// The first notch of the knob: a direction's unit may be the whole norm of the residual stream.
    static let firstStrength = KnobNotch.coarse

    /// Changes the strength as a latent's is changed (`Row.turn`).
    mutating func turn(by step: Double) {
      let bound = max(KnobNotch.strongest, abs(strength))
      strength = min(max(-bound, ((strength + step) * 1e6).rounded() / 1e6), bound)
    }

    /// The direction as a part of a request.
    var steered: SteeredDirection { SteeredDirection(name: name, mode: mode, strength: strength) }
  }

  /// The index of the selected direction; nil if another row is selected or there is none.
  var selectedDirection: Int? {
    let index = list.selected - rows.count
    return directions.indices.contains(index) ? index : nil
  }

  /// Puts directions on the list, or goes to them if they are there.
  mutating func put(directions names: [String]) {
    for name in names {
      let index = directions.firstIndex { $0.name == name } ?? directions.count
      if index == directions.count { directions.append(DirectionRow(name: name)) }
      select(rows.count + index)
    }
  }

  /// Steers with a direction of the store.
  static func steer(with name: String, _ state: inout ExplorerState) -> [Effect] {
    state.steer.put(directions: [name])
    state.steer.focus = state.steer.prompt.isEmpty ? .prompt : .interventions
    return state.show(.steer)
  }

  /// What is known of a direction of the list; nil until the store was read, and if it has none of the name any more.
  func entry(of row: DirectionRow) -> DirectionEntry? { known?.first { $0.name == row.name } }
}

extension SteerScreen {
  /// Draws a direction's row: whether it is on, its name, mode and strength, a bar, and its block and source.
  static func draw(_ row: SteerState.DirectionRow, _ entry: DirectionEntry?, _ canvas: inout Canvas, _ line: Rect) {
    let quiet: Style = row.isOn ? .plain : .muted
    var column = canvas.put(
      row.isOn ? "[x] " : "[ ] ", row: line.row, column: line.column, style: row.isOn ? Style(.good, .bold) : .muted,
      clip: line)
    let words = row.mode == .add ? termSafe(row.name) : "\(termSafe(row.name)) \(row.mode.rawValue)"
    column = canvas.put(
      truncated(words, to: 18).rightPadded(to: 19), row: line.row, column: column, style: quiet, clip: line)
    column = canvas.put(
      strengthText(row.strength).leftPadded(to: 6) + "    ", row: line.row, column: column, style: quiet, clip: line)
    let bar = Rect(row: line.row, column: column, rows: 1, columns: min(12, line.endColumn - column))
    canvas.bar(abs(row.strength) / 3, in: bar, style: row.isOn ? Style(row.strength < 0 ? .base : .chat) : .muted)
    let about = entry.map { "direction after block \($0.layer), \(termSafe($0.source))" } ?? "direction"
    canvas.put(
      truncated(about, to: line.endColumn - bar.endColumn - 2), row: line.row, column: bar.endColumn + 2,
      style: .muted, clip: line)
  }

  /// The formula of the selected direction, in several lengths.
  static func formulas(_ row: SteerState.DirectionRow) -> [String] {
    switch row.mode {
    case .add: ["add: strength × the direction's unit along it, after its own block", "add × unit · u"]
    case .project: ["project: − strength × the part of h − mean along it; 1 takes it out", "project − × u part"]
    }
  }
}
