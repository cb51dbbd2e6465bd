// Splits a JSON-lines file, such as a set of prompts or a corpus, into numbered lines. A line ends at LF or CRLF, a line of
// white space is blank, and a byte order mark in front of the first line is skipped.

import Foundation

/// A line of a JSON-lines file that is not blank.
package struct JSONLine {
  /// The number of the line in the file, from 1 on; blank lines count.
  package let number: Int
  package let content: Data

  /// The lines of a file's bytes.
  package static func lines(_ file: Data) -> [JSONLine] {
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let bytes = file.starts(with: mark) ? file.dropFirst(mark.count) : file
    return bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
      .filter { !isBlank($0.element) }.map { JSONLine(number: $0 + 1, content: Data($1)) }
  }

  /// Whether a line holds nothing but JSON's white space.
  package static func isBlank(_ line: some Sequence<UInt8>) -> Bool {
    line.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
  }
}
