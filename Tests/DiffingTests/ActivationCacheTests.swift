// The authors' caches of activations, made by their own library: pairs read in place are what its reader returns, bit for bit;
// damaged files and folders that do not belong together are one line that names file and place.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct ActivationCacheTests {
  private let folder = TemporaryFolder()
  private static let fixtures =
    Bundle.module.path(forResource: "Fixtures", ofType: nil).map { $0 + "/activations" } ?? ""

  private static func folders(_ form: String, layer: Int, in root: String = fixtures) -> (base: String, chat: String) {
    let rest = "texts/train/layer_\(layer)_out"
    return ("\(root)/\(form)/tiny-base/\(rest)", "\(root)/\(form)/tiny-chat/\(rest)")
  }

  private func shards(_ folders: (base: String, chat: String)) throws -> ActivationShards {
    try ActivationShards(base: folders.base, chat: folders.chat)
  }

  private func error(_ body: () throws -> some Any) -> String? {
    do {
      _ = try body()
      return nil
    } catch let error { return "\(error)" }
  }

  @Test(arguments: [("float32_shards", 2), ("bfloat16", 1)])
  func rowsAreThoseOfTheLibrary(form: String, layer: Int) throws {
    let shards = try shards(Self.folders(form, layer: layer))
    let reference = try SafetensorsFile(path: "\(Self.fixtures)/\(form)/reference.safetensors")
    let x = try reference.floats(named: "x")
    let tokens = try reference.ints(named: "tokens")
    #expect((shards.tokens, shards.dModel, shards.index.layer) == (tokens.count / 2, 96, layer))
    #expect(shards.gather(Array(0..<shards.tokens)[...]).values == x)
    // Any order, too.
    let some = [shards.tokens - 1, 0, 50, 49, 48]
    #expect(shards.gather(some[...]).values == some.flatMap { Array(x[$0 * 192..<($0 + 1) * 192]) })
    // Texts, and the place of each row in them.
    let texts = try shards.readTexts()
    #expect(texts.flatMap(\.ids).map(Int.init) == Array(tokens.prefix(shards.tokens)))
    let ranges = try reference.ints(named: "sequence_ranges")
    #expect(texts.map(\.ids.count) == zip(ranges.dropFirst(), ranges).map { $0 - $1 })
    var row = 0
    for shard in shards.index.shards.indices {
      let (activations, textOfRow, positions) = try shards.shard(shard)
      for index in 0..<activations.tokens {
        #expect(Int(texts[Int(textOfRow[index])].ids[Int(positions[index])]) == tokens[row])
        #expect(ranges[Int(textOfRow[index])] + Int(positions[index]) == row)
        row += 1
      }
    }
    #expect(row == shards.tokens)
  }

  /// Each row comes once an epoch, whether all fit the buffer or not.
  @Test(arguments: [nil, 32]) func batchesHaveTheirRows(buffer: Int?) throws {
    let shards = try shards(Self.folders("float32_shards", layer: 2))
    let all = shards.gather(Array(0..<shards.tokens)[...]).values
    let rows = Set((0..<shards.tokens).map { Array(all[$0 * 192..<($0 + 1) * 192]) })
    var batches = TrainingBatches(shards: shards, batch: 16, seed: 3, bufferTokens: buffer)
    for step in 0..<12 {
      let batch = batches.batch(ofStep: step)
      #expect(batch.tokens == 16)
      for row in 0..<16 { #expect(rows.contains(Array(batch.values[row * 192..<(row + 1) * 192]))) }
    }
  }

  private func copied(_ form: String) throws -> String {
    let root = folder.path + "/copy"
    try? FileManager.default.removeItem(atPath: root)
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(form)", toPath: "\(root)/\(form)")
    return root
  }

  @Test func shardsThatAreCutDifferentlyGiveTheSameRows() throws {
    let root = try copied("float32_shards")
    let (base, chat) = Self.folders("float32_shards", layer: 2, in: root)
    // All of chat in one shard.
    var bytes = Data()
    for number in 0..<3 { bytes += try Data(contentsOf: URL(filePath: "\(chat)/shard_\(number).memmap")) }
    try bytes.write(to: URL(filePath: chat + "/shard_0.memmap"))
    try edit(chat + "/shard_0.meta") { $0["shape"] = [119, 96] }
    try edit(chat + "/config.json") { $0["shard_count"] = 1 }
    let one = try ActivationShards(base: base, chat: chat)
    let three = try shards(Self.folders("float32_shards", layer: 2))
    #expect(one.gather(Array(0..<119)[...]).values == three.gather(Array(0..<119)[...]).values)
    #expect(one.index.shards.map(\.tokens) == three.index.shards.map(\.tokens))
  }

  private func edit(_ path: String, _ change: (inout [String: Any]) -> Void) throws {
    var object = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any])
    change(&object)
    try JSONSerialization.data(withJSONObject: object).write(to: URL(filePath: path))
  }

  @Test(arguments: [
    ("d_model", 97 as Int?, "shape"), ("shard_count", 4, "shard_3.meta"), ("shard_count", 2, "total_size"),
    ("total_size", 120, "total_size"), ("total_size", Int.max, "total_size"), ("d_model", 0, "d_model"),
    ("d_model", nil, "d_model"),
  ]) func aSizeThatDoesNotFitIsNamed(field: String, value: Int?, hint: String) throws {
    let folders = Self.folders("float32_shards", layer: 2, in: try copied("float32_shards"))
    try edit(folders.chat + "/config.json") { $0[field] = value }
    let message = try #require(error { try shards(folders) })
    #expect(message.contains(hint) && message.contains(folders.chat) && !message.contains("\n"), "\(message)")
  }

  @Test func settingsThatChangeRowsAreRefusedByName() throws {
    let folders = Self.folders("bfloat16", layer: 1, in: try copied("bfloat16"))
    for (field, value, hint) in [
      ("shuffle_shards", true as Any, "shuffle_shards"), ("io", "in", "io"), ("new_setting", 1, "new_setting"),
    ] {
      let path = folders.base + "/config.json"
      let before = try Data(contentsOf: URL(filePath: path))
      try edit(path) { $0[field] = value }
      let message = try #require(error { try shards(folders) })
      #expect(message.contains(path) && message.contains(hint), "\(message)")
      try before.write(to: URL(filePath: path))
    }
    try edit(folders.base + "/shard_0.meta") { $0["dtype"] = "torch.float8_e5m2" }
    #expect(try #require(error { try shards(folders) }).contains("float8"))
  }

  @Test func foldersThatDoNotBelongTogetherAreNamed() throws {
    let (base, chat) = Self.folders("float32_shards", layer: 2, in: try copied("float32_shards"))
    let tokens = URL(filePath: chat).deletingLastPathComponent().appending(path: "tokens.pt")
    var bytes = try Data(contentsOf: tokens)
    // The second token of the first text, 87, becomes 88.
    let at = try #require(bytes.range(of: Data([1, 0, 0, 0, 0, 0, 0, 0, 87, 0, 0, 0, 0, 0, 0, 0])))
    bytes[at.lowerBound + 8] = 88
    try bytes.write(to: tokens)
    let message = try #require(error { try ActivationShards(base: base, chat: chat) })
    #expect(message.contains("tokens.pt") && message.contains("88"), "\(message)")
    let other = Self.folders("bfloat16", layer: 1).chat
    #expect(try #require(error { try ActivationShards(base: base, chat: other) }).contains("layer"))
    #expect(try #require(error { try ActivationShards(base: base, chat: folder.path) }).contains("layer_L_out"))
  }

  @Test(arguments: [
    "layer_1_out/shard_0.memmap", "layer_1_out/shard_0.meta", "layer_1_out/config.json", "tokens.pt",
    "sequence_ranges.pt",
  ])
  func aFileThatIsCutShortIsNamed(name: String) throws {
    let folders = Self.folders("bfloat16", layer: 1, in: try copied("bfloat16"))
    let path = URL(filePath: folders.chat).deletingLastPathComponent().path + "/" + name
    let bytes = try Data(contentsOf: URL(filePath: path))
    for length in stride(from: 0, to: bytes.count, by: 97) {
      try bytes.prefix(length).write(to: URL(filePath: path))
      let message = try #require(error { try shards(folders) })
      #expect(message.contains(path) && !message.contains("\n"), "\(message)")
    }
  }
}
