// One model's activations as the crosscoder's authors cache them, read where they are: a folder layer_L_out with
// shard_N.memmap (rows without a header, little endian; bfloat16 as the bits of int16), shard_N.meta and config.json, and in the
// folder above it tokens.pt and sequence_ranges.pt. A row belongs to the token of its number; texts may lack their first tokens,
// which the library can leave out. Two models' folders make pairs (`ActivationShards`), if both hold the same tokens.
// Source: ActivationCache in crosscoder_learning b2363ed.

import Foundation
import Inference

/// The mapped folder of one model.
struct ActivationCache {
  let folder: String
  /// The block after which the activations were read.
  let layer: Int
  let dModel: Int
  let type: SafetensorsType
  /// The rows of each shard.
  let shards: [MappedRows]
  /// The number of rows of each shard.
  let tokensOfShards: [Int]
  /// The token of each row.
  let tokens: [Int32]
  /// Where each text begins, and the number of tokens.
  let ranges: [Int]

  /// The fields of config.json and of a shard's meta.
  static let format = FormatTable(
    "Activation caches (config.json, shard_N.meta)", reference: "crosscoder_learning b2363ed", unknown: .refused,
    [
      .honoured("d_model", "d."), .honoured("total_size", "The number of rows of all shards."),
      .honoured("shard_count", "The number of shards."),
      .honoured("shape", "A shard's rows and d."),
      .honoured("dtype", "torch.float32, torch.float16 or torch.bfloat16."),
      .refused("io", unless: ["out"], "the output of a block"),
      .refused("shuffle_shards", "rows in the order of their texts, as both models must have"),
      .withoutEffect("batch_size", "It says how texts were read."),
      .withoutEffect("context_len", "The ranges say it."), .withoutEffect("shard_size", "The shards say it."),
      .withoutEffect("store_tokens", "tokens.pt is there or is missed."),
      .withoutEffect("store_sequence_ranges", "sequence_ranges.pt is there or is missed."),
    ])

  private struct Config: Decodable { let d_model, total_size, shard_count: Int }
  private struct Meta: Decodable { let shape: [Int]; let dtype: String }

  /// - Throws: `InferenceError` naming the file that is missing, damaged or does not fit the others.
  init(folder: String) throws(InferenceError) {
    let folder = folder.hasSuffix("/") ? String(folder.dropLast()) : folder
    self.folder = folder
    let name = (folder as NSString).lastPathComponent
    guard name.hasPrefix("layer_"), name.hasSuffix("_out"), let layer = Int(name.dropFirst(6).dropLast(4)), layer >= 0
    else {
      throw .unsupported(
        path: folder, what: "the folder", found: "\"\(name.prefix(80))\"", supported: "layer_L_out, a block's output")
    }
    self.layer = layer
    let config: Config = try Self.read(folder + "/config.json")
    guard (1...1 << 24).contains(config.d_model), config.total_size >= 0, (0...1 << 24).contains(config.shard_count)
    else {
      throw .fileMalformed(
        path: folder + "/config.json", place: "d_model, total_size, shard_count", expected: "sizes", found: "others")
    }
    dModel = config.d_model
    var (shards, counts, type): ([MappedRows], [Int], SafetensorsType?) = ([], [], nil)
    for number in 0..<config.shard_count {
      let path = "\(folder)/shard_\(number)"
      let meta: Meta = try Self.read(path + ".meta")
      let types: [String: SafetensorsType] = [
        "torch.float32": .f32, "torch.float16": .f16, "torch.bfloat16": .bf16,
      ]
      guard let own = types[meta.dtype], type == nil || type == own else {
        throw .unsupported(
          path: path + ".meta", what: "dtype", found: "\"\(meta.dtype.prefix(80))\"",
          supported: type.map { "\($0.rawValue), as in the first shard" }
            ?? "torch.float32, torch.float16, torch.bfloat16")
      }
      type = own
      guard meta.shape.count == 2, meta.shape[1] == dModel, meta.shape[0] >= 0 else {
        throw .shapeMismatch(
          path: path + ".meta", tensor: "shape", expected: [config.total_size, dModel], found: meta.shape)
      }
      let file = try MappedFile(path: path + ".memmap")
      let (size, overflow) = meta.shape[0].multipliedReportingOverflow(by: dModel * own.size)
      guard !overflow, file.count == size else {
        throw .fileMalformed(
          path: path + ".memmap", place: "size", expected: "\(meta.shape[0]) rows of \(dModel * own.size) bytes",
          found: "\(file.count) bytes")
      }
      shards.append(MappedRows(file: file, start: 0, rowBytes: dModel * own.size))
      counts.append(meta.shape[0])
    }
    let total = counts.reduce(0, +)
    guard total == config.total_size else {
      throw .fileMalformed(
        path: folder + "/config.json", place: "total_size", expected: "\(total), the rows of its shards",
        found: "\(config.total_size)")
    }
    (self.shards, tokensOfShards, self.type) = (shards, counts, type ?? .f32)
    let above = (folder as NSString).deletingLastPathComponent
    let place = above.isEmpty ? "." : above
    let ids = try PyTorchFile(path: place + "/tokens.pt").ints(named: PyTorchFile.soleName)
    guard ids.count == total, ids.allSatisfy({ (0...Int(Int32.max)).contains($0) }) else {
      throw .fileMalformed(
        path: place + "/tokens.pt", place: "its tensor", expected: "\(total) tokens, one a row",
        found: ids.count == total ? "numbers that are none" : "\(ids.count)")
    }
    tokens = ids.map(Int32.init)
    let ranges = try PyTorchFile(path: place + "/sequence_ranges.pt").ints(named: PyTorchFile.soleName)
    guard ranges.first == 0, ranges.last == total, zip(ranges, ranges.dropFirst()).allSatisfy({ $0 <= $1 }) else {
      throw .fileMalformed(
        path: place + "/sequence_ranges.pt", place: "its tensor",
        expected: "rising starts of texts from 0 and \(total) at the end", found: "others")
    }
    self.ranges = ranges
  }

  private static func read<T: Decodable>(_ path: String) throws(InferenceError) -> T {
    try format.check(fileIfPresent: path)
    let contents = try MappedFile(path: path).contents()
    do { return try JSONDecoder().decode(T.self, from: contents) } catch {
      throw .fileMalformed(
        path: path, place: "JSON", expected: "the fields of a cache of activations",
        found: (error as? DecodingError)?.clause ?? "something else")
    }
  }
}

extension ActivationShards {
  /// The treatment of the fields of the authors' caches.
  public static var cacheFormat: FormatTable { ActivationCache.format }
}

/// Rows of equal length in a mapped file.
struct MappedRows: Sendable {
  let file: MappedFile
  /// The first byte of the first row.
  let start: Int
  let rowBytes: Int

  /// The pointer is valid while this value lives; it need not be aligned.
  func row(_ number: Int) -> UnsafeRawPointer {
    guard let base = file.bytes.baseAddress else { preconditionFailure("a mapped file has bytes") }
    return base + start + number * rowBytes
  }

  func bytes(_ rows: Range<Int>) -> Range<Int> {
    start + rows.lowerBound * rowBytes..<start + rows.upperBound * rowBytes
  }

  /// The same rows without the first ones.
  func dropping(_ rows: Int) -> MappedRows {
    MappedRows(file: file, start: start + rows * rowBytes, rowBytes: rowBytes)
  }
}
