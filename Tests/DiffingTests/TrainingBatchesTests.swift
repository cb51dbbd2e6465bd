// Which rows a step gets: exactly the former batches where all fit the buffer, else each token once an epoch through a
// bounded buffer; resumable at any step; activations of others in each type.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

/// Shards whose row r is r in base's first element and −r in chat's, so that a row tells which it is.
private func writeShards(
  _ sizes: [Int], d: Int = 2, in folder: String, as type: SafetensorsType = .f32
) throws {
  var first = 0
  var index = ActivationIndex(dModel: d, layer: 1, identity: "test")
  for (number, size) in sizes.enumerated() {
    var x = [Float](repeating: 0, count: size * 2 * d)
    for row in 0..<size { (x[row * 2 * d], x[(row * 2 + 1) * d]) = (Float(first + row), -Float(first + row)) }
    try write(x, shape: [size, 2, d], as: type, to: folder + "/part\(number).safetensors")
    index.shards.append(.init(file: "part\(number).safetensors", tokens: size))
    first += size
  }
  try write(json: index, to: folder + "/activations.json")
}

/// A file with the tensor x, byte by byte: our own writer has no F16.
private func write(_ x: [Float], shape: [Int], as type: SafetensorsType, to path: String) throws {
  var data = Data()
  for value in x {
    switch type {
    case .f16: withUnsafeBytes(of: Float16(value).bitPattern.littleEndian) { data.append(contentsOf: $0) }
    case .bf16: withUnsafeBytes(of: bfloat16Bits(value).littleEndian) { data.append(contentsOf: $0) }
    default: withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
    }
  }
  let header = #"{"x":{"dtype":"\#(type.rawValue)","shape":\#(shape),"data_offsets":[0,\#(data.count)]}}"#
  var file = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
  file += Data(header.utf8) + data
  try file.write(to: URL(fileURLWithPath: path))
}

private func rows(_ batch: PairedActivations) -> [Int] {
  (0..<batch.tokens).map { Int(batch.values[$0 * 2 * batch.dModel]) }
}

@Suite struct TrainingBatchesTests {
  /// What the order of batches was before there was a buffer; the numbers are from that code.
  @Test func whereAllFitTheBatchesArePinned() throws {
    let folder = TemporaryFolder()
    try writeShards([7, 0, 13, 20], in: folder.path)
    let shards = try ActivationShards(folder: folder.path)
    for bufferTokens in [nil, 40, 1000] {
      var batches = TrainingBatches(shards: shards, batch: 8, seed: 3, bufferTokens: bufferTokens)
      #expect(batches.bufferTokens == nil)
      #expect(rows(batches.batch(ofStep: 0)) == pinned[0])
      #expect(rows(batches.batch(ofStep: 4)) == pinned[1])
      #expect(rows(batches.batch(ofStep: 5)) == pinned[2])
    }
  }

  private let pinned = [
    [4, 28, 25, 5, 11, 27, 10, 36], [24, 39, 6, 13, 17, 14, 16, 3], [28, 24, 4, 11, 26, 9, 36, 23],
  ]

  @Test func aBufferGivesEveryTokenOnceAnEpochInAnotherOrder() throws {
    let folder = TemporaryFolder()
    let sizes = [70, 1, 130, 0, 99, 100]
    try writeShards(sizes, in: folder.path)
    let shards = try ActivationShards(folder: folder.path)
    var batches = TrainingBatches(shards: shards, batch: 10, seed: 5, bufferTokens: 100)
    #expect(batches.bufferTokens == 100)
    let steps = 200
    let seen = (0..<steps).map { rows(batches.batch(ofStep: $0)) }
    // 2000 draws of a stream of 400 tokens an epoch: the buffer holds back at most 100.
    var counts = [Int](repeating: 0, count: 400)
    for row in seen.joined() { counts[row] += 1 }
    #expect(counts.reduce(0, +) == 2000)
    #expect(counts.allSatisfy { (4...6).contains($0) }, "\(counts)")
    // Where two epochs meet in the buffer, a batch may have a token of each.
    #expect(seen.allSatisfy { Set($0).count >= 8 } && seen.prefix(20).allSatisfy { Set($0).count == 10 })
    // A batch mixes what lay far apart, and is in no order.
    #expect(seen.prefix(8).allSatisfy { $0 != $0.sorted() })
    let spread = seen.map { ($0.max() ?? 0) - ($0.min() ?? 0) }
    #expect(spread.reduce(0, +) / steps > 60, "\(spread)")
    var other = TrainingBatches(shards: shards, batch: 10, seed: 6, bufferTokens: 100)
    #expect(rows(other.batch(ofStep: 0)) != seen[0])
  }

  @Test func aResumedRunSeesTheSameBatches() throws {
    let folder = TemporaryFolder()
    try writeShards([70, 1, 130, 0, 99, 100], in: folder.path)
    let shards = try ActivationShards(folder: folder.path)
    var whole = TrainingBatches(shards: shards, batch: 9, seed: 1, bufferTokens: 101)
    let seen = (0..<120).map { whole.batch(ofStep: $0).values }
    for step in [1, 4, 5, 6, 44, 45, 77, 119] {
      var resumed = TrainingBatches(shards: shards, batch: 9, seed: 1, bufferTokens: 101)
      let same = (step..<min(step + 15, 120)).allSatisfy { resumed.batch(ofStep: $0).values == seen[$0] }
      #expect(same, "from step \(step)")
    }
    #expect(whole.batch(ofStep: 3).values == seen[3], "back again")
  }

