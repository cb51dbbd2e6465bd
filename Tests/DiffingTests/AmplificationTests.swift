// Amplification beside steering and without it: logits against transformers, runs, given answers and previews against
// whole passes, the ends of α and λ, and what is refused.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct AmplificationTests {
  /// Logits, weights and both, without and with a latent that reads codes.
  static let plans: [SteeringPlan] = {
    let amplifications = [
      Amplification(logits: 2), Amplification(logits: -0.5), Amplification(weights: [WeightFactor(2)]),
      Amplification(weights: [WeightFactor(-1, blocks: 1...3, module: .mlp), WeightFactor(0.5, module: .attention)]),
      Amplification(logits: 0.5, weights: [WeightFactor(0, blocks: 0...0)]),
    ]
    let latents = [
      [], [Intervention(latent: 3, mode: .add, strength: 0.4)],
      [Intervention(latent: 7, mode: .ablate, strength: 0.5)],
    ]
    return amplifications.flatMap { amplification in
      latents.map { SteeringPlan(interventions: $0, amplification: amplification) }
    }
  }()

  @Test func amplifiedLogitsAreThoseOfTransformers() throws {
    let expected = try Difference.reference("amplified_logits")
    let alpha = Double(try Difference.reference("alpha")[0])
    for pair in [try Difference.withAdapter(), try Difference.withFiles()] {
      var logits = try pair.logits(of: .chat)
      Amplification.amplify(&logits, beyond: try pair.logits(of: .base), by: alpha)
      #expect(relativeDifference(logits, expected) <= 1e-4)
    }
  }

  @Test(arguments: PairKind.allCases) func runsAndGivenAnswersEqualWholePasses(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let run = try tiny.run(Self.plans)
    let baseline = run.produced(SteeringRun.baseline)
    let given = try tiny.given(Self.plans)
    let scores = try given.score(baseline)
    let unsteered = try tiny.wholePass(nil, baseline)
    var changed = 0
    for (index, plan) in Self.plans.enumerated() {
      let ids = run.produced(index + 1)
      let whole = try tiny.wholePass(plan, ids)
      let own = zip(whole, ids).map { $0[Int($1)] }
      #expect(relativeDifference(run.logProbabilities(index + 1), own) < 1e-4, "\(plan)")
      for (position, row) in whole.enumerated() {
        #expect(row[Int(ids[position])] > (row.max() ?? 0) - 1e-4, "the likeliest token is taken")
      }
      let forced = try tiny.wholePass(plan, baseline)
      #expect(
        relativeDifference(scores[index + 1].logProbabilities, zip(forced, baseline).map { $0[Int($1)] }) < 1e-4)
      let divergences = zip(unsteered, forced).map { p, q in
        zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      }
      #expect(relativeDifference(scores[index + 1].divergences, divergences) < 1e-3, "\(plan)")
      if divergences.contains(where: { $0 > 1e-3 }) { changed += 1 }
    }
    #expect(changed > Self.plans.count * 3 / 4)
    #expect(try given.score(baseline) == scores, "timelines are rewound after each answer")
  }

  @Test(arguments: PairKind.allCases) func previewsSayWhatRunsSay(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    for plan in Self.plans {
      let preview = try SteeringPreview(
        engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
        maxActivations: tiny.maxActivations)
      let shift = try preview.shift(count: 8)
      let whole = try tiny.wholePass(plan, [0])[0]
      for token in shift.likelyUnsteered + shift.likelySteered {
        #expect(abs(token.steered - exp(whole[Int(token.id)])) < 1e-4, "\(plan)")
      }
      #expect((shift.size.relative == nil) == plan.interventions.isEmpty)
      let run = try tiny.run([plan], GenerationSettings(maxTokens: 5))
      var tokens: [Int32] = []
      while tokens.count < 5, let id = try preview.next() { tokens.append(id) }
      let wanted = run.produced(run.stream(arm: 1, sample: 0))
      #expect(tokens == wanted.filter { !tiny.engine.tokenizer.endOfTurnIDs.contains($0) }, "\(plan)")
    }
  }

  @Test(arguments: PairKind.allCases) func theEndsAreChatAndBase(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let plans = Self.plans.filter(\.interventions.isEmpty)
    let atZero = try tiny.run(plans.map { $0.scaled(by: 0) })
    for index in plans.indices {
      #expect(atZero.produced(index + 1) == atZero.produced(0))
      #expect(atZero.logProbabilities(index + 1) == atZero.logProbabilities(0))
    }
    let base = Decoding(
      engine: tiny.engine, streams: [DecodingStream(model: .base, source: .sampled(.greedy))],
      prompt: tiny.prompt.ids, limit: 6, recordsLogProbabilities: true)
    while !base.isFinished { _ = try base.step() }
    let ends = try tiny.run([
      SteeringPlan(interventions: [], amplification: Amplification(logits: -1)),
      SteeringPlan(interventions: [], amplification: Amplification(weights: [WeightFactor(0)])),
    ])
    for arm in 1...2 {
      #expect(ends.produced(arm) == base.produced(0))
      #expect(relativeDifference(ends.logProbabilities(arm), base.logProbabilities(0)) < 1e-4)
    }
    #expect(ends.logProbabilities(0) != base.logProbabilities(0))
  }

  @Test func companyAndSamplesDoNotMatter() throws {
    let tiny = try TinySteering(.adapter)
    let settings = GenerationSettings(maxTokens: 6, temperature: 1.2, seed: 7, minP: 0.05, samples: 2)
    let together = try tiny.run(Self.plans, settings)
    for index in [0, 4, 8, 14] {
      let alone = try tiny.run([Self.plans[index]], settings)
      for sample in 0..<2 {
        let (stream, own) = (together.stream(arm: index + 1, sample: sample), alone.stream(arm: 1, sample: sample))
        #expect(together.produced(stream) == alone.produced(own))
      }
    }
  }

  @Test func strengthMultipliesTheDistanceFromChat() {
    let amplification = Amplification(logits: 2, weights: [WeightFactor(0, blocks: 1...1), WeightFactor(3)])
    #expect(
      amplification.scaled(by: 0.5)
        == Amplification(logits: 1, weights: [WeightFactor(0.5, blocks: 1...1), WeightFactor(2)]))
    #expect(amplification.scaled(by: 0).isIdle && !amplification.isIdle && amplification.scaled(by: 1) == amplification)
  }

  @Test func whatCannotBeAmplifiedIsRefused() throws {
    let tiny = try TinySteering(.adapter)
    for amplification in [
      Amplification(logits: .infinity), Amplification(logits: 1001), Amplification(weights: [WeightFactor(.nan)]),
      Amplification(weights: [WeightFactor(0, blocks: 4...4)]),
    ] {
      let error = #expect(throws: DiffingError.self) {
        try tiny.run([SteeringPlan(interventions: [], amplification: amplification)])
      }
      #expect(error.map { "\($0)".contains("\n") } == false)
    }
    let alone = try Engine(model: TinyModel.writeGGUF(in: tiny.folder))
    let error = #expect(throws: DiffingError.self) {
      try SteeringRun(
        engine: alone, crosscoder: tiny.crosscoder, layer: TinySteering.layer, prompt: tiny.prompt,
        plans: [SteeringPlan(interventions: [], amplification: Amplification(logits: 1))],
        settings: GenerationSettings(maxTokens: 2), maxActivations: tiny.maxActivations)
    }
    #expect(error.map { "\($0)".contains("a pair of models") } == true)
  }
}
