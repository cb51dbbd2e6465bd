// Finds for every latent the few others whose decoder directions have the highest cosine. The product of all directions
// with all others runs in blocks over mapped rows, without a copy; each pair is computed once. Cost: F²·d
// multiplications (half of that, as cosines are symmetric, times 2 for adding). The result depends neither on the
// number of threads nor on their order. Shape letters: F latents, d width.

import Inference
import Kernels
import Synchronization

/// A latent whose decoder direction resembles that of another.
public struct SimilarLatent: Sendable, Equatable, Codable {
  public let latent: Int
  public let cosine: Float
}

extension Crosscoder {
  /// For each latent the `top` others with the highest cosine of decoder directions in one model; see `DecoderRows`.
  public func similarLatents(_ model: PairModel, top: Int = 8) -> [[SimilarLatent]] {
    decoderRows.similarLatents(model, top: top)
  }
}

extension DecoderRows {
  /// For each latent the `top` others with the highest cosine, best first. Equal cosines are ordered by number. A
  /// latent without a direction in that model has none.
  /// - Parameters:
  ///   - checkpoint: continues an earlier search of the same identity, and saves this one from time to time.
  ///   - progress: is called on the calling thread with the share that is done.
  public func similarLatents(
    _ model: PairModel, top: Int = 8, checkpoint: SimilarityCheckpoint? = nil, progress: (Double) -> Void = { _ in }
  ) -> [[SimilarLatent]] {
    let (F, d) = (nLatents, dModel)
    let (height, width) = (256, 2048)
    return withRows(of: model) { rows, step in
      var inverses = [Float](repeating: 0, count: F)
      inverses.withUnsafeMutableBufferPointer { inverses in
        inPieces(of: 256, count: F) { range in
          for latent in range {
            let norm = squareSum(rows + latent * step, count: d).squareRoot()
            inverses[latent] = norm > 0 ? Float(1 / norm) : 0
          }
        }
      }
      let earlier = checkpoint?.read(count: F, top: top)
      let best = Mutex(earlier?.best ?? BestColumns(count: F, top: top))
      let clock = ContinuousClock()
      var saved = clock.now
      for columnStart in stride(from: earlier?.column ?? 0, to: F, by: width) {
        let columns = columnStart..<min(columnStart + width, F)
        // Rows end with the columns; the other rows meet these columns when they are columns themselves.
        inPieces(of: height, count: columns.upperBound) { block in
          var product = [Float](repeating: 0, count: block.count * columns.count)
          gemmOnThisThread(
            m: block.count, n: columns.count, k: d, rows + block.lowerBound * step, .asStored, lda: step,
            rows + columns.lowerBound * step, .transposed, ldb: step, into: &product, ldc: columns.count)
          product.withUnsafeMutableBufferPointer { product in
            for row in block {
              let line = UnsafeMutableBufferPointer(
                rebasing: product[
                  (row - block.lowerBound) * columns.count..<(row - block.lowerBound + 1) * columns.count])
              for column in columns { line[column - columns.lowerBound] *= inverses[row] * inverses[column] }
            }
            best.withLock { $0.take(UnsafeBufferPointer(product), rows: block, columns: columns, inverses: inverses) }
          }
        }
        let done = Double(columns.upperBound) / Double(F)
        progress(done * done)
        if let checkpoint, columns.upperBound == F || clock.now - saved >= checkpoint.interval {
          best.withLock { checkpoint.write(column: columns.upperBound, $0) }
          saved = clock.now
        }
      }
      return best.withLock { best in (0..<F).map { best.similar(to: $0) } }
    } ?? [[SimilarLatent]](repeating: [], count: F)
  }
}

/// The best columns found so far for every latent.
struct BestColumns: Sendable {
  let top: Int
  private(set) var latents: [Int32]
  private(set) var cosines: [Float]
  private(set) var counts: [Int]
  /// For each latent, the least cosine that still gets in.
  private var bounds: [Float]

  init(count: Int, top: Int) {
    self.top = top
    latents = [Int32](repeating: 0, count: count * top)
    cosines = [Float](repeating: 0, count: count * top)
    counts = [Int](repeating: 0, count: count)
    bounds = [Float](repeating: -.infinity, count: count)
  }

  /// Restores what an earlier search had found.
  init(top: Int, latents: [Int32], cosines: [Float], counts: [Int]) {
    (self.top, self.latents, self.cosines, self.counts) = (top, latents, cosines, counts)
    bounds = counts.enumerated().map { top > 0 && $1 == top ? cosines[$0 * top + top - 1] : -.infinity }
  }

  /// Takes a block of cosines. A pair within both ranges is taken once, from below the diagonal.
  mutating func take(
    _ product: UnsafeBufferPointer<Float>, rows: Range<Int>, columns: Range<Int>, inverses: [Float]
  ) {
    for row in rows where inverses[row] > 0 {
      let line = UnsafeBufferPointer(
        rebasing: product[(row - rows.lowerBound) * columns.count..<(row - rows.lowerBound + 1) * columns.count])
      for column in max(columns.lowerBound, row + 1)..<max(columns.upperBound, row + 1) {
        let cosine = line[column - columns.lowerBound]
        if cosine >= bounds[row], inverses[column] > 0 { insert(cosine, of: column, to: row) }
        if cosine >= bounds[column], inverses[column] > 0 { insert(cosine, of: row, to: column) }
      }
    }
  }

  private mutating func insert(_ cosine: Float, of other: Int, to latent: Int) {
    guard top > 0 else { return }
    let start = latent * top
    let other = Int32(other)
    // A higher cosine is better, or the same cosine and a lower number, so the order of arrival does not matter.
    func isBetter(than place: Int) -> Bool {
      cosine > cosines[place] || cosine == cosines[place] && other < latents[place]
    }
    var place = counts[latent]
    if place == top {
      guard isBetter(than: start + top - 1) else { return }
      place -= 1
    }
    while place > 0, isBetter(than: start + place - 1) {
      latents[start + place] = latents[start + place - 1]
      cosines[start + place] = cosines[start + place - 1]
      place -= 1
    }
    latents[start + place] = other
    cosines[start + place] = cosine
    counts[latent] = min(top, counts[latent] + 1)
    if counts[latent] == top { bounds[latent] = cosines[start + top - 1] }
  }

  func similar(to latent: Int) -> [SimilarLatent] {
    (0..<counts[latent]).map {
      SimilarLatent(latent: Int(latents[latent * top + $0]), cosine: cosines[latent * top + $0])
    }
  }
}
