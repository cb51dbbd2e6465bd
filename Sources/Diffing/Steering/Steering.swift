// What an intervention on the chat model's residual stream is asked to be; PreparedSteering makes it so.
//   add         h += α · a_max,j · d_j / ‖d_j‖           each direction normalised on its own (Steering+Add)
//   difference  h += α · f_j (d_j^chat − d_j^base)       the paper's patch                    (Steering+Code)
//   ablate      h −= α · f_j d_j                         the latent's contribution            (Steering+Code)
//   clamp       h += (v − f_j) d_j,  v = α · a_max,j/n_j the latent held at a value           (Steering+Code)
//   project     h −= α · ⟨h − mean, u_j⟩ u_j,  u_j = d_j/‖d_j‖                                (Steering+Project)
// f_j is the code of base's and chat's true streams at that token: what a plan changes at layer L, and above, changes
// nothing that the code is read from. Refuses: nothing here; PreparedSteering refuses what cannot be done.
// Source: arXiv 2504.02922, section 4; where the projection's mean is from: `ResidualMean`.

import Inference

/// What an intervention does with a latent.
public enum SteeringMode: String, Sendable, Codable, CaseIterable {
  /// Adds the latent's decoder direction; strength 1 is as strong as the latent was ever seen.
  case add
  /// Adds (strength > 0) or takes away (−1) what the latent contributes to chat beyond base, where it is on.
  case difference
  /// Takes away the latent's contribution, all of it at strength 1, where it is on.
  case ablate
  /// Takes the latent's direction out of h − mean, all of it at strength 1, whether the latent is on or not.
  case project
  /// Holds the latent at strength × its largest activation; strength 0 is `ablate` at strength 1.
  case clamp

  /// Whether it reads the latent's code, and so both models' residual streams.
  public var readsCode: Bool { self == .difference || self == .ablate || self == .clamp }
}

/// Which tokens of a timeline are steered.
public enum TokenPositions: String, Sendable, Codable, CaseIterable {
  case all
  /// The prompt's tokens.
  case prompt
  /// Generated tokens, and the prompt's last one, from which the first generated token is predicted.
  case generated
  /// Tokens of the chat template in the prompt.
  case template
  /// The prompt's last token alone.
  case last

  /// Whether the token at a position of a timeline that began with `prompt` is steered.
  func include(_ position: Int, prompt: RenderedChat) -> Bool {
    switch self {
    case .all: true
    case .prompt: position < prompt.ids.count
    case .generated: position >= prompt.ids.count - 1
    case .template: position < prompt.templateMask.count && prompt.templateMask[position]
    case .last: position == prompt.ids.count - 1
    }
  }

  /// The first token of the prompt that may be steered; its last one, which must be run in any case, if none is.
  func first(in prompt: RenderedChat) -> Int {
    prompt.ids.indices.first { include($0, prompt: prompt) } ?? prompt.ids.count - 1
  }
}

/// One latent's part in a steered stream.
public struct Intervention: Sendable, Codable, Equatable {
  public var latent: Int
  public var mode: SteeringMode
  /// α: in units of the latent's maximum activation (add, clamp), of its own activation (difference, ablate), of what
  /// there is of the direction (project).
  public var strength: Double
  /// What is off is left out, but still checked.
  public var isOn: Bool
  /// All must hold at a token for this intervention to change it; others of the plan do not look at them.
  public var conditions: [SteeringCondition]

  private enum CodingKeys: String, CodingKey {
    case latent, mode, strength, conditions
    case isOn = "on"
  }

  public init(
    latent: Int, mode: SteeringMode, strength: Double, isOn: Bool = true, conditions: [SteeringCondition] = []
  ) {
    self.latent = latent
    self.mode = mode
    self.strength = strength
    self.isOn = isOn
    self.conditions = conditions
  }

