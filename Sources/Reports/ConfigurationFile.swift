// Reads the JSON configuration of a build or a training and refuses unknown keys. The types of the values check their ranges.

import Experiments
import Foundation
import Inference

/// Reads a configuration.
/// - Throws: `InputError.invalid` naming the key that is missing, of another type or unknown.
package func readConfiguration<Value: Codable>(_ type: Value.Type, path: String, expected: String) throws -> Value {
  try readConfiguration(type, from: MappedFile(path: path).contents(), source: path, expected: expected)
}

/// Reads a configuration from bytes.
/// - Throws: the errors of `readConfiguration(_:path:expected:)`, naming `source`.
package func readConfiguration<Value: Codable>(
  _ type: Value.Type, from data: Data, source: String, expected: String
) throws -> Value {
  let value: Value
  do {
    value = try JSONDecoder().decode(type, from: data)
  } catch let error as DecodingError {
    throw InputError.invalid(source: source, expected: expected, found: error.clause)
  }
  let known = try JSONSerialization.jsonObject(with: JSONEncoder().encode(value))
  if let unknown = unknownKey(in: try JSONSerialization.jsonObject(with: data), known: known) {
    throw InputError.invalid(
      source: source, expected: "known keys only", found: "the key \(quoted(unknown))")
  }
  return value
}

/// The first key, at any depth, that reading the file ignored.
private func unknownKey(in given: Any, known: Any) -> String? {
  if let given = given as? [String: Any], let known = known as? [String: Any] {
    for (key, value) in given.sorted(by: { $0.key < $1.key }) {
      guard let counterpart = known[key] else { return key }
      if let unknown = unknownKey(in: value, known: counterpart) { return "\(key).\(unknown)" }
    }
  } else if let given = given as? [Any], let known = known as? [Any] {
    for (value, counterpart) in zip(given, known) {
      if let unknown = unknownKey(in: value, known: counterpart) { return unknown }
    }
  }
  return nil
}
