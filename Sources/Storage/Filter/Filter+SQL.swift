// A filter as an SQL condition on the table latent.
// Owns: the translation. Refuses: to put any text of the user into SQL; all of it is bound. Column names come from
// LatentColumn alone.

import GRDB

/// A condition with the values bound to its question marks, in order.
struct SQLCondition {
  var sql: String
  var arguments: [DatabaseValue] = []

  static let always = SQLCondition(sql: "1")
}

extension Filter {
  var condition: SQLCondition { root?.condition ?? .always }
}

extension FilterNode {
  /// Always 0 or 1, never NULL: a comparison with a missing value is false.
  var condition: SQLCondition {
    switch self {
    case .and(let nodes): Self.join(nodes, with: " AND ")
    case .or(let nodes): Self.join(nodes, with: " OR ")
    case .not(let node):
      SQLCondition(sql: "NOT (\(node.condition.sql))", arguments: node.condition.arguments)
    case .compare(let column, let comparison, let number):
      SQLCondition(
        sql: "(latent.\(column.rawValue) IS NOT NULL AND latent.\(column.rawValue) \(comparison.rawValue) ?)",
        arguments: [number.databaseValue])
    case .tag(let name):
      SQLCondition(
        sql: "latent.id IN (SELECT tag.latent FROM tag WHERE tag.name = ? COLLATE NOCASE)",
        arguments: [name.databaseValue])
    case .latentClass(let latentClass):
      SQLCondition(sql: "latent.class = ?", arguments: [latentClass.rawValue.databaseValue])
    case .dead: SQLCondition(sql: "latent.dead = 1")
    case .text(let text): Self.search(for: text)
    }
  }

  private static func join(_ nodes: [FilterNode], with word: String) -> SQLCondition {
    let conditions = nodes.map(\.condition)
    return SQLCondition(
      sql: "(" + conditions.map(\.sql).joined(separator: word) + ")", arguments: conditions.flatMap(\.arguments))
  }

  private static func search(for text: String) -> SQLCondition {
    // An empty text would otherwise be found in every tag.
    guard text.contains(where: { !$0.isWhitespace }) else { return SQLCondition(sql: "0") }
    let pattern = searchPattern(for: text).databaseValue
    return SQLCondition(
      sql: """
        (latent.id IN (SELECT example.latent FROM example WHERE example.sequence IN \
        (SELECT rowid FROM sequence_search WHERE sequence_search MATCH ?)) \
        OR latent.id IN (SELECT rowid FROM note_search WHERE note_search MATCH ?) \
        OR latent.id IN (SELECT explanation.latent FROM explanation WHERE explanation.id IN \
        (SELECT rowid FROM explanation_search WHERE explanation_search MATCH ?)) \
        OR latent.id IN (SELECT tag.latent FROM tag WHERE instr(lower(tag.name), lower(?)) > 0))
        """,
      arguments: [pattern, pattern, pattern, text.databaseValue])
  }

  /// A phrase of FTS5 (https://www.sqlite.org/fts5.html#full_text_query_syntax); the last word may go on unless the
  /// text ends in a blank.
  static func searchPattern(for text: String) -> String {
    let plain = String(text.map { $0 == "\0" ? " " : $0 })
    let phrase = "\"" + plain.replacing("\"", with: "\"\"") + "\""
    return plain.last?.isWhitespace == false ? phrase + " *" : phrase
  }
}
