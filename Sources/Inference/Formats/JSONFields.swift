// A JSON object that is read field by field, of a request or of a saved run. Every field must be known: an object that
// says more than is understood would be half obeyed. A field that is null says nothing.

import Foundation

/// Why a field of a JSON object cannot be read.
public struct JSONFieldError: Error, Equatable, CustomStringConvertible {
  /// Whether the field is not known, or has a wrong value.
  public enum Kind: Sendable { case unknown, invalid }

  public let kind: Kind
  /// The path of the field, such as `interventions[0].mode`.
  public let field: String
  /// What is wrong with it, in one line that begins with the field.
  public let description: String

  public init(_ kind: Kind, field: String, _ description: String) {
    (self.kind, self.field, self.description) = (kind, field, description)
  }

  /// A field that has a wrong value.
  /// - Parameter what: what was expected, and what was found.
  public static func invalid(_ field: String, _ what: String) -> JSONFieldError {
    JSONFieldError(.invalid, field: field, "\(field): \(what)")
  }
}

/// The name of a field.
public struct FieldName: CodingKey {
  public let stringValue: String
  public var intValue: Int? { nil }
  public init(_ name: String) { stringValue = name }
  public init?(stringValue: String) { self.stringValue = stringValue }
  public init?(intValue: Int) { nil }
}

/// The fields of one JSON object.
public struct JSONFields {
  private let container: KeyedDecodingContainer<FieldName>
  /// What comes before a field's own name in an error.
  private let prefix: String

  /// - Parameters:
  ///   - known: the fields that are read.
  ///   - table: what is done with others that clients send; nil where there are none.
  /// - Throws: `JSONFieldError` naming the first field, by the alphabet, that asks for something that is not done.
  public init(_ decoder: any Decoder, known: [String] = [], table: FormatTable? = nil) throws {
    try self.init(decoder)
    for name in container.allKeys.map(\.stringValue).sorted() where !known.contains(name) {
      let field = table?[name]
      if try container.decodeNil(forKey: FieldName(name)) || field?.use == .honoured { continue }
      let value = try container.decode(JSONValue.self, forKey: FieldName(name))
      guard field?.use == .withoutEffect || field?.accepts(value) == true else {
        throw JSONFieldError(.unknown, field: full(name), "\(full(name)) is not supported here; leave it out")
      }
    }
  }

  /// An object that may hold fields of others, too.
  public init(_ decoder: any Decoder) throws {
    container = try decoder.container(keyedBy: FieldName.self)
    prefix = decoder.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
  }

  private func full(_ name: String) -> String { String((prefix + "." + name).drop { $0 == "." }) }

  /// The field's value; nil where it is absent or null.
  public func value<T: Decodable>(_ name: String, _ type: T.Type = T.self) throws -> T? {
    try container.decodeIfPresent(T.self, forKey: FieldName(name))
  }

  /// The field's value, within a range.
  public func value<T: Decodable & Comparable>(_ name: String, in range: ClosedRange<T>) throws -> T? {
    guard let found: T = try value(name) else { return nil }
    guard range.contains(found) else {
      throw invalid(name, "expected \(range.lowerBound) to \(range.upperBound), found \(found)")
    }
    return found
  }

  /// One of an enumeration's names.
  public func choice<T: RawRepresentable & CaseIterable>(_ name: String) throws -> T? where T.RawValue == String {
    guard let found: String = try value(name) else { return nil }
    guard let choice = T(rawValue: found) else {
      throw invalid(name, "expected one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  /// Whether the field is not there, or null.
  public func isAbsent(_ name: String) throws -> Bool {
    try !container.contains(FieldName(name)) || container.decodeNil(forKey: FieldName(name))
  }

  /// The value of a field that must be there.
  public func required<T: Decodable>(_ name: String, _ type: T.Type = T.self) throws -> T {
    guard let found: T = try value(name) else { throw invalid(name, "it is missing") }
    return found
  }

  /// The error of a field.
  public func invalid(_ name: String, _ what: String) -> JSONFieldError { .invalid(full(name), what) }
}

extension KeyedEncodingContainer where Key == FieldName {
  /// Writes a field.
  public mutating func write(_ value: some Encodable, _ name: String) throws {
    try encode(value, forKey: FieldName(name))
  }
}
