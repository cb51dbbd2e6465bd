// A steering run as a document: what `crosscope steer --json` prints and what the store keeps as an experiment.
// Keys are the field's words in snake case; log-probabilities and divergences are in nats.
// Owns: the one form of both; reading records that say less, as older versions wrote them. Refuses: to read a record
// without tokens, temperature and seed, which could not be run again.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// One prompt's answers, and everything that made them.
struct SteeringDocument: Codable, Sendable, Equatable {
  var prompt: String
  /// As given; an arm's `strength` multiplies theirs.
  var interventions: [Intervention]
  var parameters: Parameters
  var outputs: Outputs
  /// Program, SHA-256 of models and crosscoder, precision, kernels, threads.
  var versions: [String: String]

  struct Parameters: Codable, Sendable, Equatable {
    var settings: GenerationSettings
    /// What was said before the prompt.
    var turns: [ChatMessage] = []
    var positions = TokenPositions.all
    var conditions: [SteeringCondition] = []
    var swapsBase = false
    var layer: Int?
    var decoder = PairModel.chat
    var steersAllLayers = false
    /// Strengths are ‖Δh‖ itself.
    var takesRawStrength = false
    /// Where the mean that mode project leaves in place is from.
    var projectMean: ResidualMean.Source?
    /// The largest activations that strengths were multiples of, by latent, in the residual stream's units.
    var maxActivations: [String: Double] = [:]
  }

  struct Outputs: Codable, Sendable, Equatable {
    var baseline: Answer
    var steered: [Answer]
    /// Steered as `steered`, strength for strength, with the baseline's attention weights above the layer.
    var frozenAttention: [Answer]?
    /// Of one answer, where it was measured.
    var tokensPerSecond: Double?
  }

  /// One arm. Of several samples the first one's figures are the arm's own.
  struct Answer: Codable, Sendable, Equatable {
    /// Multiplies the strengths of the interventions; nil for the baseline.
    var strength: Double?
    /// At least one.
    var samples: [Sample]
    var watched: [Watched] = []

    var first: Sample { samples[0] }
    var text: String { first.text }
    var finished: Bool? { first.finished }
    var relativeChange: Double? { first.relativeChange }
  }

  /// One answer.
  struct Sample: Codable, Sendable, Equatable {
    var seed: UInt64?
    var text: String
    var ids: [Int32]
    /// Of each token, by the stream itself.
    var logProbabilities: [Double]?
    /// Whether the model ended the answer; otherwise the limit cut it.
    var finished: Bool?
    /// The token, counted from 0, from which on the strength was too large for numbers: it ended the answer.
    var notFiniteFrom: Int?
    /// Mean ‖Δh‖ ÷ ‖h‖ over the steered tokens.
    var relativeChange: Double?
    /// The first token that is not the baseline's.
    var firstDifference: Int?
    /// KL(baseline ‖ steered) before each token of the baseline's answer, given that answer.
    var kl: [Double]?
    var klMean: Double?
    /// −1/n Σ log p of its tokens by the unsteered chat model: broken text is unlikely.
    var logPerplexity: Double?
    /// Share of its 4-grams that occurred in it before.
    var repetition: Double?
  }

  /// A phrase at the start of the answer.
  struct Watched: Codable, Sendable, Equatable {
    var text: String
    /// Nil where the strength was too large for numbers.
    var logProbability: Double?
  }
}

// MARK: - As JSON

extension SteeringDocument {
  private enum CodingKeys: CodingKey { case prompt, interventions, versions }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    prompt = try fields.decode(String.self, forKey: .prompt)
    interventions = try fields.decode([Intervention].self, forKey: .interventions)
    versions = try fields.decode([String: String].self, forKey: .versions)
    parameters = try Parameters(from: decoder)
    outputs = try Outputs(from: decoder)
  }

  /// Flat: parameters and answers stand beside the prompt.
  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(prompt, forKey: .prompt)
    try fields.encode(interventions, forKey: .interventions)
    try fields.encode(versions, forKey: .versions)
    try parameters.encode(to: encoder)
    try outputs.encode(to: encoder)
  }
}

