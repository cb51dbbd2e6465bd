// The corpus once more, as codes: what scoring and the choice of contexts read, shard by shard.

import Diffing

/// Encodes harvested shards with a finished crosscoder.
struct EncodedCorpus {
  let shards: ActivationShards
  let texts: [CorpusText]
  let crosscoder: Crosscoder
  private static let batch = 4096

  init(activations folder: String, crosscoder: Crosscoder) throws {
    shards = try ActivationShards(folder: folder)
    texts = try shards.readTexts()
    guard shards.dModel == crosscoder.dModel else {
      throw DiffingError.shapeMismatch(path: folder, tensor: "x", expected: [crosscoder.dModel], found: [shards.dModel])
    }
    self.crosscoder = crosscoder
  }

  /// One shard's kept tokens with their codes, in batches.
  func forEachBatch(
    ofShard number: Int, _ body: (SparseCodes, PairedActivations, _ rows: Range<Int>) throws -> Void
  ) throws {
    let activations = shards.shard(number).activations
    for start in stride(from: 0, to: activations.tokens, by: Self.batch) {
      let rows = start..<min(start + Self.batch, activations.tokens)
      let part = activations.tokens(rows)
      try body(try crosscoder.encode(part), part, rows)
    }
  }

  /// One shard's codes with a row for every token of its texts; tokens that were left out have none.
  /// - Parameter visit: sees each batch of kept tokens on the way.
  func wholeTexts(
    ofShard number: Int, visit: (SparseCodes, PairedActivations) throws -> Void = { _, _ in }
  ) throws -> (codes: SparseCodes, sequences: [LabelledSequence]) {
    let (_, textOfRow, positions) = shards.shard(number)
    var (latents, values): ([Int32], [Float]) = ([], [])
    var counts: [Int] = []
    try forEachBatch(ofShard: number) { codes, activations, _ in
      try visit(codes, activations)
      latents += codes.latents
      values += codes.values
      counts += (0..<codes.tokens).map { codes.entries(of: $0).count }
    }
    guard let first = textOfRow.first, let last = textOfRow.last else {
      return (SparseCodes(nLatents: crosscoder.nLatents, offsets: [0], latents: [], values: []), [])
    }
    let range = Int(first)...Int(last)
    var offsets = [0]
    var row = 0
    for text in range {
      for position in texts[text].ids.indices {
        var entries = 0
        if row < counts.count, Int(textOfRow[row]) == text, Int(positions[row]) == position {
          entries = counts[row]
          row += 1
        }
        offsets.append(offsets[offsets.count - 1] + entries)
      }
    }
    return (
      SparseCodes(nLatents: crosscoder.nLatents, offsets: offsets, latents: latents, values: values),
      texts[range].map(\.labelled)
    )
  }
}
