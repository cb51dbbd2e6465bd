import Foundation
import Testing

@testable import Storage

@Suite struct FilterTests {
  @Test func parsesTheDocumentedExample() throws {
    let filter = try Filter(#"nu_error<0.2 and tag:refusal and not dead and "nobel""#)
    #expect(
      filter.root
        == .and([.compare(.nuError, .less, 0.2), .tag("refusal"), .not(.dead), .text("nobel")]))
  }

  @Test func bindsAndBeforeOrAndNotBeforeAnd() throws {
    #expect(
      try Filter("dead or not dead and id:3").root
        == .or([.dead, .and([.not(.dead), .compare(.id, .equal, 3)])]))
    #expect(
      try Filter("(dead or dead) and dead").root == .and([.or([.dead, .dead]), .dead]))
  }

  @Test func readsColumnsNumbersAndRangesInEverySpelling() throws {
    #expect(try Filter("NU-Error <= -1.5e-2").root == .compare(.nuError, .lessOrEqual, -0.015))
    #expect(try Filter("frequency<-.5").root == .compare(.frequency, .less, -0.5))
    #expect(try Filter("delta_norm==1").root == .compare(.deltaNorm, .equal, 1))
    #expect(
      try Filter("0.1<nu_error<=0.5").root
        == .and([.compare(.nuError, .greater, 0.1), .compare(.nuError, .lessOrEqual, 0.5)]))
    #expect(try Filter("3 != id").root == .compare(.id, .notEqual, 3))
    #expect(
      try Filter(#"tag:"two words" and class:chat-only"#).root == .and([.tag("two words"), .latentClass(.chatOnly)]))
    #expect(try Filter(#""say \"no\"""#).root == .text(#"say "no""#))
    #expect(try Filter("  ").root == nil)
  }

  @Test(
    arguments: [
      ("nu_eror<1", 0, "nu_error"), ("dead and", 8, "condition"), ("dead dead", 5, "and, or, or the end is expected"),
      ("(dead", 5, "a ) is expected"), ("dead)", 4, "has no ("), ("nu_error<", 9, "number"),
      ("nu_error", 8, "comparison"), ("\"abc", 0, "no end"), ("tag:", 4, "nothing after"),
      ("class:cat", 0, "chat-only"), ("id:-1", 0, "not a latent's id"), ("id:x", 0, "not a number"),
      ("colour:red", 0, "tag:"),
      ("dead & dead", 5, "& is not expected"), ("dead and 'x'", 9, "' is not expected here; put text in double quotes"),
      ("dead and \\", 9, "\\ is not expected here; put"), ("nu_error<1a", 9, "not a number"),
      ("nu_error<0x1", 9, "not a number"),
      ("not", 3, "condition"), ("! dead", 0, "write !="), ("7", 1, "comparison"), ("1e999<id", 0, "not a number"),
    ])
  func mistakesAreNamedWithTheirPlace(text: String, position: Int, hint: String) {
    let error = storageError { _ = try Filter(text) }
    guard case .filter(let found, let message)? = error else {
      Issue.record("\(text) gave \(String(describing: error))")
      return
    }
    #expect(found == position, "\(text): \(message)")
    #expect(message.contains(hint), "\(text): \(message)")
    #expect(!message.contains("\n"))
  }

  @Test func nestingAndLengthAreBounded() {
    for text in [
      String(repeating: "(", count: 3000) + "dead", String(repeating: "not ", count: 1000) + "dead",
      (0..<400).map { _ in "dead" }.joined(separator: " or "), String(repeating: " ", count: 5000),
    ] {
      guard case .filter? = storageError({ _ = try Filter(text) }) else {
        Issue.record("accepted \(text.prefix(20))…")
        continue
      }
    }
  }

  @Test func theLargestAcceptedFilterRuns() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 10, seed: 1).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    let nested = String(repeating: "not (", count: 24) + (0..<150).map { _ in "id<5" }.joined(separator: " and ")
    #expect(try store.latentCount(matching: Filter(nested + String(repeating: ")", count: 24))) == 5)
  }

  @Test func textOfTheUserNeverBecomesSQL() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 20, seed: 4)
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readWrite)
    let nasty = [
      "'); DROP TABLE latent; --", "a\" OR text:*", "NEAR(a b)", "*", "^", "a AND", "''", "%", "-", "{x}:y", "é\u{0}b",
    ]
    for text in nasty {
      let quoted = text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
      #expect(try store.latentCount(matching: Filter("\"\(quoted)\"")) == 0, "\(text)")
      #expect(try store.latentCount(matching: Filter("tag:\"\(quoted)\"")) == 0)
    }
    #expect(try store.latentCount() == 20)
    #expect(try store.latentCount(matching: Filter("\"\"")) == 0)
  }

  @Test func anyTextIsAFilterThatRunsOrAMistakeInsideTheText() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 10, seed: 6).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    var random = SeededGenerator(6)
    let pieces = [
      "nu_error", "<", ">=", "!", "=", "0.2", "-", "1e5", "(", ")", "and", "or", "not", "dead", "tag:", "id:", "class:",
      "\"", "\"nobel prize\"", "\\", " ", " ", " ", "é", "\u{0}", "\u{202E}", "👩‍👩‍👧", "'", ";", "shared", "3", ":", "*",
    ]
    var accepted = 0
    for _ in 0..<4000 {
      let count = Int.random(in: 0..<9, using: &random)
      let text = (0..<count).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
      do {
        _ = try store.latentCount(matching: Filter(text))
        accepted += 1
      } catch {
        guard case .filter(let position, let message) = error else {
          Issue.record("\(text.debugDescription): \(error)")
          continue
        }
        #expect((0...text.count).contains(position), "\(text.debugDescription)")
        #expect(!message.contains("\n"))
      }
    }
    #expect(accepted > 100)
  }

  @Test func quotedTextIsFoundInContextsNotesTagsAndExplanations() throws {
    let folder = try TemporaryFolder()
    var content = Content(latents: 6, seed: 5)
    content.examples = [
      ExampleRecord(latent: 1, quantile: 4, rank: 0, sequence: 0, positions: [0], values: [1])
    ]
    // " the nobel prize", then a template marker, then " café"
    content.sequences[0] = SequenceRecord(id: 0, tokenIDs: [0, 1, 2, 16, 15], corpus: "plain")
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readWrite)
    try store.annotate([2], note: "About the Nobel committee")
    try store.annotate([3], adding: ["nobelist"])
    func found(_ text: String) throws -> [Int] { try store.latentIDs(sortedBy: .id, matching: Filter("\"\(text)\"")) }
    #expect(try found("nobel") == [1, 2, 3])
    #expect(try found("NOBEL pri") == [1], "a phrase whose last word may go on")
    #expect(try found("nob ") == [], "a blank ends the word")
    #expect(try found("prize the") == [])
    #expect(try found("cafe") == [1], "accents do not matter")
    #expect(try found("im_start") == [], "special tokens are not text")
    #expect(try found("zebra") == [0, 1])
    try store.annotate([2], note: "")
    #expect(try found("committee") == [])
  }

  /// Random filters mean the same to SQL and to a plain reading of the tree.
  @Test(arguments: [11, 12, 13])
  func sqlAgreesWithAPlainReading(seed: UInt64) throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 60, seed: seed)
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readWrite)
    var random = SeededGenerator(seed)
    let names = ["refusal", "odd one", "Template"]
    var tags: [Int: Set<String>] = [:]
    for latent in content.latents {
      for name in names where Int.random(in: 0..<4, using: &random) == 0 {
        tags[latent.id, default: []].insert(name)
        try store.annotate([latent.id], adding: [name])
      }
    }
    let reader = PlainReader(content: content, tags: tags)
    for _ in 0..<150 {
      let text = Self.randomFilter(depth: 3, &random)
      let filter = try Filter(text)
      let expected = content.latents.filter { reader.lets($0, through: filter.root) }.map(\.id)
      #expect(try store.latentIDs(sortedBy: .id, matching: filter) == expected, "\(text)")
      #expect(try store.latentCount(matching: filter) == expected.count)
    }
  }

  private static func randomFilter(depth: Int, _ random: inout SeededGenerator) -> String {
    func pick<T>(_ values: [T]) -> T { values[Int.random(in: 0..<values.count, using: &random)] }
    if depth > 0, Int.random(in: 0..<3, using: &random) > 0 {
      let left = randomFilter(depth: depth - 1, &random)
      let right = randomFilter(depth: depth - 1, &random)
      return pick([
        "(\(left)) and (\(right))", "\(left) or (\(right))", "not (\(left))", "(\(left)) and not (\(right))",
      ])
    }
    let column = pick(LatentColumn.allCases).rawValue
    let comparison = pick(FilterComparison.allCases).rawValue
    let number = Double(Int.random(in: -4...12, using: &random)) * 0.125
    return pick([
      "\(column)\(comparison)\(number)", "\(number) \(comparison) \(column)", "dead",
      "tag:" + pick(["refusal", "\"odd one\"", "TEMPLATE", "none"]), "class:" + pick(LatentClass.allCases).rawValue,
      "id:\(Int.random(in: 0..<70, using: &random))",
      "\"" + pick(Content.words + ["refusa", "one", "nobel prize", "the no", "the the "]) + "\"",
    ])
  }
}

