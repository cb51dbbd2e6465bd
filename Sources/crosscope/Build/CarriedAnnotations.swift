// Tags, notes and runs of a store that is about to be replaced.
// Owns: reading them, and where they go if the new store is about another crosscoder. Refuses: to throw a user's work
// away, or to put it on latents it is not about.

import Diffing
import Foundation
import Storage
import TUI

/// What a user put into the store at `path`, if it is about the same latents; nil if there is nothing.
///
/// Work about another crosscoder is written to a file beside the store, and a damaged store is said to be one, on stderr.
/// - Parameter label: what the lines on stderr begin with.
/// - Throws: the store's own error, such as for another program's file in its place.
func carriedAnnotations(from path: String, crosscoderHash: String, label: String) throws -> UserAnnotations? {
  guard FileManager.default.fileExists(atPath: path) else { return nil }
  let old: Store
  do { old = try Store(path: path, access: .readOnly) } catch {
    switch error {
    case .empty, .truncated:
      writeError("\(label): \(termSafe(path)) is damaged; it is replaced, its tags cannot be carried over")
      return nil
    default: throw error
    }
  }
  let annotations = try old.userAnnotations()
  guard !annotations.isEmpty else { return nil }
  guard annotations.crosscoderSHA256 == crosscoderHash else {
    // Latent numbers mean nothing in another crosscoder, but a user's work is not thrown away either.
    let backup = path + ".\(annotations.crosscoderSHA256?.prefix(8) ?? "old").annotations.json"
    try write(json: annotations, to: backup)
    writeError("\(label): the crosscoder changed; tags and notes of the old store are kept in \(termSafe(backup))")
    return nil
  }
  return annotations
}
