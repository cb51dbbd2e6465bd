// Cuts text into the pieces within which pairs are merged, by hand-written scanners over UTF-8; `PreTokenScanner` has
// one function for each family, with its pattern above it. To add a tokenizer, add a case here with its names in GGUF
// files and its pattern in tokenizer.json files. Patterns that no test covers are not known.

/// The ways to cut text.
enum PreTokenizer: CaseIterable, Sendable {
  case gpt2, smollm, llama3, qwen2, qwen35
  /// SentencePiece does not cut.
  case none

  /// The names in `tokenizer.ggml.pre`.
  var ggufNames: [String] {
    switch self {
    case .gpt2: ["gpt-2"]
    case .smollm: ["smollm"]
    case .llama3: ["llama-bpe", "llama3", "llama-v3"]
    case .qwen2: ["qwen2", "deepseek-r1-qwen"]
    case .qwen35: ["qwen35"]
    case .none: []
    }
  }

  /// The pattern in tokenizer.json files, for families that have one.
  var pattern: String? {
    let contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    let rest = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    switch self {
    case .llama3: return contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + rest
    case .qwen2: return contraction + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + rest
    case .qwen35:
      return contraction + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"# + rest
    case .gpt2: return #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
    case .smollm, .none: return nil
    }
  }

  /// Passes the pieces of `text` to `piece`, in order; they cover it without gap.
  /// - Parameter text: valid UTF-8.
  func split(_ text: UnsafeBufferPointer<UInt8>, _ piece: (Range<Int>) -> Void) {
    guard self != .none else { return text.isEmpty ? () : piece(0..<text.count) }
    var scanner = PreTokenScanner(text, marksAreLetters: self == .qwen35)
    while scanner.position < text.count {
      let start = scanner.position
      switch self {
      case .gpt2: scanner.skipGPT2Piece()
      case .smollm: scanner.skipSmolLMPiece()
      case .llama3: scanner.skipLlama3Piece(digits: 3)
      case .qwen2, .qwen35: scanner.skipLlama3Piece(digits: 1)
      case .none: break
      }
      piece(start..<scanner.position)
    }
  }
}
