// All that is kept of a comparison of two models over texts: sums, a histogram and short lists, whose size does not depend on the
// number of texts. Sums of parts add up to the sums of the whole, bit for bit.

import Inference
import Kernels

/// What is counted and where.
public struct DifferenceSettings: Sendable, Equatable, Codable {
  /// The blocks, counted from 0, after which means by position are kept.
  public var layers: [Int]
  /// The positions of which means are kept, from the first of a plain text on, and from shortly before a chat's answer on.
  public var positions: Int
  /// How many of the most raised and most lowered tokens of a position count.
  public var mostRaised: Int
  /// The most positions of each corpus of which the raised tokens are kept for topics.
  public var sampledPositions: Int
  /// The texts and windows that are listed.
  public var listed: Int
  /// The tokens of a window, and the distance from one window's start to the next.
  public var window: Int
  public var windowStep: Int

  public init(
    layers: [Int], positions: Int = 16, mostRaised: Int = 100, sampledPositions: Int = 10_000, listed: Int = 20,
    window: Int = 20, windowStep: Int = 5
  ) {
    self.layers = layers
    self.positions = positions
    self.mostRaised = mostRaised
    self.sampledPositions = sampledPositions
    self.listed = listed
    self.window = window
    self.windowStep = windowStep
  }
}

/// Sums over the tokens of some texts.
public struct DifferenceSums: Sendable, Equatable, Codable {
  public let settings: DifferenceSettings
  /// By corpus (`Corpus.number`): what each token's logit did.
  public internal(set) var tokens: [TokenDifferences]
  /// By corpus: losses of both models.
  public internal(set) var losses = [LossSums(), LossSums()]
  /// By role of the token.
  public internal(set) var divergences: [DivergenceSums]
  /// By block, then by role of the token: how far the residual streams are apart.
  public internal(set) var blocks: [[ResidualSums]]
  /// By block of `settings.layers`, then by corpus: means by position.
  public internal(set) var positions: [[PositionSums]]
  /// By corpus: the texts with the largest mean and the largest single divergence, and the windows that chat finds likelier.
  public internal(set) var lists = [DifferenceLists(), DifferenceLists()]
  /// By corpus: some positions with their raised tokens.
  public internal(set) var samples = [PositionSample(), PositionSample()]

  /// Makes sums of nothing.
  public init(_ settings: DifferenceSettings, blocks: Int, dModel: Int, vocabulary: Int) {
    self.settings = settings
    tokens = Corpus.allCases.map { _ in TokenDifferences(vocabulary: vocabulary) }
    divergences = TokenRole.allCases.map { _ in DivergenceSums() }
    self.blocks = (0..<blocks).map { _ in TokenRole.allCases.map { _ in ResidualSums() } }
    positions = settings.layers.map { _ in
      Corpus.allCases.map { _ in PositionSums(positions: settings.positions, dModel: dModel) }
    }
  }

  /// Adds the sums of other texts with the same settings.
  public static func += (sums: inout DifferenceSums, other: DifferenceSums) {
    precondition(sums.settings == other.settings, "sums of the same things")
    func add<T>(_ path: WritableKeyPath<DifferenceSums, [T]>, _ combine: (inout T, T) -> Void) {
      for i in sums[keyPath: path].indices { combine(&sums[keyPath: path][i], other[keyPath: path][i]) }
    }
    add(\.tokens, +=)
    add(\.losses, +=)
    add(\.divergences, +=)
    add(\.blocks) { for i in $0.indices { $0[i] += $1[i] } }
    add(\.positions) { for i in $0.indices { $0[i] += $1[i] } }
    let settings = sums.settings
    add(\.lists) { $0.merge($1, most: settings.listed) }
    add(\.samples) { $0.merge($1, most: settings.sampledPositions) }
  }

  /// The number of tokens compared.
  public var tokenCount: Int { divergences.reduce(0) { $0 + $1.count } }

  /// Whether the two models said the same at every token: no logit and no residual stream differed.
  public var showsNoDifference: Bool {
    divergences.allSatisfy { $0.chatFromBase.units == 0 && $0.baseFromChat.units == 0 }
      && blocks.joined().allSatisfy { $0.differenceNorm.units == 0 }
  }
}

/// What the logits of each token did over some positions, `[V]` each: Δ = z^chat − z^base.
public struct TokenDifferences: Sendable, Equatable, Codable {
  /// The positions.
  public internal(set) var positions = 0
  /// Σ Δ.
  public internal(set) var sums: ExactSums
  /// Σ p^chat (log p^chat − log p^base), the token's part of KL(chat ‖ base), in nats.
  public internal(set) var parts: ExactSums
  /// How often Δ > 0, and how often the token was among the most raised and among the most lowered.
  public internal(set) var raised: [Int32]
  public internal(set) var amongMostRaised: [Int32]
  public internal(set) var amongMostLowered: [Int32]

