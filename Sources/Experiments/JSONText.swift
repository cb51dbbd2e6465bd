// JSON documents as text, both for other programs and for columns of the store.

import Foundation

/// A JSON document with sorted keys in one line. Control characters and bidirectional marks are escaped: they only
/// occur inside strings, and a terminal would obey some of them.
package func jsonText(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  var safe = String.UnicodeScalarView()
  for scalar in String(decoding: try encoder.encode(value), as: UTF8.self).unicodeScalars {
    if (0x20..<0x7F).contains(scalar.value) {
      safe.append(scalar)
      continue
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator:
      for unit in String(scalar).utf16 { safe += String(format: "\\u%04x", Int(unit)).unicodeScalars }
    default: safe.append(scalar)
    }
  }
  return String(safe)
}

/// The text of a JSON column of the store, with sorted keys. If a number is not finite, the column is an empty object.
package func storedJSON(_ value: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}
