// Draws the steer screen's prompt and its latents with their strengths. The answers are in SteerScreen+Answers.swift, the next
// token is in SteerScreen+Preview.swift.

import Experiments
import Kernels
import Reports
import Storage
import TUI

extension SteerScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = SteerLayout(state)
    let steer = state.steer
    func title(_ text: String, _ focus: SteerState.Focus) -> String { (steer.focus == focus ? "› " : "") + text }
    func style(_ focus: SteerState.Focus) -> Style { steer.focus == focus ? Style(.accent, .bold) : .title }
    canvas.heading(
      title(steer.turns.isEmpty ? "Prompt" : "Prompt, turn \(steer.turns.count / 2 + 1)", .prompt),
      note: settings(steer, layout.promptHeading.columns - 22), style: style(.prompt),
      in: layout.promptHeading)
    let said = steer.turns.suffix(2).map {
      ($0.role == .user ? "you: " : "chat: ") + $0.content.replacing("\n", with: " ")
    }
    canvas.put(
      truncated(said.joined(separator: "  "), to: layout.turns.columns), row: layout.turns.row,
      column: layout.turns.column, style: .muted, clip: layout.turns)
    let cursor = canvas.paragraph(
      steer.prompt, placeholder: "type a prompt for the chat model, then Enter", in: layout.prompt)
    let rowsTitle = title(listTitle(steer), .interventions)
    let room = layout.rowsHeading.columns - displayWidth(rowsTitle) - 4
    canvas.heading(
      rowsTitle, note: strengthNote(steer, room), style: style(.interventions),
      in: layout.rowsHeading)
    drawRows(state, &canvas, layout)
    drawPreview(state, &canvas, layout)
    drawAnswers(state, &canvas, layout)
    return steer.focus == .prompt && state.overlay == nil ? cursor : nil
  }

  /// The sampling, and the steered positions if they are not all; text that does not fit is cut at the left.
  private static func settings(_ steer: SteerState, _ room: Int) -> String {
    var parts: [String] = []
    if steer.plan.positions != .all { parts.append("steers \(steer.plan.positions.rawValue) tokens") }
    if steer.plan.blocks == .ownAndAbove { parts.append("all layers") }
    parts += steer.sampling.unusual.map(\.phrase)
    parts.append(
      steer.sampling.temperature == 0
        ? "greedy" : "temperature \(compact(steer.sampling.temperature)), seed \(steer.sampling.seed)")
    parts.append("up to \(steer.sampling.maxTokens) tokens")
    while parts.count > 1, displayWidth(parts.joined(separator: ", ")) > room { parts.removeFirst() }
    return parts.joined(separator: ", ")
  }

  /// The number of latents if not all are visible, the number that no run has had yet, and the conditions of all.
  private static func listTitle(_ steer: SteerState) -> String {
    let place = steer.listCount > SteerLayout.mostRows ? " \(steer.list.selected + 1) of \(steer.listCount)" : ""
    let before = steer.rows.count(where: \.isFromBefore)
    return "Latents" + place
      + (steer.plan.conditions.isEmpty ? "" : ", all only \(steer.plan.conditions.text(of: nil))")
      + (before > 0 ? ", \(before) of an earlier session" : "")
  }

  /// The unit of strengths in the selected latent's mode, and the decoder of its direction.
  private static func strengthNote(_ steer: SteerState, _ room: Int) -> String {
    let d = "d_\(steer.plan.decoder.rawValue)"
    let above = steer.plan.blocks == .ownAndAbove ? " after every block from here on" : ""
    if let index = steer.selectedAmplified {
      return formulas(steer.amplified[index].term).first { displayWidth($0) <= room } ?? ""
    }
    if let index = steer.selectedDirection {
      return formulas(steer.directions[index]).first { displayWidth($0) <= room } ?? ""
    }
    let texts: [String] =
      switch steer.selectedRow?.mode ?? .add {
      case .add where steer.plan.unit == .norm:
        [
          "add: strength is the length of what is added along \(d)\(above)",
          "add: strength is the length of what is added along \(d)", "add × 1 · \(d)",
        ]
      case .add:
        [
          "add: strength × largest activation along \(d)\(above)", "add: strength × largest activation along \(d)",
          "add × max · \(d)",
        ]
      case .difference: ["difference: strength × activation · (d_chat − d_base)", "diff. × f · (chat − base)"]
      case .ablate:
        [
          "ablate: − strength × activation · \(d); 1 takes the latent's contribution away",
          "ablate: − strength × f · \(d)",
          "ablate − × f · \(d)",
        ]
      case .project:
        [
          "project: − strength × the part of h − mean along \(d); 1 takes it out",
          "project: − strength × part of h − mean along \(d)", "project − × \(d) part",
        ]
      case .clamp:
        [
          "clamp: the latent held at strength × its largest activation, along \(d)",
          "clamp: held at strength × largest activation, along \(d)", "clamp f at × max · \(d)",
        ]
      }
    return texts.first { displayWidth($0) <= room } ?? ""
  }

  private static func drawRows(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let steer = state.steer
    let rect = layout.rows
    guard steer.listCount > 0 else {
      canvas.put(
        truncated("none is listed: s on a latent steers with it alone, & adds it, a adds by id", to: rect.columns),
        row: rect.row,
        column: rect.column, style: .muted, clip: rect)
      return
    }
    for index in layout.list.visible(count: steer.listCount, height: rect.rows) {
      let line = rect.line(index - layout.list.top)
      defer {
        if index == layout.list.selected, steer.focus == .interventions { canvas.setGround(line, .selected) }
      }
      guard index < steer.rows.count else {
        let further = index - steer.rows.count
        if steer.directions.indices.contains(further) {
          let row = steer.directions[further]
          draw(row, steer.entry(of: row), &canvas, line)
        } else {
          draw(steer.amplified[further - steer.directions.count], &canvas, line)
        }
        continue
      }
      let row = steer.rows[index]
      let quiet: Style = row.isOn ? .plain : .muted
      let (warning, warningStyle) = warning(row, state)
      var column = canvas.put(
        row.isOn ? "[x] " : "[ ] ", row: line.row, column: line.column, style: row.isOn ? Style(.good, .bold) : .muted,
        clip: line)
      column = canvas.put(String(row.latent).leftPadded(to: 6), row: line.row, column: column, style: quiet, clip: line)
      column = canvas.put(
        "  " + row.mode.rawValue.rightPadded(to: 11), row: line.row, column: column, style: quiet, clip: line)
      column = canvas.put(
        strengthText(row.strength).leftPadded(to: 6) + " ", row: line.row, column: column,
        style: row.isOn ? warningStyle : .muted, clip: line)
      column = canvas.put(warning.rightPadded(to: 3), row: line.row, column: column, style: warningStyle, clip: line)
      let bar = Rect(row: line.row, column: column, rows: 1, columns: min(12, line.endColumn - column))
      canvas.bar(abs(row.strength) / 3, in: bar, style: row.isOn ? Style(row.strength < 0 ? .base : .chat) : .muted)
      let known = state.latents.rows[row.latent]
      let about =
        known.map {
          if $0.latent.dead, row.mode == .add || row.mode == .clamp {
            return "dead: it has no largest activation to scale by"
          }
          return $0.tags.isEmpty ? "max \(fixed($0.latent.maxActivation, 1))" : $0.tags.joined(separator: ", ")
        } ?? ""
      let band = warning.isEmpty ? "" : "\(limit(state).origin) is \(compact(limit(state).value))  "
      let before = row.isFromBefore ? "earlier session  " : ""
      let condition = row.conditions.isEmpty ? "" : row.conditions.text(of: row.latent) + "  "
      canvas.put(
        truncated(condition + before + band + about, to: line.endColumn - bar.endColumn - 2), row: line.row,
        column: bar.endColumn + 2,
        style: known?.tags.isEmpty == false ? Style(.tag) : .muted, clip: line)
    }
  }

  /// Warns of strengths that distort the text: beyond the limit that was calibrated on the pair, else beyond the one
  /// that others measured, with a caution from four fifths of it. Lengths have no such limit.
  private static func warning(_ row: SteerState.Row, _ state: ExplorerState) -> (String, Style) {
    guard row.mode == .add || row.mode == .clamp, state.steer.plan.unit == .maxActivation else { return ("", .plain) }
    let limit = limit(state).value
    if abs(row.strength) >= limit { return ("!!", Style(.danger, .bold)) }
    return abs(row.strength) >= 0.8 * limit ? ("!", Style(.caution, .bold)) : ("", .plain)
  }

  private static func limit(_ state: ExplorerState) -> (value: Double, origin: String) {
    state.store.coherenceLimit.map { ($0, "this pair's limit") } ?? (2.5, "others' limit")
  }
}
