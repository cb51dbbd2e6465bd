// A behaviour as a JSON object, in a file of behaviours and in saved reports:
//   {"name", "about", "first", "expressions", "unless", "with", "without", "group"}
//   {"name", "about", "first", "judge": {"url", "model", "question", "key_variable"}}
// Every other field is refused by name, and an expression that cannot be read is named together with its behaviour.

import Foundation
import Inference

extension Behaviour: Codable {
  /// The largest number of scalars that `first` may name.
  private static let mostLookedAt = 1_000_000

  /// - Throws: `JSONFieldError` naming the field, and `DecodingError` for a value of another type.
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(
      decoder, known: ["name", "about", "first", "expressions", "unless", "with", "without", "group", "judge"])
    let name: String = try fields.required("name")
    guard Self.isName(name) else {
      throw fields.invalid("name", "expected 1 to 40 of the characters a–z, A–Z, 0–9, -, _ and .")
    }
    let about: String = try fields.required("about")
    let first: Int? = try fields.value("first", in: 1...Self.mostLookedAt)
    guard let judge: Judge = try fields.value("judge") else {
      var expressions = Expressions(try Self.expressions("expressions", of: name, fields) ?? [])
      guard !expressions.any.isEmpty else {
        throw fields.invalid("expressions", "\(name) has neither expressions nor a judge")
      }
      expressions.unless = try Self.expressions("unless", of: name, fields) ?? []
      expressions.with = try fields.value("with") ?? []
      expressions.without = try fields.value("without") ?? []
      expressions.group = try fields.value("group")
      self.init(name: name, about: about, classifier: .expressions(expressions), first: first)
      return
    }
    for field in ["expressions", "unless", "with", "without", "group"] where try !fields.isAbsent(field) {
      throw fields.invalid(field, "\(name) has a judge, which decides alone")
    }
    guard name != Behaviour.refused.name else {
      throw fields.invalid("judge", "\(name) is told by expressions, so that every report has it; use another name")
    }
    self.init(name: name, about: about, classifier: .judge(judge), first: first)
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(name, "name")
    try fields.write(about, "about")
    if let first { try fields.write(first, "first") }
    switch classifier {
    case .judge(let judge): try fields.write(judge, "judge")
    case .expressions(let expressions):
      try fields.write(expressions.any.map(\.pattern), "expressions")
      if !expressions.unless.isEmpty { try fields.write(expressions.unless.map(\.pattern), "unless") }
      if !expressions.with.isEmpty { try fields.write(expressions.with, "with") }
      if !expressions.without.isEmpty { try fields.write(expressions.without, "without") }
      if let group = expressions.group { try fields.write(group, "group") }
    }
  }

  private static func isName(_ name: String) -> Bool {
    (1...40).contains(name.utf8.count)
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
      }
  }

  private static func expressions(
    _ field: String, of name: String, _ fields: JSONFields
  ) throws -> [Expression]? {
    let patterns: [String]? = try fields.value(field)
    return try patterns?.enumerated().map { index, pattern in
      guard let expression = Expression(pattern) else {
        throw fields.invalid("\(field)[\(index)]", "\(pattern) of \(name) is no regular expression")
      }
      return expression
    }
  }
}

extension Behaviour.Judge: Codable {
  /// - Throws: `JSONFieldError` naming the field.
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["url", "model", "question", "key_variable"])
    self.init(
      url: try fields.required("url"), model: try fields.required("model"), question: try fields.required("question"),
      keyVariable: try fields.value("key_variable"))
    guard let parsed = URLComponents(string: url), ["http", "https"].contains(parsed.scheme),
      parsed.host?.isEmpty == false, parsed.user == nil
    else { throw fields.invalid("url", "expected an address as http://localhost:8000/v1, found \(url)") }
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(url, "url")
    try fields.write(model, "model")
    try fields.write(question, "question")
    if let keyVariable { try fields.write(keyVariable, "key_variable") }
  }
}
