// The parts around a screen: breadcrumbs, rules with titles, key bar, status line, help and messages.

/// A key and what it does, for key bars and help.
public struct KeyHint: Hashable, Sendable {
  /// The keys as people write them.
  public var keys: String
  /// What they do, in a word or two.
  public var action: String

  /// Makes a hint.
  public init(_ keys: String, _ action: String) {
    self.keys = keys
    self.action = action
  }
}

/// Keys under a heading, for help.
public struct HelpSection: Hashable, Sendable {
  /// The heading.
  public var title: String
  /// The keys below it.
  public var hints: [KeyHint]

  /// Makes a section.
  public init(_ title: String, _ hints: [KeyHint]) {
    self.title = title
    self.hints = hints
  }
}

extension Canvas {
  /// Draws the path to the present screen, its last part in bold, and a note at the right if there is room.
  public mutating func breadcrumbs(_ parts: [String], right: String = "", in rect: Rect) {
    fill(rect, style: Style(.plain, on: .panel))
    let room = Rect(row: rect.row, column: rect.column, rows: rect.rows, columns: rect.columns - 1)
    var column = rect.column + 1
    for (index, part) in parts.enumerated() {
      let style = index == parts.count - 1 ? Style(.title, on: .panel, .bold) : Style(.plain, on: .panel)
      if index > 0 { column = put(" › ", row: rect.row, column: column, style: Style(.muted, on: .panel), clip: room) }
      column = put(
        truncated(part, to: room.endColumn - column), row: rect.row, column: column, style: style, clip: room)
    }
    let spare = room.endColumn - column - 3
    guard spare >= min(displayWidth(right), 12) else { return }
    put(
      truncated(right, to: spare), row: rect.row, endingBefore: room.endColumn, style: Style(.muted, on: .panel),
      clip: room)
  }

  /// Draws a title on a thin rule, with a note at its right end.
  public mutating func heading(_ title: String, note: String = "", style: Style = .title, in rect: Rect) {
    guard !rect.isEmpty else { return }
    let line = rect.line(0)
    fill(line, style: .muted, with: "─")
    let room = Rect(row: line.row, column: line.column, rows: 1, columns: line.columns)
    if !title.isEmpty {
      let end = put(truncated(title, to: line.columns), row: line.row, column: line.column, style: style, clip: room)
      put(" ", row: line.row, column: end, clip: room)
    }
    if !note.isEmpty, displayWidth(note) + displayWidth(title) + 4 <= line.columns {
      put(" " + note, row: line.row, endingBefore: line.endColumn, style: .muted, clip: room)
    }
  }

  /// Draws the keys that work now. Keys that do not fit are left out, but never those of `last`.
  public mutating func keyBar(_ hints: [KeyHint], last: [KeyHint] = [], in rect: Rect) {
    func width(_ hint: KeyHint) -> Int { displayWidth(hint.keys) + 1 + displayWidth(hint.action) + 2 }
    var room = rect.columns - 1 - last.reduce(0) { $0 + width($1) }
    var column = rect.column + 1
    let shown = hints.prefix { hint in
      room -= width(hint)
      return room >= (last.isEmpty ? -2 : 0)
    }
    for hint in shown + last {
      column = put(hint.keys, row: rect.row, column: column, style: Style(.key, .bold), clip: rect)
      column = put(" " + hint.action, row: rect.row, column: column, style: .muted, clip: rect) + 2
    }
  }

  /// Draws a message at the left and a state at the right, on the panel's background.
  public mutating func statusLine(
    _ left: String, style: Style = .plain, right: String, rightStyle: Style = .muted, in rect: Rect
  ) {
    fill(rect, style: Style(.plain, on: .panel))
    let state = truncated(right, to: rect.columns / 2)
    put(state, row: rect.row, endingBefore: rect.endColumn - 1, style: rightStyle.on(.panel), clip: rect)
    put(
      truncated(left, to: rect.columns - displayWidth(state) - 4), row: rect.row, column: rect.column + 1,
      style: style.on(.panel), clip: rect)
  }

  /// Draws an empty framed window in the middle of `rect`; returns its inside.
  public mutating func window(_ title: String, size: Size, in rect: Rect) -> Rect {
    let frame = rect.centred(Size(columns: size.columns + 4, rows: size.rows + 2))
    guard frame.rows >= 3, frame.columns >= 5 else {
      return Rect(row: frame.row, column: frame.column, rows: 0, columns: 0)
    }
    fill(frame)
    let style = Style(.accent)
    let across = String(repeating: "─", count: frame.columns - 2)
    put("┌" + across + "┐", row: frame.row, column: frame.column, style: style)
    put("└" + across + "┘", row: frame.endRow - 1, column: frame.column, style: style)
    for row in frame.row + 1..<frame.endRow - 1 {
      put("│", row: row, column: frame.column, style: style)
      put("│", row: row, column: frame.endColumn - 1, style: style)
    }
    let label = truncated(title, to: frame.columns - 6)
    if !label.isEmpty { put(" \(label) ", row: frame.row, column: frame.column + 2, style: Style(.title, .bold)) }
    return frame.inset(rows: 1, columns: 2)
  }

  /// Draws help over the screen: its sections in one column, or in two if they do not fit one, scrolled by `top` lines.
  /// - Returns: the number of lines below the visible ones.
  @discardableResult
  public mutating func help(_ sections: [HelpSection], title: String, top: Int, in rect: Rect) -> Int {
    var lines: [(Style, String, String)] = []
    for section in sections where !section.hints.isEmpty {
      if !lines.isEmpty { lines.append((.plain, "", "")) }
      lines.append((.title, section.title, ""))
      lines += section.hints.map { (Style(.key, .bold), $0.keys, $0.action) }
    }
    let keyWidth = lines.map { $0.2.isEmpty ? 0 : displayWidth($0.1) }.max() ?? 0
    let actionWidth = lines.map { displayWidth($0.2) }.max() ?? 0
    let width = min(rect.columns - 6, max(keyWidth + 2 + actionWidth, displayWidth(title) + 4))
    let inside = window(title, size: Size(columns: width, rows: min(lines.count, rect.rows - 2)), in: rect)
    let start = min(max(0, top), max(0, lines.count - inside.rows))
    for (index, line) in lines.dropFirst(start).prefix(inside.rows).enumerated() {
      let row = inside.row + index
      put(line.1, row: row, column: inside.column, style: line.0, clip: inside)
      put(
        truncated(line.2, to: inside.columns - keyWidth - 2), row: row, column: inside.column + keyWidth + 2,
        clip: inside)
    }
    return max(0, lines.count - inside.rows - start)
  }

  /// Draws lines in the middle of an area that is empty, missing or too small.
  public mutating func notice(_ lines: [String], style: Style = .muted, in rect: Rect) {
    let first = rect.row + max(0, (rect.rows - lines.count) / 2)
    for (index, line) in lines.enumerated() where index < rect.rows {
      let text = truncated(line, to: rect.columns)
      put(
        text, row: first + index, column: rect.column + max(0, (rect.columns - displayWidth(text)) / 2), style: style,
        clip: rect)
    }
  }
}
