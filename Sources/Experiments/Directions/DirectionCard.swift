// What a store keeps about a direction beside its vector: how it was made, from what, and its tags. The card is a JSON
// object; a field that this program does not know stays as it is.

import Diffing
import Foundation
import Inference
import Storage

/// The fields of a direction's card that this program writes and reads.
package struct DirectionCard: Codable, Sendable, Equatable {
  /// The residual stream from which it was made.
  package var stream: ReadStream?
  /// The files from which it was made, by name.
  package var files: [String]?
  /// The numbers of texts, of each set.
  package var texts: [Int]?
  /// The number of tokens, for a principal component.
  package var tokens: Int?
  /// The norm of the vector before it was stored; of a component, 1.
  package var norm: Double?
  /// The standard deviation along a principal component, and its share of the variance.
  package var deviation: Double?
  package var share: Double?
  /// The means and standard deviations of both sets' projections on the unit vector.
  package var projections: [Double]?
  /// The tensor in a file of vectors, the file's SHA-256, and the model that it names.
  package var tensor: String?
  package var sha256: String?
  package var model: String?
  package var tags: [String]?

  private enum CodingKeys: String, CodingKey {
    case stream, files, texts, tokens, norm, deviation, share, projections, tensor, sha256, tags
    case model = "model_hint"
  }

  package init() {}

  /// The card of a stored direction; fields of another type count as absent.
  package init(of record: DirectionRecord) {
    let fields = try? JSONSerialization.jsonObject(with: Data(record.card.utf8)) as? [String: Any]
    // Cards of δ have numbers where these have lists.
    tags = fields?["tags"] as? [String]
    norm = fields?["norm"] as? Double
    stream = (fields?["stream"] as? String).flatMap(ReadStream.init)
    files = fields?["files"] as? [String]
    model = fields?["model_hint"] as? String
    share = fields?["share"] as? Double
    deviation = fields?["deviation"] as? Double
    projections = fields?["projections"] as? [Double]
  }
}

extension DirectionRecord {
  /// The tags of the direction.
  package var tags: [String] { DirectionCard(of: self).tags ?? [] }

  /// The record with other tags; other fields of its card stay.
  package func with(tags: [String]) -> DirectionRecord {
    var fields = (try? JSONSerialization.jsonObject(with: Data(card.utf8)) as? [String: Any]) ?? [:]
    fields["tags"] = tags.isEmpty ? nil : tags
    var result = self
    let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
    result.card =
      (try? JSONSerialization.data(withJSONObject: fields, options: options))
      .map { String(decoding: $0, as: UTF8.self) } ?? card
    return result
  }
}
