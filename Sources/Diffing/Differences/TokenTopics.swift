// Topics of a sample of positions: which tokens chat raises together. The matrix X ≥ 0, positions × tokens, holds by how much each of a
// position's most raised tokens is raised, in its logit, or what it adds to the divergence, and 0 elsewhere; it is approximated by a product of two matrices without negative
// entries, X ≈ W H, and a row of H is a topic (arXiv 2608.26462). The loss is ½‖X − W H‖², made smaller by coordinate descent
// (HALS, Cichocki and Phan 2009): column by column, each exactly at its best value with the others fixed.
// Shape letters: n positions, m tokens, r topics.

import Inference
import Kernels

/// One topic.
public struct TokenTopic: Sendable, Equatable, Codable {
  /// The share of the sample's total (ΣX) that the topic makes.
  public let share: Double
  /// Its tokens with their weights, which have the largest value 1, the strongest first.
  public let tokens: [WeightedToken]
}

/// A token with a weight.
public struct WeightedToken: Sendable, Equatable, Codable {
  public let id: Int32
  public let weight: Double

  public init(id: Int32, weight: Double) { (self.id, self.weight) = (id, weight) }
}

/// A factorisation of a sparse matrix.
public struct TokenTopics: Sendable, Equatable {
  /// W `[n, r]` and H `[r, m]`, row-major.
  public private(set) var positions: [Double]
  public private(set) var tokens: [Double]
  /// The tokens of the columns, ascending.
  public let columns: [Int32]
  public let topics: Int
  /// ½‖X − W H‖² at the end, and ½‖X‖².
  public private(set) var loss = 0.0
  public let nothing: Double

  /// Factorises the matrix whose row i has `values` at `tokens` of `rows[i]`. The same seed gives the same bits.
  /// - Parameters:
  ///   - topics: at least 1.
  ///   - most: the most rounds; they end earlier when a round changes the loss by less than 10^-6 of it.
  public init(
    _ rows: [SparseRow], topics r: Int, seed: UInt64 = 0, most: Int = 300
  ) {
    precondition(r > 0, "at least one topic")
    topics = r
    let matrix = SparseRows(rows)
    columns = matrix.columns
    nothing = matrix.squares / 2
    let (n, m) = (rows.count, matrix.columns.count)
    var random = SplitMix64(seed: seed)
    // Random entries of the size at which W H has the mean of X.
    let size = (matrix.total / Double(max(1, n * m)) / Double(r)).squareRoot()
    func entries(_ count: Int) -> [Double] { (0..<count).map { _ in size * Double.random(in: 0..<1, using: &random) } }
    positions = entries(n * r)
    tokens = entries(r * m)
    guard matrix.total > 0 else { return }
    var before = Double.infinity
    for _ in 0..<most {
      let byToken = matrix.times(transposed(tokens, rows: r, columns: m), width: r)
      update(&positions, byToken, gram(tokensByRow: true), width: r)
      var turned = transposed(tokens, rows: r, columns: m)
      let byPosition = matrix.transposedTimes(positions, width: r)
      let positionGram = gram(tokensByRow: false)
      update(&turned, byPosition, positionGram, width: r)
      tokens = transposed(turned, rows: m, columns: r)
      // ‖X − W H‖² = ‖X‖² − 2 Σ (XᵀW) ∘ Hᵀ + Σ (WᵀW) ∘ (HHᵀ), which needs no product of the whole.
      let cross = zip(byPosition, turned).reduce(0) { $0 + $1.0 * $1.1 }
      let tokenGram = gram(tokensByRow: true)
      let whole = zip(positionGram, tokenGram).reduce(0) { $0 + $1.0 * $1.1 }
      loss = max(0, nothing - cross + whole / 2)
      if before - loss < 1e-6 * before { break }
      before = loss
    }
  }

