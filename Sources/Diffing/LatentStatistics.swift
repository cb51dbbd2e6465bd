// Running statistics over texts: how often, how strongly and on what each latent fires. A latent counts as active at a
// token if its scaled activation f·n is above 1e-3. Only kept tokens count: BOS and outliers are left out of
// everything.
// Each corpus has its own sums and a histogram of 50 logarithmic bins.

/// A text that has been encoded.
public struct EncodedText: Sendable, Equatable {
  public var text: CorpusText
  /// The positions that have a row of codes, ascending; BOS and outlying tokens have none.
  public var kept: [Int]

  /// A text with rows for the positions `kept`.
  public init(_ text: CorpusText, kept: [Int]) {
    precondition(kept.allSatisfy { text.ids.indices.contains($0) }, "a position lies beyond the text")
    self.text = text
    self.kept = kept
  }
}

/// Running statistics of every latent of one crosscoder.
public struct LatentStatistics: Sendable {
  /// The scaled activation above which a latent counts as active.
  static let activeBound: Float = 1e-3
  /// The number of bins of a histogram.
  public static let bins = 50

  /// The lower edge of each bin, 1e-3 · 10^(7·b/50). The last bin is open.
  public static let binEdges: [Double] = {
    var edges = [Double](repeating: 0, count: bins)
    // This is 10^(7/50), computed by hand, since the standard library has no pow.
    let factor = 1.380384264602885
    var edge = 1e-3
    for bin in 0..<bins {
      edges[bin] = edge
      edge *= factor
    }
    return edges
  }()

  /// The figures of one latent on one corpus.
  public struct Figures: Sendable, Equatable {
    /// The number of tokens at which the latent is active.
    public var active = 0
    /// The number of active tokens that belong to the chat template.
    public var activeTemplate = 0
    /// The largest scaled activation; 0 if the latent was never active.
    public var maximum: Float = 0
    /// The sum of the scaled activations.
    public var sum = 0.0
    /// The number of active tokens in each bin of `binEdges`.
    public var histogram = [Int](repeating: 0, count: LatentStatistics.bins)

    /// The mean scaled activation over active tokens; 0 if there are none.
    public var mean: Double { active == 0 ? 0 : sum / Double(active) }
  }

  /// The number of latents F.
  public let nLatents: Int
  private let codeScale: CodeScale
  /// The number of tokens counted, by corpus.
  private var tokenCounts = [0, 0]
  private var figures: [[Figures]]

  /// Begins with empty statistics.
  public init(crosscoder: Crosscoder) {
    nLatents = crosscoder.nLatents
    codeScale = crosscoder.codeScale
    figures = Corpus.allCases.map { _ in [Figures](repeating: Figures(), count: crosscoder.nLatents) }
  }

  /// Adds the codes of texts: one row for each kept token, text after text.
  public mutating func add(codes: SparseCodes, texts: [EncodedText]) {
    precondition(codes.tokens == texts.reduce(0) { $0 + $1.kept.count }, "rows and kept tokens differ")
    var row = 0
    for text in texts {
      let corpus = text.text.corpus.number
      tokenCounts[corpus] += text.kept.count
      for position in text.kept {
        for entry in codes.entries(of: row) {
          let latent = Int(codes.latents[entry])
          let scaled = codeScale.scaled(codes, entry: entry)
          guard scaled > Self.activeBound else { continue }
          figures[corpus][latent].add(scaled, template: text.text.templateMask[position])
        }
        row += 1
      }
    }
  }

  /// Adds the statistics of other tokens.
  public mutating func merge(_ other: LatentStatistics) {
    precondition(other.nLatents == nLatents, "the statistics belong to another crosscoder")
    for corpus in 0..<2 {
      tokenCounts[corpus] += other.tokenCounts[corpus]
      for latent in 0..<nLatents { figures[corpus][latent].merge(other.figures[corpus][latent]) }
    }
  }

  /// The number of tokens counted on a corpus.
  public func tokens(_ corpus: Corpus) -> Int { tokenCounts[corpus.number] }

  /// The figures of one latent on one corpus.
  public func figures(_ latent: Int, _ corpus: Corpus) -> Figures { figures[corpus.number][latent] }

  /// Active tokens ÷ tokens on a corpus; 0 on an empty one.
  public func frequency(_ latent: Int, _ corpus: Corpus) -> Double {
    tokens(corpus) == 0 ? 0 : Double(figures(latent, corpus).active) / Double(tokens(corpus))
  }

  /// Active tokens ÷ tokens on both corpora together.
  public func frequency(_ latent: Int) -> Double {
    let all = tokenCounts[0] + tokenCounts[1]
    return all == 0 ? 0 : Double(figures[0][latent].active + figures[1][latent].active) / Double(all)
  }

  /// The largest scaled activation on both corpora.
  public func maximum(_ latent: Int) -> Float { max(figures[0][latent].maximum, figures[1][latent].maximum) }

  /// Active tokens of the chat template ÷ active tokens; nil if the latent was never active.
  public func templateShare(_ latent: Int) -> Double? {
    let active = figures[0][latent].active + figures[1][latent].active
    return active == 0
      ? nil : Double(figures[0][latent].activeTemplate + figures[1][latent].activeTemplate) / Double(active)
  }

  /// Whether the latent was never active.
  public func isDead(_ latent: Int) -> Bool { figures[0][latent].active + figures[1][latent].active == 0 }
}

extension LatentStatistics.Figures {
  fileprivate mutating func add(_ scaled: Float, template: Bool) {
    active += 1
    sum += Double(scaled)
    maximum = max(maximum, scaled)
    if template { activeTemplate += 1 }
    var (low, high) = (0, LatentStatistics.bins)
    while high - low > 1 {
      let middle = (low + high) / 2
      if LatentStatistics.binEdges[middle] <= Double(scaled) { low = middle } else { high = middle }
    }
    histogram[low] += 1
  }

  fileprivate mutating func merge(_ other: Self) {
    active += other.active
    activeTemplate += other.activeTemplate
    sum += other.sum
    maximum = max(maximum, other.maximum)
    for bin in histogram.indices { histogram[bin] += other.histogram[bin] }
  }
}
