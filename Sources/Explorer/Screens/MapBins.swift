// The grid of cells of a map's window, and which latents each cell holds. Cells and boxes are half-open, low edge in
// and high edge out, so that no latent is in two.

import Foundation
import Inference
import Reports
import Storage
import TUI

/// Assigns latents to the cells of a window.
struct MapBins: Sendable, Equatable {
  let window: MapWindow
  let columns: Int
  let rows: Int
  /// The number of points outside the window.
  let outside: Int
  /// The dots of each cell's braille pattern, eight for each cell.
  let dots: [UInt8]
  /// How many chat-only latents each cell holds.
  let chatOnly: [Int32]
  /// The index in `order` at which each cell's latents begin, and the end of the last.
  private let starts: [Int32]
  /// The indexes of points, cell by cell, in the points' own order.
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
  func latents(row: Int, column: Int) -> [Int] {
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
  func cell(of latent: Int) -> (row: Int, column: Int)? {
    guard let index = points.ids.firstIndex(of: latent) else { return nil }
    guard let place = order.firstIndex(of: Int32(index)) else { return nil }
    // Finds the last cell that begins at or before the latent's place in `order`.
    var (low, high) = (0, columns * rows)
    while high - low > 1 {
      let middle = (low + high) / 2
      if Int(starts[middle]) <= place { low = middle } else { high = middle }
    }
    return (low / columns, low % columns)
  }

  /// The part of the window under some cells, with edges rounded to the few digits that the filter shows.
  func box(rows cellRows: ClosedRange<Int>, columns cellColumns: ClosedRange<Int>) -> MapWindow {
    func rounded(_ span: MapSpan, _ low: Int, _ high: Int, _ count: Int) -> MapSpan {
      // A hundredth of a cell is too small to see.
      let unit = pow(10, (log10(span.length / Double(count)) - 2).rounded(.down))
      func tidy(_ value: Double) -> Double { plainNumber((value / unit).rounded() * unit, unit: unit).value }
      return MapSpan(low: tidy(span.edge(low, of: count)), high: tidy(span.edge(high, of: count)))
    }
    return MapWindow(
      x: rounded(window.x, cellColumns.lowerBound, cellColumns.upperBound + 1, columns),
      y: rounded(window.y, rows - 1 - cellRows.upperBound, rows - cellRows.lowerBound, rows))
  }

  /// The number of points inside and outside of the window; latents without a number are not among them.
  var total: Int { points.count }
  var missing: Int { points.missing }

  /// The number of points in a part of the plane.
  func count(in box: MapWindow) -> Int {
    (0..<points.count).reduce(0) { $0 + (box.x.contains(points.x[$1]) && box.y.contains(points.y[$1]) ? 1 : 0) }
  }
}

/// The number with as many decimals as its unit has, and the value of that text.
private func plainNumber(_ value: Double, unit: Double) -> (text: String, value: Double) {
  let digits = max(0, Int(-log10(unit).rounded()))
  let text = digits > 12 ? String(value) : String(format: "%.\(digits)f", value)
  return (text, Double(text) ?? value)
}
