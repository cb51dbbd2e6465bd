// The corpus as codes, which scoring and the choice of contexts read shard by shard.

import Diffing
import Experiments

/// Encodes harvested shards with a finished crosscoder.
package struct EncodedCorpus {
  package let shards: ActivationShards
  package let texts: [CorpusText]
  package let crosscoder: Crosscoder
  private static let batch = 4096

  /// - Parameter shards: see `HarvestStage.finished`.
  package init(_ shards: ActivationShards, crosscoder: Crosscoder) throws {
    self.shards = shards
    texts = try shards.readTexts()
    guard shards.dModel == crosscoder.dModel else {
      throw DiffingError.shapeMismatch(
        path: "activations", tensor: "x", expected: [crosscoder.dModel], found: [shards.dModel])
    }
    self.crosscoder = crosscoder
  }

  /// The codes of one shard, one row for each kept token, with the texts of these tokens.
  /// - Parameter visit: receives each batch of tokens.
  package func encoded(
    shard number: Int, visit: (SparseCodes, PairedActivations) throws -> Void = { _, _ in }
  ) throws -> (codes: SparseCodes, texts: [EncodedText]) {
    let (activations, textOfRow, positions) = try shards.shard(number)
    var parts = [SparseCodes(nLatents: crosscoder.nLatents, offsets: [0], latents: [], values: [])]
    for start in stride(from: 0, to: activations.tokens, by: Self.batch) {
      let part = activations.tokens(start..<min(start + Self.batch, activations.tokens))
      let codes = try crosscoder.encode(part)
      try visit(codes, part)
      parts.append(codes)
    }
    var encoded: [EncodedText] = []
    var row = 0
    while row < textOfRow.count {
      let text = textOfRow[row]
      let end = textOfRow[row...].firstIndex { $0 != text } ?? textOfRow.count
      guard texts.indices.contains(Int(text)),
        positions[row..<end].allSatisfy({ texts[Int(text)].ids.indices.contains(Int($0)) })
      else {
        throw InputError.invalid(
          source: "\(shards.index.shards[number].file) row \(row)", expected: "a position in one of its texts",
          found: "text \(text)")
      }
      encoded.append(EncodedText(texts[Int(text)], kept: positions[row..<end].map(Int.init)))
      row = end
    }
    return (SparseCodes(joining: parts), encoded)
  }
}
