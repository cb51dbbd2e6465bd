// The arithmetic of the map: a window on the plane of two metrics, its text in the filter language, the numbers on its axes.
// Spans are half-open: the low edge is in, the high edge is out.

import Foundation
import Reports
import Storage

/// An interval that contains its low edge but not its high edge.
struct MapSpan: Sendable, Equatable {
  var low: Double
  var high: Double

  var length: Double { high - low }

  func contains(_ value: Double) -> Bool { value >= low && value < high }

  /// The span of all values, a little wider so that none lies on the edge.
  static func all(_ values: [Double]) -> MapSpan {
    guard let low = values.min(), let high = values.max() else { return MapSpan(low: 0, high: 1) }
    return padded(low, high)
  }

  /// The span of nearly all values: the middle 98 %, and values that are no farther from it than its own length. Values
  /// farther away would press the others into a corner.
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

  /// The span scaled about one of its points.
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

/// At most `count` round numbers in a span, whose step is 1, 2 or 5 times a power of ten, with as many decimals as the
/// step has.
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
