// Draws the list of experiments: a line about it, the table, a preview of the selected one.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

/// The areas of the screen's parts.
struct ExperimentsLayout {
  let info: Rect
  let table: Rect
  let preview: Rect

  init(_ state: ExplorerState) {
    let (info, rest) = state.body.split(top: 1)
    let (table, preview) = rest.split(bottom: rest.rows >= 16 ? max(8, rest.rows / 3) : 0)
    (self.info, self.table, self.preview) = (info, table, preview)
  }

  /// The table's rows without its head.
  var rows: Rect { table.split(top: 1).rest }
  var rowsVisible: Int { max(1, table.rows - 1) }
}

extension ExperimentsScreen {
  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = ExperimentsLayout(state)
    let experiments = state.experiments
    let cursor = drawInfo(state, &canvas, layout.info)
    let isWide = state.size.columns >= 110
    var columns = [
      TableColumn("#", width: 6, .right), TableColumn("made", width: 16), TableColumn("kind", width: isWide ? 12 : 6),
      TableColumn("latents", width: isWide ? 26 : 18), TableColumn("KL", width: isWide ? 11 : 9, .right),
      TableColumn("prompt", width: isWide ? 24 : nil),
    ]
    if isWide { columns += [TableColumn("baseline", width: nil), TableColumn("steered", width: nil)] }
    canvas.table(columns, count: experiments.count, state: experiments.list, in: layout.table) { index in
      guard let id = experiments.ids?[index], let run = experiments.run(id) else { return [.text("…", .muted)] }
      let isMarked = experiments.marked.contains(id)
      var cells: [TableCell] = [
        .text((isMarked ? "●" : "") + run.name, isMarked ? Style(.accent, .bold) : id < 0 ? Style(.danger) : .muted),
        .text(when(run.record.created)), .text(run.record.kind, .muted), .text(run.interventionsText),
        .text(run.klText), .text(run.promptOpening),
      ]
      if isWide {
        cells += [.text(run.baseline?.text.opening ?? "–"), .text(run.steered.first?.text.opening ?? "–")]
      }
      return cells
    }
    if experiments.ids?.isEmpty == true {
      canvas.notice(
        experiments.filter.isEmpty
          ? ["there is no experiment yet", "every finished run of the steer screen is saved here"]
          : ["no experiment holds this text", "x clears the filter"], in: layout.rows)
    }
    if let id = experiments.selectedID, let run = experiments.run(id), !layout.preview.isEmpty {
      drawPreview(run, state, &canvas, layout.preview)
    }
    return cursor
  }

  private static func drawInfo(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) -> Point? {
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

  /// Draws the prompt, the figures and the beginnings of the answers; the rest is on the experiment's page.
  private static func drawPreview(_ run: SavedRun, _ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    canvas.heading(
      "Experiment \(run.name)", note: run.record.kind + (run.record.id < 0 ? ", not saved" : ""), in: rect)
    let inside = rect.split(top: 1).rest.inset(columns: 1)
    func lines(_ name: String, _ text: String, atMost most: Int) -> [PageLine] {
      let shown = state.asciiOnly ? plainNorms(text) : text
      let all = PageLine.named(name, shown, label: 10, width: inside.columns)
      guard all.count > most, most > 0 else { return all }
      // The last line shows that there is more.
      let rest = all[(most - 1)...].map { $0.spans.dropFirst().map(\.text).joined() }.joined()
      let cut = truncated(rest, to: inside.columns - 10)
      return Array(all.prefix(most - 1)) + PageLine.named(most == 1 ? name : "", cut, label: 10, width: inside.columns)
    }
    let room = max(1, (inside.rows - 3) / 3)
    let head =
      lines("prompt", run.promptOpening, atMost: room) + lines("latents", run.interventionsText, atMost: room)
      + lines("settings", run.parametersText, atMost: room)
      + lines("measured", run.check?.headline ?? run.figures.phrases.joined(separator: "; "), atMost: room)
    let answers =
      run.outcomes == nil
      ? lines("baseline", run.baseline?.text.opening ?? "–", atMost: room)
        + lines("steered", run.steered.first?.text.opening ?? "–", atMost: room)
      : []
    canvas.put(head + answers, from: 0, in: inside)
  }
}
