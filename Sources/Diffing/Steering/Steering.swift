// An intervention on the chat model's residual stream as it is requested; PreparedSteering carries it out.
//   add         h += α · a_max,j · d_j / ‖d_j‖           each direction normalised on its own (Steering+Add)
//   difference  h += α · f_j (d_j^chat − d_j^base)       the paper's patch                    (Steering+Code)
//   ablate      h −= α · f_j d_j                         the latent's contribution            (Steering+Code)
//   clamp       h += (v − f_j) d_j,  v = α · a_max,j/n_j the latent held at a value           (Steering+Code)
//   project     h −= α · ⟨h − mean, u_j⟩ u_j,  u_j = d_j/‖d_j‖                                (Steering+Project)
// f_j is the code of base's and chat's true streams at that token: what a plan changes at layer L and above does not
// influence the code. PreparedSteering rejects what cannot be done.
// Source: arXiv 2504.02922, section 4; `ResidualMean` says where the projection's mean comes from.

import Inference

/// The effect of an intervention on a latent.
public enum SteeringMode: String, Sendable, Codable, CaseIterable {
  /// Adds the latent's decoder direction; strength 1 is as strong as the latent was ever seen.
  case add
  /// Adds (strength > 0) or subtracts (−1) what the latent contributes to chat beyond base, where it is on.
  case difference
  /// Subtracts the latent's contribution where it is on; at strength 1 all of it.
  case ablate
  /// Removes the latent's direction from h − mean whether the latent is on or not; at strength 1 all of it.
  case project
  /// Holds the latent at strength × its largest activation; strength 0 is `ablate` at strength 1.
  case clamp

  /// Whether the mode reads the latent's code, and so both models' residual streams.
  var readsCode: Bool { self == .difference || self == .ablate || self == .clamp }
}

/// The tokens of a timeline that are steered.
public enum TokenPositions: String, Sendable, Codable, CaseIterable {
  case all
  /// The prompt's tokens.
  case prompt
  /// The generated tokens and the prompt's last token, which predicts the first generated one.
  case generated
  /// The tokens of the chat template in the prompt.
  case template
  /// Only the prompt's last token.
  case last

  /// Whether a plan steers the token at this position of a timeline that began with `prompt`.
  func include(_ position: Int, prompt: RenderedChat) -> Bool {
    switch self {
    case .all: true
    case .prompt: position < prompt.ids.count
    case .generated: position >= prompt.ids.count - 1
    case .template: position < prompt.templateMask.count && prompt.templateMask[position]
    case .last: position == prompt.ids.count - 1
    }
  }

  /// The first token of the prompt that may be steered; if none may be, the last one, which must be run in any case.
  func first(in prompt: RenderedChat) -> Int {
    prompt.ids.indices.first { include($0, prompt: prompt) } ?? prompt.ids.count - 1
  }
}

/// The part of one latent in a steered stream.
public struct Intervention: Sendable, Codable, Equatable {
  public var latent: Int
  public var mode: SteeringMode
  /// α, in units of the latent's maximum activation (add, clamp), of its own activation (difference, ablate), or of the
  /// direction's component in h (project).
  public var strength: Double
  /// An intervention that is off has no effect, but it is still checked.
  public var isOn: Bool
  /// All of these must hold at a token for this intervention to change it. They do not influence other interventions.
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

  /// Without conditions the JSON is as it was before there were conditions.
  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(latent, forKey: .latent)
    try fields.encode(mode, forKey: .mode)
    try fields.encode(strength, forKey: .strength)
    try fields.encode(isOn, forKey: .isOn)
    if !conditions.isEmpty { try fields.encode(conditions, forKey: .conditions) }
  }

  /// The same intervention with its strength multiplied by a factor.
  public func scaled(by factor: Double) -> Intervention {
    var result = self
    result.strength *= factor
    return result
  }

  /// Whether nothing is changed at any token: it is off, or has strength 0 in a mode in which that has no effect.
  var isIdle: Bool { !isOn || (strength == 0 && mode != .clamp) }
}

