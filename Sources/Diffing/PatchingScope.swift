// Which predictions of a chat are counted in activation patching. A position belongs to the token that it predicts, the
// next one. Predictions of template tokens never count, and nothing predicts the first token (BOS or its place).
// Source: arXiv 2504.02922 and its authors' code. They count an assistant's text without its turn markers; for the
// first tokens they take the first 10 positions that predict it, without the template token that predicts its very
// first.

import Inference

/// A set of predictions.
public enum PatchingScope: String, Sendable, Codable, CodingKeyRepresentable, CaseIterable {
  /// Every token that the template did not write, the user's tokens included.
  case all
  /// The assistant's text: the paper's "full response".
  case response
  /// The 2nd to 10th token of each of the assistant's turns, which its first 9 tokens predict.
  case first9 = "first_9"

  /// The positions whose predictions count, ascending.
  public func positions(in chat: RenderedChat) -> [Int] {
    let (T, template, roles) = (chat.ids.count, chat.templateMask, chat.roles)
    let predicting = (0..<max(0, T - 1)).filter { !template[$0 + 1] }
    switch self {
    case .all: return predicting
    case .response: return predicting.filter { roles[$0 + 1] == .assistant }
    case .first9:
      var (result, place): ([Int], Int) = ([], 0)
      for position in predicting where roles[position + 1] == .assistant {
        // A turn begins where a template token predicts its first token. A chat that was cut keeps what it has.
        place = template[position] || roles[position] != .assistant ? 0 : place + 1
        if (1...9).contains(place) { result.append(position) }
      }
      return result
    }
  }
}
