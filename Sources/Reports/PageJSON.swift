// The page of a latent as JSON, which `crosscope show --json` prints.

import Experiments
import Foundation
import Storage

/// Further parts of a page, which are read after the latent itself.
package struct LatentSurroundings: Sendable, Equatable {
  package var latent: Int
  package var contrast: Contrast
  /// Nil if the store does not record it.
  package var coFiring: [CoFiringRecord]?

  package init(latent: Int, contrast: Contrast, coFiring: [CoFiringRecord]?) {
    (self.latent, self.contrast, self.coFiring) = (latent, contrast, coFiring)
  }
}

/// A latent's page.
package struct PageJSON: Encodable {
  package struct TokenJSON: Encodable {
    package var token_id: Int32
    package var token: String
    package var value: Float
  }

  package struct LensJSON: Encodable {
    package var promoted: [TokenJSON]
    package var suppressed: [TokenJSON]
  }

  package struct ExampleJSON: Encodable {
    package var quantile: Int
    package var rank: Int
    package var sequence: Int32
    package var corpus: String
    package var max_activation: Float
    package var peak: Int
    package var token_ids: [Int32]
    package var tokens: [String]
    package var template_mask: [Bool]
    package var positions: [Int32]
    package var values: [Float]
  }

  package struct HistogramJSON: Encodable {
    package var corpus: String
    package var low: Double
    package var high: Double
    package var counts: [Int32]
  }

  package struct NeighbourJSON: Encodable {
    package var kind: String
    package var other: Int
    package var cosine: Double
  }

  package struct CoFiringJSON: Encodable {
    package var other: Int
    package var contexts: Int
    package var both: Int
    package var either: Int
  }

  package struct ContrastJSON: Encodable {
    package var sequence: Int32
    package var corpus: String
    package var similar: Int?
    package var silent: Bool
    package var tokens: [String]

    private enum CodingKeys: CodingKey { case sequence, corpus, similar, silent, tokens }

    package func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(sequence, forKey: .sequence)
      try fields.encode(corpus, forKey: .corpus)
      try fields.encode(similar, forKey: .similar)
      try fields.encode(silent, forKey: .silent)
      try fields.encode(tokens, forKey: .tokens)
    }
  }

  package struct ExplanationJSON: Encodable {
    package var latent: Int
    package var source: String
    package var text: String
    package var detection_score: Double?

    package init(_ explanation: ExplanationRecord) {
      (latent, source, text) = (explanation.latent, explanation.source, explanation.text)
      detection_score = explanation.detectionScore
    }
  }

  package var latent: LatentJSON
  package var note: String?
  package var explanations: [ExplanationJSON]
  package var logits: [String: LensJSON]
  package var examples: [ExampleJSON]
  package var histograms: [HistogramJSON]
  package var neighbours: [NeighbourJSON]
  package var cofiring: [CoFiringJSON]?
  package var contrast: [ContrastJSON]

  package init(_ page: LatentPage, _ surroundings: LatentSurroundings) {
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

  package func encode(to encoder: any Encoder) throws {
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
