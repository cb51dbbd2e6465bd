// Carries tags, notes and runs from a store that is being replaced into the new one. If the new store is about another
// crosscoder, they go to a file beside it: a user's work is neither thrown away nor put on latents that it is not about.

import Diffing
import Foundation
import Reports
import Storage
import TUI

/// The part of the user's work at `path` that goes into the new store; nil if there is none.
///
/// Work about another crosscoder is written to a file beside the store, and a line on stderr says so.
/// - Parameters:
///   - old: the work, read when nobody can change it any more.
///   - label: the beginning of the line on stderr.
package func carried(_ old: UserAnnotations, from path: String, crosscoderHash: String, label: String) throws
  -> UserAnnotations?
{
  guard !old.isEmpty else { return nil }
  guard old.crosscoderSHA256 == crosscoderHash else {
    // Latent numbers have no meaning for another crosscoder, but a user's work must not be lost either.
    let backup = path + ".\(old.crosscoderSHA256?.prefix(8) ?? "old").annotations.json"
    try write(json: old, to: backup)
    writeError("\(label): the crosscoder changed; tags and notes of the old store are kept in \(termSafe(backup))")
    return nil
  }
  return old
}

/// Warns on stderr if a store was cut short and so cannot give its tags to the one that replaces it.
/// - Throws: the store's own error, for instance if another program's file is there.
package func warnOfDamage(at path: String, label: String) throws {
  do { _ = try Store(path: path, access: .readOnly) } catch {
    switch error {
    case .missing: return
    case .empty, .truncated:
      writeError("\(label): \(termSafe(path)) is damaged; it is replaced, and its tags cannot be carried over")
    default: throw error
    }
  }
}
