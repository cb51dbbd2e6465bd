// The text of an answer as its tokens arrive.

import Inference

/// An answer's text: end-of-turn tokens are left out, characters come whole.
package struct GeneratedText {
  private let tokenizer: Tokenizer
  private var decoder: StreamingDecoder
  package private(set) var text = ""

  package init(tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    decoder = StreamingDecoder(tokenizer: tokenizer)
  }

  /// The characters that a token completes.
  package mutating func append(_ id: Int32) -> String {
    guard !tokenizer.endOfTurnIDs.contains(id) else { return "" }
    let piece = decoder.append(id)
    text += piece
    return piece
  }

  /// What is left when no token follows.
  package mutating func finish() -> String {
    let piece = decoder.finish()
    text += piece
    return piece
  }
}
