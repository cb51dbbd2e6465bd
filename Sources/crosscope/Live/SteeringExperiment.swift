// A steering run put together from its description: from interventions and parameters to a finished document, the same
// way whether it is asked for the first time or again.
// Owns: the plans of a sweep, running them, scoring what they say. Refuses: what the plans refuse.

import Diffing
import Foundation
import Inference
import Storage

/// Runs prompts on models loaded once.
struct SteeringExperiment {
  let context: SteeringContext
  let interventions: [Intervention]
  let parameters: SteeringDocument.Parameters
  /// One arm each; they multiply the interventions' strengths.
  let strengths: [Double]
  /// Phrases whose log-probability at the start of the answer is reported.
  let watch: [String]
  /// Whether there is a third kind of arm: steered, with the baseline's attention weights.
  let freezesAttention: Bool
  /// Of the steered latents, in the residual stream's units.
  let maxActivations: [Int: Double]
  private let prefixes: PromptPrefixes

  /// - Parameters:
  ///   - parameters: what they say of layer, mean and largest activations is set here, but largest activations that are
  ///     there already stay: a run made again keeps its units when the store was scored anew.
  ///   - prefixes: where prompts computed up to the layer are kept from run to run.
  /// - Throws: `CommandError.notSaid` where a plan reads base and there is none.
  init(
    context: SteeringContext, store: Store, interventions: [Intervention], parameters: SteeringDocument.Parameters,
    strengths: [Double], watch: [String], freezesAttention: Bool = false, prefixes: PromptPrefixes = PromptPrefixes()
  ) throws {
    (self.context, self.prefixes) = (context, prefixes)
    self.interventions = interventions
    (self.strengths, self.watch, self.freezesAttention) = (strengths, watch, freezesAttention)
    var parameters = parameters
    var known = try context.maxActivations(of: interventions.map(\.latent), in: store)
    for (latent, value) in parameters.maxActivations { if let latent = Int(latent) { known[latent] = value } }
    maxActivations = known
    parameters.maxActivations = SteeringDocument.keyed(known)
    parameters.layer = context.pair.layer
    parameters.projectMean =
      interventions.contains { $0.mode == .project } ? try context.crosscoder.residualMean(.chat).source : nil
    self.parameters = parameters
    if plans.contains(where: { $0.needsBase(context.crosscoder) }) {
      try context.requireBase(store: store, otherwise: SteeringContext.withoutBase)
    }
  }

  /// A plan for each strength, and its twin with frozen attention where there is one.
  var plans: [SteeringPlan] {
    let steered = plans(frozen: false)
    return freezesAttention ? steered + plans(frozen: true) : steered
  }

  private func plans(frozen: Bool) -> [SteeringPlan] {
    strengths.map { factor in
      context.inResidualUnits(
        SteeringPlan(
          interventions: interventions.map { $0.scaled(by: factor) }, positions: parameters.positions,
          swapsBase: parameters.swapsBase, decoder: parameters.decoder,
          blocks: parameters.steersAllLayers ? .ownAndAbove : .own,
          unit: parameters.takesRawStrength ? .norm : .maxActivation, conditions: parameters.conditions,
          freezesAttention: frozen))
    }
  }

  /// Answers a prompt under every arm.
  func answer(_ prompt: String) throws -> SteeringDocument {
    let run = try begin(prompt)
    while !run.isFinished { _ = try run.step() }
    return try document(prompt, of: run)
  }

  /// A prompt as tokens, after what was said before it.
  func rendered(_ prompt: String) throws -> RenderedChat {
    try context.engine.encodeChat(
      parameters.turns + [ChatMessage(role: .user, content: prompt)], addGenerationPrompt: true)
  }

  /// The run of a prompt; nothing is computed yet.
  /// - Parameter latents: whose activations at the generated tokens are wanted.
  func begin(_ prompt: String, reading latents: [Int] = []) throws -> SteeringRun {
    try SteeringRun(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: rendered(prompt),
      plans: plans, settings: parameters.settings, prefixes: prefixes, recordsLogProbabilities: true, mayOverflow: true,
      reading: latents, maxActivations: { maxActivations[$0] })
  }

  /// What came of a run that has ended, and how likely the arms find it.
  /// - Parameter progress: how many texts are scored, of how many.
  /// - Throws: `InferenceError.cancelled` between two blocks if the task is cancelled.
  func document(
    _ prompt: String, of run: SteeringRun, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> SteeringDocument {
    let (engine, settings, plans) = (context.engine, parameters.settings, plans)
    let rendered = try rendered(prompt)
    func scorer(_ plans: [SteeringPlan]) throws -> GivenAnswers {
      try GivenAnswers(
        engine: engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: rendered, plans: plans,
        prefixes: prefixes, mayOverflow: true, maxActivations: { maxActivations[$0] })
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
      prompt: prompt, interventions: interventions, parameters: parameters,
      outputs: SteeringDocument.Outputs(
        baseline: answer(0), steered: Array(steered.prefix(strengths.count)),
        frozenAttention: freezesAttention ? Array(steered.suffix(strengths.count)) : nil),
      versions: context.versions)
  }
}

extension SteeringDocument {
  /// Largest activations as JSON has them: keys are texts.
  static func keyed(_ activations: [Int: Double]) -> [String: Double] {
    Dictionary(uniqueKeysWithValues: activations.map { ("\($0)", $1) })
  }
}

extension SteeringDocument.Sample {
  /// What a finished run has of one arm (0 the baseline) in a sample.
  /// - Parameter unsteeredLog: log p of the whole answer by the unsteered model.
  init(
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
