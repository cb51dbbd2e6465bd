// What every fuzz target does with a result: uses it, so that the optimiser cannot leave the reading out.

@testable import Inference

nonisolated(unsafe) private var sink = 0

/// Keeps `value` alive.
@inline(never)
func consume(_ value: Int?) { sink &+= value ?? 0 }

/// Encodes and decodes with a tokenizer that a hostile file made.
func exercise(_ tokenizer: Tokenizer?) {
  guard let tokenizer else { return }
  for text in ["", "Hello, world! 123\n\n  x<|im_start|>", "né 日本 👩‍👧 \u{0}\u{7F}"] {
    for parseSpecial in [false, true] {
      let ids = tokenizer.encode(text, parseSpecial: parseSpecial)
      precondition(ids.allSatisfy { $0 >= 0 && Int($0) < tokenizer.vocabularySize })
      consume(tokenizer.decode(ids).utf8.count)
    }
  }
  for id in [0, tokenizer.vocabularySize / 2, tokenizer.vocabularySize - 1] where id >= 0 {
    consume(tokenizer.decode([Int32(id)]).utf8.count)
  }
}
