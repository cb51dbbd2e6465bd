// The fields by which a request says how tokens are chosen. Owns: their ranges and what holds where they are absent.

import Diffing
import Serving

/// Limits that the operator sets.
struct AnswerLimits: Sendable {
  /// Answers to one request at most: each has keys and values of the whole prompt.
  static let mostSamples = 16
  /// Answers decoded together at most: a sweep of the explorer with the most samples.
  static let mostStreams = 128
  /// Latents whose activations are told at most.
  static let mostTraced = 64
  /// Tokens of one answer at most; also what holds where a request names no limit.
  var maxTokens = 1024
}

extension AnswerLimits {
  /// The tokens that an answer may have.
  /// - Parameters:
  ///   - isOpenEnded: the request leaves it open.
  ///   - field: the request's, that names the number.
  /// - Throws: `APIError` for a request that names more tokens than the service gives.
  func length(_ wanted: Int, isOpenEnded: Bool, field: String = "max_tokens") throws(APIError) -> Int {
    guard isOpenEnded || wanted <= maxTokens else {
      throw .invalid("\(field): this service gives at most \(maxTokens)", param: field)
    }
    return min(wanted, maxTokens)
  }
}

/// A seed: any integer of 64 bits. One below 0 stands for its bits.
private struct Seed: Decodable {
  let value: UInt64

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard
      let value = (try? container.decode(Int64.self)).map({ UInt64(bitPattern: $0) })
        ?? (try? container.decode(UInt64.self))
    else { throw APIError.invalid("seed: expected an integer of 64 bits", param: "seed") }
    self.value = value
  }
}

/// What a request says of sampling.
struct SamplingFields {
  static let names = ["max_tokens", "temperature", "top_p", "min_p", "frequency_penalty", "seed"]

  let settings: GenerationSettings
  /// Whether the request leaves the number of tokens open.
  let isOpenEnded: Bool
  /// The field that names the number of tokens.
  let lengthField: String

  /// - Parameters:
  ///   - defaults: what holds where a field is absent.
  ///   - lengthField: the name under which the request may give the number of tokens, besides max_tokens.
  /// - Throws: `APIError`.
  init(_ fields: RequestFields, defaults: GenerationSettings, lengthField: String? = nil) throws {
    let length: Int? = try fields.value("max_tokens", in: 1...Int(Int32.max))
    let other: Int? = try lengthField.flatMap { try fields.value($0, in: 1...Int(Int32.max)) }
    if let lengthField, length != nil, other != nil {
      throw fields.invalid(lengthField, "it and max_tokens exclude each other")
    }
    isOpenEnded = length == nil && other == nil
    self.lengthField = other == nil ? "max_tokens" : lengthField ?? "max_tokens"
    let topP: Double? = try fields.value("top_p", in: 0...1)
    guard topP != 0 else { throw fields.invalid("top_p", "expected above 0, at most 1") }
    settings = GenerationSettings(
      maxTokens: length ?? other ?? defaults.maxTokens,
      temperature: try fields.value("temperature", in: 0...100) ?? defaults.temperature,
      seed: try fields.value("seed", Seed.self)?.value ?? defaults.seed,
      topP: topP ?? 1, minP: try fields.value("min_p", in: 0...1) ?? 0,
      frequencyPenalty: try fields.value("frequency_penalty", in: -100...100) ?? 0)
  }
}
