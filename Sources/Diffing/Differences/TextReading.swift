// What both models expect next at every token of a text, beside their divergence there.

import Inference
import Kernels

/// One token of a text under both models.
public struct TokenReading: Sendable, Equatable {
  public let id: Int32
  public let role: TokenRole
  /// KL(chat ‖ base) of the distributions of the next token, in nats.
  public let divergence: Double
  /// The likeliest next tokens.
  public let base: [TokenProbability]
  public let chat: [TokenProbability]
}

extension PairedModels {
  /// Reads a text.
  /// - Parameter likeliest: how many next tokens are named.
  /// - Throws: the errors of the forward pass.
  public func read(_ text: DifferenceText, likeliest count: Int) throws(InferenceError) -> [TokenReading] {
    let visitor = LikeliestTokens(count: count)
    let found = try DifferencePass(models: self).run([text], visitor: visitor)[0]
    return text.ids.indices.map { position in
      TokenReading(
        id: text.ids[position], role: text.roles[position], divergence: found.chatFromBase[position],
        base: visitor.base[position], chat: visitor.chat[position])
    }
  }
}

private final class LikeliestTokens: DifferenceVisitor {
  private(set) var base: [[TokenProbability]] = []
  private(set) var chat: [[TokenProbability]] = []
  private let count: Int

  init(count: Int) { self.count = count }

  func residual(block: Int, text: Int, position: Int, base: UnsafePointer<Float>, chat: UnsafePointer<Float>) {}

  func logits(_ rows: LogitRows) {
    for row in rows.places.indices {
      base.append(likeliest(rows.base(row), count: rows.vocabulary, count))
      chat.append(likeliest(rows.chat(row), count: rows.vocabulary, count))
    }
  }
}
