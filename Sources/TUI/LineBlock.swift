// A few lines on stderr that are redrawn in place without taking over the terminal: there is no alternate screen, and
// no keys are read. The escape sequences are those of ECMA-48, which all terminals but dumb ones obey. Without such a
// terminal there is no block, and the caller prints plain lines.

import Glibc

/// A block of lines that is redrawn in place.
public struct LineBlock {
  /// The colours in use.
  public let theme: Theme
  /// Whether the locale can show ASCII only.
  public let asciiOnly: Bool
  private var shown = 0
  private var columns = 0

  /// Returns nil if stderr is not a terminal that can be drawn on.
  /// - Parameter environment: returns the value of a variable: TERM, COLORTERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG.
  public init?(environment: (String) -> String?) {
    guard isatty(STDERR_FILENO) == 1, let term = environment("TERM"), term != "dumb", !term.isEmpty else { return nil }
    self.init(style: environment)
  }

  /// Assumes that stderr is a terminal.
  init(style environment: (String) -> String?) {
    func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    let many = value("TERM")?.contains("256color") == true || value("COLORTERM") != nil
    theme = Theme(colours: value("NO_COLOR") != nil ? 0 : many ? 256 : 8)
    let locale = (value("LC_ALL") ?? value("LC_CTYPE") ?? value("LANG") ?? "").lowercased()
    asciiOnly = !(locale.contains("utf-8") || locale.contains("utf8"))
  }

  /// The terminal's present size; 80×24 if it does not report one.
  public static var size: Size {
    var window = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
      return Size(columns: 80, rows: 24)
    }
    return Size(columns: Int(window.ws_col), rows: Int(window.ws_row))
  }

  /// The text to write to stderr so that `canvas` replaces the last one; the cursor then stands below it.
  public mutating func escapes(showing canvas: Canvas) -> String {
    var text = shown > 0 ? "\r\u{1b}[\(shown)A" : ""
    // Lines of another width may have been wrapped by the terminal, and a smaller block would leave old lines below.
    if canvas.size.columns != columns || canvas.size.rows < shown { text += "\u{1b}[J" }
    for row in 0..<canvas.size.rows { text += canvas.escapes(ofRow: row, theme: theme) + "\u{1b}[K\n" }
    (shown, columns) = (canvas.size.rows, canvas.size.columns)
    return text
  }
}

extension Canvas {
  /// A row as text with escapes for its styles and without trailing blanks; it ends in the terminal's own style.
  func escapes(ofRow row: Int, theme: Theme) -> String {
    let plain = Paint(foreground: -1, background: -1, attributes: [])
    var (text, current, end) = ("", plain, size.columns)
    while end > 0, self[row, end - 1] == .blank { end -= 1 }
    for column in 0..<end {
      let cell = self[row, column]
      let paint = theme.paint(cell.style)
      if paint != current { text += escape(paint) }
      current = paint
      text += cell.text
    }
    return current == plain ? text : text + escape(plain)
  }
}

/// The SGR sequence (Select Graphic Rendition) that turns everything off and then sets what a paint has.
private func escape(_ paint: Paint) -> String {
  var codes = ["0"]
  for (attribute, code) in [(Attributes.bold, "1"), (.dim, "2"), (.underline, "4"), (.reverse, "7")]
  where paint.attributes.contains(attribute) {
    codes.append(code)
  }
  for (colour, base) in [(paint.foreground, 30), (paint.background, 40)] where colour >= 0 {
    codes.append(colour < 8 ? "\(base + colour)" : colour < 16 ? "\(base + 52 + colour)" : "\(base + 8);5;\(colour)")
  }
  return "\u{1b}[" + codes.joined(separator: ";") + "m"
}
