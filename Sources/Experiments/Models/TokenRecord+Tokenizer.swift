// The tokens of a tokenizer as the store's rows.

import Inference
import Storage

extension Tokenizer {
  /// Every token of the vocabulary as a row of a store.
  package var records: [TokenRecord] { (0..<Int32(vocabularySize)).map(record) }

  /// A token as a row of a store.
  package func record(_ id: Int32) -> TokenRecord {
    TokenRecord(id: id, bytes: bytes(of: id), isSpecial: isSpecial(id))
  }
}
