// The codes of many tokens as compressed sparse rows, which hold only the latents that are on.
// Shape letters: T tokens, F latents.

import Inference

/// A set of the models of a pair.
public struct PairModels: OptionSet, Sendable, Hashable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let base = PairModels(rawValue: 1)
  public static let chat = PairModels(rawValue: 2)
  public static let both: PairModels = [.base, .chat]

  /// The part of a row `[2·d]`, base first, that belongs to these models. The set must not be empty.
  func columns(dModel d: Int) -> Range<Int> { (contains(.base) ? 0 : d)..<(contains(.chat) ? 2 * d : d) }
}

extension PairModel {
  /// The set that holds only this model.
  public var set: PairModels { self == .base ? .base : .chat }
}

/// The sparse activations of `[T]` tokens: for each token, the latents that are on and their raw codes f.
public struct SparseCodes: Sendable, Equatable {
  /// The number of latents F of the crosscoder that made them.
  public let nLatents: Int
  /// Where each token's entries begin, `[T + 1]`.
  public let offsets: [Int]
  /// The latent of each entry, ascending within a token.
  public let latents: [Int32]
  /// The raw code f > 0 of each entry, not scaled by decoder norms.
  public let values: [Float]
  /// For DECOUPLED codes, the models in which each entry is on; nil if a latent is always on in both at once.
  public let selections: [PairModels]?

  /// Codes of existing rows; `offsets` must begin at 0 and end at the number of entries.
  public init(
    nLatents: Int, offsets: [Int], latents: [Int32], values: [Float], selections: [PairModels]? = nil
  ) {
    precondition(
      offsets.first == 0 && offsets.last == latents.count && latents.count == values.count,
      "offsets, latents and values do not fit together")
    precondition(selections.map { $0.count == latents.count } ?? true, "every entry needs a selection")
    self.nLatents = nLatents
    self.offsets = offsets
    self.latents = latents
    self.values = values
    self.selections = selections
  }

  /// The models in which an entry is on.
  public func models(of entry: Int) -> PairModels { selections?[entry] ?? .both }

  /// The number of tokens T.
  public var tokens: Int { offsets.count - 1 }

  /// The entries of one token, as a range into `latents` and `values`.
  public func entries(of token: Int) -> Range<Int> { offsets[token]..<offsets[token + 1] }

  /// The mean number of latents that are on at a token; 0 if there are no tokens.
  public var l0: Double { tokens == 0 ? 0 : Double(latents.count) / Double(tokens) }

  /// The codes of the tokens `range`.
  public func tokens(_ range: Range<Int>) -> SparseCodes {
    let (low, high) = (offsets[range.lowerBound], offsets[range.upperBound])
    return SparseCodes(
      nLatents: nLatents, offsets: offsets[range.lowerBound...range.upperBound].map { $0 - low },
      latents: Array(latents[low..<high]), values: Array(values[low..<high]),
      selections: selections.map { Array($0[low..<high]) })
  }

  /// Joins the codes of several runs of tokens, one after the other; there must be at least one.
  public init(joining parts: [SparseCodes]) {
    precondition(
      !parts.isEmpty && parts.allSatisfy { $0.nLatents == parts[0].nLatents }, "all codes must come from one crosscoder"
    )
    var offsets = [0]
    offsets.reserveCapacity(parts.reduce(1) { $0 + $1.tokens })
    for part in parts {
      let start = offsets[offsets.count - 1]
      offsets += part.offsets.dropFirst().map { $0 + start }
    }
    self.init(
      nLatents: parts[0].nLatents, offsets: offsets, latents: parts.flatMap(\.latents),
      values: parts.flatMap(\.values),
      selections: parts.contains { $0.selections != nil }
        ? parts.flatMap { part in part.latents.indices.map { part.models(of: $0) } } : nil)
  }

  /// The same tokens, without codes where `keep` `[T]` is false.
  public func keeping(_ keep: [Bool]) -> SparseCodes {
    precondition(keep.count == tokens, "there are \(keep.count) flags for \(tokens) tokens")
    let kept = (0..<tokens).filter { keep[$0] }.flatMap { entries(of: $0) }
    var offsets = [0]
    for token in 0..<tokens { offsets.append(offsets[token] + (keep[token] ? entries(of: token).count : 0)) }
    return SparseCodes(
      nLatents: nLatents, offsets: offsets, latents: kept.map { latents[$0] }, values: kept.map { values[$0] },
      selections: selections.map { selections in kept.map { selections[$0] } })
  }

  /// Dense codes `[T, F]`, row-major, with `entries` in place of the raw codes if they are given.
  public func dense(_ entries: [Float]? = nil) -> [Float] {
    var result = [Float](repeating: 0, count: tokens * nLatents)
    for token in 0..<tokens {
      for entry in self.entries(of: token) {
        result[token * nLatents + Int(latents[entry])] = (entries ?? values)[entry]
      }
    }
    return result
  }

  /// Dense codes `[T, 2, F]`, which hold for each model its own selection.
  public func denseByModel() -> [Float] {
    var result = [Float](repeating: 0, count: tokens * 2 * nLatents)
    for token in 0..<tokens {
      for entry in entries(of: token) {
        for model in PairModel.allCases where models(of: entry).contains(model.set) {
          result[(2 * token + model.index) * nLatents + Int(latents[entry])] = values[entry]
        }
      }
    }
    return result
  }
}
