// Two numbers of every latent, for a plot. One pass reads any two columns or metrics, in the order of chat-specificity.
// A latent that lacks one of the two is counted and left out.

import GRDB

/// Latents as points of a plane, in arrays with one order: the most chat-specific first, those without a rank last.
public struct LatentPoints: Sendable, Equatable {
  /// The ids of the latents.
  public var ids: [Int] = []
  /// The first and the second number of each latent; both are finite.
  public var x: [Double] = []
  public var y: [Double] = []
  /// Whether the class of each latent is chat-only.
  public var isChatOnly: [Bool] = []
  /// The number of latents that lack one of the two numbers.
  public var missing = 0

  /// No points.
  public init() {}

  /// The number of points.
  public var count: Int { ids.count }

  /// The points of some latents, in the same order.
  public func limited(to latents: some Sequence<Int>) -> LatentPoints {
    let wanted = Set(latents)
    var points = LatentPoints()
    for index in 0..<count where wanted.contains(ids[index]) {
      points.ids.append(ids[index])
      points.x.append(x[index])
      points.y.append(y[index])
      points.isChatOnly.append(isChatOnly[index])
    }
    points.missing = wanted.count - points.count
    return points
  }
}

extension Store {
  /// All latents as points. Cost: one pass over the table.
  /// - Throws: `StorageError.noSuchMetric` for a metric that the store does not have.
  public func points(x: FilterColumn, y: FilterColumn) throws(StorageError) -> LatentPoints {
    try read { db in
      let first = try self.value(of: x, as: "a", in: db)
      let second = try self.value(of: y, as: "b", in: db)
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT latent.id, \(first.value), \(second.value), latent.class = 'chat-only'
          FROM latent \(first.join) \(second.join) ORDER BY latent.chat_specificity IS NULL, latent.chat_specificity, latent.id
          """, arguments: StatementArguments(first.arguments + second.arguments))
      var points = LatentPoints()
      while let row = try rows.next() {
        let reader = RowReader(row: row, table: "latent")
        guard let x = try reader.optionalDouble(1), let y = try reader.optionalDouble(2) else {
          points.missing += 1
          continue
        }
        points.ids.append(try reader.int(0))
        points.x.append(x)
        points.y.append(y)
        points.isChatOnly.append(try reader.bool(3))
      }
      return points
    }
  }

  private func value(
    of column: FilterColumn, as name: String, in db: Database
  ) throws -> (value: String, join: String, arguments: [DatabaseValue]) {
    switch column {
    case .column(let column): return ("latent.\(column.rawValue)", "", [])
    case .metric(let metric):
      return (
        "\(name).value", "LEFT JOIN latent_metric \(name) ON \(name).metric = ? AND \(name).latent = latent.id",
        [try self.metric(named: metric, in: db).id.databaseValue]
      )
    }
  }
}
