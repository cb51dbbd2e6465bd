// Fits text into a table: pads it to a width, spells norms in ASCII and shortens dates.

import TUI

/// The text with the signs of norms replaced by ASCII.
package func plainNorms(_ text: String) -> String {
  text.replacing("‖Δh‖", with: "|dh|").replacing("‖h‖", with: "|h|")
}

/// An ISO 8601 date without seconds, as `2026-11-24 21:30`.
package func when(_ created: String) -> String { String(created.map { $0 == "T" ? " " : $0 }.prefix(16)) }

extension String {
  /// The text with blanks in front up to a width.
  package func leftPadded(to count: Int) -> String {
    String(repeating: " ", count: max(0, count - displayWidth(self))) + self
  }

  /// The text with blanks behind up to a width.
  package func rightPadded(to count: Int) -> String {
    self + String(repeating: " ", count: max(0, count - displayWidth(self)))
  }
}
