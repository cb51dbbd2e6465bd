// Selects the codes of a batch that are kept: the k·B with the largest scaled activation, over tokens and latents
// together. DECOUPLED codes are selected twice, by each model's own norms, and the two selections are joined. Ties go
// to the earlier token, then to the lower latent. Shape letters: B tokens, F latents.

import Inference
import Kernels

/// The entries kept in a batch, by token, latents ascending.
struct KeptEntries {
  /// Where each token's entries begin, `[B + 1]`.
  var offsets: [Int] = [0]
  var latents: [Int32] = []
  /// The raw codes f.
  var codes: [Float] = []
  /// For DECOUPLED codes, the models for which each entry is kept; empty if entries are kept for both at once.
  var models: [PairModels] = []
  /// ∂L/∂f.
  var codeGradients: [Float] = []

  /// Whether an entry is kept for these models.
  func isKept(_ entry: Int, for set: PairModels) -> Bool { models.isEmpty || models[entry].isSuperset(of: set) }

  func entries(of token: Int) -> Range<Int> { offsets[token]..<offsets[token + 1] }

  /// Joins each model's own selection; a latent of both models appears once.
  init(joining base: KeptEntries, _ chat: KeptEntries) {
    for token in 0..<base.offsets.count - 1 {
      var (left, right) = (base.entries(of: token), chat.entries(of: token))
      while !left.isEmpty || !right.isEmpty {
        let first = left.first.map { base.latents[$0] } ?? .max
        let second = right.first.map { chat.latents[$0] } ?? .max
        latents.append(min(first, second))
        if first <= second {
          codes.append(base.codes[left.lowerBound])
          left.removeFirst()
        }
        if second <= first {
          if second < first { codes.append(chat.codes[right.lowerBound]) }
          right.removeFirst()
        }
        models.append(first < second ? .base : second < first ? .chat : .both)
      }
      offsets.append(latents.count)
    }
  }

  init() {}
}

/// The active latents of a run of tokens, as candidates for the k·B largest.
private struct Candidates {
  var counts: [Int] = []
  var latents: [Int32] = []
  var codes: [Float] = []
  var scaled: [Float] = []
}

extension BatchTopKTrainer {
  /// Fills `kept` with the `count` largest scaled activations of the batch (fewer if fewer are positive), and
  /// `lastKept` with the smallest of them, or 0 if there is none.
  func select(count: Int) throws(DiffingError) {
    run.multiplyEncoder()
    if configuration.nSelections == 1 {
      kept = try select(count: count, norms: run.codeNorms, smallest: &lastKept[0])
    } else {
      let base = try select(count: count, norms: run.modelNorms[0], smallest: &lastKept[0])
      let chat = try select(count: count, norms: run.modelNorms[1], smallest: &lastKept[1])
      kept = KeptEntries(joining: base, chat)
    }
  }

  private func select(
    count: Int, norms: FloatStorage, smallest lastKept: inout Float
  ) throws(DiffingError) -> KeptEntries {
    // This batch's bound is usually near the last one's. If too few lie above half of that, all positive ones are
    // taken.
    var candidates = collect(above: lastKept / 2, norms: norms)
    var total = candidates.reduce(0) { $0 + $1.scaled.count }
    if total < count && lastKept > 0 {
      candidates = collect(above: 0, norms: norms)
      total = candidates.reduce(0) { $0 + $1.scaled.count }
    }
    guard candidates.allSatisfy({ $0.scaled.allSatisfy(\.isFinite) }) else {
      throw .trainingNotFinite(what: "a code", step: run.step)
    }
    let bound = total > count ? largest(rank: count, of: candidates.map(\.scaled)) : 0
    let above = candidates.reduce(0) { sum, part in sum + part.scaled.reduce(0) { $0 + ($1 > bound ? 1 : 0) } }
    var ties = count - above
    var smallest = Float.infinity
    var kept = KeptEntries()
    kept.offsets.reserveCapacity(run.tokens + 1)
    kept.latents.reserveCapacity(count)
    kept.codes.reserveCapacity(count)
    for part in candidates {
      var entry = 0
      for found in part.counts {
        for _ in 0..<found {
          let scaled = part.scaled[entry]
          if scaled > bound || scaled == bound && ties > 0 {
            if scaled == bound { ties -= 1 }
            smallest = min(smallest, scaled)
            kept.latents.append(part.latents[entry])
            kept.codes.append(part.codes[entry])
          }
          entry += 1
        }
        kept.offsets.append(kept.latents.count)
      }
    }
    lastKept = smallest.isFinite ? smallest : 0
    return kept
  }

  private func collect(above bound: Float, norms: FloatStorage) -> [Candidates] {
    let F = run.settings.nLatents
    let size = TrainingRun.tokenPiece
    var parts = [Candidates](repeating: Candidates(), count: (run.tokens + size - 1) / size)
    let bias = run.encoderBias.values.array
    let norms = norms.array
    parts.withUnsafeMutableBufferPointer { parts in
      inPieces(of: size, count: run.tokens) { tokens in
        var columns = CandidateColumns(capacity: F)
        var part = Candidates()
        for token in tokens {
          let found = columns.collect(
            run.product.start + token * F, bias: bias, norms: norms, count: F, bound: bound)
          part.counts.append(found)
          part.latents += columns.latents[..<found]
          part.codes += columns.codes[..<found]
          part.scaled += columns.scaled[..<found]
        }
        parts[tokens.lowerBound / size] = part
      }
    }
    return parts
  }
}
