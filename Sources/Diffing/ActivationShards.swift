// Paired activations on disk: safetensors shards and a JSON index, readable from PyTorch or NumPy as they are.
//   activations.json         {"format":1, "dModel", "layer", "identity", "shards":[{"file", "tokens", "leftOut"}]}
//   shard-NNNNN.safetensors  x BF16 [N, 2, d] (base, chat); text I32 [N]; position I32 [N]
//   texts.safetensors        ids I32 [all tokens]; template I32 [all tokens]; offsets I64 [texts + 1]; corpus I32 [texts]
// Owns: writing shards so that a killed harvest resumes, and gathering rows from the mapped shards.
// Refuses: a folder made by another configuration (identity), shards that do not fit their index.

import Foundation
import Inference
import Kernels

/// What activations.json says.
public struct ActivationIndex: Codable, Equatable, Sendable {
  public struct Shard: Codable, Equatable, Sendable {
    public var file: String
    /// Tokens kept.
    public var tokens: Int
    /// Tokens left out for their norm, first tokens not counted.
    public var leftOut: Int
  }
  public var format = 1
  public var dModel: Int
  public var layer: Int
  /// Says what the activations were made from: model, adapter and corpus hashes and settings.
  public var identity: String
  public var shards: [Shard] = []
}

/// A folder of shards being written. Finished shards survive a kill.
public struct ActivationShardWriter {
  private let folder: String
  public private(set) var index: ActivationIndex

  /// Opens the folder, keeping the finished shards of an earlier run with the same identity and removing others.
  /// - Throws: `DiffingError.file` where the folder cannot be made or written to.
  public init(folder: String, dModel: Int, layer: Int, identity: String) throws(DiffingError) {
    self.folder = folder
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw .file(.fileUnwritable(path: folder, reason: "\(error.localizedDescription)"))
    }
    index = ActivationIndex(dModel: dModel, layer: layer, identity: identity)
    if let old = try? ActivationShards.readIndex(folder), old.identity == identity, old.dModel == dModel,
      old.layer == layer
    {
      // A shard that is gone takes those after it with it: shards are read in order.
      index.shards = Array(old.shards.prefix { (try? SafetensorsFile(path: folder + "/" + $0.file)) != nil })
    }
    try writeIndex()
    removeStrays()
  }

  /// Shards already finished.
  public var finished: Int { index.shards.count }

  /// Writes the texts that shards refer to by number.
  public func write(texts: [CorpusText]) throws(InferenceError) {
    var offsets: [Int64] = [0]
    for text in texts { offsets.append(offsets[offsets.count - 1] + Int64(text.ids.count)) }
    let total = Int(offsets[offsets.count - 1])
    var writer = SafetensorsWriter()
    writer.add("ids", shape: [total], int32s: texts.flatMap(\.ids))
    writer.add("template", shape: [total], int32s: texts.flatMap { $0.templateMask.map { $0 ? 1 : 0 } })
    writer.add("offsets", shape: [offsets.count], int64s: offsets)
    writer.add("corpus", shape: [texts.count], int32s: texts.map(\.corpus.rawValue))
    try writer.write(to: folder + "/texts.safetensors")
  }

  /// Writes the next shard, then the index that names it.
  /// - Parameters:
  ///   - x: kept rows, `[N, 2, d]`.
  ///   - text, position: of each row.
  ///   - leftOut: tokens not kept for their norm.
  public mutating func append(
    x: [Float], text: [Int32], position: [Int32], leftOut: Int
  ) throws(DiffingError) {
    precondition(x.count == text.count * 2 * index.dModel && text.count == position.count, "a row a token")
    let name = "shard-" + String(repeating: "0", count: max(0, 5 - "\(finished)".count)) + "\(finished).safetensors"
    var writer = SafetensorsWriter(metadata: ["identity": index.identity])
    writer.add("x", shape: [text.count, 2, index.dModel], floats: x, as: .bf16)
    writer.add("text", shape: [text.count], int32s: text)
    writer.add("position", shape: [text.count], int32s: position)
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/" + name) }
    index.shards.append(.init(file: name, tokens: text.count, leftOut: leftOut))
    try writeIndex()
  }

  private func writeIndex() throws(DiffingError) { try Diffing.write(json: index, to: folder + "/activations.json") }

  /// Removes what an earlier run left and this one does not use: other shards, half-written files.
  private func removeStrays() {
    let used = Set(index.shards.map(\.file))
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasSuffix(".tmp") || (name.hasPrefix("shard-") && !used.contains(name)) {
      try? FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }
}

/// A folder of finished shards, mapped.
public struct ActivationShards: Sendable {
  public let index: ActivationIndex
  private let tensors: [SafetensorsTensor]
  private let texts: [[Int32]]
  private let positions: [[Int32]]
  private let firstToken: [Int]
  private let folder: String

  /// Tokens in all shards.
  public var tokens: Int { firstToken[firstToken.count - 1] }
  public var dModel: Int { index.dModel }

