// Paired activations on disk: safetensors shards and a JSON index, readable from PyTorch or NumPy as they are.
//   activations.json         {"format":1, "dModel", "layer", "identity", "shards":[{"file", "tokens", "leftOut"}]}
//   shard-NNNNN.safetensors  x BF16 [N, 2, d] (base, chat); text I32 [N]; position I32 [N]
//   texts.safetensors        ids I32 [all tokens]; template I32 [all tokens]; offsets I64 [texts + 1]; corpus I32 [texts]
// Activations that others made may have x in F32 or F16, and may lack text, position and texts (docs/activations.md).
// Or two folders of the authors' caches, one a model (ActivationCache), whose rows are paired by their numbers.
// This type maps the shards and reads rows anywhere in them. It rejects shards that do not fit their index, and file
// names that lead out of the folder.

import Foundation
import Inference
import Kernels

/// The content of activations.json.
public struct ActivationIndex: Codable, Equatable, Sendable {
  public struct Shard: Codable, Equatable, Sendable {
    public var file: String
    /// The number of tokens kept.
    public var tokens: Int
    /// The number of tokens left out because of their norm, without first tokens; nil if nobody counted.
    public var leftOut: Int?
  }
  public var format = 1
  public var dModel: Int
  public var layer: Int
  /// What the activations were made from: the hashes of model, adapter and corpus, and the settings.
  public var identity: String
  public var shards: [Shard] = []
}

/// A mapped folder of finished shards.
public struct ActivationShards: Sendable {
  public private(set) var index: ActivationIndex
  /// How the elements of x are stored; it is the same in all shards.
  public let type: SafetensorsType
  private let source: Source
  /// The rows of each shard: of both models together, or of base and of chat.
  private let rows: [[MappedRows]]
  private let firstToken: [Int]

  private enum Source {
    case safetensors([SafetensorsFile], folder: String)
    /// The tokens of both caches, and where each text begins.
    case caches(tokens: [Int32], ranges: [Int])
  }

  /// The number of tokens in all shards.
  public var tokens: Int { firstToken[firstToken.count - 1] }
  /// The number of tokens in each shard.
  var tokensOfShards: [Int] { index.shards.map(\.tokens) }
  public var dModel: Int { index.dModel }
  /// The number of bytes of a row, which holds both models.
  var rowBytes: Int { 2 * dModel * type.size }

  static func readIndex(_ folder: String) throws(InferenceError) -> ActivationIndex {
    let path = folder + "/activations.json"
    let file = try MappedFile(path: path)
    func malformed(_ place: String, _ expected: String, _ found: String) -> InferenceError {
      .fileMalformed(path: path, place: place, expected: expected, found: found)
    }
    let index: ActivationIndex
    do {
      index = try JSONDecoder().decode(ActivationIndex.self, from: file.contents())
    } catch {
      throw malformed("JSON", "an index of activation shards", "something else")
    }
    guard index.format == 1 else { throw malformed("format", "1", "\(index.format)") }
    guard (1...1 << 24).contains(index.dModel) else {
      throw malformed("dModel", "a width of 1 or more", "\(index.dModel)")
    }
    for shard in index.shards where shard.file.isEmpty || shard.file.contains("/") {
      throw malformed("shards", "names of files in this folder", "\"\(shard.file)\"")
    }
    return index
  }

  /// Maps the shards of a folder.
  /// - Throws: `InferenceError` naming the file that is missing, damaged or does not fit the index.
  public init(folder: String) throws(InferenceError) {
    index = try Self.readIndex(folder)
    var (files, rows, first): ([SafetensorsFile], [[MappedRows]], [Int]) = ([], [], [0])
    var type: SafetensorsType?
    for shard in index.shards {
      let file = try SafetensorsFile(path: folder + "/" + shard.file)
      let x = try file.tensor(named: "x")
      guard x.shape == [shard.tokens, 2, index.dModel] else {
        throw .shapeMismatch(
          path: file.path, tensor: "x", expected: [shard.tokens, 2, index.dModel], found: x.shape)
      }
      guard [.f32, .f16, .bf16].contains(x.type), x.type == type ?? x.type else {
        throw .typeMismatch(
          path: file.path, key: "tensor x", expected: type?.rawValue ?? "F32, F16 or BF16", found: x.type.rawValue)
      }
      type = x.type
      files.append(file)
      let start = x.bytes.baseAddress.flatMap { first in x.file.bytes.baseAddress.map { first - $0 } } ?? 0
      rows.append([MappedRows(file: x.file, start: start, rowBytes: 2 * index.dModel * x.type.size)])
      first.append(first[first.count - 1] + shard.tokens)
    }
    (source, self.rows, firstToken, self.type) = (.safetensors(files, folder: folder), rows, first, type ?? .bf16)
  }

