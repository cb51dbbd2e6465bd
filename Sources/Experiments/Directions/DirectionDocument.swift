// What is known of a direction: its card, the tokens that it promotes, the latents that point its way, and those that it is
// made of.

import Diffing
import Foundation
import Inference
import Storage

/// A direction without its vector, as lists and services tell it.
package struct DirectionEntry: Codable, Sendable, Equatable {
  package let name: String
  package let layer: Int
  /// The norm that strength 1 adds to the residual stream.
  package let unit: Double
  package let source: String
  package let tags: [String]
  package let sha256: String

  package init(_ record: DirectionRecord) throws {
    (name, layer, unit, source, tags) = (record.name, record.layer, record.unit, record.source, record.tags)
    sha256 = try record.known().sha256
  }
}

/// A direction with what can be read from it.
package struct DirectionDocument: Codable, Sendable, Equatable {
  package struct Token: Codable, Sendable, Equatable {
    package let id: Int32
    package let text: String
    /// The probability of the token where the vector is read as the last block's output.
    package let probability: Double
  }

  /// The cosine of the direction with a latent's decoder direction.
  package struct Cosine: Codable, Sendable, Equatable {
    package let latent: Int
    package let cosine: Double
    package let tags: [String]
  }

  package let direction: DirectionEntry
  /// The tokens of the direction and of its opposite, the likeliest first; nil if no model was loaded.
  package var promoted: [Token]?
  package var opposite: [Token]?
  /// The latents with the largest cosines, and those with the most negative ones; nil if the store has no crosscoder, or one
  /// of another block.
  package var latents: [Cosine]?
  package var opposed: [Cosine]?
  /// The latents that the direction is made of, as far as it is.
  package var parts: [DirectionParts.Part]?
  /// The share of ‖v‖² that the parts explain, and the mean share for random vectors.
  package var explained: Double?
  package var explainedByChance: Double?

  private enum CodingKeys: String, CodingKey {
    case direction, promoted, opposite, latents, opposed, parts, explained
    case explainedByChance = "explained_by_chance"
  }

  package init(_ record: DirectionRecord) throws { direction = try DirectionEntry(record) }

  /// Reads the direction by the logit lens of chat.
  package mutating func readTokens(_ record: DirectionRecord, engine: Engine, count: Int) throws {
    let vector = try record.known().vector
    let found = try engine.models.chat.lens([vector, vector.map { -$0 }]).map { probabilities in
      TokenProbability.likeliest(probabilities, count).map { token in
        Token(
          id: token.id, text: String(decoding: engine.tokenizer.bytes(of: token.id), as: UTF8.self),
          probability: token.probability)
      }
    }
    (promoted, opposite) = (found[0], found[1])
  }

  /// Compares the direction with a crosscoder's latents.
  /// - Parameters:
  ///   - count: how many latents are named on each side.
  ///   - limit: the most parts.
  package mutating func compare(
    _ record: DirectionRecord, with crosscoder: Crosscoder, store: Store, count: Int, limit: Int
  ) throws {
    let vector = try record.known().vector
    let living = try store.latentIDs(sortedBy: .id, matching: Filter("not dead"))
      .filter { crosscoder.chatNorms[$0] > 0 }
    let all = crosscoder.chatCosines(with: vector)
    let cosines = living.map { (latent: $0, cosine: all[$0]) }.sorted {
      ($1.cosine, $0.latent) < ($0.cosine, $1.latent)
    }
    let (top, bottom) = (cosines.prefix(count), cosines.suffix(count).reversed().filter { $0.cosine < 0 })
    let tags = try store.tags(of: (Array(top) + bottom).map(\.latent))
    func named(_ some: some Sequence<(latent: Int, cosine: Double)>) -> [Cosine] {
      some.map { Cosine(latent: $0.latent, cosine: $0.cosine, tags: tags[$0.latent] ?? []) }
    }
    (latents, opposed) = (named(top), named(bottom))
    let parts = DirectionParts(vector, over: living, of: crosscoder, limit: limit)
    (self.parts, explained) = (parts.parts, parts.explained)
    explainedByChance = DirectionParts.explainedByChance(over: living, of: crosscoder, limit: limit)
  }
}
