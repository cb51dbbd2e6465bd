// Amplification of what fine-tuning changed, as a request says it:
//   logits    z = z^chat + α (z^chat − z^base)
//   weights   W = W₀ + λ (W_chat − W₀), λ by block and module (`WeightFactor`)
// z^chat are the logits of the amplified and perhaps steered timeline; z^base are base's on the same tokens.

/// The amplification of one timeline of chat.
public struct Amplification: Sendable, Hashable {
  /// α: 0 is chat, −1 is base, above 0 is beyond chat.
  public var logits: Double
  /// λ of the weights; those that no factor names are chat's.
  public var weights: [WeightFactor]

  public init(logits: Double = 0, weights: [WeightFactor] = []) {
    (self.logits, self.weights) = (logits, weights)
  }

  /// The largest size of α and λ: beyond it fp32 holds no difference between chat and base.
  public static let largest = 1000.0

  /// Whether chat stays as it is.
  public var isIdle: Bool { logits == 0 && weights.allSatisfy { $0.factor == 1 } }

  /// The amplification with its distance from chat, α and each λ − 1, multiplied: 0 gives chat.
  public func scaled(by strength: Double) -> Amplification {
    Amplification(logits: strength * logits, weights: weights.map { $0.scaled(by: strength) })
  }

  /// Checks α; `AmplifiedWeights.between` checks the rest.
  /// - Throws: `InferenceError.settingInvalid` if α is not a number within ± `largest`.
  public func check() throws(InferenceError) {
    guard abs(logits) <= Self.largest else {
      throw .settingInvalid(
        name: Setting("amplification of logits", .amplification), expected: "between -1000 and 1000",
        found: "\(logits)")
    }
  }

  /// z ← z + α (z − z^base) over the logits of some rows.
  public static func amplify(_ logits: inout [Float], beyond base: [Float], by alpha: Double) {
    precondition(logits.count == base.count, "the same rows of both models")
    let alpha = Float(alpha)
    logits.withUnsafeMutableBufferPointer { logits in
      base.withUnsafeBufferPointer { base in for i in logits.indices { logits[i] += alpha * (logits[i] - base[i]) } }
    }
  }
}

extension Amplification: Codable {
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["logits", "weights"])
    self.init(logits: try fields.value("logits") ?? 0, weights: try fields.value("weights") ?? [])
    guard try !fields.isAbsent("logits") || !weights.isEmpty else {
      throw fields.invalid("weights", "logits or weights is needed")
    }
    guard weights.count <= Self.mostFactors else {
      throw fields.invalid("weights", "expected at most \(Self.mostFactors), found \(weights.count)")
    }
  }

  /// Weight factors that a request may name at most.
  private static let mostFactors = 1024

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    if logits != 0 || weights.isEmpty { try fields.write(logits, "logits") }
    if !weights.isEmpty { try fields.write(weights, "weights") }
  }
}
