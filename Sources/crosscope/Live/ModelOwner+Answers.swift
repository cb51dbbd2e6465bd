// The model owner as `crosscope serve` uses it: one request at a time, a step a token. Whose turn it is, is the queue's.

import Diffing
import Inference
import Storage

/// What is known when the first tokens are there.
struct AnswerStart: Sendable {
  let promptTokens: Int
  let tokens: [AnswerToken]
}

/// What a request came to.
struct AnswerInfo: Sendable {
  let answers: [AnswerSummary]
  let promptTokens: Int
  let layer: Int
  let versions: [String: String]
}

extension ModelOwner {
  /// Begins a request in place of any other and computes the prompt and the first tokens.
  /// - Throws: the modules' errors where something cannot be done, before anything was answered.
  func begin(_ request: AnswerRequest) throws -> AnswerStart {
    let context = try loaded()
    let engine = context.engine
    let prompt = try engine.encodeChat(request.messages, addGenerationPrompt: true)
    var settings = request.settings
    if request.fitsContext {
      settings.maxTokens = min(settings.maxTokens, max(1, engine.model.configuration.contextLength - prompt.ids.count))
    }
    let plans = try request.plan.map { [try prepared($0, context)] } ?? []
    let known = try store.latents(ids: plans.flatMap(\.interventions).map { Int32(clamping: $0.latent) })
    let largest = Dictionary(known.map { (Int($0.id), $0.maxActivation) }, uniquingKeysWith: { a, _ in a })
    let run = try SteeringRun(
      engine: engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt, plans: plans,
      settings: settings, prefixes: prefixes, recordsLogProbabilities: request.recordsLogProbabilities,
      maxActivations: { context.activation(largest[$0] ?? nil, of: $0) })
    let answering = Answering(request, prompt: prompt, run: run, tokenizer: engine.tokenizer)
    self.answering = answering
    return AnswerStart(promptTokens: answering.promptTokens, tokens: try answering.step() ?? [])
  }

  /// The next token of every answer; nil when all have ended.
  func stepAnswers() throws -> [AnswerToken]? { try answering?.step() }

  /// What the request has come to.
  func answerInfo() throws -> AnswerInfo? {
    guard let answering else { return nil }
    let pair = try loaded().pair
    return AnswerInfo(
      answers: answering.summaries, promptTokens: answering.promptTokens, layer: pair.layer, versions: versions(pair))
  }

  /// Forgets the request.
  func endAnswers() { answering = nil }

  /// A plan whose conditions are in the residual stream's units, where base is there if it is needed.
  private func prepared(_ plan: SteeringPlan, _ context: SteeringContext) throws -> SteeringPlan {
    if plan.needsBase(context.crosscoder) {
      try context.requireBase(store: store, otherwise: SteeringContext.withoutBase)
    }
    var plan = plan
    plan.conditions = plan.conditions.map {
      SteeringCondition(
        latent: $0.latent, side: $0.side, value: context.activation($0.value, of: $0.latent) ?? $0.value)
    }
    return plan
  }
}
