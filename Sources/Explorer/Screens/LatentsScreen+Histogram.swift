// Draws below the table how the sorted metric is distributed over the list, and how many latents each class has. An arrow on
// the axis marks the bin of the selected latent.

import Experiments
import Reports
import Storage
import TUI

extension LatentsScreen {
  /// The height of the histogram, which has three rows of bars and an axis.
  static let histogramRows = 4

  static func drawHistogram(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    guard !rect.isEmpty else { return }
    guard let distribution = state.latents.distribution else {
      if state.latents.ids?.isEmpty == false { canvas.notice(["no latent has a value"], in: rect) }
      return
    }
    let plot = Rect(row: rect.row, column: rect.column + 9, rows: 3, columns: Distribution.bins)
    let largest = distribution.counts.max() ?? 1
    let here = state.latents.selectedValue.map { distribution.bin(of: $0) }
    let steps = Array(" ▁▂▃▄▅▆▇█")
    for (bin, count) in distribution.counts.enumerated() where count > 0 {
      let level = max(1, Int((Double(count) / Double(largest) * Double(plot.rows * 8)).rounded()))
      for row in 0..<plot.rows {
        let filled = min(8, max(0, level - 8 * (plot.rows - 1 - row)))
        canvas.put(
          String(steps[filled]), row: plot.row + row, column: plot.column + bin,
          style: bin == here ? Style(.accent, .bold) : Style(.base))
      }
    }
    canvas.put(grouped(largest), row: plot.row, endingBefore: plot.column - 1, style: .muted)
    drawAxis(distribution, here, &canvas, Rect(row: plot.endRow, column: rect.column, rows: 1, columns: rect.columns))
    let side = Rect(row: plot.row, column: plot.endColumn + 2, rows: 3, columns: rect.endColumn - plot.endColumn - 3)
    guard side.columns >= 24 else { return }
    var lines = [plain(state.latents.query.sort.title, state)]
    lines.append("median \(shortNumber(distribution.median))" + (distribution.isLogarithmic ? ", log scale" : ""))
    if distribution.missing > 0 { lines.append("\(grouped(distribution.missing)) without a value") }
    for (index, text) in lines.enumerated() {
      canvas.put(
        truncated(text, to: side.columns), row: side.row + index, column: side.column,
        style: index == 0 ? .title : .muted, clip: side)
    }
  }

  private static func drawAxis(_ distribution: Distribution, _ here: Int?, _ canvas: inout Canvas, _ rect: Rect) {
    let start = rect.column + 9
    let (low, high) = (tidy(distribution.low), tidy(distribution.high))
    canvas.put(
      (distribution.below > 0 ? "≤" : "") + low, row: rect.row, endingBefore: start - 1, style: .muted, clip: rect)
    canvas.put(
      String(repeating: "─", count: Distribution.bins), row: rect.row, column: start, style: .muted, clip: rect)
    if let here { canvas.put("▲", row: rect.row, column: start + here, style: Style(.accent, .bold), clip: rect) }
    canvas.put(
      (distribution.above > 0 ? "≥" : "") + high, row: rect.row, column: start + Distribution.bins + 1, style: .muted,
      clip: rect)
  }

  /// The value in at most seven cells.
  private static func tidy(_ value: Double) -> String {
    let text = shortNumber(value)
    return text.count <= 7 ? text : value.formatted(.number.precision(.significantDigits(1...2)).notation(.scientific))
  }

  /// Draws the classes with their counts under the filter; a class that is shown alone stands in brackets.
  static func drawClasses(_ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect) {
    guard !rect.isEmpty, let counts = state.latents.classCounts else { return }
    let chosen = state.latents.query.latentClass
    var column = rect.column + 1
    let all = counts.values.reduce(0, +)
    let parts: [(LatentClass?, String, Int)] =
      [(nil, "all", all)] + LatentClass.allCases.map { ($0, $0.rawValue, counts[$0] ?? 0) }
    for (latentClass, name, count) in parts {
      if column > rect.column + 1 {
        column = canvas.put(" · ", row: rect.row, column: column, style: .muted, clip: rect)
      }
      let isChosen = latentClass == chosen
      let text = "\(name) \(grouped(count))"
      column = canvas.put(
        isChosen ? "[\(text)]" : text, row: rect.row, column: column,
        style: isChosen ? Style(.accent, .bold) : count == 0 ? .muted : .plain, clip: rect)
    }
  }
}
