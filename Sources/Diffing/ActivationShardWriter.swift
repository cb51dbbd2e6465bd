// Writes paired activations to a folder, shard by shard, in the format of docs/activations.md. A shard is written
// before the index that names it, so that a harvest that was killed resumes with its next shard. Files that an earlier
// run left and this one does not use are removed.

import Foundation
import Inference

/// A folder of shards that is being written. Finished shards survive a kill.
public struct ActivationShardWriter {
  private let folder: String
  public private(set) var index: ActivationIndex

  /// Opens the folder. It keeps the finished shards of an earlier run with the same identity and removes all others.
  /// - Throws: `DiffingError.file` if the folder cannot be made or written to.
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
      // Shards are read in order, so a missing shard makes all later ones useless.
      index.shards = Array(old.shards.prefix { (try? SafetensorsFile(path: folder + "/" + $0.file)) != nil })
    }
    try writeIndex()
    removeStrays()
  }

  /// The number of shards that are finished.
  public var finished: Int { index.shards.count }

  /// Writes the texts, to which shards refer by number.
  public func write(texts: [CorpusText]) throws(InferenceError) {
    var offsets: [Int64] = [0]
    for text in texts { offsets.append(offsets[offsets.count - 1] + Int64(text.ids.count)) }
    let total = Int(offsets[offsets.count - 1])
    var writer = SafetensorsWriter()
    writer.add("ids", shape: [total], int32s: texts.flatMap(\.ids))
    writer.add("template", shape: [total], int32s: texts.flatMap { $0.templateMask.map { $0 ? 1 : 0 } })
    writer.add("offsets", shape: [offsets.count], int64s: offsets)
    writer.add("corpus", shape: [texts.count], int32s: texts.map { Int32($0.corpus.number) })
    try writer.write(to: folder + "/texts.safetensors")
  }

  /// Writes the next shard, then the index that names it.
  /// - Parameters:
  ///   - x: the kept rows, `[N, 2, d]`.
  ///   - text, position: the text's number and the position of each row.
  ///   - leftOut: the number of tokens that were left out because of their norm.
  public mutating func append(
    x: [Float], text: [Int32], position: [Int32], leftOut: Int
  ) throws(DiffingError) {
    precondition(x.count == text.count * 2 * index.dModel && text.count == position.count, "every token needs one row")
    let name = Self.name(ofShard: finished)
    var writer = SafetensorsWriter(metadata: ["identity": index.identity])
    writer.add("x", shape: [text.count, 2, index.dModel], floats: x, as: .bf16)
    writer.add("text", shape: [text.count], int32s: text)
    writer.add("position", shape: [text.count], int32s: position)
    let finished = writer
    try reading { () throws(InferenceError) in try finished.write(to: folder + "/" + name) }
    index.shards.append(.init(file: name, tokens: text.count, leftOut: leftOut))
    try writeIndex()
  }

  private static func name(ofShard number: Int) -> String {
    "shard-" + String(repeating: "0", count: max(0, 5 - "\(number)".count)) + "\(number).safetensors"
  }

  /// Joins the shards of several folders: shard s is the next one of folder s mod n. The files are linked, not copied, where
  /// the file system can, so that a join that is killed leaves all parts as they were.
  /// - Parameters:
  ///   - parts: folders that this writer made, with the same identity and texts.
  ///   - folder: is made anew.
  /// - Throws: `DiffingError.file`.
  public static func join(_ parts: [ActivationShards], in folders: [String], into folder: String) throws(DiffingError) {
    var index = parts[0].index
    index.shards = []
    var links: [(from: String, to: String)] = [(folders[0] + "/texts.safetensors", "texts.safetensors")]
    for number in 0..<parts.reduce(0, { $0 + $1.index.shards.count }) {
      let (place, part) = number.quotientAndRemainder(dividingBy: parts.count)
      var shard = parts[part].index.shards[place]
      links.append((folders[part] + "/" + shard.file, name(ofShard: number)))
      shard.file = name(ofShard: number)
      index.shards.append(shard)
    }
    let files = FileManager.default
    do {
      try? files.removeItem(atPath: folder)
      try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for link in links {
        let target = folder + "/" + link.to
        do { try files.linkItem(atPath: link.from, toPath: target) } catch {
          try files.copyItem(atPath: link.from, toPath: target)
        }
      }
    } catch {
      throw .file(.fileUnwritable(path: folder, reason: error.localizedDescription))
    }
    try Diffing.write(json: index, to: folder + "/activations.json")
  }

  private func writeIndex() throws(DiffingError) { try Diffing.write(json: index, to: folder + "/activations.json") }

  /// Removes the shards and half-written files of an earlier run that this run does not use.
  private func removeStrays() {
    let used = Set(index.shards.map(\.file))
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasSuffix(".tmp") || (name.hasPrefix("shard-") && !used.contains(name)) {
      try? FileManager.default.removeItem(atPath: folder + "/" + name)
    }
  }
}