  static func readIndex(_ folder: String) throws(InferenceError) -> ActivationIndex {
    let path = folder + "/activations.json"
    let file = try MappedFile(path: path)
    do {
      return try JSONDecoder().decode(ActivationIndex.self, from: file.contents())
    } catch {
      throw .fileMalformed(
        path: path, place: "JSON", expected: "an index of activation shards", found: "something else")
    }
  }

  /// Maps the shards of a folder.
  /// - Throws: `InferenceError` naming the file that is missing, damaged or does not fit the index.
  public init(folder: String) throws(InferenceError) {
    self.folder = folder
    index = try Self.readIndex(folder)
    var (tensors, texts, positions, first): ([SafetensorsTensor], [[Int32]], [[Int32]], [Int]) = ([], [], [], [0])
    for shard in index.shards {
      let file = try SafetensorsFile(path: folder + "/" + shard.file)
      let x = try file.tensor(named: "x")
      guard x.shape == [shard.tokens, 2, index.dModel], x.type == .bf16 else {
        throw .shapeMismatch(
          path: file.path, tensor: "x", expected: [shard.tokens, 2, index.dModel], found: x.shape)
      }
      tensors.append(x)
      texts.append(try Self.rows("text", of: file, count: shard.tokens))
      positions.append(try Self.rows("position", of: file, count: shard.tokens))
      first.append(first[first.count - 1] + shard.tokens)
    }
    (self.tensors, self.texts, self.positions, firstToken) = (tensors, texts, positions, first)
  }

  private static func rows(_ name: String, of file: SafetensorsFile, count: Int) throws(InferenceError) -> [Int32] {
    let values = try file.ints(named: name)
    guard values.count == count, values.allSatisfy({ $0 >= 0 && $0 <= Int(Int32.max) }) else {
      throw .fileMalformed(
        path: file.path, place: "tensor \(name)", expected: "\(count) numbers from 0 on", found: "others")
    }
    return values.map(Int32.init)
  }

  /// The texts that were harvested, in order.
  public func readTexts() throws(InferenceError) -> [CorpusText] {
    let file = try SafetensorsFile(path: folder + "/texts.safetensors")
    let ids = try file.ints(named: "ids").map(Int32.init(truncatingIfNeeded:))
    let template = try file.ints(named: "template")
    let offsets = try file.ints(named: "offsets")
    let corpora = try file.ints(named: "corpus").map { Corpus(rawValue: Int32(truncatingIfNeeded: $0)) ?? .plain }
    guard ids.count == template.count, offsets.count == corpora.count + 1, offsets.first == 0,
      offsets.last == ids.count, zip(offsets, offsets.dropFirst()).allSatisfy({ $0 <= $1 })
    else {
      throw .fileMalformed(path: file.path, place: "offsets", expected: "texts that fill ids", found: "other lengths")
    }
    return corpora.indices.map { i in
      let range = offsets[i]..<offsets[i + 1]
      return CorpusText(ids: Array(ids[range]), templateMask: template[range].map { $0 != 0 }, corpus: corpora[i])
    }
  }

  /// The activations of tokens anywhere in the shards, by number, in the order asked for.
  public func gather(_ numbers: ArraySlice<Int>) -> PairedActivations {
    let width = 2 * dModel
    var values = [Float](repeating: 0, count: numbers.count * width)
    let start = numbers.startIndex
    values.withUnsafeMutableBufferPointer { buffer in
      guard let out = buffer.baseAddress else { return }
      // Each part writes rows of its own.
      nonisolated(unsafe) let base = out
      Compute.parallel { thread, threads in
        for i in Compute.share(of: numbers.count, thread: thread, threads: threads) {
          let number = numbers[start + i]
          let shard = shardOf(number)
          widen(tensors[shard], row: number - firstToken[shard], width: width, into: base + i * width)
        }
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }

  /// The norm above which tokens were left out, about: eight times the median over a sample, both models.
  public func normLimit() -> Double {
    let sample = gather(Array(stride(from: 0, to: tokens, by: max(1, tokens / 4096)))[...])
    let norms = (0..<sample.tokens).flatMap { token in
      PairModel.allCases.map { model in
        sample.vector(token: token, model: model).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
    }.sorted()
    return norms.isEmpty ? .infinity : 8 * norms[norms.count / 2]
  }

  /// One shard whole: its activations and each row's text and position.
  public func shard(_ number: Int) -> (activations: PairedActivations, texts: [Int32], positions: [Int32]) {
    let range = firstToken[number]..<firstToken[number + 1]
    return (gather(Array(range)[...]), texts[number], positions[number])
  }

  private func shardOf(_ token: Int) -> Int {
    var (low, high) = (0, tensors.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if firstToken[middle] <= token { low = middle } else { high = middle - 1 }
    }
    return low
  }

  private func widen(_ tensor: SafetensorsTensor, row: Int, width: Int, into out: UnsafeMutablePointer<Float>) {
    guard let bytes = tensor.bytes.baseAddress else { return }
    widenBFloat16(bytes + row * width * 2, into: out, count: width)
  }
}
