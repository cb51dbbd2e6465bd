// A Hugging Face model folder in memory, to be changed and written again: in another type, in shards, as GGUF.

import Foundation
import Inference

/// The contents of a model folder.
public struct ModelCopy {
  public struct Tensor {
    public var name: String
    public var shape: [Int]
    public var values: [Float]

    public init(name: String, shape: [Int], values: [Float]) {
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  public var configuration: [String: Any]
  public var tensors: [Tensor]

  public init(folder: String) throws {
    let data = try Data(contentsOf: URL(fileURLWithPath: folder + "/config.json"))
    configuration = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    tensors = try SafetensorsFile(path: folder + "/model.safetensors").tensors.map {
      Tensor(name: $0.name, shape: $0.shape, values: try $0.floats())
    }
  }

  public func int(_ key: String) -> Int { configuration[key] as? Int ?? 0 }
  public func number(_ key: String) -> Double { configuration[key] as? Double ?? 0 }

  /// Changes the values of the tensors whose names end so.
  public mutating func change(_ suffix: String, _ body: (inout [Float]) -> Void) {
    for index in tensors.indices where tensors[index].name.hasSuffix(suffix) { body(&tensors[index].values) }
  }

  /// Writes a folder.
  /// - Parameter shards: more than 1 writes that many and their index.
  /// - Returns: its path.
  public func write(
    in folder: TemporaryFolder, _ name: String = "model", as type: SafetensorsWriter.FloatType = .f32, shards: Int = 1
  ) throws -> String {
    let path = folder.path + "/" + name
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try JSONSerialization.data(withJSONObject: configuration).write(to: URL(fileURLWithPath: path + "/config.json"))
    var map: [String: String] = [:]
    for shard in 0..<shards {
      var writer = SafetensorsWriter()
      let file = shards == 1 ? "model.safetensors" : "model-\(shard + 1)-of-\(shards).safetensors"
      for tensor in tensors.enumerated().filter({ $0.offset % shards == shard }).map(\.element) {
        writer.add(tensor.name, shape: tensor.shape, floats: tensor.values, as: type)
        map[tensor.name] = file
      }
      try writer.write(to: path + "/" + file)
    }
    if shards > 1 {
      let index: [String: Any] = ["metadata": ["total_size": 1], "weight_map": map]
      try JSONSerialization.data(withJSONObject: index).write(
        to: URL(fileURLWithPath: path + "/model.safetensors.index.json"))
    }
    return path
  }
}
