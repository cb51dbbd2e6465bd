// Twins: a chat-only and a base-only latent that stand for one concept. They are the footprint of latent decoupling.
// Two latents are linked where cos(d_j^chat, d_k^base) > 0.9 with j chat-only, k base-only, both alive; twins are
// connected components of exactly two.
// Divergence: of the tokens at which either twin is high (> 0.4 of the larger of the two maxima), the share at which
// the other is low (≤ 0.1). Source: arXiv 2504.02922, section 4.

import Inference
import Kernels

/// A chat-only and a base-only latent with nearly the same direction.
public struct Twins: Sendable, Equatable {
  public let chatOnly: Int
  public let baseOnly: Int
  /// The cosine of the first latent's d^chat and the second's d^base.
  public let cosine: Double
}

extension DecoderRows {
  /// All twins, ordered by their chat-only latent.
  /// - Parameters:
  ///   - classes: the class of each latent `[F]`.
  ///   - dead: whether each latent `[F]` is dead; dead latents are left out.
  public func twins(classes: [LatentClass], dead: [Bool], minimumCosine: Double = 0.9) -> [Twins] {
    precondition(
      dead.count == nLatents && classes.count == nLatents, "there are \(dead.count) flags for \(nLatents) latents")
    let chatOnly = (0..<nLatents).filter { classes[$0] == .chatOnly && !dead[$0] }
    let baseOnly = (0..<nLatents).filter { classes[$0] == .baseOnly && !dead[$0] }
    guard !chatOnly.isEmpty, !baseOnly.isEmpty else { return [] }
    let cosines = unitDirections(chatOnly, .chat).times(unitDirections(baseOnly, .base), .asStored, .transposed)
    var links: [(chat: Int, base: Int)] = []
    for chat in chatOnly.indices {
      for base in baseOnly.indices where Double(cosines[chat, base]) > minimumCosine { links.append((chat, base)) }
    }
    // The graph has two sides, so a component of exactly two is a link whose ends have no other link.
    let chatLinks = Dictionary(grouping: links, by: \.chat)
    let baseLinks = Dictionary(grouping: links, by: \.base)
    return links.filter { chatLinks[$0.chat]?.count == 1 && baseLinks[$0.base]?.count == 1 }.map {
      Twins(chatOnly: chatOnly[$0.chat], baseOnly: baseOnly[$0.base], cosine: Double(cosines[$0.chat, $0.base]))
    }
  }
}

extension Crosscoder {
  /// All twins, ordered by their chat-only latent; see `DecoderRows`.
  public func twins(dead: [Bool], minimumCosine: Double = 0.9) -> [Twins] {
    decoderRows.twins(classes: classes, dead: dead, minimumCosine: minimumCosine)
  }
}

/// Counts, over tokens, how often twins diverge.
public struct TwinDivergence: Sendable {
  /// The twins, in the order of the counts.
  public let twins: [Twins]
  private let bounds: [(high: Float, low: Float)]
  private let codeScale: CodeScale
  private let latentsOfInterest: [Int32: [Int]]
  private var high: [Int]
  private var apart: [Int]

  /// - Parameter maxima: the largest scaled activation of each latent `[F]`.
  public init(twins: [Twins], crosscoder: Crosscoder, maxima: [Float]) {
    self.twins = twins
    bounds = twins.map {
      let larger = max(maxima[$0.chatOnly], maxima[$0.baseOnly])
      return (0.4 * larger, 0.1 * larger)
    }
    codeScale = crosscoder.codeScale
    var interest: [Int32: [Int]] = [:]
    for (index, pair) in twins.enumerated() {
      interest[Int32(pair.chatOnly), default: []].append(index)
      interest[Int32(pair.baseOnly), default: []].append(index)
    }
    latentsOfInterest = interest
    high = [Int](repeating: 0, count: twins.count)
    apart = high
  }

  /// Adds the tokens of these codes.
  public mutating func add(codes: SparseCodes) {
    for token in 0..<codes.tokens {
      var seen: [Int: (chat: Float, base: Float)] = [:]
      for entry in codes.entries(of: token) {
        guard let pairs = latentsOfInterest[codes.latents[entry]] else { continue }
        let latent = Int(codes.latents[entry])
        let scaled = codeScale.scaled(codes, entry: entry)
        for pair in pairs {
          if twins[pair].chatOnly == latent { seen[pair, default: (0, 0)].chat = scaled }
          if twins[pair].baseOnly == latent { seen[pair, default: (0, 0)].base = scaled }
        }
      }
      for (pair, activation) in seen {
        let (larger, smaller) = (max(activation.chat, activation.base), min(activation.chat, activation.base))
        guard larger > bounds[pair].high else { continue }
        high[pair] += 1
        if smaller <= bounds[pair].low { apart[pair] += 1 }
      }
    }
  }

  /// Adds the counts of other tokens for the same twins.
  public mutating func merge(_ other: TwinDivergence) {
    precondition(other.twins == twins, "the counts belong to other twins")
    for pair in high.indices {
      high[pair] += other.high[pair]
      apart[pair] += other.apart[pair]
    }
  }

  /// For each pair of twins, the share of diverging tokens among those at which either is high; nil if there are none.
  public var divergences: [Double?] { zip(apart, high).map { $1 == 0 ? nil : Double($0) / Double($1) } }
}
