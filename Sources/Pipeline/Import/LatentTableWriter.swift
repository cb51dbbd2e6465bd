// Writes a store's latents as a table like the published ones. A store that was made with such a table gives its columns back, in
// their order, under their names and with equal values; any other one has the columns of the authors' toolkit (latent_df.csv)
// as far as it has values for them, then its other metrics. An empty cell means that a value was not computed.

import Diffing
import Experiments
import Foundation
import Inference
import Storage

/// The columns of a published table, as a store remembers them.
package struct LatentTableLayout: Codable, Equatable {
  package enum Kind: String, Codable { case number, flag, tag, empty }

  package struct Column: Codable, Equatable {
    package var name: String
    package var kind: Kind
  }

  /// The key in a store's free texts.
  package static let key = "latent_table_columns"

  /// The name of the first column.
  package var index = ""
  package var columns: [Column]
  /// How the table spells each class.
  package var tags: [String: String] = [:]

  package init(columns: [Column]) { self.columns = columns }

  /// The layout of a store's table.
  package init(_ store: Store) throws {
    if let text = try store.meta()[Self.key] {
      guard let layout = try? JSONDecoder().decode(Self.self, from: Data(text.utf8)) else {
        throw StorageError.damaged(path: store.path, detail: "table meta: \(Self.key) is no list of columns")
      }
      self = layout
      let known = Set(columns.map(\.name))
      columns += try store.metricNames().filter { !known.contains($0) }.map { Column(name: $0, kind: .number) }
      return
    }
    self.init(columns: Self.toolkit.map { Column(name: $0, kind: $0 == "tag" ? .tag : $0 == "dead" ? .flag : .number) })
    columns += try store.metricNames().map { Column(name: $0, kind: .number) }
    tags = ["chat-only": "ft_only", "base-only": "base_only", "shared": "shared", "other": "other"]
  }

  /// The columns of latent_df.csv, diffing-toolkit e0b84a5, that a store has.
  private static let toolkit = [
    "dec_base_norm", "dec_ft_norm", "dec_norm_diff", "dec_cos_sim", "tag", "beta_reconstruction_base",
    "beta_reconstruction_ft", "beta_ratio_reconstruction", "beta_activation_base", "beta_activation_ft",
    "beta_error_base", "beta_error_ft", "beta_ratio_error", "max_act_validation", "freq_validation", "dead",
  ]
}

/// The table of one store.
package enum LatentTableWriter {
  private static let batch = 1000

  /// Writes the table; it appears whole or not at all.
  /// - Throws: `InferenceError.fileUnwritable`; the errors of the store.
  package static func write(_ store: Store, to path: String, replacing: Bool) throws {
    let ids = try store.latentIDs(sortedBy: .id)
    var layout = try LatentTableLayout(store)
    if try store.meta()[LatentTableLayout.key] == nil {
      // Columns without any value say nothing.
      var used: Set<String> = []
      try rows(ids, store) { record in
        for column in layout.columns where !used.contains(column.name) && text(column, record, layout) != "" {
          // The class comes from Δ.
          if column.kind != .tag || record.deltaNorm != nil { used.insert(column.name) }
        }
      }
      layout.columns.removeAll { !used.contains($0.name) }
    }
    let file = try AtomicFile(path: path)
    try file.write(Array(line([layout.index] + layout.columns.map(\.name)).utf8))
    try rows(ids, store) { record in
      let cells = ["\(record.id)"] + layout.columns.map { text($0, record, layout) }
      try file.write(Array(line(cells).utf8))
    }
    try file.commit(replacing: replacing)
  }

  private static func rows(_ ids: [Int], _ store: Store, _ take: (LatentRecord) throws -> Void) throws {
    for start in stride(from: 0, to: ids.count, by: batch) {
      for record in try store.latents(ids: ids[start..<min(start + batch, ids.count)]) { try take(record) }
    }
  }

  private static func text(
    _ column: LatentTableLayout.Column, _ record: LatentRecord, _ layout: LatentTableLayout
  ) -> String {
    switch column.kind {
    case .empty: ""
    case .tag: layout.tags[record.latentClass.rawValue] ?? record.latentClass.rawValue
    case .flag: LatentTable.value(column.name, of: record).map { $0 == 1 ? "True" : "False" } ?? ""
    case .number: LatentTable.value(column.name, of: record).map { "\($0)" } ?? ""
    }
  }

  private static func line(_ cells: [String]) -> String {
    cells.map { cell in
      cell.contains(where: { $0 == "," || $0 == "\"" || $0.isNewline })
        ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
    }.joined(separator: ",") + "\n"
  }
}
