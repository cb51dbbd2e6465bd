// Draws the view state on a canvas: breadcrumbs, the screen's body, the overlay, status line, key bar.

import Experiments
import Inference
import TUI

extension ExplorerState {
  /// The screen, and the cell of the text cursor if something is typed.
  func draw() -> (canvas: Canvas, cursor: Point?) {
    var canvas = Canvas(size: size, asciiOnly: asciiOnly, isSpoken: isSpoken)
    guard !isTooSmall else {
      canvas.notice(
        [
          "the terminal is too small",
          "\(size.columns)×\(size.rows), it needs \(Self.smallest.columns)×\(Self.smallest.rows)",
          "q quits",
        ],
        style: .plain, in: canvas.bounds)
      return (canvas, nil)
    }
    let rows = size.rows
    canvas.breadcrumbs(crumbs, right: pairTitle, in: canvas.bounds.line(0))
    let cursor = screen.definition.draw(self, &canvas, body)
    drawTour(&canvas)
    let overlayCursor = overlay?.draw(self, &canvas)
    drawStatus(&canvas, canvas.bounds.line(body.endRow + tourRows))
    if !hidesKeyBar { canvas.keyBar(hints, last: lastHints, in: canvas.bounds.line(rows - 1)) }
    // A screen reader reads the line of the terminal's cursor.
    return (canvas, (overlay == nil ? cursor : overlayCursor) ?? (isSpoken ? canvas.selection : nil))
  }

  private var crumbs: [String] { [store.name] + screens.map { $0.definition.title(self) } }

  /// The pair, and loss recovered in the longest form for which there is room.
  private var pairTitle: String {
    // A dashboard of one model names no base.
    let models = store.base.isEmpty ? store.chat : "\(store.chat) − \(store.base)"
    let pair = "\(models), layer \(store.layer)"
    let room = size.columns - displayWidth(crumbs.joined(separator: " › ")) - 5
    return store.lossRecovered.titles.map { pair + ", " + $0 }.first { displayWidth($0) <= room } ?? pair
  }

  private var hints: [KeyHint] {
    if let hints = overlay?.hints ?? screen.definition.typing(self)?.bar { return hints }
    return keyMap.own(screen).compactMap { binding in
      guard let short = binding.short, let key = binding.keys.first, binding.unavailable(self) == nil else {
        return nil
      }
      return KeyHint(key.label, short)
    } + [TopScreen.hint]
  }

  /// The hints that the key bar always shows: how to leave and how to get help.
  private var lastHints: [KeyHint] {
    if overlay is HelpPage { return [] }
    if overlay != nil || screen.definition.typing(self) != nil { return [KeyHint("F1", "help")] }
    func key(_ action: Action) -> String {
      keyMap.general.first { $0.action == action }?.keys.first?.label ?? ":"
    }
    return [KeyHint(key(.quit), screens.count > 1 ? "back" : "quit"), KeyHint(key(.help), "help")]
  }

  /// Shows a message or the screen's complaint at the left, and `ready` or the running work at the right.
  private func drawStatus(_ canvas: inout Canvas, _ rect: Rect) {
    var text = message?.text ?? ""
    var style: Style = .plain
    switch message?.kind {
    case .error: style = Style(.danger, .bold)
    case .good: style = Style(.good)
    default: break
    }
    if message == nil, let complaint = screen.definition.complaint(self) {
      text = complaint
      style = Style(.danger)
    }
    let isReady = work.isEmpty
    var state = isReady ? "ready" : "working… \(work.last ?? "")"
    state = pendingText + state
    if !isReady, let progress = Screen.allCases.lazy.compactMap({ $0.definition.progress(self) }).first {
      state = "working… \(progress)"
    }
    if !store.isWritable { state = "read-only · " + state }
    let room = rect.columns - displayWidth(state) - 5
    let lines = flowLines([FlowToken(text)], width: rect.columns - 2)
    if displayWidth(text) > room, lines.count > 0 {
      drawLong(lines, style, &canvas, above: Rect(row: body.endRow, column: 0, rows: 1, columns: rect.columns))
      text = ""
    }
    canvas.statusLine(text, style: style, right: state, rightStyle: isReady ? .muted : Style(.caution), in: rect)
  }

  /// A message that is too long for the status line covers the rows above it, since its end says what to do.
  private func drawLong(_ lines: [FlowLine], _ style: Style, _ canvas: inout Canvas, above rect: Rect) {
    let shown = lines.prefix(min(4, body.rows))
    for (index, line) in shown.enumerated() {
      let row = Rect(row: rect.row - shown.count + index, column: 0, rows: 1, columns: rect.columns)
      canvas.fill(row, style: Style(.plain, on: .panel))
      canvas.put(line.map(\.text).joined(), row: row.row, column: 1, style: style.on(.panel), clip: row)
    }
  }
}
