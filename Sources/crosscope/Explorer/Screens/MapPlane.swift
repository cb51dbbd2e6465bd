// The map as arithmetic: a window on the plane of two metrics, its grid of cells, which latents each cell holds.
// Owns: windows, binning, boxes as text of the filter language, numbers on axes. Refuses: the screen; drawing is in
// MapScreen+Draw.swift. Cells and boxes are half-open, low edge in and high edge out, so that no latent is in two.

import Foundation
import Reports
import Storage

/// From a number up to, but not including, another.
struct MapSpan: Sendable, Equatable {
  var low: Double
  var high: Double

  var length: Double { high - low }

  func contains(_ value: Double) -> Bool { value >= low && value < high }

  /// What all values span, a little wider so that none lies on the edge.
  static func all(_ values: [Double]) -> MapSpan {
    guard let low = values.min(), let high = values.max() else { return MapSpan(low: 0, high: 1) }
    return padded(low, high)
  }

  /// What nearly all values span: the middle 98 %, and whatever lies no farther from it than that is long. What lies
  /// farther would press the others into a corner.
  static func usual(_ values: [Double]) -> MapSpan {
    let sorted = values.sorted()
    guard let first = sorted.first, let last = sorted.last else { return MapSpan(low: 0, high: 1) }
    let tail = sorted.count / 100
    let (low, high) = (sorted[tail], sorted[sorted.count - 1 - tail])
    let length = high - low
    guard length > 0 else { return padded(first, last) }
    return padded(sorted.first { $0 >= low - length } ?? low, sorted.last { $0 <= high + length } ?? high)
  }

  private static func padded(_ low: Double, _ high: Double) -> MapSpan {
    // A single value still gets a width that its own digits can tell apart.
    let margin = max((high - low) * 0.02, max(abs(low), abs(high)) * 1e-6, 1e-9)
    return MapSpan(low: low - margin, high: high + margin)
  }

  /// Scaled about one of its points.
  func scaled(by factor: Double, about centre: Double) -> MapSpan {
    MapSpan(low: centre - (centre - low) * factor, high: centre + (high - centre) * factor)
  }

  /// The edge number `index` of `count` equal parts.
  func edge(_ index: Int, of count: Int) -> Double {
    index == count ? high : low + length * Double(index) / Double(max(1, count))
  }
}

/// A window on the plane.
struct MapWindow: Sendable, Equatable {
  var x: MapSpan
  var y: MapSpan
}

/// Which latents lie in which cell of a window.
struct MapBins: Sendable, Equatable {
  let window: MapWindow
  let columns: Int
  let rows: Int
  /// Points outside the window.
  let outside: Int
  /// Dots of each cell's braille pattern, eight a cell.
  let dots: [UInt8]
  /// How many chat-only latents each cell holds.
  let chatOnly: [Int32]
  /// Where each cell's latents begin among `order`, and the end of the last.
  private let starts: [Int32]
  /// Indexes of points, cell by cell, in the points' own order.
  private let order: [Int32]
  private let points: LatentPoints

  /// Sorts the points into cells. Cost: two passes over them.
  init(_ points: LatentPoints, window: MapWindow, columns: Int, rows: Int) {
    let (columns, rows) = (max(1, columns), max(1, rows))
    let scaleX = Double(columns * 2) / window.x.length
    let scaleY = Double(rows * 4) / window.y.length
    var dots = [UInt8](repeating: 0, count: columns * rows)
    var chatOnly = [Int32](repeating: 0, count: columns * rows)
    var starts = [Int32](repeating: 0, count: columns * rows + 1)
    var cells = [Int32](repeating: -1, count: points.count)
    var outside = 0
    for index in 0..<points.count {
      let (x, y) = (points.x[index], points.y[index])
      guard window.x.contains(x), window.y.contains(y) else {
        outside += 1
        continue
      }
      // Rounding may put a point just below the high edge on it.
      let dotX = min(columns * 2 - 1, Int((x - window.x.low) * scaleX))
      let dotY = rows * 4 - 1 - min(rows * 4 - 1, Int((y - window.y.low) * scaleY))
      let cell = dotY / 4 * columns + dotX / 2
      cells[index] = Int32(cell)
      dots[cell] |= Self.braille[dotY % 4][dotX % 2]
      if points.isChatOnly[index] { chatOnly[cell] += 1 }
      starts[cell + 1] += 1
    }
    for cell in 0..<columns * rows { starts[cell + 1] += starts[cell] }
    var next = starts
    var order = [Int32](repeating: 0, count: Int(starts[columns * rows]))
    for index in 0..<points.count where cells[index] >= 0 {
      order[Int(next[Int(cells[index])])] = Int32(index)
      next[Int(cells[index])] += 1
    }
    (self.window, self.columns, self.rows, self.outside) = (window, columns, rows, outside)
    (self.dots, self.chatOnly, self.starts, self.order, self.points) = (dots, chatOnly, starts, order, points)
  }

