// A steering run as a document, which `crosscope steer --json` prints and the store keeps as an experiment. Keys are the
// field's words in snake case; log-probabilities and divergences are in nats. Records of older versions, which have fewer
// fields, are read too. A record without tokens, temperature or seed is refused, since its run cannot be repeated.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// The answers to one prompt, and everything that produced them.
package struct SteeringDocument: Codable, Sendable, Equatable {
  /// The request; an arm's `strength` multiplies the strengths of its interventions.
  package var request: SteeringRequest
  package var basis: SteeringBasis
  package var outputs: Outputs
  /// The program's version, SHA-256 of models and crosscoder, precision, kernels, threads.
  package var versions: [String: String]

  package init(request: SteeringRequest, basis: SteeringBasis, outputs: Outputs, versions: [String: String]) {
    (self.request, self.basis, self.outputs, self.versions) = (request, basis, outputs, versions)
  }

  package struct Outputs: Codable, Sendable, Equatable {
    package var baseline: Answer
    package var steered: [Answer]
    /// The same arms as `steered`, with the baseline's attention weights above the layer.
    package var frozenAttention: [Answer]?
    /// The speed of one answer, if it was measured.
    package var tokensPerSecond: Double?
    /// The behaviours that were counted, if any were.
    package var behaviours: Behaviours?
    /// The best coherent strength of each behaviour, if any were counted.
    package var coherent: CoherentStrengths?
  }

  /// One arm. If there are several samples, its own figures are those of the first one.
  package struct Answer: Codable, Sendable, Equatable {
    /// The factor on the strengths of the interventions; nil for the baseline.
    package var strength: Double?
    /// The samples, of which there is at least one.
    package var samples: [Sample]
    package var watched: [Watched] = []

    package init(strength: Double? = nil, samples: [Sample], watched: [Watched] = []) {
      (self.strength, self.samples, self.watched) = (strength, samples, watched)
    }

    package var first: Sample { samples[0] }
    package var text: String { first.text }
    package var finished: Bool? { first.finished }
    package var relativeChange: Double? { first.relativeChange }
  }

  /// One answer.
  package struct Sample: Codable, Sendable, Equatable {
    package var seed: UInt64?
    package var text: String
    package var ids: [Int32]
    /// The log-probability of each token by the stream itself.
    package var logProbabilities: [Double]?
    /// Whether the model ended the answer; otherwise the limit of tokens did.
    package var finished: Bool?
    /// The position, counted from 0, of the token at which numbers overflowed because of the strength, which ended the
    /// answer.
    package var notFiniteFrom: Int?
    /// Mean ‖Δh‖ ÷ ‖h‖ over the steered tokens.
    package var relativeChange: Double?
    /// The position of the first token that differs from the baseline's.
    package var firstDifference: Int?
    /// KL(baseline ‖ steered) before each token of the baseline's answer, given that answer.
    package var kl: [Double]?
    package var klMean: Double?
    /// −1/n Σ log p of the answer's tokens by the unsteered chat model; it is large for broken text.
    package var logPerplexity: Double?
    /// The share of the answer's 4-grams that occurred before in it.
    package var repetition: Double?
    /// The names of the behaviours that the answer shows; nil if none were counted.
    package var behaviours: [String]?
  }

  /// A phrase that may begin the answer.
  package struct Watched: Codable, Sendable, Equatable {
    package var text: String
    /// Nil if numbers overflowed because of the strength.
    package var logProbability: Double?
  }
}

// MARK: - As JSON

extension SteeringDocument {
  private enum CodingKeys: CodingKey { case prompt, interventions, versions }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      prompt: fields.decode(String.self, forKey: .prompt),
      interventions: fields.decode([Intervention].self, forKey: .interventions),
      settings: RecordedSettings(from: decoder), outputs: Outputs(from: decoder),
      versions: fields.decode([String: String].self, forKey: .versions))
  }

  /// Makes a document from the parts that a record keeps.
  private init(
    prompt: String, interventions: [Intervention], settings: RecordedSettings, outputs: Outputs,
    versions: [String: String]
  ) {
    (request, basis, self.outputs, self.versions) = (settings.request, settings.basis, outputs, versions)
    (request.prompt, request.plan.interventions) = (prompt, interventions)
    request.strengths = outputs.steered.map { $0.strength ?? 1 }
    request.watched = outputs.baseline.watched.map(\.text)
    request.freezesAttention = outputs.frozenAttention != nil
  }

  /// Writes the settings and the answers beside the prompt.
  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(request.prompt, forKey: .prompt)
    try fields.encode(request.plan.interventions, forKey: .interventions)
    try fields.encode(versions, forKey: .versions)
    try RecordedSettings(request: request, basis: basis).encode(to: encoder)
    try outputs.encode(to: encoder)
  }
}

