// What a dictionary's reconstruction costs each model over some texts, and loss recovered (`LossRecovery` in Diffing). A
// store keeps the figures in its metadata, as JSON.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// The figures of a dictionary over some texts.
package struct ReconstructionLoss: Codable, Equatable, Sendable {
  /// The cross-entropies of one model, in nats a token, and the share of the loss that the reconstruction keeps.
  package struct Model: Codable, Equatable, Sendable {
    package let clean, reconstructed, zeroed, loss_recovered: ClusteredRatio?

    /// The figures of a model that the dictionary reconstructs; nil for another.
    init?(_ losses: [TextLosses], _ model: (TextLosses) -> TextLosses.Sums?) {
      let predictions = losses.map { Double($0.predictions) }
      let sums = losses.compactMap(model)
      guard sums.count == losses.count else { return nil }
      clean = ClusteredRatio(sums.map(\.clean), over: predictions)
      reconstructed = ClusteredRatio(sums.map(\.reconstructed), over: predictions)
      zeroed = ClusteredRatio(sums.map(\.zeroed), over: predictions)
      loss_recovered = ClusteredRatio(
        sums.map { $0.zeroed - $0.reconstructed }, over: sums.map { $0.zeroed - $0.clean })
    }
  }

  /// The name of the file of texts, or `corpus` for texts that training has seen.
  package let texts: String
  package let held_out: Bool
  /// What the texts are known by: the SHA-256 of their file, or the identity of the corpus.
  package let source: String
  package let text_count, tokens: Int
  package let precision: Precision
  /// The models that the dictionary reconstructs.
  package let base, chat: Model?

  package init(_ losses: [TextLosses], texts: String, isHeldOut: Bool, source: String, precision: Precision) {
    (self.texts, held_out, self.source, self.precision) = (texts, isHeldOut, source, precision)
    text_count = losses.count
    tokens = losses.reduce(0) { $0 + $1.predictions + 1 }
    (base, chat) = (Model(losses) { $0.base }, Model(losses) { $0.chat })
  }

  /// Loss recovered by model, as a person reads it: `base 97.1 %, chat 96.0 %`.
  package var text: String {
    [("base", base), ("chat", chat)].compactMap { name, model in
      model?.loss_recovered.map { "\(name) \(fixed(100 * $0.value, 1)) %" }
    }.joined(separator: ", ")
  }

  /// The key of a store's metadata that holds the figures.
  package static let metaKey = "reconstruction_loss"

  /// The figures as the metadata hold them.
  package func metaText() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}

extension Store {
  /// What the dictionary's reconstruction costs, if it was measured.
  package func reconstructionLoss() throws -> ReconstructionLoss? {
    try meta()[ReconstructionLoss.metaKey].flatMap {
      try? JSONDecoder().decode(ReconstructionLoss.self, from: Data($0.utf8))
    }
  }
}

extension Engine {
  /// Chats and plain texts as tokens, cut to a length, without those of which nothing can be predicted.
  package func tokens(chats: [[ChatMessage]], texts: [String], limit: Int) throws(InferenceError) -> [[Int32]] {
    var all: [[Int32]] = []
    for chat in chats { all.append(try encodeChat(chat, addGenerationPrompt: false).ids) }
    for text in texts { all.append(beginning + tokenizer.encode(text, parseSpecial: false)) }
    return all.map { Array($0.prefix(limit)) }.filter { $0.count > 1 }
  }
}