  /// The buffer asks for shards from end to end: what was drawn is replaced by the next rows of the stream.
  @Test func shardsAreReadFromEndToEnd() throws {
    var stream = ShardStream(sizes: [5, 0, 3, 4], seed: 9)
    var slots = ShuffledSlots(sizes: [5, 0, 3, 4], batch: 2, capacity: 8, seed: 9)
    var read: [ShardRows] = []
    for _ in 0..<24 {
      if let refill = slots.refill() {
        #expect(refill.slots.count == refill.tokens.reduce(0) { $0 + $1.rows.count })
        read += refill.tokens
      }
      #expect(Set(slots.draw()).count == 2)
    }
    let expected = stream.next(read.reduce(0) { $0 + $1.rows.count })
    func joined(_ runs: [ShardRows]) -> [[Int]] { runs.flatMap { run in run.rows.map { [run.shard, $0] } } }
    #expect(joined(read) == joined(expected))
    for epoch in 0..<4 {
      let part = joined(read)[epoch * 12..<epoch * 12 + 12]
      #expect(Set(part.map { $0 }).count == 12)
      for shard in [0, 2, 3] {
        #expect(part.filter { $0[0] == shard }.map { $0[1] } == Array(0..<[5, 0, 3, 4][shard]))
      }
    }
  }

  @Test(arguments: [SafetensorsType.f32, .f16, .bf16])
  func activationsOfOthersHaveAnyFloatType(type: SafetensorsType) throws {
    let folder = TemporaryFolder()
    try writeShards([64, 64], in: folder.path, as: type)
    let shards = try ActivationShards(folder: folder.path)
    for buffer in [nil, 32] {
      var batches = TrainingBatches(shards: shards, batch: 16, seed: 0, bufferTokens: buffer)
      for step in 0..<10 {
        let batch = batches.batch(ofStep: step)
        let whole = (0..<16).allSatisfy { batch.values[$0 * 4] == -batch.values[$0 * 4 + 2] }
        #expect(whole && Set(rows(batch)).count == 16)
      }
    }
    // What needs texts says so.
    #expect(throws: InferenceError.tensorMissing(path: folder.path + "/part0.safetensors", tensor: "text")) {
      try shards.shard(0)
    }
    #expect(throws: InferenceError.self) { try shards.readTexts() }
  }

  @Test func theContentTellsActivationsApart() throws {
    let folders = [TemporaryFolder(), TemporaryFolder(), TemporaryFolder(), TemporaryFolder()]
    try writeShards([8, 8], in: folders[0].path)
    try writeShards([8, 8], in: folders[1].path)
    try writeShards([8, 9], in: folders[2].path)
    try writeShards([8, 8], in: folders[3].path, as: .bf16)
    let hashes = try folders.map { try ActivationShards(folder: $0.path).contentHash() }
    #expect(hashes[0] == hashes[1] && Set(hashes).count == 3)
  }

  @Test(arguments: [
    (#""format" : 1"#, #""format" : 2"#, "format"), (#""dModel" : 2"#, #""dModel" : 0"#, "dModel"),
    (#""dModel" : 2"#, #""dModel" : 3"#, "shape"), ("part0", "../part0", "in this folder"),
    (#""tokens" : 8"#, #""tokens" : 9"#, "shape"), (#""tokens" : 8"#, #""tokens" : -8"#, "shape"),
    ("part1", "part9", "part9"), ("{", "", "JSON"), (#""identity" : "test""#, "", "JSON"),
  ])
  func refusesAnIndexThatDoesNotFit(from: String, to: String, word: String) throws {
    let folder = TemporaryFolder()
    try writeShards([8, 7], in: folder.path)
    let path = folder.path + "/activations.json"
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let range = try #require(text.range(of: from))
    try text.replacingCharacters(in: range, with: to).write(toFile: path, atomically: true, encoding: .utf8)
    let error = #expect(throws: InferenceError.self) { try ActivationShards(folder: folder.path) }
    let line = error?.description ?? ""
    #expect(line.contains(word) && line.contains(folder.path) && !line.contains("\n"), "\(line)")
  }

  @Test func refusesMixedAndWholeNumbers() throws {
    let folder = TemporaryFolder()
    try writeShards([8, 8], in: folder.path)
    var writer = SafetensorsWriter()
    writer.add("x", shape: [8, 2, 2], floats: [Float](repeating: 0, count: 32), as: .bf16)
    try writer.write(to: folder.path + "/part1.safetensors")
    #expect(throws: InferenceError.self) { try ActivationShards(folder: folder.path) }
    var whole = SafetensorsWriter()
    whole.add("x", shape: [8, 2, 2], int32s: [Int32](repeating: 0, count: 32))
    try whole.write(to: folder.path + "/part0.safetensors")
    #expect(throws: InferenceError.self) { try ActivationShards(folder: folder.path) }
  }
}
