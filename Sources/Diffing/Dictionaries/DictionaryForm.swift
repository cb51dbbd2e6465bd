// The list of forms in which dictionaries are published. A form is one file here and one line in `all`: how it is
// recognised, by the names and shapes of tensors and by the JSON files beside them, which fields those files may have,
// and how its tensors become a dictionary. Whoever opens a file (`CrosscoderFile`) takes the first form that recognises it.

import Foundation
import Inference
import Kernels

/// A form of published dictionaries.
struct DictionaryForm: Sendable {
  /// The name that stores record.
  let name: String
  /// What is read of it, and what is not and why, for the documents.
  let reads: String
  let refuses: String
  /// The names of its files of tensors, in the order in which they are looked for.
  let files: [String]
  /// The tables of the fields of its JSON files.
  let tables: [FormatTable]
  /// Whether files are of this form, once no earlier form of the list has taken them.
  let recognises: @Sendable (DictionaryFolder) throws(DiffingError) -> Bool
  /// Checks all that is said about the dictionary, and reads no weights.
  let open: @Sendable (DictionaryFolder) throws(DiffingError) -> OpenedDictionary

  /// All forms; the order decides where several would take the same tensors.
  static let all: [DictionaryForm] = [
    .openMOSS, .llamaScope, .gemmaScope2, .sparsify, .crosscoder, .autoencoder, .dictionaryLearning, .replication,
    .saeLens, .gemmaScope,
  ]

  /// The names of files of tensors that are looked for in a folder, the hub's first.
  static var files: [String] {
    let first = ["model.safetensors", "model_final.pt", "cc_weights.pt", "sae_weights.safetensors"]
    return first + all.flatMap(\.files).filter { !first.contains($0) }
  }
}

/// What a caller says about a dictionary whose own files do not say it.
public struct DictionaryChoice: Sendable, Equatable {
  /// What a dictionary of one vector for each token reads.
  public enum Reads: String, Sendable, CaseIterable {
    case base, chat
    case chatMinusBase = "chat-base"
    case baseMinusChat = "base-chat"
  }

  public var reads: Reads?
  /// The block whose decoder is browsed, for a dictionary of several blocks.
  public var layer: Int?
  /// The place of a pair that is base's, by its name or its number from 0.
  public var baseHead: String?

  public init(reads: Reads? = nil, layer: Int? = nil, baseHead: String? = nil) {
    (self.reads, self.layer, self.baseHead) = (reads, layer, baseHead)
  }
}

/// A dictionary as its form has opened it: sizes and what the files say, but no weights.
struct OpenedDictionary: Sendable {
  let dModel: Int
  let nLatents: Int
  var card = CrosscoderCard()
  /// The model that the files name.
  var modelName: String?
  /// What the dictionary reads. `.base` stands in chat's place.
  var target = TrainingTarget.chat
  /// Whether the dictionary reads base − chat, which is turned to chat − base.
  var isTurned = false
  /// The shape of every tensor that the form reads; the file must have no other.
  let tensors: [String: [Int]]
  /// Tensors whose values may be NaN, which says that there are none.
  var optional: Set<String> = []
  /// What a user should know about the dictionary, one line each.
  var notes: [String] = []
  /// Why the dictionary cannot be browsed or steered with, though activations can be encoded.
  var fault: DiffingError?
  /// The decoder's rows.
  let decoderRows: @Sendable () throws(DiffingError) -> DecoderRows
  /// The whole dictionary.
  let crosscoder: @Sendable () throws(DiffingError) -> Crosscoder
  /// The dictionary with all the places that it reads, if the crosscoder does not have them.
  var headed: (@Sendable () throws(DiffingError) -> HeadedDictionary)?

  init(
    dModel: Int, nLatents: Int, tensors: [String: [Int]],
    decoderRows: @escaping @Sendable () throws(DiffingError) -> DecoderRows,
    crosscoder: @escaping @Sendable () throws(DiffingError) -> Crosscoder
  ) {
    (self.dModel, self.nLatents, self.tensors) = (dModel, nLatents, tensors)
    (self.decoderRows, self.crosscoder) = (decoderRows, crosscoder)
  }
}

/// A file of tensors with what lies beside it.
struct DictionaryFolder: Sendable {
  let path: String
  let folder: String
  let reader: CheckpointReader
  var choice = DictionaryChoice()

  /// The components of the full path, in which some publishers say which layer a file is of.
  var components: [String] { URL(fileURLWithPath: path).standardizedFileURL.pathComponents }

  /// N of a folder layer_N, or of one that goes on with the width, as in layer_12_width_16k_l0_medium.
  var layerInPath: Int? {
    components.reversed().lazy.compactMap { component in
      guard component.hasPrefix("layer_") else { return nil }
      let digits = component.dropFirst("layer_".count).prefix { $0.isASCII && $0.isNumber }
      let rest = component.dropFirst("layer_".count + digits.count)
      return rest.isEmpty || rest.hasPrefix("_width") ? Int(digits) : nil
    }.first
  }

  func has(file name: String) -> Bool { FileManager.default.fileExists(atPath: folder + "/" + name) }

  /// The object in a JSON file beside the tensors, checked by its table; nil if there is no such file.
  func fields(_ name: String, _ table: FormatTable) throws(DiffingError) -> FieldReader? {
    guard let value = try json(name) else { return nil }
    return try reading { () throws(InferenceError) in try table.read(value, path: folder + "/" + name) }
  }

  /// A JSON file beside the tensors; nil if there is none.
  func json(_ name: String) throws(DiffingError) -> JSONValue? {
    guard has(file: name) else { return nil }
    return try reading { () throws(InferenceError) in
      .object(try JSONValue.object(path: folder + "/" + name))
    }
  }

  /// Checks that a size in a JSON file is that of the weights.
  func agree(_ name: String, _ file: String, _ found: Int?, _ expected: Int) throws(DiffingError) {
    guard let found, found != expected else { return }
    throw .configurationInvalid(
      path: folder + "/" + file, key: name, expected: "\(expected), as in the weights", found: "\(found)")
  }

  /// The sizes [first, second] of a matrix.
  func matrix(_ name: String) throws(DiffingError) -> (Int, Int) {
    let shape = try reader.shape(name)
    guard shape.count == 2, shape[0] > 0, shape[1] > 0 else {
      throw .shapeMismatch(path: path, tensor: name, expected: [1, 1], found: shape)
    }
    return (shape[0], shape[1])
  }

  /// Whether there is a tensor of that many dimensions.
  func has(_ name: String, dimensions: Int) throws(DiffingError) -> Bool {
    guard reader.has(name) else { return false }
    return try reader.shape(name).count == dimensions
  }

  func unsupported(_ what: String, _ found: String, _ supported: String, file: String? = nil) -> DiffingError {
    .unsupported(
      path: file.map { folder + "/" + $0 } ?? path, what: what, found: String(found.prefix(80)), supported: supported)
  }
}
