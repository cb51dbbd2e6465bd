// Explains the numbers of a latent in words.

/// Explains a metric's value in a few words.
enum Meaning {
  static func deltaNorm(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    switch value {
    case ..<0.1: return "base only"
    case ..<0.4: return "stronger in base"
    case ...0.6: return "shared by both models"
    case ..<0.9: return "stronger in chat"
    default: return "chat only"
    }
  }

  static func nuError(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    switch value {
    case ..<0.2: return "absent from base (< 0.2)"
    case ..<0.5: return "weak in base"
    default: return "base has it too"
    }
  }

  /// Of a latent of chat − base, whose direction points away from what base has more of.
  static func nuActivation(_ value: Double) -> String {
    value < -0.2 ? "chat has less than base" : nuError(value)
  }

  static func nuReconstruction(_ value: Double?) -> String {
    guard let value else { return "not computed" }
    return value < 0.5 ? "little in base (< 0.5)" : "other latents carry it"
  }

  /// Of the base probe, which looks for base's direction in chat.
  static func nuErrorOfBase(_ value: Double) -> String {
    switch value {
    case ..<0.2: "base's: gone from chat"
    case ..<0.5: "base's: weak in chat"
    default: "base's: chat has it too"
    }
  }

  static func nuReconstructionOfBase(_ value: Double) -> String {
    value < 0.5 ? "base's: little in chat" : "base's: others carry it"
  }

  static func band(_ quantile: Int) -> String {
    switch quantile {
    case 0: "up to 25 % of the maximum"
    case 1: "25–50 % of the maximum"
    case 2: "50–75 % of the maximum"
    case 3: "75–95 % of the maximum"
    case 4: "above 95 % of the maximum"
    default: "beyond the recorded maximum"
    }
  }
}
