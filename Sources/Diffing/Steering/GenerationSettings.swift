// How the tokens of an answer are chosen: the settings, their ranges, and the fields that requests, documents and saved
// runs write them in. A new setting is a property here, with its range and its field, and a case in the sampler.

import Inference

/// What decides how tokens are chosen. One seed serves all arms, so that differences come from steering alone.
public struct GenerationSettings: Sendable, Equatable {
  /// The tokens of an answer at most.
  public var maxTokens: Int
  /// 0 is greedy.
  public var temperature: Double
  /// The seed of the first sample; each further sample has the next one.
  public var seed: UInt64
  /// See `Sampler`.
  public var topP: Double
  public var minP: Double
  public var frequencyPenalty: Double
  public var repetitionPenalty: Double
  /// How many of the answer's last tokens the repetition penalty looks at; it means nothing where that is 1.
  public var penaltyWindow: Int
  /// The answers of each arm.
  public var samples: Int

  public init(
    maxTokens: Int = 128, temperature: Double = 0, seed: UInt64 = 0, topP: Double = 1, minP: Double = 0,
    frequencyPenalty: Double = 0, repetitionPenalty: Double = 1, penaltyWindow: Int = Sampler.usualPenaltyWindow,
    samples: Int = 1
  ) {
    self.maxTokens = maxTokens
    self.temperature = temperature
    self.seed = seed
    self.topP = topP
    self.minP = minP
    self.frequencyPenalty = frequencyPenalty
    self.repetitionPenalty = repetitionPenalty
    self.penaltyWindow = penaltyWindow
    self.samples = samples
  }

  /// The sampler of one sample, the same for every arm.
  /// - Throws: `InferenceError.settingInvalid`.
  public func sampler(_ sample: Int) throws(InferenceError) -> Sampler {
    try Sampler(
      temperature: temperature, topP: topP, minP: minP, frequencyPenalty: frequencyPenalty,
      repetitionPenalty: repetitionPenalty, penaltyWindow: penaltyWindow, seed: seed &+ UInt64(sample))
  }
}

// MARK: - Ranges

extension GenerationSettings {
  /// A setting that is outside its range.
  public struct OutOfRange: Error {
    /// The setting's field, such as `top_p`.
    public let field: String
    /// What was expected and what was found, as `expected 0 to 1, found 2`.
    public let clause: String
  }

  /// Checks all settings.
  /// - Throws: the first one that is outside its range.
  public func checkRanges() throws(OutOfRange) {
    let checks: [(field: String, range: String, holds: Bool, found: Any)] = [
      ("max_tokens", "a positive number", maxTokens > 0, maxTokens),
      ("temperature", "0 or more", temperature.isFinite && temperature >= 0, temperature),
      ("top_p", "above 0, at most 1", topP > 0 && topP <= 1, topP),
      ("min_p", "0 to 1", minP >= 0 && minP <= 1, minP),
      ("frequency_penalty", "-100 to 100", abs(frequencyPenalty) <= 100, frequencyPenalty),
      (
        "repetition_penalty", "above 0, at most 100", repetitionPenalty > 0 && repetitionPenalty <= 100,
        repetitionPenalty
      ),
      ("repetition_window", "1 or more", penaltyWindow > 0, penaltyWindow),
      ("samples", "1 or more", samples > 0, samples),
    ]
    if let wrong = checks.first(where: { !$0.holds }) {
      throw OutOfRange(field: wrong.field, clause: "expected \(wrong.range), found \(wrong.found)")
    }
  }
}

// MARK: - Fields

extension GenerationSettings {
  /// The fields of a JSON object that hold the settings.
  public static let fieldNames = [
    "max_tokens", "temperature", "seed", "top_p", "min_p", "frequency_penalty", "repetition_penalty",
    "repetition_window", "samples",
  ]

  /// Settings as an object's fields say them.
  /// - Parameter usual: what holds where a field is absent. Nil is for saved runs, which say tokens, temperature and seed
  ///   themselves: without them a run could not be made again.
  /// - Throws: `JSONFieldError` for a field that is missing, or, in a request, outside its range.
  public init(_ fields: JSONFields, usual: GenerationSettings?) throws {
    func value<T: Decodable>(_ name: String, or usual: T?) throws -> T {
      try fields.value(name) ?? usual ?? fields.required(name)
    }
    let others = usual ?? GenerationSettings()
    self.init(
      maxTokens: try value("max_tokens", or: usual?.maxTokens),
      temperature: try value("temperature", or: usual?.temperature),
      seed: try fields.value("seed", Seed.self)?.value ?? value("seed", or: usual?.seed),
      topP: try value("top_p", or: others.topP), minP: try value("min_p", or: others.minP),
      frequencyPenalty: try value("frequency_penalty", or: others.frequencyPenalty),
      repetitionPenalty: try value("repetition_penalty", or: others.repetitionPenalty),
      penaltyWindow: try value("repetition_window", or: others.penaltyWindow),
      samples: try value("samples", or: others.samples))
    guard usual != nil else { return }
    do { try checkRanges() } catch { throw fields.invalid(error.field, error.clause) }
  }

  /// Writes all settings; the repetition penalty and its window only where they change something.
  /// - Parameter hasSamples: whether the number of samples is among them.
  public func write(to fields: inout KeyedEncodingContainer<FieldName>, hasSamples: Bool = true) throws {
    try write(to: &fields, hasSamples: hasSamples) { $0 }
  }

  /// - Parameter name: the name under which a field is written.
  private func write(
    to fields: inout KeyedEncodingContainer<FieldName>, hasSamples: Bool, name: (String) -> String
  ) throws {
    try fields.write(maxTokens, name("max_tokens"))
    try fields.write(temperature, name("temperature"))
    try fields.write(seed, name("seed"))
    try fields.write(topP, name("top_p"))
    try fields.write(minP, name("min_p"))
    try fields.write(frequencyPenalty, name("frequency_penalty"))
    if repetitionPenalty != 1 {
      try fields.write(repetitionPenalty, name("repetition_penalty"))
      try fields.write(penaltyWindow, name("repetition_window"))
    }
    if hasSamples { try fields.write(samples, name("samples")) }
  }

  /// A seed: any integer of 64 bits. One below 0 stands for its bits.
  private struct Seed: Decodable {
    let value: UInt64

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      guard
        let value = (try? container.decode(Int64.self)).map({ UInt64(bitPattern: $0) })
          ?? (try? container.decode(UInt64.self))
      else { throw JSONFieldError.invalid("seed", "expected an integer of 64 bits") }
      self.value = value
    }
  }
}

extension GenerationSettings: Encodable {
  /// Encodes what `write(to:)` writes, under the names that the properties have here.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try write(to: &fields, hasSamples: true) { Self.propertyNames[$0] ?? $0 }
  }

  private static let propertyNames = [
    "max_tokens": "maxTokens", "top_p": "topP", "min_p": "minP", "frequency_penalty": "frequencyPenalty",
    "repetition_penalty": "repetitionPenalty", "repetition_window": "penaltyWindow",
  ]
}