  /// Reads what a request or a saved run says. The mode is add, the strength 1 and the intervention on where it does not
  /// say otherwise.
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["latent", "mode", "strength", "on", "conditions"])
    self.init(
      latent: try fields.required("latent"), mode: try fields.choice("mode") ?? .add,
      strength: try fields.value("strength") ?? 1, isOn: try fields.value("on") ?? true,
      conditions: try fields.value("conditions") ?? [])
  }

  /// Without conditions it is written as before there were any.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(latent, forKey: .latent)
    try fields.encode(mode, forKey: .mode)
    try fields.encode(strength, forKey: .strength)
    try fields.encode(isOn, forKey: .isOn)
    if !conditions.isEmpty { try fields.encode(conditions, forKey: .conditions) }
  }

  /// The same at another strength.
  public func scaled(by factor: Double) -> Intervention {
    var result = self
    result.strength *= factor
    return result
  }

  /// Whether nothing is changed whatever the token: it is off, or has strength 0 in a mode where that means nothing.
  var isIdle: Bool { !isOn || (strength == 0 && mode != .clamp) }
}

/// What a strength of mode add is multiplied by.
public enum StrengthUnit: String, Sendable, Codable, CaseIterable {
  /// The latent's largest activation.
  case maxActivation = "max_activation"
  /// Nothing: the strength is ‖Δh‖ itself.
  case norm
}

/// Where a stream is changed.
public enum SteeredBlocks: String, Sendable, Codable, CaseIterable {
  /// After the crosscoder's block L.
  case own
  /// After L and after every block above it, by the same vector; mode add alone.
  case ownAndAbove = "own_and_above"
}

/// Steers a token only while a latent's scaled activation is above or below a value.
public struct SteeringCondition: Sendable, Codable, Hashable {
  /// Which side of the value counts; the value itself does not.
  public enum Side: String, Sendable, Codable, CaseIterable { case above, below }

  public var latent: Int
  public var side: Side
  /// In scaled units, 0 or more.
  public var value: Double

  public init(latent: Int, side: Side, value: Double) {
    (self.latent, self.side, self.value) = (latent, side, value)
  }

  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["latent", "side", "value"])
    self.init(
      latent: try fields.required("latent"), side: try fields.choice("side") ?? .above,
      value: try fields.required("value"))
  }

  /// Whether a scaled activation is on the side that counts.
  func isMet(by activation: Double) -> Bool { side == .above ? activation > value : activation < value }
}

/// Everything that happens to one steered stream.
public struct SteeringPlan: Sendable, Equatable {
  /// Interventions that screens and services take at most.
  public static let mostInterventions = 512

  public var interventions: [Intervention]
  public var positions: TokenPositions
  /// Replaces the residual stream by base's before the interventions.
  public var swapsBase: Bool
  /// The decoder whose directions are used; difference uses both and wants `.chat` here.
  public var decoder: PairModel
  public var blocks: SteeredBlocks
  public var unit: StrengthUnit
  /// All must hold at a token for it to be steered at all, beside the conditions of single interventions. A token whose
  /// codes mean nothing meets none.
  public var conditions: [SteeringCondition]
  /// Whether the stream attends by the baseline's weights in all blocks above the crosscoder's, so that steering acts
  /// through values and MLPs alone. In free decoding weights are over positions, whatever tokens stand there, and the
  /// stream ends when the baseline does.
  public var freezesAttention: Bool

  public init(
    interventions: [Intervention], positions: TokenPositions = .all, swapsBase: Bool = false,
    decoder: PairModel = .chat, blocks: SteeredBlocks = .own, unit: StrengthUnit = .maxActivation,
    conditions: [SteeringCondition] = [], freezesAttention: Bool = false
  ) {
    self.interventions = interventions
    self.positions = positions
    self.swapsBase = swapsBase
    self.decoder = decoder
    self.blocks = blocks
    self.unit = unit
    self.conditions = conditions
    self.freezesAttention = freezesAttention
  }

  /// Whether nothing is changed whatever the token.
  var isIdle: Bool { !swapsBase && interventions.allSatisfy(\.isIdle) }

  /// Whether base's activations of the same prefix are needed; a dictionary of chat alone reads no codes from base.
  public func needsBase(_ crosscoder: Crosscoder) -> Bool {
    let readsCodes =
      !conditions.isEmpty
      || interventions.contains { $0.isOn && ($0.mode.readsCode || !$0.conditions.isEmpty) }
    return swapsBase || (readsCodes && crosscoder.soleModel != .chat)
  }
}
