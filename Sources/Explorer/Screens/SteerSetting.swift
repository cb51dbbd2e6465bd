// The settings of a steering run besides its latents: their names, values, steps and ranges, and the reasons for which a value
// is refused. A value that would have no effect is refused.

import Diffing
import Experiments
import Foundation
import Inference
import Reports

/// One setting of a run.
enum SteerSetting: Int, CaseIterable, Sendable {
  case positions, decoder, blocks, unit, temperature, topP, minP, frequencyPenalty, samples, seed, maxTokens, watched
  case frozenAttention, repetitionPenalty, penaltyWindow

  var title: String {
    switch self {
    case .positions: "positions"
    case .decoder: "decoder"
    case .blocks: "layers"
    case .unit: "strength unit"
    case .frozenAttention: "frozen attention"
    case .temperature: "temperature"
    case .topP: "top-p"
    case .minP: "min-p"
    case .frequencyPenalty: "frequency penalty"
    case .repetitionPenalty: "repetition penalty"
    case .penaltyWindow: "repetition window"
    case .samples: "samples"
    case .seed: "seed"
    case .maxTokens: "tokens"
    case .watched: "watched phrases"
    }
  }

  var help: String {
    switch self {
    case .positions: "tokens that are steered: all, prompt, generated, template, last"
    case .decoder: "whose directions are used: chat's or base's; difference uses both"
    case .blocks: "own: after the crosscoder's block; own_and_above: after those above too (add)"
    case .unit: "what a strength multiplies: max_activation, or norm: ‖Δh‖ itself (add)"
    case .frozenAttention: "on: a third answer, by the baseline's attention weights above the layer"
    case .temperature: "0 takes the likeliest token each time"
    case .topP: "draw from the likeliest tokens whose probabilities reach this sum"
    case .minP: "never draw tokens less probable than this times the likeliest"
    case .frequencyPenalty: "taken off a token's logit each time the answer has it already"
    case .repetitionPenalty: "divides positive logits of the answer's latest tokens, multiplies others"
    case .penaltyWindow: "how many of the answer's last tokens the repetition penalty looks at"
    case .samples: "answers of each side, with seeds one after another"
    case .seed: "of the first sample; both sides share it"
    case .maxTokens: "of an answer at most"
    case .watched: "log-probability at the start of the answer; | between phrases"
    }
  }

  /// Whether the setting is a choice of named values instead of a number or a text.
  var isChoice: Bool { rawValue <= Self.unit.rawValue || self == .frozenAttention }

  func value(_ steer: SteerState) -> String {
    switch self {
    case .positions: steer.plan.positions.rawValue
    case .decoder: steer.plan.decoder.rawValue
    case .blocks: steer.plan.blocks.rawValue
    case .unit: steer.plan.unit.rawValue
    case .frozenAttention: steer.freezesAttention ? "on" : "off"
    case .temperature: compact(steer.sampling.temperature)
    case .topP: compact(steer.sampling.topP)
    case .minP: compact(steer.sampling.minP)
    case .frequencyPenalty: compact(steer.sampling.frequencyPenalty)
    case .repetitionPenalty: compact(steer.sampling.repetitionPenalty)
    case .penaltyWindow: String(steer.sampling.penaltyWindow)
    case .samples: String(steer.sampling.samples)
    case .seed: String(steer.sampling.seed)
    case .maxTokens: String(steer.sampling.maxTokens)
    case .watched: steer.watched.joined(separator: "|")
    }
  }