  /// Maps two models' caches, base's and chat's. Shards may be cut differently.
  /// - Throws: `InferenceError` naming the file that is missing, damaged or does not fit the others.
  public init(base: String, chat: String) throws(InferenceError) {
    let caches = [try ActivationCache(folder: base), try ActivationCache(folder: chat)]
    let (a, b) = (caches[0], caches[1])
    func mismatch(_ place: String, _ expected: String, _ found: String) -> InferenceError {
      .fileMalformed(path: b.folder, place: place, expected: "\(expected), as \(a.folder) has", found: found)
    }
    guard a.dModel == b.dModel else { throw mismatch("d_model", "\(a.dModel)", "\(b.dModel)") }
    guard a.layer == b.layer else { throw mismatch("its name", "layer \(a.layer)", "layer \(b.layer)") }
    guard a.type == b.type else { throw mismatch("dtype", a.type.rawValue, b.type.rawValue) }
    if let other = zip(a.tokens, b.tokens).enumerated().first(where: { $1.0 != $1.1 }) {
      throw mismatch("tokens.pt, row \(other.offset)", "token \(other.element.0)", "token \(other.element.1)")
    }
    guard a.tokens.count == b.tokens.count, a.ranges == b.ranges else {
      throw mismatch("sequence_ranges.pt", "the same texts", "others")
    }
    /// Where the shards of a cache begin, and the end.
    func starts(_ cache: ActivationCache) -> [Int] {
      cache.tokensOfShards.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1) }
    }
    let firsts = caches.map(starts)
    let edges = Set(firsts.joined()).sorted()
    var (rows, shards): ([[MappedRows]], [ActivationIndex.Shard]) = ([], [])
    for (start, end) in zip(edges, edges.dropFirst()) {
      rows.append(
        zip(caches, firsts).map { cache, first in
          let shard = (first.dropLast().lastIndex { $0 <= start }) ?? 0
          return cache.shards[shard].dropping(start - first[shard])
        })
      shards.append(.init(file: "\(a.folder) rows \(start) to \(end - 1)", tokens: end - start, leftOut: nil))
    }
    (self.rows, firstToken, type) = (rows, edges, a.type)
    source = .caches(tokens: a.tokens, ranges: a.ranges)
    let plain = ActivationIndex(dModel: a.dModel, layer: a.layer, identity: "", shards: shards)
    index = plain
    var identified = plain
    identified.identity = try contentHash()
    index = identified
  }

  private func numbers(_ name: String, ofShard shard: Int) throws(InferenceError) -> [Int32] {
    guard case .safetensors(let files, _) = source else { preconditionFailure("caches have ranges") }
    let (file, count) = (files[shard], index.shards[shard].tokens)
    let values = try file.ints(named: name)
    guard values.count == count, values.allSatisfy({ $0 >= 0 && $0 <= Int(Int32.max) }) else {
      throw .fileMalformed(
        path: file.path, place: "tensor \(name)", expected: "\(count) numbers of 0 or more", found: "other numbers")
    }
    return values.map(Int32.init)
  }

  /// The texts that were harvested, in order.
  public func readTexts() throws(InferenceError) -> [CorpusText] {
    let folder: String
    switch source {
    case .safetensors(_, let own): folder = own
    case .caches(let tokens, let ranges):
      return zip(ranges, ranges.dropFirst()).map { start, end in
        CorpusText(
          ids: Array(tokens[start..<end]), templateMask: [Bool](repeating: false, count: end - start), corpus: .plain)
      }
    }
    let file = try SafetensorsFile(path: folder + "/texts.safetensors")
    let ids = try file.ints(named: "ids").map(Int32.init(truncatingIfNeeded:))
    let template = try file.ints(named: "template")
    let offsets = try file.ints(named: "offsets")
    let corpora = try file.ints(named: "corpus").map { $0 == Corpus.chat.number ? Corpus.chat : .plain }
    guard ids.count == template.count, offsets.count == corpora.count + 1, offsets.first == 0,
      offsets.last == ids.count, zip(offsets, offsets.dropFirst()).allSatisfy({ $0 <= $1 })
    else {
      throw .fileMalformed(
        path: file.path, place: "offsets", expected: "offsets whose texts fill ids", found: "other offsets")
    }
    return corpora.indices.map { i in
      let range = offsets[i]..<offsets[i + 1]
      return CorpusText(ids: Array(ids[range]), templateMask: template[range].map { $0 != 0 }, corpus: corpora[i])
    }
  }

  /// The activations of tokens anywhere in the shards, in the order in which their numbers are given.
  public func gather(_ numbers: ArraySlice<Int>) -> PairedActivations {
    let width = 2 * dModel
    var values = [Float](repeating: 0, count: numbers.count * width)
    let start = numbers.startIndex
    values.withUnsafeMutableBufferPointer { buffer in
      guard let out = buffer.baseAddress else { return }
      // Each part writes only its own rows.
      nonisolated(unsafe) let base = out
      Compute.parallel { thread, threads in
        for i in Compute.share(of: numbers.count, thread: thread, threads: threads) {
          let number = numbers[start + i]
          let shard = shardOf(number)
          let (parts, row) = (rows[shard], number - firstToken[shard])
          let count = width / parts.count
          for part in parts.indices {
            type.widen(parts[part].row(row), into: base + i * width + part * count, count: count)
          }
        }
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }

  /// An estimate of the norm above which tokens were left out: eight times the median over a sample of both models.
  public func normLimit() -> Double {
    let sample = gather(Array(stride(from: 0, to: tokens, by: max(1, tokens / 4096)))[...])
    let norms = (0..<sample.tokens).flatMap { token in
      PairModel.allCases.map { model in
        sample.vector(token: token, model: model).reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      }
    }.sorted()
    return norms.isEmpty ? .infinity : 8 * norms[norms.count / 2]
  }

  /// All of one shard: its activations, and each row's text and position.
  /// - Throws: `InferenceError` if the shard has no text or position, which activations made by others may lack.
  public func shard(
    _ number: Int
  ) throws(InferenceError) -> (activations: PairedActivations, texts: [Int32], positions: [Int32]) {
    let range = firstToken[number]..<firstToken[number + 1]
    let (texts, positions): ([Int32], [Int32])
    switch source {
    case .safetensors:
      (texts, positions) = (try numbers("text", ofShard: number), try numbers("position", ofShard: number))
    case .caches(_, let ranges): (texts, positions) = Self.places(of: range, in: ranges)
    }
    let activations = gather(Array(range)[...])
    for part in rows[number] { try part.file.check() }
    return (activations, texts, positions)
  }

  /// The text and the position of each row in a range of rows.
  private static func places(of range: Range<Int>, in ranges: [Int]) -> (texts: [Int32], positions: [Int32]) {
    var (texts, positions): ([Int32], [Int32]) = ([], [])
    var text = max(0, (ranges.firstIndex { $0 > range.lowerBound } ?? 1) - 1)
    for row in range {
      while text + 1 < ranges.count - 1, ranges[text + 1] <= row { text += 1 }
      texts.append(Int32(clamping: text))
      positions.append(Int32(clamping: row - ranges[text]))
    }
    return (texts, positions)
  }

  /// SHA-256 of the index and of each shard's first and last row. It identifies activations whose maker did not say
  /// what they were made from.
  /// - Throws: `InferenceError.fileChanged`.
  public func contentHash() throws(InferenceError) -> String {
    var content = Array("\(index.dModel) \(index.layer) \(index.identity)".utf8)
    for (shard, parts) in rows.enumerated() where index.shards[shard].tokens > 0 {
      let (name, tokens) = (index.shards[shard].file, index.shards[shard].tokens)
      content += Array("\n\(name) \(tokens * 2 * dModel) \(type.rawValue)\n".utf8)
      for row in [0, tokens - 1] {
        for part in parts { content += Array(UnsafeRawBufferPointer(start: part.row(row), count: part.rowBytes)) }
      }
    }
    if case .caches(let tokens, let ranges) = source {
      content += Array(tokens.withUnsafeBytes { SHA256.hex(of: $0) }.utf8)
      content += Array("\n\(ranges)".utf8)
    }
    try check()
    return content.withUnsafeBytes { SHA256.hex(of: $0) }
  }

  /// Checks that no shard has changed since it was mapped, so that all rows read so far are the shards' own.
  /// - Throws: `InferenceError.fileChanged`.
  public func check() throws(InferenceError) { for part in rows.joined() { try part.file.check() } }

  /// Returns to the system the memory that rows read so far take in this process.
  public func releasePages() {
    for shard in rows.indices { release(shard, rows: 0..<index.shards[shard].tokens) }
  }

  /// Tells the system that these rows of a shard are read next.
  func willRead(_ shard: Int, rows: Range<Int>) {
    for part in self.rows[shard] { part.file.willRead(part.bytes(rows)) }
  }

  /// Returns to the system the memory that these rows of a shard take in this process.
  func release(_ shard: Int, rows: Range<Int>) {
    for part in self.rows[shard] { part.file.release(part.bytes(rows)) }
  }

  /// Copies a row as it is stored, both models' halves one after the other.
  func copy(_ shard: Int, row: Int, to target: UnsafeMutableRawPointer) {
    var target = target
    for part in rows[shard] {
      target.copyMemory(from: part.row(row), byteCount: part.rowBytes)
      target += part.rowBytes
    }
  }

  private func shardOf(_ token: Int) -> Int {
    var (low, high) = (0, rows.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if firstToken[middle] <= token { low = middle } else { high = middle - 1 }
    }
    return low
  }
}

extension SafetensorsType {
  /// Widens stored elements of any type that activations may have to fp32. The source need not be aligned.
  func widen(_ source: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>, count: Int) {
    switch self {
    case .bf16: widenBFloat16(source, into: out, count: count)
    case .f16: widenFloat16(source, into: out, count: count)
    default: UnsafeMutableRawPointer(out).copyMemory(from: source, byteCount: 4 * count)
    }
  }
}
