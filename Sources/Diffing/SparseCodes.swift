// The codes of many tokens, only where latents are on: compressed sparse rows.
// Owns: the layout, its transposition, the dense form. Refuses (precondition): rows that do not fit together.
// Shape letters: T tokens, F latents.

/// Sparse activations of `[T]` tokens: for each, the latents that are on and their raw code f.
public struct SparseCodes: Sendable, Equatable {
  /// The number of latents F of the crosscoder that made them.
  public let nLatents: Int
  /// Where each token's entries begin, `[T + 1]`.
  public let offsets: [Int]
  /// The latent of each entry, ascending within a token.
  public let latents: [Int32]
  /// The raw code f > 0 of each entry, not scaled by decoder norms.
  public let values: [Float]

  /// Codes over existing rows; `offsets` must begin at 0 and end at the number of entries.
  public init(nLatents: Int, offsets: [Int], latents: [Int32], values: [Float]) {
    precondition(offsets.first == 0 && offsets.last == latents.count && latents.count == values.count, "ragged codes")
    self.nLatents = nLatents
    self.offsets = offsets
    self.latents = latents
    self.values = values
  }

  /// The number of tokens T.
  public var tokens: Int { offsets.count - 1 }

  /// The entries of one token, as a range into `latents` and `values`.
  public func entries(of token: Int) -> Range<Int> { offsets[token]..<offsets[token + 1] }

  /// The mean number of latents on at a token; 0 without tokens.
  public var l0: Double { tokens == 0 ? 0 : Double(latents.count) / Double(tokens) }

  /// The codes of the tokens `range`.
  public func tokens(_ range: Range<Int>) -> SparseCodes {
    let (low, high) = (offsets[range.lowerBound], offsets[range.upperBound])
    return SparseCodes(
      nLatents: nLatents, offsets: offsets[range.lowerBound...range.upperBound].map { $0 - low },
      latents: Array(latents[low..<high]), values: Array(values[low..<high]))
  }

  /// The same tokens with no codes where `keep` `[T]` is false.
  public func keeping(_ keep: [Bool]) -> SparseCodes {
    precondition(keep.count == tokens, "\(keep.count) flags for \(tokens) tokens")
    var result: (offsets: [Int], latents: [Int32], values: [Float]) = ([0], [], [])
    for token in 0..<tokens {
      if keep[token] {
        result.latents += latents[entries(of: token)]
        result.values += values[entries(of: token)]
      }
      result.offsets.append(result.latents.count)
    }
    return SparseCodes(
      nLatents: nLatents, offsets: result.offsets, latents: result.latents, values: result.values)
  }

  /// Dense codes `[T, F]`, row-major, each multiplied by its latent's `scale` `[F]` if given.
  public func dense(scale: [Double]? = nil) -> [Float] {
    var result = [Float](repeating: 0, count: tokens * nLatents)
    for token in 0..<tokens {
      for entry in entries(of: token) {
        let latent = Int(latents[entry])
        let value = values[entry]
        result[token * nLatents + latent] = scale.map { Float(Double(value) * $0[latent]) } ?? value
      }
    }
    return result
  }
}