/// The unit of a strength in mode add.
public enum StrengthUnit: String, Sendable, Codable, CaseIterable {
  /// The latent's largest activation.
  case maxActivation = "max_activation"
  /// There is no unit: the strength is ‖Δh‖ itself.
  case norm
}

/// The blocks after which a stream is changed.
public enum SteeredBlocks: String, Sendable, Codable, CaseIterable {
  /// The stream is changed after the crosscoder's block L.
  case own
  /// The stream is changed by the same vector after L and after every block above it. Only mode add can do this.
  case ownAndAbove = "own_and_above"
}

/// Steers a token only while a latent's scaled activation is above or below a value.
public struct SteeringCondition: Sendable, Codable, Hashable {
  /// The side on which the activation must be; an activation equal to the value is on neither.
  public enum Side: String, Sendable, Codable, CaseIterable { case above, below }

  public var latent: Int
  public var side: Side
  /// The value in scaled units, 0 or more.
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
  /// Directions that are added or projected out beside the interventions.
  public var directions: [SteeredDirection]
  public var positions: TokenPositions
  /// Whether base's residual stream replaces chat's before the interventions.
  public var swapsBase: Bool
  /// The decoder whose directions are used. Mode difference uses both and needs `.chat` here.
  public var decoder: PairModel
  public var blocks: SteeredBlocks
  public var unit: StrengthUnit
  /// All of these must hold at a token for it to be steered at all, in addition to the conditions of single
  /// interventions. A token whose codes mean nothing meets none.
  public var conditions: [SteeringCondition]
  /// Whether the stream attends with the baseline's weights in all blocks above the crosscoder's, so that steering acts
  /// through values and MLPs alone. In free decoding these weights apply to positions, whatever tokens stand there, and
  /// the stream ends when the baseline does.
  public var freezesAttention: Bool
  /// The amplification of what fine-tuning changed, beside the interventions or without any.
  public var amplification: Amplification?

  public init(
    interventions: [Intervention], directions: [SteeredDirection] = [], positions: TokenPositions = .all,
    swapsBase: Bool = false,
    decoder: PairModel = .chat, blocks: SteeredBlocks = .own, unit: StrengthUnit = .maxActivation,
    conditions: [SteeringCondition] = [], freezesAttention: Bool = false, amplification: Amplification? = nil
  ) {
    self.interventions = interventions
    self.directions = directions
    self.positions = positions
    self.swapsBase = swapsBase
    self.decoder = decoder
    self.blocks = blocks
    self.unit = unit
    self.conditions = conditions
    self.freezesAttention = freezesAttention
    self.amplification = amplification
  }

  /// Whether hooks change nothing at any token.
  var hasIdleHooks: Bool {
    !swapsBase && interventions.allSatisfy(\.isIdle) && directions.allSatisfy(\.isIdle)
  }

  /// Whether tokens are chosen from logits that need base's.
  var amplifiesLogits: Bool { amplification.map { $0.logits != 0 } ?? false }

  /// The plan with the strengths of its interventions and directions and the amplification's distance from chat multiplied.
  public func scaled(by factor: Double) -> SteeringPlan {
    var plan = self
    plan.interventions = interventions.map { $0.scaled(by: factor) }
    plan.directions = directions.map { $0.scaled(by: factor) }
    plan.amplification = amplification?.scaled(by: factor)
    return plan
  }

  /// Whether base's activations of the same prefix are needed; a dictionary of chat alone reads no codes from base.
  public func needsBase(_ crosscoder: Crosscoder) -> Bool {
    let readsCodes =
      !conditions.isEmpty
      || interventions.contains { $0.isOn && ($0.mode.readsCode || !$0.conditions.isEmpty) }
    return swapsBase || (readsCodes && crosscoder.readsBase)
  }
}
