// A line chart: lines of braille dots join the points, and marks on the points tell the series apart without colour. It
// has axes and a legend; a rectangle too small for axes shows the legend alone.

/// Several series over a common axis.
public struct LineChart: Sendable {
  /// One line.
  public struct Series: Sendable {
    public var name: String
    /// The points by rising x; NaN and infinite values are left out.
    public var points: [(x: Double, y: Double)]
    public var role: Role

    public init(name: String, points: [(x: Double, y: Double)], role: Role) {
      (self.name, self.role) = (name, role)
      self.points = points.filter { $0.x.isFinite && $0.y.isFinite }
    }
  }

  public var title: String
  public var xLabel: String
  public var series: [Series]

  public init(title: String, xLabel: String, series: [Series]) {
    (self.title, self.xLabel, self.series) = (title, xLabel, series)
  }

  /// The marks of the series in order; after the last they start again.
  private static let marks = ["●", "○", "×", "▲"]

  /// Draws the title and legend in the first row, and the lowest and highest values at the ends of the axes.
  public func draw(into canvas: inout Canvas, _ rect: Rect) {
    let legend = series.indices.map { "\(Self.marks[$0 % Self.marks.count]) \(series[$0].name)" }
    canvas.put(
      ([title] + legend).joined(separator: "   "), row: rect.row, column: rect.column, style: .title, clip: rect)
    let all = series.flatMap(\.points)
    guard let first = all.first, rect.rows > 3, rect.columns > 16 else { return }
    var (x, y) = ((first.x, first.x), (min(0, first.y), first.y))
    for point in all {
      x = (min(x.0, point.x), max(x.1, point.x))
      y = (min(y.0, point.y), max(y.1, point.y))
    }
    if x.0 == x.1 { x.1 += 1 }
    if y.0 == y.1 { y.1 += 1 }
    let labels = [y.1, y.0].map(Self.label)
    let width = labels.map(\.count).max() ?? 0
    let plot = Rect(
      row: rect.row + 1, column: rect.column + width + 1, rows: rect.rows - 3, columns: rect.columns - width - 1)
    for (row, label) in zip([plot.row, plot.endRow - 1], labels) {
      canvas.put(label, row: row, endingBefore: plot.column - 1, style: .muted, clip: rect)
    }
    for row in plot.row..<plot.endRow { canvas.put("│", row: row, column: plot.column - 1, style: .muted, clip: rect) }
    canvas.put(
      "└" + String(repeating: "─", count: plot.columns), row: plot.endRow, column: plot.column - 1, style: .muted,
      clip: rect)
    canvas.put(Self.label(x.0), row: plot.endRow + 1, column: plot.column, style: .muted, clip: rect)
    canvas.put(Self.label(x.1), row: plot.endRow + 1, endingBefore: plot.endColumn, style: .muted, clip: rect)
    canvas.put(
      xLabel, row: plot.endRow + 1, column: plot.column + (plot.columns - xLabel.count) / 2, style: .muted, clip: rect)
    for index in series.indices.reversed() { drawLine(index, x, y, into: &canvas, plot) }
  }

  /// Draws one series: its dots, and its marks over them. The first series is drawn last, on top of the others.
  private func drawLine(
    _ index: Int, _ x: (Double, Double), _ y: (Double, Double), into canvas: inout Canvas, _ plot: Rect
  ) {
    let style = Style(series[index].role)
    let places = series[index].points.map { point in
      (
        column: Int(((point.x - x.0) / (x.1 - x.0) * Double(plot.columns * 2 - 1)).rounded()),
        row: Int(((y.1 - point.y) / (y.1 - y.0) * Double(plot.rows * 4 - 1)).rounded())
      )
    }
    var dots: [Point: UInt8] = [:]
    for (from, to) in zip(places, places.dropFirst()) {
      let steps = max(1, abs(to.column - from.column), abs(to.row - from.row))
      for step in 0...steps {
        let column = from.column + (to.column - from.column) * step / steps
        let row = from.row + (to.row - from.row) * step / steps
        dots[Point(row: row / 4, column: column / 2), default: 0] |= Self.braille[row % 4][column % 2]
      }
    }
    for (cell, bits) in dots {
      let dot = canvas.asciiOnly ? "." : String(UnicodeScalar(0x2800 + UInt32(bits)) ?? ".")
      canvas.put(dot, row: plot.row + cell.row, column: plot.column + cell.column, style: style, clip: plot)
    }
    for place in places {
      canvas.put(
        Self.marks[index % Self.marks.count], row: plot.row + place.row / 4, column: plot.column + place.column / 2,
        style: style, clip: plot)
    }
  }

  /// The bits of Unicode's braille patterns, by row and column of the dot.
  private static let braille: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

  /// A value with at most three significant digits.
  static func label(_ value: Double) -> String {
    let digits = abs(value) >= 100 ? 0 : abs(value) >= 10 ? 1 : 2
    let scale = [1.0, 10, 100][digits]
    let rounded = (value * scale).rounded() / scale
    return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
  }
}
