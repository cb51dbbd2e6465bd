// Where a model lies: a GGUF file or a Hugging Face folder. The one place that knows which reader serves which.
// Owns: the choice, and the identity of what lies there. Refuses: paths at which there is neither.

import Kernels

/// A model on disk. Parts are read when they are asked for, so that weights can be used without a tokenizer.
public enum ModelSource: Sendable {
  case gguf(GGUFFile)
  /// The path of a folder with config.json and safetensors files.
  case folder(String)

  /// Looks at a path: a folder, or else a GGUF file, whose header is read.
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

  /// Bytes that the weights take: `packed` in memory of their own, `mapped` where the files have them.
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

  /// Makes sure that the weights of some models fit into memory together.
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

  /// Reads the chat template; nil where there is none.
  public func chatTemplate() throws(InferenceError) -> ChatTemplate? {
    switch self {
    case .gguf(let file): file.contains("tokenizer.chat_template") ? try neededChatTemplate() : nil
    case .folder(let path): try ChatTemplate.exists(folder: path) ? neededChatTemplate() : nil
    }
  }

  /// Reads the chat template.
  /// - Throws: `InferenceError.keyMissing` where there is none.
  public func neededChatTemplate() throws(InferenceError) -> ChatTemplate {
    switch self {
    case .gguf(let file): try ChatTemplate(gguf: file)
    case .folder(let path): try ChatTemplate(folder: path)
    }
  }

  /// SHA-256 of a model: of a GGUF file's bytes; of a folder's config.json and then its safetensors files, by name.
  /// Reads all of it. Any other file is hashed as it is.
  public static func sha256(path: String) throws(InferenceError) -> String {
    try MappedFile.sha256(files(path: path).map { name throws(InferenceError) in try MappedFile(path: name) })
  }

  /// The files that a model's SHA-256 is over, in their order.
  public static func files(path: String) throws(InferenceError) -> [String] {
    guard MappedFile.isFolder(path) else { return [path] }
    let folder = try ModelFolder(path: path)
    return folder.files.map(\.path)
  }
}

extension Transformer {
  /// Loads a model's weights from a GGUF file or a Hugging Face folder; no tokenizer is needed.
  /// - Throws: `InferenceError` naming file and tensor where something is missing, mis-shaped or unsupported.
  public static func load(path: String, precision: Precision = .exact) throws(InferenceError) -> Transformer {
    let source = try ModelSource(path: path)
    try ModelSource.requireMemory([source])
    return try source.transformer(precision: precision)
  }
}