extension SteeringDocument.Outputs {
  private enum CodingKeys: String, CodingKey {
    case baseline, steered, behaviours, coherent
    case frozenAttention = "frozen_attention"
    case tokensPerSecond = "tokens_per_second"
  }
}

extension SteeringDocument.Answer {
  private enum CodingKeys: CodingKey { case strength, samples, watched }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    strength = try fields.decodeIfPresent(Double.self, forKey: .strength)
    watched = try fields.decodeIfPresent([SteeringDocument.Watched].self, forKey: .watched) ?? []
    let several = try fields.decodeIfPresent([SteeringDocument.Sample].self, forKey: .samples) ?? []
    samples = several.isEmpty ? [try SteeringDocument.Sample(from: decoder)] : several
  }

  package func encode(to encoder: any Encoder) throws {
    try first.encode(to: encoder)
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encodeIfPresent(strength, forKey: .strength)
    try fields.encode(watched, forKey: .watched)
    if samples.count > 1 { try fields.encode(samples, forKey: .samples) }
  }
}

extension SteeringDocument.Sample {
  private enum CodingKeys: String, CodingKey {
    case seed, text, ids, finished, kl, repetition, behaviours
    case logProbabilities = "log_probabilities"
    case notFiniteFrom = "not_finite_from"
    case relativeChange = "relative_change"
    case firstDifference = "first_difference"
    case klMean = "kl_mean"
    case logPerplexity = "log_perplexity"
  }
}

extension SteeringDocument.Sample {
  /// A note to show after the last token; nil if the model ended the answer.
  package func ending(limit: Int) -> String? {
    if let notFiniteFrom { return "(not a number from token \(notFiniteFrom + 1) on: strength too large)" }
    return finished == false ? "(cut at \(limit) tokens)" : nil
  }
}

extension SteeringDocument.Watched {
  private enum CodingKeys: String, CodingKey {
    case text
    case logProbability = "log_probability"
  }
}

// MARK: - As an experiment

extension SteeringDocument {
  /// The experiment as the store keeps it, with the present time.
  package func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601), prompt: request.prompt, kind: outputs.steered.count > 1 ? "sweep" : "steer",
      interventions: storedJSON(request.plan.interventions),
      parameters: storedJSON(RecordedSettings(request: request, basis: basis)), outputs: storedJSON(outputs),
      versions: storedJSON(versions))
  }

  /// Reads a saved run.
  /// - Throws: `InputError.invalid` if the record lacks something that a run needs.
  package init(_ record: ExperimentRecord) throws {
    func read<T: Decodable>(_ what: String, _ text: String) throws -> T {
      try decodeRecord(text, of: record, expected: "\(what) of a steering run")
    }
    self.init(
      prompt: record.prompt, interventions: try read("interventions", record.interventions),
      settings: try read("parameters", record.parameters), outputs: try read("outputs", record.outputs),
      versions: try read("versions", record.versions))
  }
}

/// Decodes the document of a saved run.
/// - Throws: `InputError.invalid` naming the run and what is wrong with the document.
package func decodeRecord<T: Decodable>(
  _ text: String, of record: ExperimentRecord, expected: String
) throws -> T {
  let found: String
  do {
    return try JSONDecoder().decode(T.self, from: Data(text.utf8))
  } catch let error as DecodingError {
    found = error.clause
  } catch let error as JSONFieldError {
    found = error.description
  }
  throw InputError.invalid(
    source: "experiment \(record.id) (\(record.kind))", expected: expected, found: found)
}
