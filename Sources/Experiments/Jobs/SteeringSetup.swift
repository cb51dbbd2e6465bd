// Joins a steering request and the models: it converts plans to the residual stream's units and turns the answers of a run into
// the finished document. A new run and a repeated one use the same code.

import Diffing
import Foundation
import Inference
import Storage

/// A request that is ready to run.
package struct SteeringSetup {
  package let models: LoadedModels
  package let request: SteeringRequest
  package let basis: SteeringBasis

  /// - Throws: `InputError.notSaid` if a plan reads base and there is none, `.invalid` for a direction that the store
  ///   does not have.
  package init(_ request: SteeringRequest, models: LoadedModels) throws {
    var request = request
    request.plan = try models.store.lookingUp(request.plan)
    (self.models, self.request) = (models, request)
    let interventions = request.plan.interventions
    let known = try models.context.maxActivations(of: interventions.map(\.latent), in: models.store)
    basis = SteeringBasis(
      layer: models.context.pair.layer,
      projectMean: interventions.contains { $0.mode == .project }
        || request.plan.directions.contains { $0.mode == .project }
        ? try models.context.crosscoder.residualMean(.chat).source : nil,
      maxActivations: known.merging(request.maxActivations) { $1 })
    try models.context.requireBase(for: request.plan, store: models.store)
  }

  /// One plan for each strength and, if asked for, its twin with frozen attention.
  package var plans: [SteeringPlan] {
    let steered = plans(frozen: false)
    return request.freezesAttention ? steered + plans(frozen: true) : steered
  }

  private func plans(frozen: Bool) -> [SteeringPlan] {
    request.strengths.map { factor in
      var plan = models.context.inResidualUnits(request.plan).scaled(by: factor)
      plan.freezesAttention = frozen
      return plan
    }
  }

  /// The turns and the prompt as tokens.
  package func rendered() throws -> RenderedChat {
    try models.context.engine.encodeChat(
      request.turns + [ChatMessage(role: .user, content: request.prompt)], addGenerationPrompt: true)
  }

  /// Begins the run; nothing is computed yet.
  /// - Parameter latents: the latents whose activations at the generated tokens are read.
  package func begin(reading latents: [Int] = []) throws -> SteeringRun {
    try SteeringRun(
      engine: models.context.engine, crosscoder: models.context.crosscoder, layer: models.context.pair.layer,
      prompt: rendered(), plans: plans, settings: request.sampling, prefixes: models.prefixes,
      recordsLogProbabilities: true, mayOverflow: true, reading: latents,
      maxActivations: { basis.maxActivations[$0] })
  }

  /// Measures the answers of a run that has ended, and how likely the unsteered model finds them.
  /// - Parameter progress: receives how many texts are scored, and how many there are.
  /// - Throws: `InferenceError.cancelled` between two blocks if the task is cancelled.
  package func document(
    of run: SteeringRun, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> SteeringDocument {
    let (engine, settings, plans) = (models.context.engine, request.sampling, plans)
    let (strengths, watch) = (request.strengths, request.watched)
    let rendered = try rendered()
    func scorer(_ plans: [SteeringPlan]) throws -> GivenAnswers {
      try GivenAnswers(
        engine: engine, crosscoder: models.context.crosscoder, layer: models.context.pair.layer, prompt: rendered,
        plans: plans, prefixes: models.prefixes, mayOverflow: true, maxActivations: { basis.maxActivations[$0] })
    }
    var scored = 0
    let total = settings.samples + watch.count + settings.samples * run.arms
    func score(_ answer: [Int32], by scorer: GivenAnswers) throws -> [GivenAnswerScore] {
      defer { scored += 1 }
      progress(scored, total)
      return try scorer.score(answer)
    }
    let given = try scorer(plans)
    let baselines = try (0..<settings.samples).map {
      try score(run.produced(run.stream(arm: 0, sample: $0)), by: given)
    }
    let watched = try watch.map { try score(engine.tokenizer.encode($0, parseSpecial: false), by: given) }
    let unsteered = try scorer([])
    let own = try (0..<settings.samples * run.arms).map {
      try score(run.produced($0), by: unsteered)[0].logProbability
    }
    func answer(_ arm: Int) -> SteeringDocument.Answer {
      SteeringDocument.Answer(
        strength: arm == 0 ? nil : strengths[(arm - 1) % strengths.count],
        samples: (0..<settings.samples).map { sample in
          SteeringDocument.Sample(
            run, arm: arm, sample: sample, seed: settings.seed &+ UInt64(sample),
            divergences: baselines[sample][arm].isFinite ? baselines[sample][arm].divergences : nil,
            unsteeredLog: own[run.stream(arm: arm, sample: sample)], tokenizer: engine.tokenizer)
        },
        watched: zip(watch, watched).map {
          SteeringDocument.Watched(text: $0, logProbability: $1[arm].isFinite ? $1[arm].logProbability : nil)
        })
    }
    let steered = plans.indices.map { answer($0 + 1) }
    return SteeringDocument(
      request: request.recorded, basis: basis,
      outputs: SteeringDocument.Outputs(
        baseline: answer(0), steered: Array(steered.prefix(strengths.count)),
        frozenAttention: request.freezesAttention ? Array(steered.suffix(strengths.count)) : nil),
      versions: models.context.versions)
  }
}

extension SteeringDocument.Sample {
  /// The answer of one arm (0 is the baseline) in one sample of a finished run.
  /// - Parameter unsteeredLog: log p of the whole answer by the unsteered model.
  package init(
    _ run: SteeringRun, arm: Int, sample: Int, seed: UInt64, divergences: [Double]?, unsteeredLog: Double,
    tokenizer: Tokenizer
  ) {
    let stream = run.stream(arm: arm, sample: sample)
    var text = GeneratedText(tokenizer: tokenizer)
    let ids = run.produced(stream)
    for id in ids { _ = text.append(id) }
    _ = text.finish()
    let isSteered = arm > 0
    self.init(
      seed: seed, text: text.text, ids: ids, logProbabilities: run.logProbabilities(stream),
      finished: run.ended(stream), notFiniteFrom: run.overflow(stream),
      relativeChange: isSteered ? run.size(ofPlan: arm - 1, sample: sample).relative : nil,
      firstDifference: isSteered ? run.firstDifference(stream) : nil, kl: isSteered ? divergences : nil,
      klMean: divergences.flatMap {
        isSteered && !$0.isEmpty ? $0.reduce(0, +) / Double($0.count) : nil
      },
      logPerplexity: ids.isEmpty ? nil : -unsteeredLog / Double(ids.count), repetition: repeatedShare(ids))
  }
}
