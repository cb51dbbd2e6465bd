// The tokens that a folder's files add to a model's vocabulary, and their ids. As in the library, an added token that
// the vocabulary knows keeps that id; any other token gets the next free id, whatever the file says; and a token that
// is added again takes its new settings. Source: add_tokens of tokenizers/src/tokenizer/added_vocabulary.rs.

/// Tokens added to a vocabulary, in order.
struct AddedVocabulary: Sendable {
  private let names: ByteStrings
  /// The number of names in the model's vocabulary.
  private let count: Int
  private(set) var tokens: [AddedToken] = []
  private var indices: [[UInt8]: Int] = [:]
  private var nextID: Int32

  /// - Parameters:
  ///   - names: the names of the model's tokens, by id.
  ///   - count: the number of names.
  init(names: ByteStrings, count: Int) {
    self.names = names
    self.count = count
    nextID = Int32(count)
  }

  /// The added token with a text.
  func token(_ bytes: [UInt8]) -> AddedToken? { indices[bytes].map { tokens[$0] } }

  /// The id of a text, added or not.
  func id(of bytes: [UInt8]) -> Int32? {
    token(bytes)?.id ?? bytes.withUnsafeBufferPointer { names.find($0) }.map { Int32($0) }
  }

  /// Adds a token, or gives an existing one new settings. The library's choice replaces its `id`.
  mutating func add(_ token: AddedToken) {
    guard !token.bytes.isEmpty else { return }
    var token = token
    token.id = id(of: token.bytes) ?? nextID
    if token.id >= nextID { nextID = token.id + 1 }
    guard let index = indices[token.bytes] else {
      indices[token.bytes] = tokens.count
      return tokens.append(token)
    }
    // A token that was a marker once stays a marker.
    token.isControl = token.isControl || tokens[index].isControl
    tokens[index] = token
  }
}
