// The two schemas of published examples databases.
//   older: sequences(sequence_idx, token_ids), quantile_examples(feature_idx, quantile_idx, activation, sequence_idx),
//          activation_details(feature_idx, sequence_idx, positions, activation_values)
//   newer: sequences(sequence_uid, token_ids, …, dataset_name), examples(example_id, sequence_uid, score, latent_idx,
//          quantile_idx), activation_details(example_id, [positions,] activation_values)
// Without positions there is one activation for each token. Positions may be in any order.

import GRDB

/// The columns and queries by which one schema is read.
struct ExamplesSchema: Sendable {
  /// The key of the table sequences.
  let sequenceKey: String
  /// The column with the name of a sequence's corpus, or NULL.
  let dataset: String
  /// The number of examples.
  let countSQL: String
  /// The number of examples that belong to no latent.
  var withoutLatentSQL = "SELECT 0"
  /// Each latent with its largest activation.
  let maximaSQL: String
  /// Each example's latent, band, sequence and maybe key, ordered by latent.
  let headSQL: String
  /// The positions and activations of one example.
  let detailSQL: String
  /// The columns of `headSQL` that are the arguments of `detailSQL`.
  let detailKeys: [Int]

  /// The schema of a database; nil if it has other tables.
  init?(of db: Database) throws {
    func columns(_ table: String) throws -> Set<String> {
      try db.tableExists(table) ? Set(try db.columns(in: table).map(\.name)) : []
    }
    let (sequences, details) = (try columns("sequences"), try columns("activation_details"))
    if sequences.isSuperset(of: ["sequence_idx", "token_ids"]),
      try columns("quantile_examples").isSuperset(of: ["feature_idx", "quantile_idx", "sequence_idx"]),
      details.isSuperset(of: ["feature_idx", "sequence_idx", "positions", "activation_values"])
    {
      self = .older
      return
    }
    let examples = try columns("examples")
    let key = ["sequence_uid", "sequence_idx"].first { key in
      sequences.isSuperset(of: [key, "token_ids"])
        && examples.isSuperset(of: ["example_id", key, "score", "latent_idx", "quantile_idx"])
        && details.isSuperset(of: ["example_id", "activation_values"])
    }
    guard let key else { return nil }
    let setting =
      try db.tableExists("config") && Set(db.columns(in: "config").map(\.name)).isSuperset(of: ["key", "value"])
    let form =
      try setting ? DatabaseValue.fetchOne(db, sql: "SELECT value FROM config WHERE key = 'storage_format'") : nil
    let known = ["sparse", "dense"].map(\.databaseValue)
    if let form, !form.isNull, !known.contains(form) { throw UnknownForm(name: "\(form)") }
    self = .newer(
      key: key, hasPositions: details.contains("positions"), hasDataset: sequences.contains("dataset_name"))
  }

  /// A storage_format that this program does not read.
  struct UnknownForm: Error { let name: String }

  private init(
    sequenceKey: String, dataset: String, countSQL: String, maximaSQL: String, headSQL: String, detailSQL: String,
    detailKeys: [Int]
  ) {
    (self.sequenceKey, self.dataset, self.countSQL, self.maximaSQL) = (sequenceKey, dataset, countSQL, maximaSQL)
    (self.headSQL, self.detailSQL, self.detailKeys) = (headSQL, detailSQL, detailKeys)
  }

  /// Examples are read in the order of the primary key's prefix, which needs no sorting.
  private static let older = ExamplesSchema(
    sequenceKey: "sequence_idx", dataset: "NULL", countSQL: "SELECT count(*) FROM quantile_examples",
    maximaSQL: "SELECT feature_idx, max(activation) FROM quantile_examples GROUP BY feature_idx",
    headSQL: "SELECT feature_idx, quantile_idx, sequence_idx FROM quantile_examples ORDER BY feature_idx",
    detailSQL: """
      SELECT positions, activation_values FROM activation_details WHERE feature_idx = ? AND sequence_idx = ?
      """, detailKeys: [0, 2])

  /// - Parameters:
  ///   - key: sequence_uid or sequence_idx.
  ///   - hasPositions, hasDataset: whether the database has these columns.
  private static func newer(key: String, hasPositions: Bool, hasDataset: Bool) -> ExamplesSchema {
    var schema = ExamplesSchema(
      sequenceKey: key, dataset: hasDataset ? "dataset_name" : "NULL",
      countSQL: "SELECT count(*) FROM examples WHERE latent_idx IS NOT NULL",
      maximaSQL: "SELECT latent_idx, max(score) FROM examples WHERE latent_idx IS NOT NULL GROUP BY latent_idx",
      headSQL: """
        SELECT latent_idx, coalesce(quantile_idx, 4), \(key), example_id FROM examples
        WHERE latent_idx IS NOT NULL ORDER BY latent_idx
        """,
      detailSQL: """
        SELECT \(hasPositions ? "positions" : "NULL"), activation_values FROM activation_details
        WHERE example_id = ?
        """, detailKeys: [3])
    schema.withoutLatentSQL = "SELECT count(*) FROM examples WHERE latent_idx IS NULL"
    return schema
  }
}
