// Encodes rows of activations to sparse codes, for crosscoders and sparse autoencoders alike.
// An fp32 product over all latents finds candidates. The few that may be on are then computed again in fp64, so that a
// code depends neither on the BLAS nor on how tokens were batched. Cost: width·F multiplications for each token, plus
// width for each active latent. Callers have checked what is encoded. Shape letters: T tokens, F latents.

import Inference
import Kernels

/// The rule by which a latent is on.
struct ActivationRule {
  /// The norms `[F]` by which codes are multiplied before they are compared; one list for each threshold.
  let norms: [[Double]]
  /// Without a threshold a latent is on where f > 0, with one where f·n > θ, with two in model m where f·n^m > θ^m.
  let thresholds: [Float]
  /// θ_j `[F]` of a JumpReLU dictionary, whose latents are on where f > θ_j; nil for other kinds.
  var jumps: [Float]?

  /// The models in which latent j is on with that code; empty if it is off.
  func models(_ code: Double, latent: Int) -> PairModels {
    guard code > 0, jumps.map({ code > Double($0[latent]) }) ?? true else { return [] }
    func passes(_ place: Int) -> Bool { code * norms[place][latent] > Double(thresholds[place]) }
    switch thresholds.count {
    case 0: return .both
    case 1: return passes(0) ? .both : []
    default: return PairModels(rawValue: (passes(0) ? 1 : 0) | (passes(1) ? 2 : 0))
    }
  }

  /// Norms and a bound such that f·norm of every latent that is on exceeds the bound, even after fp32 rounding.
  var candidates: (norms: [Float], bound: Float) {
    switch thresholds.count {
    case 0: return ([Float](repeating: 1, count: norms[0].count), 0)
    case 1: return (norms[0].map { Float($0) }, max(0, thresholds[0]) * 0.99999)
    default:
      guard thresholds.allSatisfy({ $0 > 0 }) else { return ([Float](repeating: 1, count: norms[0].count), 0) }
      let (base, chat) = (Double(thresholds[0]), Double(thresholds[1]))
      return (zip(norms[0], norms[1]).map { Float(max($0 / base, $1 / chat)) }, 0.99999)
    }
  }
}

/// One encoder, f = ReLU(W x + b), with the rule by which its latents are on.
struct SparseEncoder {
  /// W `[F, width]`.
  let weights: Matrix
  /// b `[F]`.
  let bias: [Float]
  let rule: ActivationRule
  /// What is done to x first; nil if nothing is.
  let normaliser: InputNormaliser?

  /// Encodes `tokens` rows of finite values.
  func encode(_ x: [Float], tokens T: Int) -> SparseCodes {
    let (F, width) = (weights.rows, weights.columns)
    let rows = max(8, min(512, (1 << 21) / max(1, F)))
    let nothing = SparseCodes(nLatents: F, offsets: [0], latents: [], values: [])
    var parts = [SparseCodes](repeating: nothing, count: (T + rows - 1) / rows)
    let largest = largestNorm
    parts.withUnsafeMutableBufferPointer { parts in
      x.withUnsafeBufferPointer { x in
        guard let x = x.baseAddress else { return }
        inPieces(of: rows, count: T) { tokens in
          parts[tokens.lowerBound / rows] = encodePart(x + tokens.lowerBound * width, tokens.count, largest)
        }
      }
    }
    return parts.isEmpty ? nothing : SparseCodes(joining: parts)
  }

  private var largestNorm: Double {
    weights.values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return 0 }
      return (0..<weights.rows).reduce(0.0) {
        max($0, squareSum(start + $1 * weights.columns, count: weights.columns))
      }.squareRoot()
    }
  }

  /// Encodes `count` tokens on the calling thread.
  private func encodePart(_ x: UnsafePointer<Float>, _ count: Int, _ largestNorm: Double) -> SparseCodes {
    let (F, width) = (weights.rows, weights.columns)
    var input = [Double](repeating: 0, count: count * width)
    var rounded = [Float](repeating: 0, count: count * width)
    var product = [Float](repeating: 0, count: count * F)
    var (offsets, latents, values, selections): ([Int], [Int32], [Float], [PairModels]) = ([0], [], [], [])
    var columns = CandidateColumns(capacity: F)
    var exact = [Double](repeating: 0, count: F)
    input.withUnsafeMutableBufferPointer { input in
      guard let input = input.baseAddress else { return }
      var largestInput = 0.0
      for token in 0..<count {
        let row = input + token * width
        if let normaliser {
          normaliser.apply(x + token * width, into: row)
        } else {
          for index in 0..<width { row[index] = Double(x[token * width + index]) }
        }
        var square = 0.0
        for index in 0..<width {
          rounded[token * width + index] = Float(row[index])
          square += row[index] * row[index]
        }
        largestInput = max(largestInput, square)
      }
      weights.values.withUnsafeBufferPointer { weights in
        guard let weights = weights.baseAddress else { return }
        gemmOnThisThread(
          m: count, n: F, k: width, rounded, .asStored, lda: width, weights, .transposed, ldb: width, into: &product,
          ldc: F)
        // A latent that fp32 rounding may have pushed below its bound is still a candidate.
        let slack = Float(1e-5 * largestInput.squareRoot() * largestNorm + .leastNormalMagnitude)
        let lifted = bias.map { $0 + slack + abs($0) * 1e-6 }
        let (norms, bound) = rule.candidates
        for token in 0..<count {
          let found = product.withUnsafeBufferPointer { product in
            product.baseAddress.map {
              columns.collect($0 + token * F, bias: lifted, norms: norms, count: F, bound: bound)
            } ?? 0
          }
          columns.latents.withUnsafeBufferPointer { latents in
            rowDotsInDouble(
              weights, UnsafeBufferPointer(rebasing: latents[..<found]), input + token * width, width: width,
              into: &exact)
          }
          for index in 0..<found {
            let latent = Int(columns.latents[index])
            let code = exact[index] + Double(bias[latent])
            let models = rule.models(code, latent: latent)
            let value = Float(code)
            guard !models.isEmpty, value > 0 else { continue }
            latents.append(Int32(latent))
            values.append(value)
            selections.append(models)
          }
          offsets.append(latents.count)
        }
      }
    }
    return SparseCodes(
      nLatents: F, offsets: offsets, latents: latents, values: values,
      selections: rule.thresholds.count == 2 ? selections : nil)
  }
}

/// Memory for the candidates of one token.
struct CandidateColumns {
  var latents: [Int32]
  var codes: [Float]
  var scaled: [Float]

  init(capacity: Int) {
    latents = [Int32](repeating: 0, count: capacity)
    codes = [Float](repeating: 0, count: capacity)
    scaled = [Float](repeating: 0, count: capacity)
  }

  /// Collects the candidates of one token; see `collectActive`.
  mutating func collect(
    _ pre: UnsafePointer<Float>, bias: [Float], norms: [Float], count: Int, bound: Float
  ) -> Int {
    latents.withUnsafeMutableBufferPointer { latents in
      codes.withUnsafeMutableBufferPointer { codes in
        scaled.withUnsafeMutableBufferPointer { scaled in
          guard let latents = latents.baseAddress, let codes = codes.baseAddress, let scaled = scaled.baseAddress else {
            return 0
          }
          return collectActive(
            pre, bias: bias, norms: norms, count: count, bound: bound,
            into: ActiveColumns(latents: latents, codes: codes, scaled: scaled))
        }
      }
    }
  }
}
