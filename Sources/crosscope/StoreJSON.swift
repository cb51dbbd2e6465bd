// Rows of a store as JSON: names as the store's columns, null for what is missing.
// Owns: the documents of `latents`, `show` and `tags`. Refuses: to rename or round anything.

import Foundation
import Storage

/// A latent's row with its tags.
struct LatentJSON: Encodable {
  var latent: LatentRecord
  var tags: [String]
  /// What it is about, see `Store.summaries(of:)`.
  var summary: String?

  /// Columns other than the numeric ones, which LatentColumn names.
  private enum OtherKey: String { case dead, `class`, tags, summary, metrics }

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    for column in LatentColumn.allCases {
      switch column {
      case .id: try fields.encode(latent.id, forKey: Key(column.rawValue))
      case .chatSpecificity: try fields.encode(latent.chatSpecificity, forKey: Key(column.rawValue))
      default: try fields.encode(latent[column], forKey: Key(column.rawValue))
      }
    }
    try fields.encode(latent.dead, forKey: Key(OtherKey.dead.rawValue))
    try fields.encode(latent.latentClass.rawValue, forKey: Key(OtherKey.class.rawValue))
    try fields.encode(tags, forKey: Key(OtherKey.tags.rawValue))
    try fields.encode(summary, forKey: Key(OtherKey.summary.rawValue))
    // Metrics beyond the columns are under names of their own, since a published name may be a column's.
    if !latent.metrics.isEmpty { try fields.encode(latent.metrics, forKey: Key(OtherKey.metrics.rawValue)) }
  }
}

extension LatentJSON {
  /// The first rows of an order.
  /// - Returns: the rows, and how many there would be without the limit.
  static func rows(
    of store: Store, matching filter: Filter, by first: LatentOrder, then: LatentOrder? = nil, limit: Int
  ) throws(StorageError) -> (rows: [LatentJSON], count: Int) {
    let ids = try store.latentIDs(sortedBy: first.sort, ascending: first.ascending, then: then, matching: filter)
    let shown = ids.prefix(limit)
    let (tags, summaries) = (try store.tags(of: shown), try store.summaries(of: shown))
    let rows = try store.latents(ids: shown).map {
      LatentJSON(latent: $0, tags: tags[$0.id] ?? [], summary: summaries[$0.id])
    }
    return (rows, ids.count)
  }
}

/// A latent's page.
struct PageJSON: Encodable {
  struct TokenJSON: Encodable {
    var token_id: Int32
    var token: String
    var value: Float
  }

  struct LensJSON: Encodable {
    var promoted: [TokenJSON]
    var suppressed: [TokenJSON]
  }

  struct ExampleJSON: Encodable {
    var quantile: Int
    var rank: Int
    var sequence: Int32
    var corpus: String
    var max_activation: Float
    var peak: Int
    var token_ids: [Int32]
    var tokens: [String]
    var template_mask: [Bool]
    var positions: [Int32]
    var values: [Float]
  }

  struct HistogramJSON: Encodable {
    var corpus: String
    var low: Double
    var high: Double
    var counts: [Int32]
  }

  struct NeighbourJSON: Encodable {
    var kind: String
    var other: Int32
    var cosine: Double
  }

  struct CoFiringJSON: Encodable {
    var other: Int32
    var contexts: Int
    var both: Int
    var either: Int
  }

  struct ContrastJSON: Encodable {
    var sequence: Int32
    var corpus: String
    var similar: Int32?
    var silent: Bool
    var tokens: [String]

    private enum CodingKeys: CodingKey { case sequence, corpus, similar, silent, tokens }

    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(sequence, forKey: .sequence)
      try fields.encode(corpus, forKey: .corpus)
      try fields.encode(similar, forKey: .similar)
      try fields.encode(silent, forKey: .silent)
      try fields.encode(tokens, forKey: .tokens)
    }
  }

  struct ExplanationJSON: Encodable {
    var latent: Int32
    var source: String
    var text: String
    var detection_score: Double?

    init(_ explanation: ExplanationRecord) {
      (latent, source, text) = (explanation.latent, explanation.source, explanation.text)
      detection_score = explanation.detectionScore
    }
  }

  var latent: LatentJSON
  var note: String?
  var explanations: [ExplanationJSON]
  var logits: [String: LensJSON]
  var examples: [ExampleJSON]
  var histograms: [HistogramJSON]
  var neighbours: [NeighbourJSON]
  var cofiring: [CoFiringJSON]?
  var contrast: [ContrastJSON]

  init(_ page: LatentPage, _ surroundings: LatentSurroundings) {
    func text(_ id: Int32) -> String { page.tokens[id]?.text ?? "" }
    func scores(_ scores: [TokenScore]) -> [TokenJSON] {
      scores.map { TokenJSON(token_id: $0.token, token: text($0.token), value: $0.value) }
    }
    latent = LatentJSON(
      latent: page.latent, tags: page.tags,
      summary: page.summary)
    note = page.note
    explanations = page.explanations.map(ExplanationJSON.init)
    logits = [:]
    for lens in page.logits {
      logits[lens.direction.rawValue] = LensJSON(
        promoted: scores(lens.promoted), suppressed: scores(lens.suppressed))
    }
    examples = page.contexts.map { context in
      ExampleJSON(
        quantile: context.example.quantile, rank: context.example.rank, sequence: context.sequence.id,
        corpus: context.sequence.corpus, max_activation: context.maxActivation, peak: context.peak,
        token_ids: context.sequence.tokenIDs, tokens: context.sequence.tokenIDs.map(text),
        template_mask: context.sequence.templateMask, positions: context.example.positions,
        values: context.example.values)
    }
    histograms = page.histograms.map {
      HistogramJSON(corpus: $0.corpus, low: $0.low, high: $0.high, counts: $0.counts)
    }
    neighbours = page.neighbours.map { NeighbourJSON(kind: $0.kind.rawValue, other: $0.other, cosine: $0.cosine) }
    cofiring = surroundings.coFiring?.map {
      CoFiringJSON(other: $0.other, contexts: $0.contexts, both: $0.both, either: $0.either)
    }
    contrast = surroundings.contrast.contexts.map { context in
      ContrastJSON(
        sequence: context.sequence.id, corpus: context.sequence.corpus, similar: context.similar,
        silent: context.isSilent,
        tokens: context.sequence.tokenIDs.map { surroundings.contrast.tokens[$0]?.text ?? "" })
    }
  }

  private enum CodingKeys: CodingKey {
    case latent, note, explanations, logits, examples, histograms, neighbours, cofiring, contrast
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(latent, forKey: .latent)
    try fields.encode(note, forKey: .note)
    try fields.encode(explanations, forKey: .explanations)
    try fields.encode(logits, forKey: .logits)
    try fields.encode(examples, forKey: .examples)
    try fields.encode(histograms, forKey: .histograms)
    try fields.encode(neighbours, forKey: .neighbours)
    try fields.encode(cofiring, forKey: .cofiring)
    try fields.encode(contrast, forKey: .contrast)
  }
}
