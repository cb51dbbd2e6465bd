// The models' names and the layer of an import, from the checkpoint's own files and from the command line.
// Owns: taking apart the authors' "<chat>-<base>", both of which hold hyphens. Refuses: a layer that the two contradict,
// and an import whose layer nobody says: an off-by-one there makes every later result quietly wrong.

import Diffing
import Experiments

/// What the store will call its models, and where they are read.
package struct ImportNames: Equatable {
  package let base: String
  package let chat: String
  package let layer: Int

  /// - Throws: `InputError.notSaid`, or `.inputInvalid` for two layers.
  package init(file: CrosscoderFile, base: String?, chat: String?, layer: Int?) throws(InputError) {
    guard let found = layer ?? file.card.layer else {
      throw .notSaid(
        source: file.path, what: "which layer it reads", remedy: "give --layer, the block whose output it is, from 0")
    }
    if let own = file.card.layer, own != found {
      throw .invalid(
        source: "--layer", expected: "\(own), as the crosscoder's files say (the block whose output it reads, from 0)",
        found: "\(found)")
    }
    self.layer = found
    let named = file.card.modelName.flatMap(Self.split)
    if file.soleModel != nil {
      // A one-model dictionary has no base.
      let trained = file.target == .base ? named?.base : named?.chat
      (self.base, self.chat) = (base ?? "", chat ?? trained ?? file.modelName ?? "model")
    } else {
      (self.base, self.chat) = (base ?? named?.base ?? file.modelName ?? "base", chat ?? named?.chat ?? "chat")
    }
  }

  /// `org/name-it-org/name` → `org/name-it` and `org/name`. A hyphen divides where the right side begins with the left
  /// one's organisation, or else where the left side begins with the whole right one.
  package static func split(_ text: String) -> (chat: String, base: String)? {
    let hyphens = text.indices.filter { text[$0] == "-" }
    let parts = hyphens.map { (chat: String(text[..<$0]), base: String(text[text.index(after: $0)...])) }
      .filter { !$0.chat.isEmpty && !$0.base.isEmpty }
    func organisation(_ name: String) -> Substring? { name.firstIndex(of: "/").map { name[...$0] } }
    return parts.first { organisation($0.chat) != nil && organisation($0.chat) == organisation($0.base) }
      ?? parts.first { $0.chat.hasPrefix($0.base) }
      ?? parts.first { organisation($0.chat) != nil && organisation($0.base) != nil }
  }
}
