// Which latents of other levels belong together in a Matryoshka dictionary. A build writes a latent's parent as a metric; the
// parts of a latent are those whose parent it is.

import GRDB

extension Store {
  /// The most parts that a page lists; a filter (`parent=467`) finds all of them.
  static let mostParts = 20

  /// The latent's parent, then its parts, those that fire with it most often first; empty for a flat dictionary.
  func relatives(of latent: LatentRecord, in db: Database) throws -> [RelativeRecord] {
    let known = try metrics(in: db)
    guard let parent = known.first(where: { $0.name == LatentMetric.parent }) else { return [] }
    let own = latent.metrics[LatentMetric.parent].flatMap { Int(exactly: $0) }.map {
      RelativeRecord(kind: .parent, other: $0, coFiring: latent.metrics[LatentMetric.parentCoFiring])
    }
    let coFiring = known.first { $0.name == LatentMetric.parentCoFiring }?.id ?? -1
    let rows = try Row.fetchAll(
      db,
      sql: """
        SELECT p.latent, c.value FROM latent_metric p
        LEFT JOIN latent_metric c ON c.metric = ? AND c.latent = p.latent
        WHERE p.metric = ? AND p.value = ? ORDER BY c.value DESC, p.latent LIMIT \(Self.mostParts)
        """, arguments: [coFiring, parent.id, Double(latent.id)])
    let parts = try rows.map { row in
      let reader = RowReader(row: row, table: "latent_metric")
      return RelativeRecord(kind: .part, other: try reader.int(0), coFiring: try reader.optionalDouble(1))
    }
    return (own.map { [$0] } ?? []) + parts
  }
}
