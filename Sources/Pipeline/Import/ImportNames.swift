// Finds the models' names and the layer of an import in the checkpoint's own files and on the command line. The authors join
// the names as "<chat>-<base>", and both names may have hyphens. If the two sources contradict each other about the layer, or
// neither has it, the import fails: a layer that is off by one would make every later result wrong without a sign.

import Diffing
import Experiments

/// The names of the models in the store, and the layer at which they are read.
package struct ImportNames: Equatable {
  package let base: String
  package let chat: String
  package let layer: Int

  /// - Throws: `InputError.notSaid`, or `.invalid` if there are two different layers.
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
    if file.target == .base || file.target == .chat {
      // A one-model dictionary has no base.
      let trained = file.target == .base ? named?.base : named?.chat
      (self.base, self.chat) = (base ?? "", chat ?? trained ?? file.modelName ?? "model")
    } else {
      (self.base, self.chat) = (base ?? named?.base ?? file.modelName ?? "base", chat ?? named?.chat ?? "chat")
    }
  }

  /// Splits `org/name-it-org/name` into `org/name-it` and `org/name`, at the hyphen where the right side begins with
  /// the left one's organisation, or else where the left side begins with the whole right one.
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
