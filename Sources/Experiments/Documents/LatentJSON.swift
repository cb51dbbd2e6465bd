// A latent's row of the store as JSON: keys are the names of the store's columns, a missing value is null, and nothing is
// renamed or rounded.

import Foundation
import Inference
import Storage

/// A latent's row with its tags.
package struct LatentJSON: Encodable {
  package var latent: LatentRecord
  package var tags: [String]
  /// A short explanation of the latent, see `Store.summaries(of:)`.
  package var summary: String?

  package init(latent: LatentRecord, tags: [String], summary: String? = nil) {
    (self.latent, self.tags, self.summary) = (latent, tags, summary)
  }

  /// Columns that are no numbers; `LatentColumn` names the numeric ones.
  private enum OtherKey: String { case dead, `class`, tags, summary, metrics }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    for column in LatentColumn.allCases {
      switch column {
      case .id: try fields.encode(latent.id, forKey: FieldName(column.rawValue))
      case .chatSpecificity: try fields.encode(latent.chatSpecificity, forKey: FieldName(column.rawValue))
      default: try fields.encode(latent[column], forKey: FieldName(column.rawValue))
      }
    }
    try fields.encode(latent.dead, forKey: FieldName(OtherKey.dead.rawValue))
    try fields.encode(latent.latentClass.rawValue, forKey: FieldName(OtherKey.class.rawValue))
    try fields.encode(tags, forKey: FieldName(OtherKey.tags.rawValue))
    try fields.encode(summary, forKey: FieldName(OtherKey.summary.rawValue))
    // Published metrics get an object of their own, since one of them may have the name of a column.
    if !latent.metrics.isEmpty { try fields.encode(latent.metrics, forKey: FieldName(OtherKey.metrics.rawValue)) }
  }
}

extension LatentJSON {
  /// The first rows in the given order.
  /// - Returns: the rows, and how many there are without the limit.
  package static func rows(
    of store: Store, matching filter: Filter, by first: LatentOrder, then: LatentOrder? = nil, limit: Int
  ) throws(StorageError) -> (rows: [LatentJSON], count: Int) {
    let ids = try store.latentIDs(sortedBy: first.sort, ascending: first.ascending, then: then, matching: filter)
    let shown = ids.prefix(limit)
    let (tags, summaries) = (try store.tags(of: shown), try store.summaries(of: shown))
    let rows = try store.latents(ids: shown).map {
      LatentJSON(latent: $0, tags: tags[$0.id] ?? [], summary: summaries[$0.id])
    }
    return (rows, ids.count)
  }
}
