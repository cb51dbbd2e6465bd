// Bars.

extension Canvas {
  /// A horizontal bar over one row, its length in eighths of a cell, on a track that shows where 1 would be.
  /// - Parameter fraction: moved into 0…1; what is not a number shows the empty track.
  public mutating func bar(_ fraction: Double, in rect: Rect, style: Style = Style(.accent)) {
    guard rect.rows > 0, rect.columns > 0 else { return }
    let clipped = fraction.isFinite ? min(max(0, fraction), 1) : 0
    let eighths = Int((clipped * Double(rect.columns) * 8).rounded())
    let steps = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    let line = rect.line(0)
    fill(line, style: Style(style.foreground, on: .track))
    let whole = String(repeating: "█", count: eighths / 8)
    put(whole + steps[eighths % 8], row: rect.row, column: rect.column, style: style.on(.track), clip: line)
  }
}
