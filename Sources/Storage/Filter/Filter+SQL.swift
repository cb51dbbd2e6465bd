// Translates a filter into an SQL condition on the table latent. No text of the user becomes SQL: all of it is bound,
// and column names come from LatentColumn alone.

import GRDB

/// A condition with the values that are bound to its question marks, in order.
struct SQLCondition {
  var sql: String
  var arguments: [DatabaseValue] = []

  static let always = SQLCondition(sql: "1")
  static let never = SQLCondition(sql: "0")
}

extension FilterNode {
  /// The condition, whose value is always 0 or 1 and never NULL: a comparison with a missing value is false.
  /// - Parameter contexts: gives the latents with a context that holds a text.
  func condition(contexts: (TextPattern) throws -> SQLCondition) throws -> SQLCondition {
    switch self {
    case .and(let nodes): return Self.join(try nodes.map { try $0.condition(contexts: contexts) }, with: " AND ")
    case .or(let nodes): return Self.join(try nodes.map { try $0.condition(contexts: contexts) }, with: " OR ")
    case .not(let node):
      let condition = try node.condition(contexts: contexts)
      return SQLCondition(sql: "NOT (\(condition.sql))", arguments: condition.arguments)
    case .compareMetric(let name, let comparison, let number):
      return SQLCondition(
        sql: """
          latent.id IN (SELECT v.latent FROM latent_metric v WHERE v.metric = \
          (SELECT metric.id FROM metric WHERE metric.name = ?) AND v.value \(comparison.rawValue) ?)
          """, arguments: [name.databaseValue, number.databaseValue])
    case .compare(let column, let comparison, let number):
      return SQLCondition(
        sql: "(latent.\(column.rawValue) IS NOT NULL AND latent.\(column.rawValue) \(comparison.rawValue) ?)",
        arguments: [number.databaseValue])
    case .tag(let name):
      return SQLCondition(
        sql: "latent.id IN (SELECT tag.latent FROM tag WHERE tag.name = ? COLLATE NOCASE)",
        arguments: [name.composed.databaseValue])
    case .latentClass(let latentClass):
      return SQLCondition(sql: "latent.class = ?", arguments: [latentClass.rawValue.databaseValue])
    case .dead: return SQLCondition(sql: "latent.dead = 1")
    case .text(let text): return try Self.search(for: text, contexts: contexts)
    }
  }

  private static func join(_ conditions: [SQLCondition], with word: String) -> SQLCondition {
    SQLCondition(
      sql: "(" + conditions.map(\.sql).joined(separator: word) + ")", arguments: conditions.flatMap(\.arguments))
  }

  private static func search(
    for text: String, contexts: (TextPattern) throws -> SQLCondition
  ) throws -> SQLCondition {
    // Without this check, an empty text would be found in every tag.
    guard text.contains(where: { !$0.isWhitespace }) else { return .never }
    let tags = SQLCondition(
      sql: "latent.id IN (SELECT tag.latent FROM tag WHERE instr(lower(tag.name), lower(?)) > 0)",
      arguments: [text.composed.databaseValue])
    let pattern = TextPattern(text)
    guard !pattern.words.isEmpty else { return tags }
    let contexts = try contexts(pattern)
    let phrase = pattern.phrase.databaseValue
    return join(
      [
        contexts,
        SQLCondition(
          sql: "latent.id IN (SELECT rowid FROM note_search WHERE note_search MATCH ?)", arguments: [phrase]),
        SQLCondition(
          sql: """
            latent.id IN (SELECT explanation.latent FROM explanation WHERE explanation.id IN \
            (SELECT rowid FROM explanation_search WHERE explanation_search MATCH ?))
            """, arguments: [phrase]),
        tags,
      ], with: " OR ")
  }
}
