// A model's tokens as the rows of a store.

import Inference
import Storage

extension Tokenizer {
  /// Every token as a store has it.
  package var records: [TokenRecord] { (0..<Int32(vocabularySize)).map(record) }

  /// A token as a store has it.
  package func record(_ id: Int32) -> TokenRecord {
    TokenRecord(id: id, bytes: bytes(of: id), isSpecial: isSpecial(id))
  }
}
