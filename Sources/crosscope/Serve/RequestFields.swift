// Reading a request's JSON object field by field. Owns: naming what is wrong in the words of the request.
// Refuses: fields that are not asked for; a request that says more than is understood is not half obeyed. A field that is
// null says nothing, whichever it is.

import Foundation
import Inference
import Serving

/// A name in a JSON object.
struct FieldName: CodingKey {
  let stringValue: String
  var intValue: Int? { nil }
  init(_ name: String) { stringValue = name }
  init?(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

/// An object of a request whose fields are all known.
struct RequestFields {
  private let container: KeyedDecodingContainer<FieldName>
  /// What comes before a field's own name in an error.
  private let prefix: String

  /// - Parameters:
  ///   - known: fields that are read.
  ///   - table: what is done with others that clients send; nil where there are none.
  /// - Throws: `APIError` naming the first field, by the alphabet, that asks for something that is not done.
  init(_ decoder: any Decoder, known: [String] = [], table: FormatTable? = nil) throws {
    container = try decoder.container(keyedBy: FieldName.self)
    prefix = decoder.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    for name in container.allKeys.map(\.stringValue).sorted() where !known.contains(name) {
      let field = table?[name]
      if try container.decodeNil(forKey: FieldName(name)) || field?.use == .honoured { continue }
      let value = try container.decode(JSONValue.self, forKey: FieldName(name))
      guard field?.use == .withoutEffect || field?.accepts(value) == true else {
        throw APIError.unsupported(field: full(name))
      }
    }
  }

  private func full(_ name: String) -> String { String((prefix + "." + name).drop { $0 == "." }) }

  /// The field's value; nil where it is absent or null.
  func value<T: Decodable>(_ name: String, _ type: T.Type = T.self) throws -> T? {
    try container.decodeIfPresent(T.self, forKey: FieldName(name))
  }

  /// The field's value, within a range.
  func value<T: Decodable & Comparable>(_ name: String, in range: ClosedRange<T>) throws -> T? {
    guard let found: T = try value(name) else { return nil }
    guard range.contains(found) else {
      throw invalid(name, "expected \(range.lowerBound) to \(range.upperBound), found \(found)")
    }
    return found
  }

  /// One of an enumeration's names.
  func choice<T: RawRepresentable & CaseIterable>(_ name: String) throws -> T? where T.RawValue == String {
    guard let found: String = try value(name) else { return nil }
    guard let choice = T(rawValue: found) else {
      throw invalid(name, "expected one of \(T.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    return choice
  }

  /// Whether the field is not there, or null.
  func isAbsent(_ name: String) throws -> Bool {
    try !container.contains(FieldName(name)) || container.decodeNil(forKey: FieldName(name))
  }

  /// The value of a field that must be there.
  func required<T: Decodable>(_ name: String, _ type: T.Type = T.self) throws -> T {
    guard let found: T = try value(name) else { throw invalid(name, "it is missing") }
    return found
  }

  /// The error of a field.
  func invalid(_ name: String, _ what: String) -> APIError { .invalid("\(full(name)): \(what)", param: full(name)) }
}

extension Decodable {
  /// Reads a request's body.
  /// - Throws: `APIError` naming the field that is wrong.
  static func read(_ body: Data) throws(APIError) -> Self {
    do {
      return try JSONDecoder().decode(Self.self, from: body)
    } catch let error as APIError {
      throw error
    } catch let error as DecodingError {
      throw APIError.invalid("the request has \(error.clause); correct it", param: error.field)
    } catch {
      throw APIError.invalid("the request is no JSON object; correct it")
    }
  }
}

extension DecodingError {
  /// The path of the field at fault.
  fileprivate var field: String? {
    let path: [any CodingKey] =
      switch self {
      case .keyNotFound(let key, let context): context.codingPath + [key]
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        context.codingPath
      @unknown default: []
      }
    let text = path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    return text.isEmpty ? nil : String(text.drop { $0 == "." })
  }
}
