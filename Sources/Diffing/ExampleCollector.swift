// Chooses contexts in which each latent fires, over five bands of its maximum: quantile 0 holds peaks up to 25 % of the
// maximum, 1 up to 50, 2 up to 75, 3 up to 95, 4 above.
// One pass over the codes is enough, since an earlier pass of statistics gave the maxima. A sequence gives a latent at
// most one context, and contexts of the same tokens count once. Bands 3 and 4 keep the strongest contexts, lower bands
// a sample that a hash decides, so the order of work does not matter. The memory depends on the number of latents, not
// of tokens.

import Inference

/// A stretch of a sequence around some latent's example. Several latents may share it.
public struct ExampleSequence: Sendable, Equatable {
  /// The number of the text in the order of `ExampleCollector.add`, and the position where this stretch begins in it.
  public let source: Int
  public let start: Int
  /// The tokens, template mask and corpus of the stretch.
  public let text: CorpusText
}

/// One context of one latent.
public struct LatentExample: Sendable, Equatable {
  public let latent: Int
  /// The band, 0 to 4, of the peak as a fraction of the latent's maximum.
  public let quantile: Int
  /// The rank in its latent and band; 0 is the strongest.
  public let rank: Int
  /// The index into `ExampleSet.sequences`.
  public let sequence: Int
  /// The scaled activation at the peak.
  public let maxActivation: Float
  /// The position of the peak in the stretch.
  public let peak: Int
  /// The positions in the stretch at which the latent is active, ascending, and its scaled activations there.
  public let positions: [Int32]
  public let values: [Float]
}

/// The chosen contexts of all latents.
public struct ExampleSet: Sendable, Equatable {
  public var sequences: [ExampleSequence] = []
  /// Ordered by latent, then by quantile from the strongest down, then by rank.
  public var examples: [LatentExample] = []
}

/// Chooses contexts while codes stream by.
public struct ExampleCollector: Sendable {
  /// How contexts are chosen.
  public struct Configuration: Sendable, Equatable, Codable {
    /// The number of contexts for each latent, spread evenly over the bands. Stronger bands fill what others lack.
    public var perLatent = 20
    /// The least number of tokens that are kept on each side of the peak, if the sequence has them. Stretches begin at
    /// multiples of this number and are three times as long, so that latents share them; sequences up to that length
    /// are kept whole.
    public var context = 32

    public init() {}
  }

  /// The upper ends of bands 0 to 3, as fractions of the maximum.
  private static let bands: [Float] = [0.25, 0.5, 0.75, 0.95]

  /// The band of an activation that is this fraction of the latent's maximum.
  public static func band(_ fraction: Float) -> Int { bands.firstIndex { fraction <= $0 } ?? 4 }

  private let configuration: Configuration
  private let codeScale: CodeScale
  /// The largest scaled activation `[F]`; 0 for a latent that never fires.
  private let maxima: [Float]
  private var sequences = 0
  private var candidates: [[Candidate]]
  private var stretches: [StretchKey: Stretch] = [:]

  private struct StretchKey: Hashable, Sendable {
    var source: Int
    var start: Int
  }

  private struct Stretch: Sendable {
    var uses: Int
    var sequence: ExampleSequence
  }

  private struct Candidate: Sendable {
    var activation: Float
    var band: Int
    /// The order within a band; a smaller number is better.
    var order: UInt64
    var key: StretchKey
    var textHash: UInt64
    var peak: Int
    var positions: [Int32]
    var values: [Float]
  }

  /// - Parameter statistics: must be of the same tokens that will be added.
  public init(
    crosscoder: Crosscoder, statistics: LatentStatistics, configuration: Configuration = Configuration()
  ) {
    precondition(configuration.perLatent > 0 && configuration.context > 0, "perLatent and context must be positive")
    precondition(statistics.nLatents == crosscoder.nLatents, "the statistics belong to another crosscoder")
    self.configuration = configuration
    codeScale = crosscoder.codeScale
    maxima = (0..<crosscoder.nLatents).map { statistics.maximum($0) }
    candidates = [[Candidate]](repeating: [], count: crosscoder.nLatents)
  }

  /// Adds the codes of texts: one row for each kept token, text after text.
  public mutating func add(codes: SparseCodes, texts: [EncodedText]) {
    precondition(codes.tokens == texts.reduce(0) { $0 + $1.kept.count }, "rows and kept tokens differ")
    var first = 0
    for text in texts {
      consider(text, codes: codes, first: first)
      first += text.kept.count
      sequences += 1
    }
  }

  /// The chosen contexts. They do not depend on how tokens were batched.
  public func examples() -> ExampleSet {
    var set = ExampleSet()
    var places: [StretchKey: Int] = [:]
    let chosen = candidates.map { choose($0) }
    let keys = Set(chosen.flatMap { $0.map(\.key) }).sorted { ($0.source, $0.start) < ($1.source, $1.start) }
    for key in keys {
      guard let stretch = stretches[key] else { continue }
      places[key] = set.sequences.count
      set.sequences.append(stretch.sequence)
    }
    for (latent, contexts) in chosen.enumerated() {
      var ranks = [0, 0, 0, 0, 0]
      for context in contexts {
        guard let place = places[context.key] else { continue }
        set.examples.append(
          LatentExample(
            latent: latent, quantile: context.band, rank: ranks[context.band], sequence: place,
            maxActivation: context.activation, peak: context.peak, positions: context.positions,
            values: context.values))
        ranks[context.band] += 1
      }
    }
    return set
  }

