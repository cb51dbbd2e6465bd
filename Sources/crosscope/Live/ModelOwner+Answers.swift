// The model owner as `crosscope serve` uses it: one request at a time, a step a token. Whose turn it is, is the queue's.

import Diffing
import Inference
import Storage

/// What a request came to.
struct AnswerInfo: Sendable {
  let answers: [AnswerSummary]
  let promptTokens: Int
  let layer: Int
  let versions: [String: String]
}

extension ModelOwner {
  /// Begins a request in place of any other and computes the prompt and the first tokens.
  /// - Returns: the first tokens.
  /// - Throws: the modules' errors where something cannot be done, before anything was answered.
  func begin(_ request: AnswerRequest) throws -> [AnswerToken] {
    let context = try loaded()
    let engine = context.engine
    let prompt = try engine.encodeChat(request.messages, addGenerationPrompt: true)
    var settings = request.settings
    if request.fitsContext {
      settings.maxTokens = min(settings.maxTokens, max(1, engine.model.configuration.contextLength - prompt.ids.count))
    }
    let plans = try request.plan.map { [try prepared($0, context)] } ?? []
    let largest = try context.maxActivations(of: plans.flatMap(\.interventions).map(\.latent), in: store)
    let run = try SteeringRun(
      engine: engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt, plans: plans,
      settings: settings, prefixes: prefixes, recordsLogProbabilities: request.recordsLogProbabilities,
      recordedLikeliest: request.likeliest, maxActivations: { largest[$0] })
    let answering = Answering(request, prompt: prompt, run: run, tokenizer: engine.tokenizer)
    self.answering = answering
    return try answering.step() ?? []
  }

  /// The next token of every answer; nil when all have ended.
  func stepAnswers() throws -> [AnswerToken]? {
    countStep()
    return try answering?.step()
  }

  /// What the request has come to.
  func answerInfo() throws -> AnswerInfo? {
    guard let answering else { return nil }
    let context = try loaded()
    return AnswerInfo(
      answers: answering.summaries, promptTokens: answering.promptTokens, layer: context.pair.layer,
      versions: context.versions)
  }

  /// Forgets the request.
  func endAnswers() { answering = nil }

  /// A plan whose conditions are in the residual stream's units, where base is there if it is needed.
  private func prepared(_ plan: SteeringPlan, _ context: SteeringContext) throws -> SteeringPlan {
    if plan.needsBase(context.crosscoder) {
      try context.requireBase(store: store, otherwise: SteeringContext.withoutBase)
    }
    return context.inResidualUnits(plan)
  }
}
