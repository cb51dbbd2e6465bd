// What a latent's page shows besides its metrics: contexts, tokens, logit lens, histograms, neighbours. These types
// know nothing of tokenizers; a token is its bytes.

/// One entry of the vocabulary, so that contexts can be shown without a model.
public struct TokenRecord: Sendable, Equatable, Identifiable {
  public var id: Int32
  /// The bytes that the token stands for; they may be a part of a UTF-8 character.
  public var bytes: [UInt8]
  /// Whether it is a control token such as a turn marker; `bytes` is then its name.
  public var isSpecial: Bool

  public init(id: Int32, bytes: [UInt8], isSpecial: Bool = false) {
    self.id = id
    self.bytes = bytes
    self.isSpecial = isSpecial
  }

  /// The bytes as text, with U+FFFD for bytes that are not UTF-8. It is untrusted and may hold control characters.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// A window of a corpus. All latents with an example in it share it.
public struct SequenceRecord: Sendable, Equatable, Identifiable {
  public var id: Int32
  public var tokenIDs: [Int32]
  /// Where the text comes from, for instance "plain" or "chat". Imported stores have names of their own.
  public var corpus: String
  /// For each token, whether it belongs to the chat template.
  public var templateMask: [Bool]

  /// - Parameter templateMask: must be as long as `tokenIDs`; nil means that no token belongs to the template.
  public init(id: Int32, tokenIDs: [Int32], corpus: String, templateMask: [Bool]? = nil) {
    self.id = id
    self.tokenIDs = tokenIDs
    self.corpus = corpus
    self.templateMask = templateMask ?? [Bool](repeating: false, count: tokenIDs.count)
  }
}

/// A context in which a latent is active, in the form in which it is written.
public struct ExampleRecord: Sendable, Equatable {
  public var latent: Int
  /// The band of the context's largest activation as a share of the latent's maximum: 0 up to 25 %, 1 up to 50, 2 up to
  /// 75, 3 up to 95, 4 above (5 in imported stores: beyond the recorded maximum).
  public var quantile: Int
  /// The place within the band, from 0.
  public var rank: Int
  /// The `SequenceRecord.id` of the context's sequence.
  public var sequence: Int32
  /// The positions in the sequence at which the latent is active: strictly rising, at least one.
  public var positions: [Int32]
  /// The scaled activation at each of `positions`, above 0. The largest is stored exactly, the others to within 1/65534
  /// of it.
  public var values: [Float]

  public init(latent: Int, quantile: Int, rank: Int, sequence: Int32, positions: [Int32], values: [Float]) {
    self.latent = latent
    self.quantile = quantile
    self.rank = rank
    self.sequence = sequence
    self.positions = positions
    self.values = values
  }
}

/// A context in the form in which it is read: an example with its sequence.
public struct Context: Sendable, Equatable {
  public var example: ExampleRecord
  public var sequence: SequenceRecord
  /// The largest of the example's values, in scaled units.
  public var maxActivation: Float
  /// The position of that value; the first one if it occurs more than once.
  public var peak: Int

  /// The activation at each token of the sequence; 0 where the latent is silent.
  public var activations: [Float] {
    var activations = [Float](repeating: 0, count: sequence.tokenIDs.count)
    for (position, value) in zip(example.positions, example.values) { activations[Int(position)] = value }
    return activations
  }
}

/// How often and how strongly a latent is active on one corpus, in bins of equal ratio: each bin's upper edge is its
/// lower edge times the same factor. Silent tokens are not counted.
public struct HistogramRecord: Sendable, Equatable {
  public var latent: Int
  public var corpus: String
  /// The lower edge of the first bin and the upper edge of the last, in scaled units.
  public var low: Double
  public var high: Double
  public var counts: [Int32]

  public init(latent: Int, corpus: String, low: Double, high: Double, counts: [Int32]) {
    self.latent = latent
    self.corpus = corpus
    self.low = low
    self.high = high
    self.counts = counts
  }
}

/// A direction whose effect on the logits was measured.
public enum LogitDirection: String, Sendable, CaseIterable {
  /// d_j^base, d_j^chat, and d_j^chat − d_j^base.
  case base, chat, difference
}

/// A token and its change of logit.
public struct TokenScore: Sendable, Equatable {
  public var token: Int32
  public var value: Float

  public init(token: Int32, value: Float) {
    self.token = token
    self.value = value
  }
}

/// A result of the logit lens: the tokens that a decoder direction promotes and suppresses most, strongest first.
public struct LogitLensRecord: Sendable, Equatable {
  public var latent: Int
  public var direction: LogitDirection
  public var promoted: [TokenScore]
  public var suppressed: [TokenScore]

  public init(latent: Int, direction: LogitDirection, promoted: [TokenScore], suppressed: [TokenScore]) {
    self.latent = latent
    self.direction = direction
    self.promoted = promoted
    self.suppressed = suppressed
  }
}

/// The kind of similarity of two latents.
public enum NeighbourKind: String, Sendable, CaseIterable {
  /// The cosine of their chat directions, the cosine of their base directions, or the cosine of d_j^chat with d_k^base
  /// for a twin (a chat-only and a base-only latent of the same concept).
  case chat, base, twin
}

/// A latent of another level that belongs to a latent of a Matryoshka dictionary, or to which that belongs.
public struct RelativeRecord: Sendable, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The coarser latent that holds it.
    case parent
    /// A finer latent that it holds.
    case part
  }

  public var kind: Kind
  public var other: Int
  /// The share of the finer one's active tokens at which the coarser one is active too.
  public var coFiring: Double?

  public init(kind: Kind, other: Int, coFiring: Double?) {
    (self.kind, self.other, self.coFiring) = (kind, other, coFiring)
  }
}

/// A latent that is close to another.
public struct NeighbourRecord: Sendable, Equatable {
  public var latent: Int
  public var kind: NeighbourKind
  public var other: Int
  public var cosine: Double

  public init(latent: Int, kind: NeighbourKind, other: Int, cosine: Double) {
    self.latent = latent
    self.kind = kind
    self.other = other
    self.cosine = cosine
  }
}

/// A text about a latent that a program or another person wrote. A user's own words are the latent's note.
public struct ExplanationRecord: Sendable, Equatable, Codable {
  public var latent: Int
  /// The author of the text. A latent has one explanation from each source.
  public var source: String
  public var text: String
  /// How well the text alone tells contexts of the latent from others, 0…1, where ½ is chance; nil without a test.
  public var detectionScore: Double?
  /// A JSON object that says how the text and the score were made.
  public var details: String?

  public init(latent: Int, source: String, text: String, detectionScore: Double? = nil, details: String? = nil) {
    self.latent = latent
    self.source = source
    self.text = text
    self.detectionScore = detectionScore
    self.details = details
  }
}

/// Everything that a latent's page shows, read in one transaction.
public struct LatentPage: Sendable, Equatable {
  public var latent: LatentRecord
  /// The tags in alphabetical order.
  public var tags: [String]
  public var note: String?
  public var explanations: [ExplanationRecord]
  /// The contexts, strongest band first, then by rank.
  public var contexts: [Context]
  /// The number of contexts in the store, including those that were not read.
  public var contextCount: Int
  public var logits: [LogitLensRecord]
  public var histograms: [HistogramRecord]
  /// The neighbours by kind, the most similar first.
  public var neighbours: [NeighbourRecord]
  /// In a Matryoshka dictionary the latent's parent, then its parts, those that fire with it most often first.
  public var relatives: [RelativeRecord] = []
  /// Every token that the contexts and the logit lens name and that the store knows.
  public var tokens: [Int32: TokenRecord]
}
