// The batches of a training run, read from shards that may be larger than memory. If all tokens fit the buffer they
// come in a random order (`EpochOrder`), else `ShuffledSlots` orders them; the buffer holds rows as they are stored.
// The process keeps at most the buffer and a few MB of mapped pages, and reads shards from end to end.

import Inference
import Kernels

/// Gives each step its batch.
public struct TrainingBatches {
  /// The size of the default buffer in bytes: 2.5 GB, 1.08 million tokens of width 576 in bf16, 271 thousand of 2304.
  static let defaultBytes = 2_500_000_000

  private let shards: ActivationShards
  private var order: EpochOrder
  private let buffer: ShuffleBuffer?

  /// Batches of `batch` tokens.
  /// - Parameter bufferTokens: how many tokens the buffer holds, at least two batches; by default as many as fit 2.5
  ///   GB.
  public init(shards: ActivationShards, batch: Int, seed: UInt64, bufferTokens: Int? = nil) {
    self.shards = shards
    order = EpochOrder(count: shards.tokens, batch: batch, seed: seed)
    buffer = Self.capacity(shards: shards, batch: batch, bufferTokens: bufferTokens).map {
      ShuffleBuffer(shards: shards, batch: batch, capacity: $0, seed: seed)
    }
  }

  /// The number of tokens in the buffer; nil if all tokens fit it. What a step sees depends on this number.
  public var bufferTokens: Int? { buffer?.capacity }

  /// The bytes that the buffer of such a run takes; 0 if all tokens fit it, since they are then read where they are
  /// mapped.
  public static func bufferBytes(shards: ActivationShards, batch: Int, bufferTokens: Int?) -> Int {
    (capacity(shards: shards, batch: batch, bufferTokens: bufferTokens) ?? 0) * shards.rowBytes
  }

  /// C; nil if all tokens fit.
  private static func capacity(shards: ActivationShards, batch: Int, bufferTokens: Int?) -> Int? {
    let capacity = min(max(bufferTokens ?? defaultBytes / shards.rowBytes, 2 * batch), Int(Int32.max))
    return shards.tokens <= capacity ? nil : capacity
  }

  /// The batch of a step, counted from 0. Steps in order cost least. With a buffer, any other step is found by going
  /// through the numbers of all steps before it, and the buffer's content at that step is read again.
  public mutating func batch(ofStep step: Int) -> PairedActivations {
    buffer?.batch(ofStep: step) ?? shards.gather(order.tokens(ofStep: step))
  }
}

/// The buffer: `ShuffledSlots` and one row for each slot.
private final class ShuffleBuffer {
  /// The number of bytes that are read before their pages are given back.
  private static let chunkBytes = 16 << 20

  let capacity: Int
  private let shards: ActivationShards
  private let batch: Int
  private let seed: UInt64
  private let rows: RowBuffer
  private var slots: ShuffledSlots
  private var step = 0

  init(shards: ActivationShards, batch: Int, capacity: Int, seed: UInt64) {
    (self.shards, self.batch, self.capacity, self.seed) = (shards, batch, capacity, seed)
    rows = RowBuffer(rows: capacity, rowBytes: shards.rowBytes)
    slots = ShuffledSlots(sizes: shards.tokensOfShards, batch: batch, capacity: capacity, seed: seed)
  }

  func batch(ofStep wanted: Int) -> PairedActivations {
    if wanted != step { skip(to: wanted) }
    if let (empty, tokens) = slots.refill() { fill(empty, with: tokens) }
    step = wanted + 1
    return rows.gather(slots.draw(), dModel: shards.dModel, type: shards.type)
  }

  /// Goes through the draws of all steps before `wanted`, then reads the buffer's content in the shards' order.
  private func skip(to wanted: Int) {
    slots = ShuffledSlots(sizes: shards.tokensOfShards, batch: batch, capacity: capacity, seed: seed)
    var held = [(shard: Int32, row: Int32)](repeating: (0, 0), count: capacity)
    for _ in 0..<wanted {
      if let (empty, tokens) = slots.refill() {
        var at = empty.startIndex
        for run in tokens {
          for row in run.rows {
            held[Int(empty[at])] = (Int32(run.shard), Int32(row))
            at += 1
          }
        }
      }
      _ = slots.draw()
    }
    guard wanted > 0 else { return }
    let order = (0..<Int32(capacity)).sorted { held[Int($0)] < held[Int($1)] }
    var start = 0
    while start < order.count {
      let shard = Int(held[Int(order[start])].shard)
      let end = order[start...].firstIndex { held[Int($0)].shard != shard } ?? order.count
      for slot in order[start..<end] { shards.copy(shard, row: Int(held[Int(slot)].row), to: rows.place(Int(slot))) }
      shards.release(shard, rows: 0..<shards.tokensOfShards[shard])
      start = end
    }
  }

  private func fill(_ empty: ArraySlice<Int32>, with tokens: [ShardRows]) {
    let chunk = max(1, Self.chunkBytes / shards.rowBytes)
    let chunks = tokens.flatMap { run in
      stride(from: run.rows.lowerBound, to: run.rows.upperBound, by: chunk).map {
        ShardRows(shard: run.shard, rows: $0..<min($0 + chunk, run.rows.upperBound))
      }
    }
    var at = empty.startIndex
    for (index, part) in chunks.enumerated() {
      if index + 1 < chunks.count { shards.willRead(chunks[index + 1].shard, rows: chunks[index + 1].rows) }
      for row in part.rows {
        shards.copy(part.shard, row: row, to: rows.place(Int(empty[at])))
        at += 1
      }
      shards.release(part.shard, rows: part.rows)
    }
  }
}

/// Rows in memory, as they are stored.
private final class RowBuffer {
  private let start: UnsafeMutableRawPointer
  private let rowBytes: Int

  init(rows: Int, rowBytes: Int) {
    start = .allocate(byteCount: rows * rowBytes, alignment: 64)
    self.rowBytes = rowBytes
  }

  deinit { start.deallocate() }

  /// Where the row of a slot is.
  func place(_ slot: Int) -> UnsafeMutableRawPointer { start + slot * rowBytes }

  func gather(_ slots: ArraySlice<Int32>, dModel: Int, type: SafetensorsType) -> PairedActivations {
    let width = 2 * dModel
    var values = [Float](repeating: 0, count: slots.count * width)
    values.withUnsafeMutableBufferPointer { buffer in
      guard let first = buffer.baseAddress else { return }
      // Each part writes only its own rows and only reads the buffer.
      nonisolated(unsafe) let (out, start) = (first, start)
      Compute.parallel { thread, threads in
        for i in Compute.share(of: slots.count, thread: thread, threads: threads) {
          type.widen(start + Int(slots[slots.startIndex + i]) * rowBytes, into: out + i * width, count: width)
        }
      }
    }
    return PairedActivations(dModel: dModel, values: values)
  }
}
