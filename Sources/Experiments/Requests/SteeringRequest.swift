// A steering run as it is asked for by a command, the explorer, a client of a service, or a saved run that is repeated. The
// request travels unchanged from there to the engine and into the run's document.

import Diffing
import Inference

/// A prompt that is answered without and with a plan, under the same seed.
package struct SteeringRequest: Sendable, Equatable {
  package var prompt: String
  /// The turns before the prompt.
  package var turns: [ChatMessage]
  /// The changes. Values of conditions are in the store's units.
  package var plan: SteeringPlan
  /// How tokens are chosen.
  package var sampling: GenerationSettings
  /// One steered answer is made for each strength, which multiplies the strengths of the interventions.
  package var strengths: [Double] = [1]
  /// Phrases whose log-probability at the start of the answer is measured.
  package var watched: [String] = []
  /// Whether every steered answer is made a second time, with the baseline's attention weights above the layer.
  package var freezesAttention = false
  /// Latents whose activations are reported along with the tokens.
  package var traced: [Int] = []
  /// The largest activations by latent, in the residual stream's units, if they are not to be read from the store:
  /// strengths are multiples of them, and a repeated run keeps its units when the store was scored anew.
  package var maxActivations: [Int: Double] = [:]
  /// Whether the request left the number of tokens open, so that a service may lower it.
  package var isOpenEnded = false

  /// Phrases with which a refusal begins.
  package static let usuallyWatched = ["I can't", "I cannot"]

  package init(
    prompt: String, turns: [ChatMessage] = [], plan: SteeringPlan = SteeringPlan(interventions: []),
    sampling: GenerationSettings = GenerationSettings(), strengths: [Double] = [1], watched: [String] = [],
    freezesAttention: Bool = false
  ) {
    (self.prompt, self.turns, self.plan, self.sampling) = (prompt, turns, plan, sampling)
    (self.strengths, self.watched, self.freezesAttention) = (strengths, watched, freezesAttention)
  }

  /// The request without what does not change the next token's distribution.
  package var withoutSampling: SteeringRequest {
    SteeringRequest(prompt: prompt, turns: turns, plan: plan, sampling: GenerationSettings(maxTokens: 0))
  }

  /// The request as a document keeps it, without fields that only say how to run it.
  package var recorded: SteeringRequest {
    SteeringRequest(
      prompt: prompt, turns: turns, plan: plan, sampling: sampling, strengths: strengths, watched: watched,
      freezesAttention: freezesAttention)
  }

  /// The number of arms beside the baseline.
  package var steeredArms: Int { strengths.count * (freezesAttention ? 2 : 1) }

  /// The number of answers that are decoded together.
  package var streams: Int { sampling.samples * (1 + steeredArms) }
}

// MARK: - Fields

extension SteeringRequest {
  /// The fields of a prompt and what is done to it.
  package static let promptFields = ["prompt", "turns"] + SteeringPlan.fieldNames
  /// The fields of a request whose answers are sampled.
  package static let sampledFields =
    promptFields + GenerationSettings.fieldNames + ["watch", "frozen_attention", "max_activations"]

  /// Limits of a request from outside: watched phrases, the bytes of one phrase, and strengths.
  private static let (mostWatched, longestWatched, mostStrengths) = (32, 1000, 32)

  /// Reads the prompt, the turns and the plan of a request.
  /// - Parameter prompt: the prompt if the request has no field for it.
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

  /// Reads a request whose answers are sampled.
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

  /// Reads the strengths of the request, or keeps the default.
  package mutating func readStrengths(_ fields: JSONFields, usual: [Double]) throws {
    strengths = try fields.value("strengths") ?? usual
    guard (1...Self.mostStrengths).contains(strengths.count), strengths.allSatisfy(\.isFinite) else {
      throw fields.invalid("strengths", "expected 1 to \(Self.mostStrengths) numbers")
    }
  }

  /// Writes the prompt, the turns and the plan.
  package func writePrompt(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try fields.write(prompt, "prompt")
    try fields.write(turns, "turns")
    try plan.write(to: &fields)
  }

  /// Writes the other fields of a request with sampled answers.
  package func writeSampling(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try sampling.write(to: &fields)
    try fields.write(watched, "watch")
    try fields.write(freezesAttention, "frozen_attention")
    if !maxActivations.isEmpty { try fields.write(maxActivations, "max_activations") }
  }
}

extension SteeringRequest {
  /// Lowers an open limit of tokens to that of the service.
  /// - Throws: `JSONFieldError` if the request names more tokens than that.
  package mutating func limit(to limits: AnswerLimits) throws(JSONFieldError) {
    sampling.maxTokens = try limits.length(sampling.maxTokens, isOpenEnded: isOpenEnded)
  }
}