extension SteeringDocument.Parameters {
  private enum CodingKeys: String, CodingKey {
    case turns, positions, conditions, layer, decoder, temperature, seed, samples
    case swapsBase = "swap_base"
    case steersAllLayers = "all_layers"
    case takesRawStrength = "raw_strength"
    case projectMean = "project_mean"
    case maxActivations = "max_activations"
    case maxTokens = "max_tokens"
    case topP = "top_p"
    case minP = "min_p"
    case frequencyPenalty = "frequency_penalty"
  }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    func read<T: Decodable>(_ key: CodingKeys, or missing: T) throws -> T {
      try fields.decodeIfPresent(T.self, forKey: key) ?? missing
    }
    settings = GenerationSettings(
      maxTokens: try fields.decode(Int.self, forKey: .maxTokens),
      temperature: try fields.decode(Double.self, forKey: .temperature),
      seed: try fields.decode(UInt64.self, forKey: .seed), topP: try read(.topP, or: 1), minP: try read(.minP, or: 0),
      frequencyPenalty: try read(.frequencyPenalty, or: 0), samples: try read(.samples, or: 1))
    turns = try read(.turns, or: [])
    positions = try read(.positions, or: .all)
    conditions = try read(.conditions, or: [])
    swapsBase = try read(.swapsBase, or: false)
    layer = try fields.decodeIfPresent(Int.self, forKey: .layer)
    self.decoder = try read(.decoder, or: .chat)
    steersAllLayers = try read(.steersAllLayers, or: false)
    takesRawStrength = try read(.takesRawStrength, or: false)
    projectMean = try fields.decodeIfPresent(ResidualMean.Source.self, forKey: .projectMean)
    maxActivations = try read(.maxActivations, or: [:])
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(settings.maxTokens, forKey: .maxTokens)
    try fields.encode(settings.temperature, forKey: .temperature)
    try fields.encode(settings.seed, forKey: .seed)
    try fields.encode(settings.topP, forKey: .topP)
    try fields.encode(settings.minP, forKey: .minP)
    try fields.encode(settings.frequencyPenalty, forKey: .frequencyPenalty)
    try fields.encode(settings.samples, forKey: .samples)
    if !turns.isEmpty { try fields.encode(turns, forKey: .turns) }
    try fields.encode(positions, forKey: .positions)
    try fields.encode(conditions, forKey: .conditions)
    try fields.encode(swapsBase, forKey: .swapsBase)
    try fields.encodeIfPresent(layer, forKey: .layer)
    try fields.encode(decoder, forKey: .decoder)
    try fields.encode(steersAllLayers, forKey: .steersAllLayers)
    try fields.encode(takesRawStrength, forKey: .takesRawStrength)
    try fields.encodeIfPresent(projectMean, forKey: .projectMean)
    try fields.encode(maxActivations, forKey: .maxActivations)
  }
}

extension SteeringDocument.Outputs {
  private enum CodingKeys: String, CodingKey {
    case baseline, steered
    case frozenAttention = "frozen_attention"
    case tokensPerSecond = "tokens_per_second"
  }
}

extension SteeringDocument.Answer {
  private enum CodingKeys: CodingKey { case strength, samples, watched }

  init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: CodingKeys.self)
    strength = try fields.decodeIfPresent(Double.self, forKey: .strength)
    watched = try fields.decodeIfPresent([SteeringDocument.Watched].self, forKey: .watched) ?? []
    let several = try fields.decodeIfPresent([SteeringDocument.Sample].self, forKey: .samples) ?? []
    samples = several.isEmpty ? [try SteeringDocument.Sample(from: decoder)] : several
  }

  func encode(to encoder: any Encoder) throws {
    try first.encode(to: encoder)
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encodeIfPresent(strength, forKey: .strength)
    try fields.encode(watched, forKey: .watched)
    if samples.count > 1 { try fields.encode(samples, forKey: .samples) }
  }
}

extension SteeringDocument.Sample {
  private enum CodingKeys: String, CodingKey {
    case seed, text, ids, finished, kl, repetition
    case logProbabilities = "log_probabilities"
    case notFiniteFrom = "not_finite_from"
    case relativeChange = "relative_change"
    case firstDifference = "first_difference"
    case klMean = "kl_mean"
    case logPerplexity = "log_perplexity"
  }
}

extension SteeringDocument.Sample {
  /// What is to be said after the last token; nil where the model ended the answer.
  func ending(limit: Int) -> String? {
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
  /// The experiment as the store keeps it; the time is now.
  func record() -> ExperimentRecord {
    ExperimentRecord(
      created: Date().formatted(.iso8601), prompt: prompt, kind: outputs.steered.count > 1 ? "sweep" : "steer",
      interventions: storedJSON(interventions), parameters: storedJSON(parameters), outputs: storedJSON(outputs),
      versions: storedJSON(versions))
  }

  /// A saved run.
  /// - Throws: `CommandError.inputInvalid` where the record does not say all that a run needs.
  init(_ record: ExperimentRecord) throws {
    func read<T: Decodable>(_ what: String, _ text: String) throws -> T {
      do {
        return try JSONDecoder().decode(T.self, from: Data(text.utf8))
      } catch let error as DecodingError {
        throw CommandError.inputInvalid(
          source: "experiment \(record.id) (\(record.kind))", expected: "\(what) of a steering run",
          found: error.clause)
      }
    }
    prompt = record.prompt
    interventions = try read("interventions", record.interventions)
    parameters = try read("parameters", record.parameters)
    outputs = try read("outputs", record.outputs)
    versions = try read("versions", record.versions)
  }
}

/// A column of the store: keys in order. A number that JSON cannot hold leaves `{}`, which says that there is nothing.
func storedJSON(_ value: some Encodable) -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
}
