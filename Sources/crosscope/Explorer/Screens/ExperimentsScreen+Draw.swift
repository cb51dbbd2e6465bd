// How the list of experiments looks: a line about it, the table, a preview of the one under the cursor.

import Storage
import TUI

/// Where the parts of the screen lie.
struct ExperimentsLayout {
  let info: Rect
  let table: Rect
  let preview: Rect

  init(_ state: ExplorerState) {
    let (info, rest) = state.body.split(top: 1)
    let (table, preview) = rest.split(bottom: rest.rows >= 16 ? 6 : 0)
    (self.info, self.table, self.preview) = (info, table, preview)
  }

  /// The table's rows without its head.
  var rows: Rect { table.split(top: 1).rest }
  var rowsVisible: Int { max(1, table.rows - 1) }
}

extension ScreenDefinition {
  @Sendable static func drawExperiments(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = ExperimentsLayout(state)
    let experiments = state.experiments
    let cursor = drawExperimentsInfo(state, &canvas, layout.info)
    let isWide = state.size.columns >= 110
    var columns = [
      TableColumn("#", width: 6, .right), TableColumn("made", width: 16), TableColumn("kind", width: 6),
      TableColumn("latents", width: isWide ? 26 : 18), TableColumn("prompt", width: isWide ? 24 : nil),
    ]
    if isWide { columns += [TableColumn("baseline", width: nil), TableColumn("steered", width: nil)] }
    canvas.table(columns, count: experiments.count, state: experiments.list, in: layout.table) { index in
      guard let id = experiments.ids?[index], let run = experiments.run(id) else { return [.text("…", .muted)] }
      let isMarked = experiments.marked.contains(id)
      var cells: [TableCell] = [
        .text((isMarked ? "●" : "") + run.name, isMarked ? Style(.accent, .bold) : id < 0 ? Style(.danger) : .muted),
        .text(when(run.record.created)), .text(run.record.kind, .muted), .text(run.interventionsText),
        .text(run.record.prompt.opening),
      ]
      if isWide {
        cells += [.text(run.baseline?.text.opening ?? "–"), .text(run.steered.first?.text.opening ?? "–")]
      }
      return cells
    }
    if experiments.ids?.isEmpty == true {
      canvas.notice(
        experiments.filter.isEmpty
          ? ["no experiment yet", "every finished run of the steer screen is saved here"]
          : ["no experiment holds this text", "x clears the filter"], in: layout.rows)
    }
    if let id = experiments.selectedID, let run = experiments.run(id), !layout.preview.isEmpty {
      drawPreview(run, &canvas, layout.preview)
    }
    return cursor
  }

  /// `2026-11-24 21:30` of an ISO 8601 date.
  static func when(_ created: String) -> String { String(created.map { $0 == "T" ? " " : $0 }.prefix(16)) }

  private static func drawExperimentsInfo(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) -> Point? {
    let experiments = state.experiments
    var text =
      experiments.ids == nil
      ? "reading…"
      : experiments.count == 0
        ? "no experiment"
        : "\(grouped(experiments.count)) experiment\(experiments.count == 1 ? "" : "s, newest first")"
    if !experiments.unsaved.isEmpty { text += " · \(experiments.unsaved.runs.count) not saved (!)" }
    if !experiments.marked.isEmpty { text += " · \(experiments.marked.count) marked" }
    guard experiments.isTypingFilter || !experiments.filter.isEmpty else {
      canvas.put(text, row: rect.row, column: 1, style: .muted, clip: rect)
      return nil
    }
    canvas.put(text, row: rect.row, endingBefore: rect.endColumn - 1, style: .muted, clip: rect)
    let field = Rect(row: rect.row, column: 1, rows: 1, columns: rect.columns - displayWidth(text) - 4)
    let cursor = canvas.input(experiments.filter, label: "/", placeholder: "a text, or latent 12", in: field)
    return experiments.isTypingFilter ? cursor : nil
  }

  private static func drawPreview(_ run: SavedRun, _ canvas: inout Canvas, _ rect: Rect) {
    canvas.heading(
      "Experiment \(run.name)", note: run.record.kind + (run.record.id < 0 ? ", not saved" : ""), in: rect)
    let lines = [
      ("prompt", run.record.prompt.opening), ("latents", run.interventionsText), ("settings", run.parametersText),
      ("baseline", run.baseline?.text.opening ?? "–"), ("steered", run.steered.first?.text.opening ?? "–"),
    ]
    for (index, (name, text)) in lines.enumerated() {
      let line = rect.line(index + 1)
      canvas.put(name, row: line.row, column: line.column + 1, style: .muted, clip: line)
      canvas.put(truncated(text, to: line.columns - 11), row: line.row, column: line.column + 10, clip: line)
    }
  }
}

extension String {
  /// As much as can show in one line: a saved text may be of any length, and measuring all of it would take its time.
  var opening: String { String(prefix(400)) }
}