  /// Bits of Unicode's braille patterns, by row and column of the dot.
  private static let braille: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

  /// How many latents a cell holds.
  func count(row: Int, column: Int) -> Int {
    let cell = row * columns + column
    return Int(starts[cell + 1] - starts[cell])
  }

  /// The latents of a cell, the most chat-specific first.
  func latents(row: Int, column: Int) -> [Int32] {
    guard (0..<rows).contains(row), (0..<columns).contains(column) else { return [] }
    let cell = row * columns + column
    return order[Int(starts[cell])..<Int(starts[cell + 1])].map { points.ids[Int($0)] }
  }

  /// The occupied cell nearest to a cell; nil if the window is empty.
  func nearest(row: Int, column: Int) -> (row: Int, column: Int)? {
    // A cell is about twice as high as wide.
    func distance(_ cell: Int) -> Int {
      let (down, across) = (2 * (cell / columns - row), cell % columns - column)
      return down * down + across * across
    }
    return (0..<rows * columns).filter { starts[$0 + 1] > starts[$0] }.min { distance($0) < distance($1) }
      .map { ($0 / columns, $0 % columns) }
  }

  /// The cell that a latent lies in; nil outside the window.
  func cell(of latent: Int32) -> (row: Int, column: Int)? {
    guard let index = points.ids.firstIndex(of: latent) else { return nil }
    guard let place = order.firstIndex(of: Int32(index)) else { return nil }
    // The last cell that begins at or before the place.
    var (low, high) = (0, columns * rows)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(starts[middle]) <= place { low = middle } else { high = middle }
    }
    return (low / columns, low % columns)
  }

  /// The part of the window under some cells, its edges rounded to few digits, as the filter says them.
  func box(rows cellRows: ClosedRange<Int>, columns cellColumns: ClosedRange<Int>) -> MapWindow {
    func rounded(_ span: MapSpan, _ low: Int, _ high: Int, _ count: Int) -> MapSpan {
      // A hundredth of a cell is finer than what is seen.
      let unit = pow(10, (log10(span.length / Double(count)) - 2).rounded(.down))
      func tidy(_ value: Double) -> Double { plainNumber((value / unit).rounded() * unit, unit: unit).value }
      return MapSpan(low: tidy(span.edge(low, of: count)), high: tidy(span.edge(high, of: count)))
    }
    return MapWindow(
      x: rounded(window.x, cellColumns.lowerBound, cellColumns.upperBound + 1, columns),
      y: rounded(window.y, rows - 1 - cellRows.upperBound, rows - cellRows.lowerBound, rows))
  }

  /// How many points there are, inside the window and out, and how many latents lack a number.
  var total: Int { points.count }
  var missing: Int { points.missing }

  /// How many points lie in a part of the plane.
  func count(in box: MapWindow) -> Int {
    (0..<points.count).reduce(0) { $0 + (box.x.contains(points.x[$1]) && box.y.contains(points.y[$1]) ? 1 : 0) }
  }
}

/// A number in the decimals that its unit needs, and its value as the text says it.
private func plainNumber(_ value: Double, unit: Double) -> (text: String, value: Double) {
  let digits = max(0, Int(-log10(unit).rounded()))
  let text = digits > 12 ? String(value) : String(format: "%.\(digits)f", value)
  return (text, Double(text) ?? value)
}

extension MapWindow {
  /// The condition that a latent lies in this part, in the filter language.
  func filter(x: FilterColumn, y: FilterColumn) -> String {
    [(x, self.x), (y, self.y)].map { column, span in
      "\(column.written)>=\(shortest(span.low)) and \(column.written)<\(shortest(span.high))"
    }.joined(separator: " and ")
  }

  private func shortest(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? String(format: "%.0f", value) : "\(value)"
  }
}

/// Round numbers in a span, at most `count`, a step of 1, 2 or 5 times a power of ten apart, with as many decimals as
/// the step has.
func axisTicks(_ span: MapSpan, count: Int) -> [(value: Double, text: String)] {
  guard count > 0, span.length > 0, span.length.isFinite else { return [] }
  let power = pow(10, log10(span.length / Double(count)).rounded(.down))
  guard let step = [1, 2, 5, 10].map({ $0 * power }).first(where: { span.length / $0 <= Double(count) }) else {
    return []
  }
  let digits = max(0, Int(-log10(step).rounded(.down)))
  let first = (span.low / step).rounded(.up)
  return (0...count).map { (first + Double($0)) * step }.filter { $0 < span.high }.map { value in
    let value = abs(value) < step / 2 ? 0 : value
    return (
      value, digits > 6 || abs(value) >= 1e6 ? String(format: "%.2g", value) : String(format: "%.\(digits)f", value)
    )
  }
}