  init(vocabulary: Int) {
    sums = ExactSums(count: vocabulary)
    parts = sums
    raised = [Int32](repeating: 0, count: vocabulary)
    (amongMostRaised, amongMostLowered) = (raised, raised)
  }

  static func += (a: inout TokenDifferences, b: TokenDifferences) {
    a.positions += b.positions
    a.sums += b.sums
    a.parts += b.parts
    for i in a.raised.indices {
      a.raised[i] += b.raised[i]
      a.amongMostRaised[i] += b.amongMostRaised[i]
      a.amongMostLowered[i] += b.amongMostLowered[i]
    }
  }
}

/// Losses of next tokens, in nats.
public struct LossSums: Sendable, Equatable, Codable {
  public internal(set) var texts = 0
  public internal(set) var predictions = 0
  public internal(set) var base = ExactSum()
  public internal(set) var chat = ExactSum()

  static func += (a: inout LossSums, b: LossSums) {
    a.texts += b.texts
    a.predictions += b.predictions
    a.base += b.base
    a.chat += b.chat
  }
}

/// Divergences of next-token distributions, in nats.
public struct DivergenceSums: Sendable, Equatable, Codable {
  public internal(set) var count = 0
  public internal(set) var chatFromBase = ExactSum()
  public internal(set) var baseFromChat = ExactSum()
  /// Counts of KL(chat ‖ base) by size, from which quantiles follow.
  public internal(set) var histogram = LogHistogram()

  static func += (a: inout DivergenceSums, b: DivergenceSums) {
    a.count += b.count
    a.chatFromBase += b.chatFromBase
    a.baseFromChat += b.baseFromChat
    a.histogram += b.histogram
  }
}

/// How far the residual streams of the models are apart after a block.
public struct ResidualSums: Sendable, Equatable, Codable {
  public internal(set) var count = 0
  /// Σ ‖h^chat − h^base‖, Σ ‖h^base‖, Σ ‖h^chat‖, Σ cosine.
  public internal(set) var differenceNorm = ExactSum()
  public internal(set) var baseNorm = ExactSum()
  public internal(set) var chatNorm = ExactSum()
  public internal(set) var cosine = ExactSum()

  static func += (a: inout ResidualSums, b: ResidualSums) {
    a.count += b.count
    a.differenceNorm += b.differenceNorm
    a.baseNorm += b.baseNorm
    a.chatNorm += b.chatNorm
    a.cosine += b.cosine
  }
}

/// Sums of residual streams after one block by position, and the usual norm there.
public struct PositionSums: Sendable, Equatable, Codable {
  /// The texts that reach each position.
  public internal(set) var counts: [Int]
  /// Σ h^base and Σ h^chat, `[positions, d]` each.
  var base: ExactSums
  var chat: ExactSums
  /// Σ ‖h^chat‖ over positions from 5 on, where the first tokens' outlying norms do not count, and their number.
  public internal(set) var usualNorm = ExactSum()
  public internal(set) var usualCount = 0

  /// The first position whose norm counts as usual.
  static let firstUsual = 5

  init(positions: Int, dModel: Int) {
    counts = [Int](repeating: 0, count: positions)
    base = ExactSums(count: positions * dModel)
    chat = base
  }

  static func += (a: inout PositionSums, b: PositionSums) {
    for i in a.counts.indices { a.counts[i] += b.counts[i] }
    a.base += b.base
    a.chat += b.chat
    a.usualNorm += b.usualNorm
    a.usualCount += b.usualCount
  }

  /// The mean of ‖h^chat‖ over positions from 5 on; nil if no text is that long.
  public var meanNorm: Double? { usualCount > 0 ? usualNorm.value / Double(usualCount) : nil }

  /// The mean residual streams `[d]` of both models at a position, and δ, chat's less base's; nil where no text has one.
  public func means(at position: Int) -> (base: [Float], chat: [Float], difference: [Float])? {
    guard counts.indices.contains(position), counts[position] > 0 else { return nil }
    let d = base.units.count / counts.count
    let range = position * d..<(position + 1) * d
    let (b, c) = (base.mean(range, count: counts[position]), chat.mean(range, count: counts[position]))
    let difference = range.map { place in
      Float(Double(chat.units[place] - base.units[place]) / unitsOfSum / Double(counts[position]))
    }
    return (b, c, difference)
  }
}
