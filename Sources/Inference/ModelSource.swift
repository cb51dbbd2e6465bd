// Where a model is: a GGUF file or a Hugging Face folder. This is the only code that knows which reader serves which.
// It also computes the model's identity.

import Kernels

/// A model on disk. Its parts are read on request, so that weights can be used without a tokenizer.
public enum ModelSource: Sendable {
  case gguf(GGUFFile)
  /// A folder with config.json and safetensors files, by its path.
  case folder(String)

  /// Looks at a path, which is a folder or a GGUF file; the header of a file is read.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  public init(path: String) throws(InferenceError) {
    self = MappedFile.isFolder(path) ? .folder(path) : .gguf(try GGUFFile(path: path))
  }

  /// The path of the file or folder.
  public var path: String {
    switch self {
    case .gguf(let file): file.path
    case .folder(let path): path
    }
  }

  /// The bytes of the weights: `packed` in memory of their own, `mapped` directly in the files.
  func weightBytes() throws(InferenceError) -> (packed: Int, mapped: Int) {
    switch self {
    case .gguf(let file):
      var result = (packed: 0, mapped: 0)
      for tensor in file.tensors {
        guard let type = GGUFWeights.types[tensor.type], type.isQuantised else {
          result.mapped += tensor.range.count
          continue
        }
        result.packed += type.bytes(rows: tensor.rows, columns: tensor.columns)
      }
      return result
    case .folder(let path):
      return (0, try ModelFolder(path: path).shards.flatMap(\.tensors).reduce(0) { $0 + $1.range.count })
    }
  }

  /// Checks that the weights of some models fit into memory together.
  /// - Throws: `InferenceError.memoryShort`.
  static func requireMemory(_ sources: [ModelSource]) throws(InferenceError) {
    let sizes = try sources.map { source throws(InferenceError) in try source.weightBytes() }
    try MemoryBudget.require(
      sizes.reduce(0) { $0 + $1.packed }, besides: sizes.reduce(0) { $0 + $1.mapped },
      for: "the weights of " + sources.map(\.path).joined(separator: " and "),
      remedy: "close other programs, or take a smaller or more strongly quantised model")
  }

  /// Loads the weights.
  public func transformer(precision: Precision) throws(InferenceError) -> Transformer {
    switch self {
    case .gguf(let file):
      return try file.file.checking { () throws(InferenceError) in try Transformer(gguf: file, precision: precision) }
    case .folder(let path):
      let folder = try ModelFolder(path: path)
      return try folder.files.checking { () throws(InferenceError) in
        try Transformer(folder: folder, precision: precision)
      }
    }
  }

  /// Reads the tokenizer.
  public func tokenizer() throws(InferenceError) -> Tokenizer {
    switch self {
    case .gguf(let file): try file.file.checking { () throws(InferenceError) in try Tokenizer(gguf: file) }
    case .folder(let path): try Tokenizer(folder: path)
    }
  }

  /// Reads the chat template; nil if there is none.
  /// - Parameter adapter: an adapter's folder. The template in it, which the adapter was trained with, counts before the
  ///   model's own: a base model mostly has none.
  func chatTemplate(adapter: String? = nil) throws(InferenceError) -> ChatTemplate? {
    if let adapter, try ChatTemplate.exists(folder: adapter) {
      return try ChatTemplate(folder: adapter, beginning: beginning())
    }
    return switch self {
    case .gguf(let file): file.contains("tokenizer.chat_template") ? try neededChatTemplate() : nil
    case .folder(let path): try ChatTemplate.exists(folder: path) ? neededChatTemplate() : nil
    }
  }

  /// The text of the token that begins a sequence, if the model's files name one.
  private func beginning() throws(InferenceError) -> String? {
    switch self {
    case .gguf(let file): try Tokenizer.beginning(gguf: file)
    case .folder(let path): try Tokenizer.beginning(folder: path)
    }
  }

  /// Reads the chat template.
  /// - Throws: `InferenceError.keyMissing` if there is none.
  public func neededChatTemplate() throws(InferenceError) -> ChatTemplate {
    switch self {
    case .gguf(let file): try ChatTemplate(gguf: file)
    case .folder(let path): try ChatTemplate(folder: path)
    }
  }

  /// SHA-256 of a model: the bytes of a GGUF file, or a folder's config.json followed by its safetensors files by name.
  /// This reads all of them. Any other file is hashed as it is.
  public static func sha256(path: String) throws(InferenceError) -> String {
    try MappedFile.sha256(files(path: path).map { name throws(InferenceError) in try MappedFile(path: name) })
  }

  /// The files that a model's SHA-256 covers, in order.
  public static func files(path: String) throws(InferenceError) -> [String] {
    guard MappedFile.isFolder(path) else { return [path] }
    let folder = try ModelFolder(path: path)
    return folder.files.map(\.path)
  }
}

extension Transformer {
  /// Loads a model's weights from a GGUF file or a Hugging Face folder; no tokenizer is needed.
  /// - Throws: `InferenceError` naming file and tensor if something is missing, has another shape or is not supported.
  public static func load(path: String, precision: Precision = .exact) throws(InferenceError) -> Transformer {
    let source = try ModelSource(path: path)
    try ModelSource.requireMemory([source])
    return try source.transformer(precision: precision)
  }
}
