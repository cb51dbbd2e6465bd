// A few lines on stderr that are drawn again in place, without taking over the terminal: no alternate screen, no keys.
// Owns: the sequences of escapes that do it, by ECMA-48, which every terminal but a dumb one obeys. Refuses: what is no
// terminal, TERM=dumb, and so leaves plain lines to the caller.

import Glibc

/// A block of lines that is drawn in place.
public struct LineBlock {
  /// The colours in use.
  public let theme: Theme
  /// Whether the locale cannot show more than ASCII.
  public let asciiOnly: Bool
  private var shown = 0
  private var columns = 0

  /// Nil where stderr is no terminal that can be drawn on.
  /// - Parameter environment: a variable's value: TERM, COLORTERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG.
  public init?(environment: (String) -> String?) {
    guard isatty(STDERR_FILENO) == 1, let term = environment("TERM"), term != "dumb", !term.isEmpty else { return nil }
    self.init(style: environment)
  }

  /// As for a terminal.
  init(style environment: (String) -> String?) {
    func value(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    let many = value("TERM")?.contains("256color") == true || value("COLORTERM") != nil
    theme = Theme(colours: value("NO_COLOR") != nil ? 0 : many ? 256 : 8)
    let locale = (value("LC_ALL") ?? value("LC_CTYPE") ?? value("LANG") ?? "").lowercased()
    asciiOnly = !(locale.contains("utf-8") || locale.contains("utf8"))
  }

  /// The terminal's size now; 80×24 if it does not say.
  public static var size: Size {
    var window = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
      return Size(columns: 80, rows: 24)
    }
    return Size(columns: Int(window.ws_col), rows: Int(window.ws_row))
  }

  /// What to write to stderr to show `canvas` where the last one stands; the cursor then stands below it.
  public mutating func escapes(showing canvas: Canvas) -> String {
    var text = shown > 0 ? "\r\u{1b}[\(shown)A" : ""
    // Lines of another width may have been wrapped anew, and fewer lines leave some below.
    if canvas.size.columns != columns || canvas.size.rows < shown { text += "\u{1b}[J" }
    for row in 0..<canvas.size.rows { text += canvas.escapes(ofRow: row, theme: theme) + "\u{1b}[K\n" }
    (shown, columns) = (canvas.size.rows, canvas.size.columns)
    return text
  }
}

extension Canvas {
  /// A row as text with escapes for its styles, ended in the terminal's own style, trailing blanks left out.
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

/// Select Graphic Rendition: everything off, then what a paint has.
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
