// Bars for fractions, drawn on a canvas or as text.

extension Canvas {
  /// Draws a horizontal bar over one row, in eighths of a cell, on a track that ends where 1 would be. For a screen
  /// reader it draws nothing, because the value stands beside it.
  /// - Parameter fraction: is clamped to 0…1; NaN shows the empty track.
  public mutating func bar(_ fraction: Double, in rect: Rect, style: Style = Style(.accent)) {
    guard rect.rows > 0, rect.columns > 0, !isSpoken else { return }
    let line = rect.line(0)
    fill(line, style: Style(style.foreground, on: .track))
    put(
      barText(fraction, columns: rect.columns), row: rect.row, column: rect.column, style: style.on(.track), clip: line)
  }
}

/// A horizontal bar as text, at most `columns` wide, in eighths of a column, or in whole columns if only ASCII is
/// allowed.
/// - Parameter fraction: is clamped to 0…1; NaN gives no bar.
public func barText(_ fraction: Double, columns: Int, asciiOnly: Bool = false) -> String {
  let clipped = fraction.isFinite ? min(max(0, fraction), 1) : 0
  if asciiOnly { return String(repeating: "#", count: Int((clipped * Double(columns)).rounded())) }
  let eighths = Int((clipped * Double(columns) * 8).rounded())
  let steps = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
  return String(repeating: "█", count: eighths / 8) + steps[eighths % 8]
}
