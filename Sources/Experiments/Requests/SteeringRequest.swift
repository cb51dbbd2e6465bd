// A steering run as it is asked for: by a command, by the explorer, by a request to a service, by a saved run that is made
// again. It travels as it is from there to the engine and into the run's document.

import Diffing
import Inference

/// A prompt to be answered without and with a plan, under the same seed.
package struct SteeringRequest: Sendable, Equatable {
  package var prompt: String
  /// What was said before the prompt.
  package var turns: [ChatMessage]
  /// What is changed. Values of conditions are in the store's units.
  package var plan: SteeringPlan
  /// How tokens are chosen.
  package var sampling: GenerationSettings
  /// One steered answer for each; they multiply the strengths of the interventions.
  package var strengths: [Double] = [1]
  /// Phrases whose log-probability at the start of the answer is measured.
  package var watched: [String] = []
  /// Whether every steered answer is given a second time, with the baseline's attention weights above the layer.
  package var freezesAttention = false
  /// Latents whose activations are told along with the tokens.
  package var traced: [Int32] = []
  /// Largest activations that strengths are multiples of, by latent, in the residual stream's units, where they are not to be
  /// taken from the store: a run made again keeps its units when the store was scored anew.
  package var maxActivations: [Int: Double] = [:]
  /// Whether who asked left the number of tokens open, so that a service may cut it.
  package var isOpenEnded = false

  /// Phrases that a refusal begins with.
  package static let usuallyWatched = ["I can't", "I cannot"]

  package init(
    prompt: String, turns: [ChatMessage] = [], plan: SteeringPlan = SteeringPlan(interventions: []),
    sampling: GenerationSettings = GenerationSettings(), strengths: [Double] = [1], watched: [String] = [],
    freezesAttention: Bool = false
  ) {
    (self.prompt, self.turns, self.plan, self.sampling) = (prompt, turns, plan, sampling)
    (self.strengths, self.watched, self.freezesAttention) = (strengths, watched, freezesAttention)
  }

  /// What the next token's distribution depends on: the same whatever the way of sampling.
  package var withoutSampling: SteeringRequest {
    SteeringRequest(prompt: prompt, turns: turns, plan: plan, sampling: GenerationSettings(maxTokens: 0))
  }

  /// As a document has it: without what only says how it is to be run.
  package var recorded: SteeringRequest {
    SteeringRequest(
      prompt: prompt, turns: turns, plan: plan, sampling: sampling, strengths: strengths, watched: watched,
      freezesAttention: freezesAttention)
  }

  /// Arms beside the baseline.
  package var steeredArms: Int { strengths.count * (freezesAttention ? 2 : 1) }

  /// Answers that are decoded together.
  package var streams: Int { sampling.samples * (1 + steeredArms) }
}

// MARK: - Fields

extension SteeringRequest {
  /// The fields of a prompt and what is done to it.
  package static let promptFields = ["prompt", "turns"] + SteeringPlan.fieldNames
  /// The fields of a request whose answers are sampled.
  package static let sampledFields =
    promptFields + GenerationSettings.fieldNames + ["watch", "frozen_attention", "max_activations"]

  /// Limits of a request that comes from elsewhere: phrases, and the bytes of one; strengths.
  private static let (mostWatched, longestWatched, mostStrengths) = (32, 1000, 32)

  /// The prompt, the turns and the plan of a request.
  /// - Parameter prompt: what takes the field's place, where a request has none.
  /// - Throws: `JSONFieldError`.
  package init(_ fields: JSONFields, prompt: String? = nil) throws {
    var plan = try SteeringPlan(fields)
    try plan.checkRequest(fields)
    plan.interventions.removeAll { !$0.isOn }
    let turns: [MessageFields] = try fields.value("turns") ?? []
    self.init(
      prompt: try prompt ?? fields.required("prompt"), turns: turns.map(\.message), plan: plan,
      sampling: GenerationSettings(maxTokens: 0))
  }

  /// A request whose answers are sampled.
  /// - Throws: `JSONFieldError`.
  package init(sampled fields: JSONFields, prompt: String? = nil) throws {
    try self.init(fields, prompt: prompt)
    isOpenEnded = try fields.isAbsent("max_tokens")
    sampling = try GenerationSettings(fields, usual: GenerationSettings())
    guard sampling.samples <= AnswerLimits.mostSamples else {
      throw fields.invalid("samples", "expected 1 to \(AnswerLimits.mostSamples), found \(sampling.samples)")
    }
    freezesAttention = try fields.value("frozen_attention") ?? false
    watched = try fields.value("watch") ?? []
    maxActivations = try fields.value("max_activations") ?? [:]
    guard watched.count <= Self.mostWatched,
      watched.allSatisfy({ (1...Self.longestWatched).contains($0.utf8.count) })
    else {
      throw fields.invalid(
        "watch", "expected at most \(Self.mostWatched) phrases of 1 to \(Self.longestWatched) bytes")
    }
  }

  /// Takes the strengths that a request names.
  package mutating func readStrengths(_ fields: JSONFields, usual: [Double]) throws {
    strengths = try fields.value("strengths") ?? usual
    guard (1...Self.mostStrengths).contains(strengths.count), strengths.allSatisfy(\.isFinite) else {
      throw fields.invalid("strengths", "expected 1 to \(Self.mostStrengths) numbers")
    }
  }

  /// Writes the prompt, the turns and the plan. Settings that would change nothing are left out, since they are refused.
  package func writePrompt(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try fields.write(prompt, "prompt")
    try fields.write(turns, "turns")
    try writePlan(to: &fields)
  }

  /// Writes the plan alone.
  package func writePlan(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try fields.write(plan.interventions, "interventions")
    if plan.isSteered {
      try plan.writeSettings(to: &fields)
    } else {
      try fields.write(plan.swapsBase, "swap_base")
    }
  }

  /// Writes what else a request with sampled answers has.
  package func writeSampling(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try sampling.write(to: &fields)
    try fields.write(watched, "watch")
    try fields.write(freezesAttention, "frozen_attention")
    if !maxActivations.isEmpty { try fields.write(maxActivations, "max_activations") }
  }
}

extension SteeringRequest {
  /// Cuts the answers' length to what a service gives.
  /// - Throws: `JSONFieldError` for a request that names more tokens than that.
  package mutating func limit(to limits: AnswerLimits) throws(JSONFieldError) {
    sampling.maxTokens = try limits.length(sampling.maxTokens, isOpenEnded: isOpenEnded)
  }
}