  /// Goes to the next value up (1) or down (−1).
  /// - Returns: the reason if that is not possible; nil when it is done.
  func step(_ direction: Int, _ steer: inout SteerState) -> String? {
    func neighbour<T: CaseIterable & Equatable>(_ value: T) -> T {
      let all = Array(T.allCases)
      let index = (all.firstIndex(of: value) ?? 0) + direction
      return all[(index + all.count) % all.count]
    }
    func moved(_ value: Double, by notch: Double) -> String {
      compact(((value + Double(direction) * notch) / notch).rounded() * notch)
    }
    switch self {
    case .positions: steer.plan.positions = neighbour(steer.plan.positions)
    case .decoder: steer.plan.decoder = neighbour(steer.plan.decoder)
    case .blocks: steer.plan.blocks = neighbour(steer.plan.blocks)
    case .unit: steer.plan.unit = neighbour(steer.plan.unit)
    case .frozenAttention: steer.freezesAttention.toggle()
    case .temperature: return set(moved(steer.sampling.temperature, by: 0.1), &steer)
    case .topP: return set(moved(steer.sampling.topP, by: 0.05), &steer)
    case .minP: return set(moved(steer.sampling.minP, by: 0.05), &steer)
    case .frequencyPenalty: return set(moved(steer.sampling.frequencyPenalty, by: 0.1), &steer)
    case .repetitionPenalty: return set(moved(steer.sampling.repetitionPenalty, by: 0.1), &steer)
    case .penaltyWindow: return set(String(steer.sampling.penaltyWindow &+ direction * 16), &steer)
    case .samples: return set(String(steer.sampling.samples &+ direction), &steer)
    case .seed:
      if direction < 0, steer.sampling.seed == 0 { return "0 is the first seed" }
      steer.sampling.seed = direction < 0 ? steer.sampling.seed - 1 : steer.sampling.seed &+ 1
    case .maxTokens: return set(String(steer.sampling.maxTokens &+ direction * 16), &steer)
    case .watched: return "type the phrases: Enter edits them"
    }
    return nil
  }

  /// Sets a typed value.
  /// - Returns: the reason if it is refused; nil when it is set.
  func set(_ text: String, _ steer: inout SteerState) -> String? {
    var changed = steer
    let number = Double(text.trimmed).flatMap { $0.isFinite ? $0 : nil }
    let whole = Int(text.trimmed)
    switch self {
    case .positions, .decoder, .blocks, .unit, .frozenAttention: return "+ and - choose"
    case .watched:
      changed.watched = text.split(separator: "|").map(String.init).filter { !$0.trimmed.isEmpty }
    case .samples:
      guard let whole, (1...Self.mostSamples).contains(whole) else {
        return "type a number from 1 to \(Self.mostSamples)"
      }
      changed.sampling.samples = whole
    case .seed:
      guard let seed = UInt64(text.trimmed) else { return "type a whole number of 0 or more" }
      changed.sampling.seed = seed
    case .maxTokens:
      guard let whole, whole > 0 else { return "type a number of 1 or more" }
      changed.sampling.maxTokens = whole
    case .penaltyWindow:
      guard let whole, whole > 0 else { return "type a number of 1 or more" }
      changed.sampling.penaltyWindow = whole
    case .temperature, .topP, .minP, .frequencyPenalty, .repetitionPenalty:
      guard let number else { return "type a number" }
      switch self {
      case .temperature: changed.sampling.temperature = number
      case .topP: changed.sampling.topP = number
      case .minP: changed.sampling.minP = number
      case .frequencyPenalty: changed.sampling.frequencyPenalty = number
      default: changed.sampling.repetitionPenalty = number
      }
    }
    if steer.sampling.temperature == 0, self == .samples || self == .topP || self == .minP, changed != steer {
      return "\(title) changes nothing at temperature 0: set that first"
    }
    if steer.sampling.repetitionPenalty == 1, self == .penaltyWindow, changed != steer {
      return "\(title) changes nothing at repetition penalty 1: set that first"
    }
    do { _ = try changed.sampling.sampler(0) } catch { return error.description }
    steer = changed
    steer.settle()
    return nil
  }

  /// The largest number of samples, since their streams are decoded together.
  static let mostSamples = AnswerLimits.mostSamples
}

extension SteerState {
  /// Resets settings that have no effect at temperature 0 or at repetition penalty 1, so that none is ever ignored.
  mutating func settle() {
    if sampling.repetitionPenalty == 1 { sampling.penaltyWindow = Sampler.usualPenaltyWindow }
    if sampling.temperature == 0 { (sampling.topP, sampling.minP, sampling.samples) = (1, 0, 1) }
  }

  /// Sets prompt, latents and settings from a request.
  mutating func set(to request: SteeringRequest) {
    prompt.commit()
    prompt.text = request.prompt
    turns = request.turns
    watched = request.watched
    rows = request.plan.interventions.map { Row($0) }
    (plan, sampling) = (request.plan, request.sampling)
    amplified = (request.plan.amplification?.terms ?? []).map { AmplifiedRow(term: $0) }
    directions = request.plan.directions.map {
      DirectionRow(name: $0.name, mode: $0.mode, strength: $0.strength, isOn: $0.isOn)
    }
    (plan.interventions, plan.directions, plan.amplification) = ([], [], nil)
    select(0)
    freezesAttention = request.freezesAttention
  }
}
