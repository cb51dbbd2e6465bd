// Writes tokens for screens and reports.

import Foundation
import Storage

/// The texts of a token sequence: a character split over several tokens is shown by the last of them.
package func tokenTexts(_ ids: [Int32], _ tokens: [Int32: TokenRecord]) -> [String] {
  var open: [UInt8] = []
  return ids.enumerated().map { index, id in
    guard let token = tokens[id] else {
      open = []
      return "⟨\(id)⟩"
    }
    open += token.bytes
    let rest = index + 1 < ids.count ? incompleteTail(open) : 0
    let text = String(decoding: open.dropLast(rest), as: UTF8.self)
    open = Array(open.suffix(rest))
    return text
  }
}

/// The number of bytes at the end that begin a UTF-8 character without completing it.
private func incompleteTail(_ bytes: [UInt8]) -> Int {
  for back in 1...3 where back <= bytes.count {
    let byte = bytes[bytes.count - back]
    if byte & 0xC0 == 0x80 { continue }
    let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}

/// A token in a list, with its blanks made visible.
package func visibleToken(_ id: Int32, _ tokens: [Int32: TokenRecord]) -> String {
  visible(tokens[id]?.text ?? "⟨\(id)⟩")
}

/// A token's text in a list, with its blanks made visible.
package func visible(_ text: String) -> String {
  text.isEmpty ? "∅" : text.replacingOccurrences(of: " ", with: "␣")
}
