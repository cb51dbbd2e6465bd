// A model in Hugging Face's layout: config.json beside model.safetensors, or beside shards and the index that names
// them. Index and shards must agree: an error names a shard outside the folder, a tensor that is not in its shard, in
// no index, or twice in an index. An adapter in the same folder is an error too. Source: the "sharded checkpoints" page
// of the transformers documentation.

/// The weights and the configuration of a model in a folder.
struct ModelFolder: Sendable {
  /// The path as given.
  let path: String
  /// The members of config.json.
  let configuration: [String: JSONValue]
  /// The safetensors files, by name.
  let shards: [SafetensorsFile]
  private let configurationFile: MappedFile
  private let tensors: [String: SafetensorsTensor]

  var configurationPath: String { configurationFile.path }
  /// The files that the model's SHA-256 covers, in this order.
  var files: [MappedFile] { [configurationFile] + shards.map(\.file) }

  /// Maps all files and checks their headers.
  /// - Throws: `InferenceError` naming the file and what is wrong with it.
  init(path: String) throws(InferenceError) {
    self.path = path
    configurationFile = try MappedFile(path: path + "/config.json")
    configuration = try JSONValue.object(file: configurationFile)
    // transformers would load the base that this file names, with the adapter on top.
    guard !MappedFile.exists(path + "/adapter_config.json") else {
      throw .unsupported(
        path: path, what: "a model's folder with", found: "adapter_config.json",
        supported: "a model alone (give the adapter as a folder of its own)")
    }
    let index = path + "/model.safetensors.index.json"
    if MappedFile.exists(path + "/model.safetensors") || !MappedFile.exists(index) {
      shards = [try SafetensorsFile(path: path + "/model.safetensors")]
    } else {
      shards = try Self.shards(index: index, folder: path)
    }
    tensors = Dictionary(uniqueKeysWithValues: shards.flatMap(\.tensors).map { ($0.name, $0) })
  }

  /// The names of all tensors, sorted.
  var tensorNames: [String] { tensors.keys.sorted() }

  /// Whether there is a tensor with a name.
  func hasTensor(named name: String) -> Bool { tensors[name] != nil }

  /// The tensor with a name.
  /// - Throws: `InferenceError.tensorMissing`.
  func tensor(named name: String) throws(InferenceError) -> SafetensorsTensor {
    guard let tensor = tensors[name] else { throw .tensorMissing(path: path, tensor: name) }
    return tensor
  }

  /// The shard that holds each tensor.
  private static func weightMap(_ path: String) throws(InferenceError) -> [String: String] {
    guard case .object(let members)? = try JSONValue.object(path: path)["weight_map"], !members.isEmpty else {
      throw .fileMalformed(path: path, place: "weight_map", expected: "an object of at least one tensor", found: "none")
    }
    var map: [String: String] = [:]
    for (tensor, shard) in members {
      guard let name = shard.string else {
        throw .fileMalformed(
          path: path, place: "weight_map, \(InferenceError.excerpt(tensor))", expected: "a file's name",
          found: shard.kind)
      }
      map[tensor] = name
    }
    return map
  }

  /// Opens the shards of an index and checks that every tensor is in exactly one of them.
  private static func shards(index path: String, folder: String) throws(InferenceError) -> [SafetensorsFile] {
    let map = try weightMap(path)
    let names = Set(map.values).sorted()
    for name in names {
      guard name.hasSuffix(".safetensors"), !name.hasPrefix("."), !name.contains("/"), !name.contains("\0") else {
        throw .fileMalformed(
          path: path, place: "weight_map", expected: "names of safetensors files in the same folder",
          found: InferenceError.excerpt(name))
      }
    }
    var shards: [SafetensorsFile] = []
    for name in names {
      let shard = try SafetensorsFile(path: folder + "/" + name)
      for tensor in shard.tensors where map[tensor.name] != name {
        throw .fileMalformed(
          path: path, place: "tensor \(InferenceError.excerpt(tensor.name))", expected: name,
          found: map[tensor.name].map { InferenceError.excerpt($0) } ?? "no entry")
      }
      shards.append(shard)
    }
    let found = Set(shards.flatMap(\.tensors).map(\.name))
    if let missing = map.keys.filter({ !found.contains($0) }).min() {
      throw .tensorMissing(
        path: folder + "/" + (map[missing] ?? ""), tensor: InferenceError.excerpt(missing))
    }
    return shards
  }
}
