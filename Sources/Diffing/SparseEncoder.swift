// Encodes rows of activations to sparse codes, for crosscoders and sparse autoencoders alike.
// An fp32 product over all latents finds candidates, by a bound on its rounding that holds for every order of additions.
// They are then computed again in fp64, so that a code depends neither on the BLAS nor on how tokens were batched. Cost:
// width·F multiplications for each token, plus width for each candidate. Callers have checked what is encoded. Shape letters: T tokens, F latents.

import Inference
import Kernels

/// One encoder, p = W x + b, with the rule that makes codes of p.
struct SparseEncoder {
  /// W `[F, width]`.
  let weights: Matrix
  /// b `[F]`.
  let bias: [Float]
  let rule: CodeRule
  /// What is done to x first, token by token and then by fixed numbers; nil if nothing is.
  var tokenStep: TokenStep?
  var normaliser: InputNormaliser?
  /// The number of residual streams that a row of x holds, each of which `tokenStep` takes alone.
  var parts = 1

  /// Encodes `tokens` rows of finite values.
  func encode(_ x: [Float], tokens T: Int) -> SparseCodes {
    let (F, width) = (weights.rows, weights.columns)
    let rows = max(8, min(512, (1 << 21) / max(1, F)))
    let nothing = SparseCodes(nLatents: F, offsets: [0], latents: [], values: [])
    var parts = [SparseCodes](repeating: nothing, count: (T + rows - 1) / rows)
    let weightNorms = weightNorms
    parts.withUnsafeMutableBufferPointer { parts in
      x.withUnsafeBufferPointer { x in
        guard let x = x.baseAddress else { return }
        inPieces(of: rows, count: T) { tokens in
          parts[tokens.lowerBound / rows] = encodePart(x + tokens.lowerBound * width, tokens.count, weightNorms)
        }
      }
    }
    return parts.isEmpty ? nothing : SparseCodes(joining: parts)
  }

  /// ‖w_j‖ `[F]`.
  private var weightNorms: [Double] {
    weights.values.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return [] }
      return [Double](unsafeUninitializedCapacity: weights.rows) { norms, count in
        count = weights.rows
        inPieces(of: 256, count: weights.rows) { rows in
          for row in rows {
            norms[row] = squareSum(start + row * weights.columns, count: weights.columns).squareRoot()
          }
        }
      }
    }
  }

  /// Encodes `count` tokens on the calling thread.
  private func encodePart(_ x: UnsafePointer<Float>, _ count: Int, _ weightNorms: [Double]) -> SparseCodes {
    let (F, width) = (weights.rows, weights.columns)
    var input = [Double](repeating: 0, count: count * width)
    var rounded = [Float](repeating: 0, count: count * width)
    var product = [Float](repeating: 0, count: count * F)
    var result = EncodedPart()
    var columns = CandidateColumns(capacity: F)
    var exact = [Double](repeating: 0, count: F)
    input.withUnsafeMutableBufferPointer { input in
      guard let input = input.baseAddress else { return }
      let largestInput = prepare(x, count, into: input, &rounded)
      weights.values.withUnsafeBufferPointer { weights in
        guard let weights = weights.baseAddress else { return }
        gemmOnThisThread(
          m: count, n: F, k: width, rounded, .asStored, lda: width, weights, .transposed, ldb: width, into: &product,
          ldc: F)
        // |computed − exact| ≤ γ Σ|w x| ≤ γ ‖w‖ ‖x‖ with γ = (K + 4)·2⁻²⁴, whatever the order of the K additions. What
        // rounding may have pushed below its bound is still a candidate.
        let rounding = Double(width + 4) * 0x1p-24 * 1.01 * largestInput
        let slack = { latent in
          rounding * weightNorms[latent] + Double(abs(bias[latent])) * 1e-6 + Double(Float.leastNormalMagnitude)
        }
        let lifted = bias.indices.map { Float(Double(bias[$0]) + slack($0)) }
        let (norms, bound) = rule.candidates
        for token in 0..<count {
          let found = product.withUnsafeBufferPointer { product in
            guard let pre = product.baseAddress.map({ $0 + token * F }) else { return 0 }
            return rule.selection.ranks
              ? rule.rankCandidates(pre, slack: slack, bias: bias, count: F, into: &columns.latents)
              : columns.collect(pre, bias: lifted, norms: norms, count: F, bound: bound)
          }
          columns.latents.withUnsafeBufferPointer { latents in
            rowDotsInDouble(
              weights, UnsafeBufferPointer(rebasing: latents[..<found]), input + token * width, width: width,
              into: &exact)
          }
          result.add(columns.latents[..<found], exact, rule: rule, bias: bias)
        }
      }
    }
    return SparseCodes(
      nLatents: F, offsets: result.offsets, latents: result.latents, values: result.values,
      selections: rule.isPerModel ? result.selections : nil)
  }

  /// Writes what the encoder reads of each token, in fp64 and rounded to fp32.
  /// - Returns: the largest norm of a token.
  private func prepare(
    _ x: UnsafePointer<Float>, _ count: Int, into input: UnsafeMutablePointer<Double>, _ rounded: inout [Float]
  ) -> Double {
    let width = weights.columns
    var largest = 0.0
    for token in 0..<count {
      let (source, row) = (x + token * width, input + token * width)
      for index in 0..<width { row[index] = Double(source[index]) }
      tokenStep?.apply(source, parts: parts, width: width, into: row)
      normaliser?.apply(row)
      var square = 0.0
      for index in 0..<width {
        rounded[token * width + index] = Float(row[index])
        square += row[index] * row[index]
      }
      largest = max(largest, square)
    }
    return largest.squareRoot()
  }
}

/// The codes of the tokens that one thread has encoded so far.
private struct EncodedPart {
  var offsets = [0]
  var latents: [Int32] = []
  var values: [Float] = []
  var selections: [PairModels] = []

  /// Adds a token by the exact products of its candidates.
  mutating func add(_ candidates: ArraySlice<Int32>, _ dots: [Double], rule: CodeRule, bias: [Float]) {
    var kept: [PairModels]?
    if rule.selection.ranks {
      let pre = candidates.enumerated().map { dots[$0] + Double(bias[Int($1)]) }
      kept = rule.ranked(candidates, pre, count: bias.count)
    }
    for (index, latent) in candidates.enumerated() {
      let (latent, dot) = (Int(latent), dots[index])
      let code: (f: Double, models: PairModels)
      if let kept {
        code = (rule.value(dot: dot, pre: dot + Double(bias[latent]), latent: latent), kept[index])
      } else {
        code = rule.code(dot: dot, bias: Double(bias[latent]), latent: latent)
      }
      let value = Float(code.f)
      guard !code.models.isEmpty, value > 0 else { continue }
      latents.append(Int32(latent))
      values.append(value)
      selections.append(code.models)
    }
    offsets.append(latents.count)
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
