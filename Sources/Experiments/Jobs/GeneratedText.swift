// Turns the tokens of an answer into text as they arrive.

import Inference

/// The text of an answer. End-of-turn tokens are left out, and a character is given only when all of its bytes are
/// there.
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

  /// The rest of the text when no token follows.
  package mutating func finish() -> String {
    let piece = decoder.finish()
    text += piece
    return piece
  }
}