  /// Takes an even share of each band and fills up from the strongest band down. The result has the strongest first.
  private func choose(_ contexts: [Candidate]) -> [Candidate] {
    let bands = (0...4).map { band in contexts.filter { $0.band == band } }
    let share = configuration.perLatent / 5
    var taken = bands.map { min($0.count, share) }
    var room = configuration.perLatent - taken.reduce(0, +)
    for band in stride(from: 4, through: 0, by: -1) {
      let more = min(room, bands[band].count - taken[band])
      taken[band] += more
      room -= more
    }
    return (0...4).reversed().flatMap { band in
      bands[band].prefix(taken[band]).sorted {
        ($1.activation, $0.key.source, $0.key.start) < ($0.activation, $1.key.source, $1.key.start)
      }
    }
  }

  /// Offers one text's peak to each latent that is active in the text.
  private mutating func consider(_ text: EncodedText, codes: SparseCodes, first: Int) {
    var active: [Int32: [(position: Int, value: Float)]] = [:]
    for (row, position) in text.kept.enumerated() {
      for entry in codes.entries(of: first + row) {
        let latent = codes.latents[entry]
        let scaled = codeScale.scaled(codes, entry: entry)
        if scaled > LatentStatistics.activeBound { active[latent, default: []].append((position, scaled)) }
      }
    }
    for (latent, activations) in active {
      var peak = activations[0]
      for activation in activations where activation.value > peak.value { peak = activation }
      offer(Int(latent), text.text, peak, activations)
    }
  }

  private mutating func offer(
    _ latent: Int, _ text: CorpusText, _ peak: (position: Int, value: Float),
    _ activations: [(position: Int, value: Float)]
  ) {
    guard maxima[latent] > 0 else { return }
    let fraction = peak.value / maxima[latent]
    let band = Self.band(fraction)
    let order = order(latent: latent, band: band, activation: peak.value)
    let rivals = candidates[latent].filter { $0.band == band }
    if rivals.count >= configuration.perLatent, let last = rivals.last, last.order <= order { return }
    let stretch = stretch(around: peak.position, length: text.ids.count)
    let tokens = Array(text.ids[stretch])
    let hash = tokens.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64(UInt32(bitPattern: $1))) &* 0x100_0000_01B3 }
    if let twin = candidates[latent].firstIndex(where: { $0.textHash == hash }) {
      guard candidates[latent][twin].activation < peak.value else { return }
      release(candidates[latent].remove(at: twin).key)
    }
    let inside = activations.filter { stretch.contains($0.position) }
    let key = StretchKey(source: sequences, start: stretch.lowerBound)
    let candidate = Candidate(
      activation: peak.value, band: band, order: order, key: key, textHash: hash,
      peak: peak.position - stretch.lowerBound,
      positions: inside.map { Int32($0.position - stretch.lowerBound) }, values: inside.map(\.value))
    stretches[
      key,
      default: Stretch(
        uses: 0,
        sequence: ExampleSequence(
          source: sequences, start: stretch.lowerBound,
          text: CorpusText(ids: tokens, templateMask: Array(text.templateMask[stretch]), corpus: text.corpus)))
    ].uses += 1
    insert(candidate, latent)
  }

  /// Inserts a candidate into its band, best first; at most `perLatent` stay in each band.
  private mutating func insert(_ candidate: Candidate, _ latent: Int) {
    let place =
      candidates[latent].firstIndex { ($0.band, $0.order) > (candidate.band, candidate.order) }
      ?? candidates[latent].count
    candidates[latent].insert(candidate, at: place)
    let ofBand = candidates[latent].indices.filter { candidates[latent][$0].band == candidate.band }
    if ofBand.count > configuration.perLatent, let last = ofBand.last {
      release(candidates[latent].remove(at: last).key)
    }
  }

  private mutating func release(_ key: StretchKey) {
    guard var stretch = stretches[key] else { return }
    stretch.uses -= 1
    stretches[key] = stretch.uses > 0 ? stretch : nil
  }

  /// Smaller is better: the two upper bands prefer strong peaks, the others use a hash. The sequence makes it unique.
  private func order(latent: Int, band: Int, activation: Float) -> UInt64 {
    if band >= 3 {
      // Positive floats have the order of their bits; among equal ones the earlier sequence wins.
      return UInt64(UInt32.max - activation.bitPattern) << 32 | UInt64(UInt32(truncatingIfNeeded: sequences))
    }
    var generator = SplitMix64(seed: UInt64(latent) << 32 ^ UInt64(sequences))
    return generator.next()
  }

  private func stretch(around position: Int, length: Int) -> Range<Int> {
    let context = configuration.context
    guard length > 3 * context else { return 0..<length }
    let start = max(0, position / context - 1) * context
    return start..<min(length, start + 3 * context)
  }
}
