// A dictionary that reads several residual streams of a token at once, one at each head: the blocks of one model, or the
// two models of a pair. All heads share the pre-activation p = Σ_h W_h s_h x_h + b; each has its own codes, by the norms of
// its own decoder, and its own reconstruction x̂_h = (f_h D_h + b_h)/s_h. It serves `encode`; what is browsed or steered with
// is the `Crosscoder` of one head or of a pair.
// Shape letters: N tokens, H heads, F latents, d width of one head. Source: OpenMOSS Language-Model-SAEs 95281ac.

import Inference
import Kernels

/// A dictionary with codes for each head.
public struct HeadedDictionary: Sendable {
  /// What a head's latents must pass.
  enum Selection: Sendable {
    case positive
    /// z > θ_j.
    case thresholds([Float])
    /// The k largest z of each token and head.
    case largest(Int)
    /// The k·N·H largest z of a batch of N tokens, over all H heads together.
    case largestOfBatch(Int)
  }

  /// The heads' places, as the file names them.
  public let heads: [String]
  public let dModel: Int
  public var nLatents: Int { encoder.rows }
  /// `[F, H·d]`.
  let encoder: Matrix
  /// Σ_h b_h `[F]`.
  let bias: [Float]
  /// `[F, H·d]`.
  let decoder: Matrix
  /// `[H·d]`.
  let decoderBias: [Float]
  let selection: Selection
  /// Whether z = p·‖D_h row‖; if not, z = p.
  let comparesScaled: Bool
  let tokenStep: TokenStep?
  /// s, one for each head; nil if inputs are taken as they are.
  let normaliser: InputNormaliser?

  /// ‖D_h row j‖ for each head `[H][F]`.
  var norms: [[Double]] {
    decoder.values.withUnsafeBufferPointer { values in
      heads.indices.map { head in
        (0..<nLatents).map { latent in
          values.baseAddress.map {
            squareSum($0 + (latent * heads.count + head) * dModel, count: dModel).squareRoot()
          } ?? 0
        }
      }
    }
  }

  /// Whether a token's codes depend on the tokens beside it.
  public var ranksBatch: Bool { if case .largestOfBatch = selection { true } else { false } }

  /// The codes of each head.
  /// - Parameter x: `[N, H, d]`, finite.
  /// - Throws: `DiffingError.notFinite` naming the token.
  public func encode(_ x: [Float]) throws(DiffingError) -> [SparseCodes] {
    let width = heads.count * dModel
    precondition(x.count.isMultiple(of: width), "\(x.count) values do not fill rows of \(width)")
    if let bad = x.withUnsafeBufferPointer(firstNonFinite) {
      throw .notFinite(what: "activation", place: "token \(bad / width)")
    }
    let norms = comparesScaled ? norms : heads.map { _ in [Double](repeating: 1, count: nLatents) }
    func codes(_ rule: CodeRule) -> SparseCodes {
      SparseEncoder(
        weights: encoder, bias: bias, rule: rule, tokenStep: tokenStep, normaliser: normaliser, parts: heads.count
      ).encode(x, tokens: x.count / width)
    }
    func rule(_ head: Int) -> CodeRule {
      switch selection {
      case .positive, .largestOfBatch: CodeRule(norms: [norms[head]], thresholds: [])
      case .thresholds(let bounds):
        CodeRule(
          norms: [norms[head]], thresholds: [], jumps: Self.bounds(bounds, on: norms[head]))
      case .largest(let k):
        CodeRule(norms: [norms[head]], thresholds: [], selection: .largest(k, scaled: true))
      }
    }
    switch selection {
    case .positive: return [SparseCodes](repeating: codes(rule(0)), count: heads.count)
    case .largestOfBatch(let k): return largest(k, of: codes(rule(0)), norms)
    case .thresholds, .largest: return heads.indices.map { codes(rule($0)) }
    }
  }

  /// The bounds on p of latents that are on where p·n > θ; a latent of norm 0 is never on.
  static func bounds(_ thresholds: [Float], on norms: [Double]) -> [Float] {
    zip(thresholds, norms).map {
      $1 > 0 ? Float(min(Double($0) / $1, Double(Float.greatestFiniteMagnitude))) : .greatestFiniteMagnitude
    }
  }

