// The columns of the table of latents that the user chose, with their order and widths. They can be saved, so that the next
// start shows the same table.

import Diffing
import Inference
import Storage
import TUI

/// The columns of the table, from left to right.
struct TableColumns: Hashable, Sendable, Codable {
  /// A visible column.
  struct Column: Hashable, Sendable, Codable {
    var field: TableField
    /// The width in cells; nil for the default.
    var width: Int?
  }

  static let widths = 3...60

  var shown: [Column]

  /// The default columns; narrow screens leave some out.
  static let usual = TableColumns([
    .column(.chatSpecificity), .column(.id), .column(.deltaNorm), .column(.nuError), .column(.nuReconstruction),
    .column(.maxActivation), .column(.frequency), .column(.templateShare), .column(.cosBaseChat), .latentClass, .tags,
  ])

  private static let forWideScreens: Set<TableField> = [.column(.templateShare), .column(.cosBaseChat), .latentClass]

  private static let compareDirections: Set<TableField> = [
    .column(.deltaNorm), .column(.nuError), .column(.nuReconstruction), .column(.cosBaseChat),
  ]

  init(_ fields: [TableField]) { shown = fields.map { Column(field: $0) } }

  /// The columns that the table shows on a screen: the user's choice or the default ones, and always those that it is
  /// sorted by.
  static func onScreen(_ state: ExplorerState) -> TableColumns {
    var columns = state.latents.columns ?? usual
    if state.latents.columns == nil {
      if !state.isWide { columns.shown.removeAll { forWideScreens.contains($0.field) } }
      // The levels of a Matryoshka dictionary say how coarse a latent is, which its other figures depend on.
      if state.store.metrics.contains(LatentMetric.level) {
        columns.shown.insert(Column(field: .metric(LatentMetric.level)), at: columns.pinned)
      }
      // A dictionary of chat − base has one ratio, and nothing that compares two directions.
      if state.store.metrics.contains(LatentMetric.nuActivation) {
        columns.shown.removeAll { compareDirections.contains($0.field) }
        columns.shown.insert(Column(field: .metric(LatentMetric.nuActivation)), at: columns.pinned)
      }
    }
    // The choice may come from another store or an edited file.
    columns.shown.removeAll { column in
      if case .metric(let name) = column.field { !state.store.metrics.contains(name) } else { false }
    }
    for index in columns.shown.indices {
      columns.shown[index].width = columns.shown[index].width.map {
        min(max(widths.lowerBound, $0), widths.upperBound)
      }
    }
    let query = state.latents.query
    for sort in [query.sort, query.then?.sort].compactMap(\.self) where columns.index(of: TableField(sort)) == nil {
      let tags = columns.index(of: .tags) ?? columns.shown.endIndex
      columns.shown.insert(Column(field: TableField(sort)), at: tags)
    }
    return columns
  }

  func index(of field: TableField) -> Int? { shown.firstIndex { $0.field == field } }

  /// The number of columns at the left that stay when the others are scrolled: rank and id.
  var pinned: Int { shown.prefix { [.column(.chatSpecificity), .column(.id)].contains($0.field) }.count }

  /// Shows a column at the end, before the tags, or hides it. The last visible column stays.
  mutating func toggle(_ field: TableField) {
    if let index = index(of: field) {
      if shown.count > 1 { shown.remove(at: index) }
    } else {
      let end = shown.last?.field == .tags && field != .tags ? shown.count - 1 : shown.count
      shown.insert(Column(field: field), at: end)
    }
  }

  /// Moves a column to the left or right.
  mutating func move(_ field: TableField, by step: Int) {
    guard let index = index(of: field), shown.indices.contains(index + step) else { return }
    shown.swapAt(index, index + step)
  }

  /// Makes a column wider or narrower.
  mutating func widen(_ field: TableField, by step: Int, isWide: Bool) {
    guard let index = index(of: field) else { return }
    let width = shown[index].width ?? field.usualWidth(isWide: isWide) ?? 20
    shown[index].width = min(max(Self.widths.lowerBound, width + step), Self.widths.upperBound)
  }
}

extension ExplorerState {
  /// Whether there is room for the wide form of the table.
  var isWide: Bool { size.columns >= 110 }
}
