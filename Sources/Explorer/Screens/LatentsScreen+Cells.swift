// The cells of the table of latents: which columns are shown where, and their contents.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage
import TUI

/// The columns of the table as they are drawn.
struct TableView {
  let shown: [TableColumns.Column]
  let heads: [TableColumn]
  /// How many columns can be scrolled out.
  let mostScrolled: Int
  /// Whether columns are scrolled out at the left.
  let isScrolled: Bool

  init(_ state: ExplorerState) {
    let columns = TableColumns.onScreen(state)
    mostScrolled = max(0, columns.shown.count - columns.pinned - 1)
    let first = min(state.latents.firstColumn, mostScrolled)
    isScrolled = first > 0
    shown = Array(columns.shown.prefix(columns.pinned)) + columns.shown.dropFirst(columns.pinned + first)
    let query = state.latents.query
    heads = shown.map { column in
      let sort = column.field.sort
      let key = sort == nil ? nil : sort == query.sort ? query.first : sort == query.then?.sort ? query.then : nil
      return TableColumn(
        plain(column.field.title, state),
        width: column.width ?? column.field.usualWidth(isWide: state.isWide), column.field.alignment,
        sorted: key.map { $0.ascending ? .ascending : .descending } ?? .no,
        sortKey: key == nil || query.then == nil ? nil : key?.sort == query.sort ? 1 : 2)
    }
  }
}

extension LatentsScreen {
  static func drawTable(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: LatentsLayout) {
    let latents = state.latents
    let view = TableView(state)
    canvas.table(view.heads, count: latents.count, state: latents.list, in: layout.table) { index in
      guard let id = latents.ids?[index], let row = latents.rows[id] else { return [.text("…", .muted)] }
      let mark = latents.mark(row: index, id: id)
      var cells = zip(view.shown, view.heads).map { cell($0.field, $1, row, state) }
      if !mark.isEmpty, let first = cells.first { cells[0] = marked(first, mark) }
      return cells
    }
    // Signs mark columns beyond the edges.
    let areas = TableColumn.areas(view.heads, in: layout.table)
    if areas.contains(where: \.isEmpty) {
      canvas.put("›", row: layout.head.row, column: layout.head.endColumn - 1, style: Style(.accent, .bold))
    }
    if view.isScrolled {
      canvas.put("‹", row: layout.head.row, column: layout.head.column, style: Style(.accent, .bold))
    }
  }

  /// The first cell of a marked row.
  private static func marked(_ cell: TableCell, _ mark: String) -> TableCell {
    switch cell {
    case .text(let text, _): .text(mark + text, Style(.accent, .bold))
    case .bar(let fraction, let value, let width, let style):
      .bar(fraction, value: mark + value, valueWidth: width, style)
    }
  }

  private static func cell(
    _ field: TableField, _ column: TableColumn, _ row: LatentRow, _ state: ExplorerState
  ) -> TableCell {
    let latent = row.latent
    switch field {
    case .column(.chatSpecificity):
      return .text(latent.chatSpecificity.map(String.init) ?? "–", .muted)
    case .column(.id): return .text(String(latent.id))
    case .column(.frequency) where latent.dead: return .text("dead", .muted)
    case .column(let number) where field.isBar:
      let side = number == .deltaNorm && (latent.deltaNorm ?? 0.5) >= 0.5 ? Style(.chat) : Style(.base)
      // A column too narrow for a bar shows the number.
      guard let width = column.width, width >= 8 else { return .text(fixed(latent[number], 2)) }
      return .bar(latent[number] ?? 0, value: fixed(latent[number], 2), valueWidth: 5, side)
    case .column(let number): return .text(text(latent[number], number))
    case .metric(let name): return .text(shortNumber(latent.metrics[name]))
    case .latentClass: return .text(latent.latentClass.rawValue, .muted)
    case .note: return .text(row.hasNote ? "✓" : "", Style(.good))
    case .activations:
      let counts = HistogramRecord.overall(row.histograms, bins: column.width ?? 12)
      // Most tokens are near the low end: the logarithm shows the rest too.
      return .text(sparkline(counts.map { $0 > 0 ? 1 + log2($0) : 0 }), Style(.base))
    // Tags are the user's own words. A latent without tags shows an explanation or its tokens instead.
    case .tags:
      return row.tags.isEmpty
        ? .text(row.summary ?? "", .muted) : .text(row.tags.joined(separator: ", "), Style(.tag))
    }
  }

  private static func text(_ value: Double?, _ column: LatentColumn) -> String {
    switch column {
    case .maxActivation, .meanActivation: fixed(value, 1)
    case .frequency, .frequencyPlain, .frequencyChat, .templateShare: percent(value)
    default: fixed(value, 2)
    }
  }
}

extension HistogramRecord {
  /// The histograms of all corpora in one, from 0 to the largest of their ends.
  static func overall(_ histograms: [HistogramRecord], bins: Int) -> [Double] {
    var counts = [Double](repeating: 0, count: bins)
    guard let high = histograms.map(\.high).max(), high > 0 else { return [] }
    for histogram in histograms where !histogram.counts.isEmpty {
      let step = (histogram.high - histogram.low) / Double(histogram.counts.count)
      for (index, count) in histogram.counts.enumerated() {
        let middle = histogram.low + step * (Double(index) + 0.5)
        counts[min(bins - 1, max(0, Int(middle / high * Double(bins))))] += Double(count)
      }
    }
    return counts
  }
}
