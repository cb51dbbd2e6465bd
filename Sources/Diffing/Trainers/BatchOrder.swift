// Which tokens a training step sees. This follows from the seed, the shards' sizes and the step's number alone, so a
// resumed run sees the same batches.
//   EpochOrder     epoch after epoch, each in a permutation of all tokens
//   ShuffledSlots  shards in a permutation of each epoch's own, read from end to end into a buffer of C tokens;
//                  batches are drawn from it at random, and after every C/2 tokens the next of the stream replace those
//                  that were drawn
// These types know the numbers of tokens and slots, but no activations (`TrainingBatches`). Source of the buffer:
// dictionary_learning's ActivationBuffer, which also refills at half. Shape letters: B tokens of a batch, C of the
// buffer, N of all shards.

import Inference

/// Goes through epoch after epoch, each in a permutation of its own.
struct EpochOrder: Sendable {
  private let count: Int
  private let batch: Int
  private let seed: UInt64
  private var epoch = -1
  private var order: [Int] = []

  /// The order of batches of `batch` out of `count` tokens.
  init(count: Int, batch: Int, seed: UInt64) {
    precondition(batch > 0 && count >= batch, "an epoch holds at least one batch")
    (self.count, self.batch, self.seed) = (count, batch, seed)
  }

  /// The tokens of a step, counted from 0. An epoch's incomplete last batch is left out.
  mutating func tokens(ofStep step: Int) -> ArraySlice<Int> {
    let perEpoch = count / batch
    if step / perEpoch != epoch {
      epoch = step / perEpoch
      var generator = SplitMix64(seed: epochSeed(seed, epoch))
      order = Array(0..<count)
      order.shuffle(using: &generator)
    }
    let start = step % perEpoch * batch
    return order[start..<start + batch]
  }
}

private func epochSeed(_ seed: UInt64, _ epoch: Int) -> UInt64 { seed &+ UInt64(epoch) &* 0x9e37_79b9_7f4a_7c15 }

/// Rows of one shard, in order.
struct ShardRows: Equatable, Sendable {
  var shard: Int
  var rows: Range<Int>
}

/// All tokens, epoch after epoch and shard after shard. Each epoch has its own permutation of the shards.
struct ShardStream: Sendable {
  private let sizes: [Int]
  private let seed: UInt64
  private var epoch = 0
  private var order: [Int]
  private var place = 0
  private var row = 0

  init(sizes: [Int], seed: UInt64) {
    precondition(sizes.contains { $0 > 0 }, "a stream needs at least one token")
    (self.sizes, self.seed) = (sizes, seed)
    order = Self.order(sizes.count, seed, epoch: 0)
  }

  private static func order(_ count: Int, _ seed: UInt64, epoch: Int) -> [Int] {
    var generator = SplitMix64(seed: epochSeed(seed, epoch))
    return Array(0..<count).shuffled(using: &generator)
  }

  /// The next `count` tokens.
  mutating func next(_ count: Int) -> [ShardRows] {
    var (runs, left) = ([ShardRows](), count)
    while left > 0 {
      if place == order.count {
        epoch += 1
        (place, order) = (0, Self.order(sizes.count, seed, epoch: epoch))
      }
      let shard = order[place]
      let end = min(sizes[shard], row + left)
      if end > row { runs.append(ShardRows(shard: shard, rows: row..<end)) }
      left -= end - row
      row = end
      if row == sizes[shard] { (place, row) = (place + 1, 0) }
    }
    return runs
  }
}

/// The slots of the buffer: which are drawn for a step, and what refills them.
struct ShuffledSlots: Sendable {
  /// C.
  let capacity: Int
  private let batch: Int
  private let drawsARound: Int
  private var stream: ShardStream
  private var generator: SplitMix64
  /// The slots; those that still hold a token come first.
  private var slots: [Int32]
  private var live = 0
  private var draws = 0

  /// - Parameter capacity: must hold at least two batches.
  init(sizes: [Int], batch: Int, capacity: Int, seed: UInt64) {
    precondition(batch > 0 && capacity >= 2 * batch && capacity <= Int(Int32.max), "the buffer must hold two batches")
    (self.capacity, self.batch) = (capacity, batch)
    drawsARound = capacity / 2 / batch
    stream = ShardStream(sizes: sizes, seed: seed)
    generator = SplitMix64(seed: ~seed)
    slots = (0..<Int32(capacity)).map { $0 }
  }

  /// The slots to fill before the next draw, and as many tokens; nil if no refill is due.
  mutating func refill() -> (slots: ArraySlice<Int32>, tokens: [ShardRows])? {
    guard live == 0 || draws == drawsARound else { return nil }
    let empty = slots[live...]
    let tokens = stream.next(empty.count)
    (live, draws) = (capacity, 0)
    return (empty, tokens)
  }

  /// Draws B random slots among those that hold a token.
  mutating func draw() -> ArraySlice<Int32> {
    for _ in 0..<batch {
      let chosen = Int.random(in: 0..<live, using: &generator)
      live -= 1
      slots.swapAt(chosen, live)
    }
    draws += 1
    return slots[live..<live + batch]
  }
}
