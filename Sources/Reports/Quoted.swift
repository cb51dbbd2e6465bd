// Quotes a value in a message. It is not escaped as in a programming language, since the user would not recognise such a text;
// control characters become visible symbols.

import TUI

/// The text between quotes, as `"5:x"`.
package func quoted(_ text: String) -> String { "\"\(termSafe(text))\"" }

/// Makes untrusted text of several lines safe for a terminal: newlines stay, every other control character becomes
/// visible.
package func termSafeLines(_ text: String) -> String {
  text.split(separator: "\n", omittingEmptySubsequences: false).map { termSafe(String($0)) }.joined(separator: "\n")
}

extension String {
  /// The part of a text that one line can show. A saved text may be long, and measuring all of it would take time.
  package var opening: String { String(prefix(400)) }
}