/// What a filter means, read off its tree.
private struct PlainReader {
  let content: Content
  let tags: [Int: Set<String>]
  /// The words of each latent's contexts, one list a sequence.
  private var words: [Int: [[String]]] = [:]

  init(content: Content, tags: [Int: Set<String>]) {
    self.content = content
    self.tags = tags
    for example in content.examples {
      let ids = content.sequences[Int(example.sequence)].tokenIDs.filter { $0 < Content.words.count }
      words[example.latent, default: []].append(ids.map { Self.fold(Content.words[Int($0)]) })
    }
    for explanation in content.explanations {
      words[explanation.latent, default: []].append(
        explanation.text.split(separator: " ").map { Self.fold(String($0)) })
    }
  }

  static func fold(_ text: String) -> String {
    text.folding(options: [.diacriticInsensitive, .caseInsensitive], locale: nil)
  }

  func lets(_ latent: LatentRecord, through node: FilterNode?) -> Bool {
    switch node {
    case nil: return true
    case .and(let nodes): return nodes.allSatisfy { lets(latent, through: $0) }
    case .or(let nodes): return nodes.contains { lets(latent, through: $0) }
    case .not(let node): return !lets(latent, through: node)
    case .dead: return latent.dead
    case .latentClass(let latentClass): return latent.latentClass == latentClass
    case .tag(let name): return tags[latent.id, default: []].contains { $0.lowercased() == name.lowercased() }
    case .compare, .compareMetric:
      let (value, comparison, number): (Double?, FilterComparison, Double) =
        switch node {
        case .compare(let column, let comparison, let number): (latent[column], comparison, number)
        case .compareMetric(let name, let comparison, let number): (latent.metrics[name], comparison, number)
        default: (nil, .equal, 0)
        }
      guard let value else { return false }
      switch comparison {
      case .less: return value < number
      case .lessOrEqual: return value <= number
      case .greater: return value > number
      case .greaterOrEqual: return value >= number
      case .equal: return value == number
      case .notEqual: return value != number
      }
    case .text(let text):
      if tags[latent.id, default: []].contains(where: { $0.lowercased().contains(text.lowercased()) }) { return true }
      let wanted = text.split(separator: " ").map { Self.fold(String($0)) }
      return words[latent.id, default: []].contains { Self.holds($0, phrase: wanted, open: !text.hasSuffix(" ")) }
    }
  }

  private static func holds(_ words: [String], phrase: [String], open: Bool) -> Bool {
    guard words.count >= phrase.count else { return false }
    return (0...words.count - phrase.count).contains { start in
      phrase.indices.allSatisfy {
        let word = words[start + $0]
        return open && $0 == phrase.count - 1 ? word.hasPrefix(phrase[$0]) : word == phrase[$0]
      }
    }
  }
}
