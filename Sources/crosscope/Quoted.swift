// A value in a message, between quotes, as it was given.
// Owns: the one form. Refuses: escapes of a programming language, which would show what nobody typed; controls become
// visible symbols, as everywhere.

import TUI

/// `"5:x"`.
func quoted(_ text: String) -> String { "\"\(termSafe(text))\"" }