  /// Keeps the k·N·H largest z over all tokens and heads; ties go to the earlier token, then head, then latent.
  private func largest(_ k: Int, of codes: SparseCodes, _ norms: [[Double]]) -> [SparseCodes] {
    struct Entry {
      let value: Double
      let head: Int32
      let entry: Int
    }
    var entries: [Entry] = []
    entries.reserveCapacity(codes.latents.count * heads.count)
    for token in 0..<codes.tokens {
      for head in heads.indices {
        for entry in codes.entries(of: token) {
          let value = Double(codes.values[entry]) * norms[head][Int(codes.latents[entry])]
          if value > 0 { entries.append(Entry(value: value, head: Int32(head), entry: entry)) }
        }
      }
    }
    let (wanted, overflow) = k.multipliedReportingOverflow(by: codes.tokens * heads.count)
    let kept = overflow ? entries.count : min(entries.count, wanted)
    // The order of `entries` is that of ties, and the sort keeps it.
    let order = entries.indices.sorted {
      entries[$0].value != entries[$1].value ? entries[$0].value > entries[$1].value : $0 < $1
    }
    var isKept = heads.map { _ in [Bool](repeating: false, count: codes.latents.count) }
    for place in order.prefix(kept) { isKept[Int(entries[place].head)][entries[place].entry] = true }
    return isKept.map { codes.keeping(entries: $0) }
  }

  /// The reconstruction `[N, H, d]` in the models' own units.
  /// - Parameter x: the input of the same tokens.
  public func decode(_ codes: [SparseCodes], of x: [Float]) -> [Float] {
    precondition(codes.count == heads.count, "there must be codes for each head")
    let (H, d) = (heads.count, dModel)
    var result = [Float](repeating: 0, count: x.count)
    var row = [Double](repeating: 0, count: H * d)
    for token in 0..<codes[0].tokens {
      for index in row.indices { row[index] = Double(decoderBias[index]) }
      row.withUnsafeMutableBufferPointer { row in
        decoder.values.withUnsafeBufferPointer { decoder in
          x.withUnsafeBufferPointer { x in
            guard let row = row.baseAddress, let decoder = decoder.baseAddress, let x = x.baseAddress else { return }
            for head in 0..<H {
              for entry in codes[head].entries(of: token) {
                let start = (Int(codes[head].latents[entry]) * H + head) * d
                addScaled(Double(codes[head].values[entry]), decoder + start, to: row + head * d, count: d)
              }
            }
            normaliser?.restore(row)
            tokenStep?.restore(row, of: x + token * H * d, parts: H, width: H * d)
          }
        }
      }
      for index in row.indices { result[token * H * d + index] = Float(row[index]) }
    }
    return result
  }

  /// The codes of the heads as one tensor `[N, H, F]`.
  public func dense(_ codes: [SparseCodes], of entries: [[Float]]? = nil) -> [Float] {
    let (H, F) = (heads.count, nLatents)
    var result = [Float](repeating: 0, count: codes[0].tokens * H * F)
    for head in 0..<H {
      for token in 0..<codes[head].tokens {
        for entry in codes[head].entries(of: token) {
          result[(token * H + head) * F + Int(codes[head].latents[entry])] =
            (entries?[head] ?? codes[head].values)[entry]
        }
      }
    }
    return result
  }

  /// The codes of the heads times the norms of their decoders, `[N, H, F]`.
  public func denseScaled(_ codes: [SparseCodes]) -> [Float] {
    let norms = norms
    return dense(
      codes,
      of: heads.indices.map { head in
        zip(codes[head].latents, codes[head].values).map { Float(Double($1) * norms[head][Int($0)]) }
      })
  }
}

extension SparseCodes {
  /// The same tokens with only the entries that are marked.
  func keeping(entries keep: [Bool]) -> SparseCodes {
    var (offsets, kept): ([Int], [Int]) = ([0], [])
    for token in 0..<tokens {
      kept += entries(of: token).filter { keep[$0] }
      offsets.append(kept.count)
    }
    return SparseCodes(
      nLatents: nLatents, offsets: offsets, latents: kept.map { latents[$0] }, values: kept.map { values[$0] },
      selections: selections.map { all in kept.map { all[$0] } })
  }
}
