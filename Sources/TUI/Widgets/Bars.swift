// Bars and histograms.

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

  /// Vertical bars, one a column, from the bottom up; values are scaled to the largest, values above 0 always show.
  public mutating func histogram(_ values: [Double], in rect: Rect, style: Style = Style(.accent)) {
    guard !rect.isEmpty, let largest = values.filter(\.isFinite).max(), largest > 0 else { return }
    let steps = Array(" ▁▂▃▄▅▆▇█").map(String.init)
    for (index, value) in values.prefix(rect.columns).enumerated() where value.isFinite && value > 0 {
      var eighths = max(1, Int((value / largest * Double(rect.rows) * 8).rounded()))
      var row = rect.endRow - 1
      while eighths > 0 {
        put(steps[min(8, eighths)], row: row, column: rect.column + index, style: style, clip: rect)
        eighths -= 8
        row -= 1
      }
    }
  }
}

/// Counts of values in equal bins between two bounds, the upper one included; what lies outside is left out.
public func histogramCounts(_ values: [Double], bins: Int, from low: Double, to high: Double) -> [Double] {
  guard bins > 0, high > low else { return [] }
  var counts = [Double](repeating: 0, count: bins)
  for value in values where value >= low && value <= high {
    counts[min(bins - 1, Int((value - low) / (high - low) * Double(bins)))] += 1
  }
  return counts
}
