// A value in a message, between quotes, as it was given.
// Owns: the one form. Refuses: escapes of a programming language, which would show what nobody typed; controls become
// visible symbols, as everywhere.

import TUI

/// `"5:x"`.
package func quoted(_ text: String) -> String { "\"\(termSafe(text))\"" }

/// Untrusted text of several lines, fit for a terminal: newlines stay, every other control becomes visible.
package func termSafeLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { termSafe(String($0)) }.joined(separator: "\n")
}

extension String {
  /// As much as can show in one line: a saved text may be of any length, and measuring all of it would take its time.
  package var opening: String { String(prefix(400)) }
}