  /// The topics in order of their shares, each with its strongest tokens.
  public func list(tokens count: Int) -> [TokenTopic] {
    let (m, n) = (columns.count, positions.count / topics)
    let sums = (0..<topics).map { topic in
      let w = (0..<n).reduce(0) { $0 + positions[$1 * topics + topic] }
      return w * tokens[topic * m..<(topic + 1) * m].reduce(0, +)
    }
    let total = sums.reduce(0, +)
    return (0..<topics).map { topic -> TokenTopic in
      let row = tokens[topic * m..<(topic + 1) * m]
      let largest = row.max() ?? 0
      let strongest = row.indices.sorted { row[$0] == row[$1] ? $0 < $1 : row[$0] > row[$1] }.prefix(count)
      return TokenTopic(
        share: total > 0 ? sums[topic] / total : 0,
        tokens: strongest.filter { row[$0] > 0 }.map {
          WeightedToken(id: columns[$0 - topic * m], weight: row[$0] / largest)
        })
    }.sorted { $0.share > $1.share }
  }

  /// HHᵀ or WᵀW, `[r, r]`.
  private func gram(tokensByRow: Bool) -> [Double] {
    let r = topics
    var result = [Double](repeating: 0, count: r * r)
    if tokensByRow {
      let m = columns.count
      for a in 0..<r {
        for b in a..<r {
          var sum = 0.0
          for i in 0..<m { sum += tokens[a * m + i] * tokens[b * m + i] }
          (result[a * r + b], result[b * r + a]) = (sum, sum)
        }
      }
    } else {
      for row in 0..<positions.count / r {
        for a in 0..<r {
          for b in 0..<r { result[a * r + b] += positions[row * r + a] * positions[row * r + b] }
        }
      }
    }
    return result
  }

  /// Sets each column of `factor` `[n, r]` to its best values in turn: f_a ← max(0, f_a + (p_a − F g_a) / g_aa).
  private func update(_ factor: inout [Double], _ products: [Double], _ gram: [Double], width r: Int) {
    for a in 0..<r where gram[a * r + a] > 0 {
      for row in 0..<factor.count / r {
        var sum = products[row * r + a]
        for b in 0..<r { sum -= factor[row * r + b] * gram[b * r + a] }
        factor[row * r + a] = max(0, factor[row * r + a] + sum / gram[a * r + a])
      }
    }
  }
}

private func transposed(_ values: [Double], rows: Int, columns: Int) -> [Double] {
  var result = [Double](repeating: 0, count: values.count)
  for row in 0..<rows { for column in 0..<columns { result[column * rows + row] = values[row * columns + column] } }
  return result
}

/// A sparse matrix by rows.
private struct SparseRows {
  let columns: [Int32]
  private let starts: [Int]
  private let places: [Int]
  private let values: [Double]
  let total: Double
  let squares: Double

  init(_ rows: [SparseRow]) {
    columns = Set(rows.flatMap(\.tokens)).sorted()
    let place = Dictionary(uniqueKeysWithValues: columns.enumerated().map { ($1, $0) })
    var starts = [0]
    for row in rows { starts.append(starts[starts.count - 1] + row.tokens.count) }
    self.starts = starts
    places = rows.flatMap { $0.tokens.map { place[$0] ?? 0 } }
    values = rows.flatMap { $0.values.map(Double.init) }
    (total, squares) = (values.reduce(0, +), values.reduce(0) { $0 + $1 * $1 })
  }

  /// X B with B `[m, width]`.
  func times(_ b: [Double], width: Int) -> [Double] {
    var result = [Double](repeating: 0, count: (starts.count - 1) * width)
    for row in 0..<starts.count - 1 {
      for entry in starts[row]..<starts[row + 1] {
        for k in 0..<width { result[row * width + k] += values[entry] * b[places[entry] * width + k] }
      }
    }
    return result
  }

  /// Xᵀ A with A `[n, width]`.
  func transposedTimes(_ a: [Double], width: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns.count * width)
    for row in 0..<starts.count - 1 {
      for entry in starts[row]..<starts[row + 1] {
        for k in 0..<width { result[places[entry] * width + k] += values[entry] * a[row * width + k] }
      }
    }
    return result
  }
}
