// Tags, notes and runs of a store that is being replaced.
// Owns: what of them goes into the new store, and where they go if that one is about another crosscoder. Refuses: to throw
// a user's work away, or to put it on latents it is not about.

import Diffing
import Foundation
import Reports
import Storage
import TUI

/// What of a user's work in the store at `path` goes into the one that replaces it; nil if there is nothing.
///
/// Work about another crosscoder is written to a file beside the store, which is said on stderr.
/// - Parameters:
///   - old: the work, as it is when nobody can change it any more.
///   - label: what the line on stderr begins with.
package func carried(_ old: UserAnnotations, from path: String, crosscoderHash: String, label: String) throws
  -> UserAnnotations?
{
  guard !old.isEmpty else { return nil }
  guard old.crosscoderSHA256 == crosscoderHash else {
    // Latent numbers mean nothing in another crosscoder, but a user's work is not thrown away either.
    let backup = path + ".\(old.crosscoderSHA256?.prefix(8) ?? "old").annotations.json"
    try write(json: old, to: backup)
    writeError("\(label): the crosscoder changed; tags and notes of the old store are kept in \(termSafe(backup))")
    return nil
  }
  return old
}

/// Says on stderr that a store cannot give its tags to the one that replaces it, if it is cut short.
/// - Throws: the store's own error, such as for another program's file in its place.
package func warnOfDamage(at path: String, label: String) throws {
  do { _ = try Store(path: path, access: .readOnly) } catch {
    switch error {
    case .missing: return
    case .empty, .truncated:
      writeError("\(label): \(termSafe(path)) is damaged; it is replaced, its tags cannot be carried over")
    default: throw error
    }
  }
}
