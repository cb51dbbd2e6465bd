// Which latents are active on the same tokens as a given latent, as far as the stored contexts tell. A sequence in
// which the store has no context of the other latent counts as one in which that latent is silent, so shares are lower
// bounds.

import GRDB

/// A latent that is active on the same tokens as another.
public struct CoFiringRecord: Sendable, Equatable {
  public var latent: Int
  public var other: Int
  /// The number of contexts of the latent in which the other has a context too.
  public var contexts: Int
  /// The number of tokens of the latent's contexts at which both are active.
  public var both: Int
  /// The number of tokens of the latent's contexts at which at least one of them is active.
  public var either: Int

  /// `both` ÷ `either`: 1 if the two are always active together.
  public var share: Double { either > 0 ? Double(both) / Double(either) : 0 }

  public init(latent: Int, other: Int, contexts: Int, both: Int, either: Int) {
    self.latent = latent
    self.other = other
    self.contexts = contexts
    self.both = both
    self.either = either
  }
}

extension Store {
  /// The most contexts of others that are looked at. Beyond them, sequences with higher ids are left out.
  private static let mostExamples = 50_000

  /// The latents most often active together with this one, with the largest share of common tokens first, then by the
  /// number of common tokens, then by id. Latents without a common token are left out.
  ///
  /// Cost: one look into an index for each of the latent's contexts, and at most `mostExamples` rows.
  /// - Returns: nil for a store from before that index, where it would take a pass over all examples. Opening the store
  ///   for writing once adds the index.
  public func coFiring(with latent: Int, limit: Int = 8) throws(StorageError) -> [CoFiringRecord]? {
    try read { db in
      guard try db.indexes(on: "example").contains(where: { $0.name == "example_sequence" }) else { return nil }
      let own =
        try Self.activeTokens(
          "SELECT latent, sequence, positions FROM example WHERE latent = ?1 LIMIT ?2", of: latent, in: db)[latent]
        ?? []
      let others = try Self.activeTokens(
        """
        SELECT latent, sequence, positions FROM example
        WHERE sequence IN (SELECT sequence FROM example WHERE latent = ?1) AND latent <> ?1 ORDER BY sequence LIMIT ?2
        """, of: latent, in: db)
      let ownSequences = Set(own.map(\.sequence))
      let records = others.compactMap { other, tokens -> CoFiringRecord? in
        let both = own.intersection(tokens).count
        guard both > 0 else { return nil }
        return CoFiringRecord(
          latent: latent, other: other, contexts: ownSequences.intersection(tokens.map(\.sequence)).count, both: both,
          either: own.count + tokens.count - both)
      }
      return Array(
        records.sorted { ($1.share, $1.both, $0.other) < ($0.share, $0.both, $1.other) }.prefix(max(0, limit)))
    }
  }

  /// A token of the store: a position in a sequence.
  private struct Place: Hashable {
    var sequence: Int32
    var position: Int32
  }

  /// For each latent, the tokens at which it is active.
  private static func activeTokens(_ sql: String, of latent: Int, in db: Database) throws -> [Int: Set<Place>] {
    let rows = try Row.fetchCursor(try db.cachedStatement(sql: sql), arguments: [latent, mostExamples])
    var tokens: [Int: Set<Place>] = [:]
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "example")
      let sequence = try reader.id(1)
      guard let positions = Blob.readPositions(try reader.blob(2), below: Int(Int32.max)) else {
        throw reader.bad(2, "does not hold rising positions")
      }
      tokens[try reader.int(0), default: []].formUnion(positions.map { Place(sequence: sequence, position: $0) })
    }
    return tokens
  }
}
