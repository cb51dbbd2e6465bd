// JSON documents as text: for programs that read them, and for the columns of a store.

import Foundation

/// A JSON document with sorted keys, in one line. Controls and bidirectional marks of a model's or corpus's text are
/// escaped: they only occur inside strings, and a terminal would obey some of them.
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

/// A column of the store: the keys are in order. A number that JSON cannot hold leaves `{}`, which says nothing.
package func storedJSON(_ value: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}
