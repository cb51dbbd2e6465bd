// Draws how often and how strongly a latent is active, as columns of blocks: the corpora side by side on the same two
// scales. There is no chart for histograms whose bins do not all span the same ratio.

import Experiments
import Foundation
import Kernels
import Reports
import Storage
import TUI

/// A chart of up to three histograms.
struct ActivationChart {
  /// The lines from the titles down to the numbers on the axes, all of the same width.
  private(set) var lines: [FlowLine] = []

  private static let height = 4
  private static let gap = 2

  /// - Parameter width: the cells that all charts have together.
  init?(_ page: LatentPage, width: Int) {
    let histograms = Array(page.histograms.prefix(3))
    guard let low = histograms.map(\.low).min(), let high = histograms.map(\.high).max(), low > 0, high > low,
      low.isFinite, high.isFinite
    else { return nil }
    let columns = (width - Self.gap * (histograms.count - 1)) / histograms.count
    guard columns >= 12 else { return nil }
    let scale = log(high / low)
    let counts = histograms.map { Self.spread($0, low: low, scale: scale, columns: columns) }
    let heights = counts.map { $0.map { log1p($0) } }
    let tallest = heights.joined().max() ?? 0
    let peak = page.latent.maxActivation.flatMap { $0 >= low ? log($0 / low) / scale : nil }
    let peakColumn = peak.map { min(columns - 1, Int($0 * Double(columns))) }
    let charts = zip(histograms, heights).map { histogram, heights in
      Self.chart(
        title: "\(termSafe(histogram.corpus)) \(percent(page.latent.frequency(of: histogram.corpus)))",
        heights.map { tallest > 0 ? $0 / tallest : 0 }, peakColumn: peakColumn,
        numbers: (fixed(low, low < 1 ? 3 : 1), peakColumn == nil ? fixed(high, 1) : fixed(page.latent.maxActivation, 1))
      )
    }
    let space = FlowSpan(text: String(repeating: " ", count: Self.gap), style: .plain)
    lines = (0..<Self.height + 3).map { row in Array(charts.map { [$0[row]] }.joined(separator: [space])) }
  }

  /// The counts of a histogram by column: a bin's tokens are spread evenly over the part of the axis that it covers.
  static func spread(_ histogram: HistogramRecord, low: Double, scale: Double, columns: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns)
    guard histogram.low > 0, histogram.high > histogram.low, !histogram.counts.isEmpty else { return result }
    let perUnit = Double(columns) / scale
    let start = log(histogram.low / low) * perUnit
    let width = log(histogram.high / histogram.low) * perUnit / Double(histogram.counts.count)
    for (bin, count) in histogram.counts.enumerated() where count > 0 {
      let (from, to) = (start + Double(bin) * width, start + Double(bin + 1) * width)
      let first = min(max(0, Int(from)), columns - 1)
      for column in first...min(max(first, Int(to)), columns - 1) {
        let overlap = min(to, Double(column + 1)) - max(from, Double(column))
        if overlap > 0 { result[column] += Double(count) * overlap / width }
      }
    }
    return result
  }

  /// One chart: title, rows of blocks, axis with the maximum marked, the numbers at its ends.
  private static func chart(
    title: String, _ heights: [Double], peakColumn: Int?, numbers: (low: String, high: String)
  ) -> [FlowSpan] {
    let columns = heights.count
    let steps = Array(" ▁▂▃▄▅▆▇█")
    let eighths = heights.map { $0 > 0 ? max(1, Int(($0 * Double(8 * height)).rounded())) : 0 }
    let rows = (0..<height).reversed().map { row in
      FlowSpan(text: String(eighths.map { steps[min(max(0, $0 - 8 * row), 8)] }), style: Style(.accent))
    }
    var axis = [Character](repeating: "─", count: columns)
    if let peakColumn { axis[peakColumn] = "▲" }
    let high = peakColumn == nil ? numbers.high : "max " + numbers.high
    let end = min(columns, max((peakColumn ?? columns - 1) + 1, numbers.low.count + 1 + high.count))
    let labels = (numbers.low + high.leftPadded(to: max(0, end - numbers.low.count))).rightPadded(to: columns)
    return [FlowSpan(text: truncated(title, to: columns).rightPadded(to: columns), style: .muted)] + rows
      + [FlowSpan(text: String(axis), style: .muted), FlowSpan(text: truncated(labels, to: columns), style: .muted)]
  }
}
