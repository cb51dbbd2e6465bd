// Steered streams on the tiny pair, with an adapter and as two files: what must not matter (a cached prompt, company,
// the order of plans, strength 0) does not, and what is recorded of each token is what a full pass says.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

/// The two kinds of pair.
enum PairKind: CaseIterable { case adapter, files }

/// A tiny pair with a random crosscoder after block 2.
struct TinySteering {
  static let layer = 2
  let folder = TemporaryFolder()
  let engine: Engine
  let crosscoder = randomCrosscoder(d: TinyModel.dModel, F: 12, seed: 11, threshold: 0.5)
  let prompt: RenderedChat
  let maxActivations: (Int) -> Double? = { $0 == 11 ? nil : 3 }

  init(_ kind: PairKind) throws {
    let base = try TinyModel.writeGGUF(in: folder)
    let adapter = try TinyModel.writeAdapter(in: folder)
    switch kind {
    case .adapter: engine = try Engine(model: base, adapter: adapter)
    case .files:
      engine = try Engine(model: TinyModel.writeGGUF(in: folder, name: "chat.gguf", merging: adapter), base: base)
    }
    prompt = try engine.encodePrompt("hi")
  }

  func run(_ plans: [SteeringPlan], _ settings: GenerationSettings = GenerationSettings(maxTokens: 6)) throws
    -> SteeringRun
  {
    let run = try SteeringRun(
      engine: engine, crosscoder: crosscoder, layer: Self.layer, prompt: prompt, plans: plans, settings: settings,
      recordsLogProbabilities: true, maxActivations: maxActivations)
    while !run.isFinished { _ = try run.step() }
    return run
  }

  func given(_ plans: [SteeringPlan]) throws -> GivenAnswers {
    try GivenAnswers(
      engine: engine, crosscoder: crosscoder, layer: Self.layer, prompt: prompt, plans: plans,
      maxActivations: maxActivations)
  }

  /// log softmax in fp64 at the positions that predict `answer`, from one pass over everything, from the embeddings on.
  /// An amplification of logits is computed in fp64 from a pass of base alone.
  func wholePass(_ plan: SteeringPlan?, _ answer: [Int32]) throws -> [[Double]] {
    let arms = try SteeringArms(
      engine: engine, crosscoder: crosscoder, layer: Self.layer, prompt: prompt, plans: plan.map { [$0] } ?? [],
      maxActivations: maxActivations)
    let tokens = prompt.ids + answer.dropLast()
    let stream = plan == nil ? 0 : 1
    var segments = [
      Segment(stream: stream, cache: engine.model.makeCache(), tokens: tokens, logits: .all)
    ]
    segments[0].amplified = try engine.amplifiedWeights(plan?.amplification?.weights ?? [])
    for base in arms.baseStreams.values {
      segments.append(
        Segment(
          stream: base, cache: engine.baseModel.makeCache(), tokens: tokens, lastLayer: Self.layer, logits: .none))
    }
    let models = [PairModel.chat] + arms.baseStreams.map { _ in .base }
    let logits = try engine.forward(segments, of: models, hooks: arms.hooks())[0]
    let alpha = plan?.amplification?.logits ?? 0
    let base = Segment(stream: 0, cache: engine.baseModel.makeCache(), tokens: tokens, logits: .all)
    let baseLogits = try alpha == 0 ? nil : engine.forward([base], of: [.base])[0]
    return answer.indices.map { index in
      let place = prompt.ids.count - 1 + index
      var row = logits.row(place).map(Double.init)
      if let baseLogits { row = zip(row, baseLogits.row(place)).map { $0 + alpha * ($0 - Double($1)) } }
      let total = log(row.reduce(0) { $0 + exp($1) })
      return row.map { $0 - total }
    }
  }
}

@Suite struct SteeringStreamTests {
  /// Every mode at every position, with a strength that changes the answer's probabilities.
  static let everything = SteeringMode.allCases.flatMap { mode in
    TokenPositions.allCases.map { positions in
      SteeringPlan(
        interventions: [3, 7].map { Intervention(latent: $0, mode: mode, strength: 0.4) }, positions: positions)
    }
  }

  @Test(arguments: PairKind.allCases)
  func aCachedPromptEqualsAFullPassForEveryModeAndPosition(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    var plans = Self.everything
    plans.append(SteeringPlan(interventions: plans[0].interventions, blocks: .ownAndAbove))
    plans.append(
      SteeringPlan(
        interventions: plans[0].interventions, conditions: [.init(latent: 5, side: .below, value: 20)]))
    var gated = plans[0].interventions
    gated[0].conditions = [.init(latent: 5, side: .above, value: 0)]
    plans.append(SteeringPlan(interventions: gated, blocks: .ownAndAbove))
    let run = try tiny.run(plans)
    let baseline = run.produced(SteeringRun.baseline)
    let given = try tiny.given(plans)
    let scores = try given.score(baseline)
    let unsteered = try tiny.wholePass(nil, baseline)
    #expect(scores[0].divergences.allSatisfy { $0 == 0 })
    var changed = 0
    for (index, plan) in plans.enumerated() {
      let ids = run.produced(index + 1)
      let whole = try tiny.wholePass(plan, ids)
      let own = zip(whole, ids).map { $0[Int($1)] }
      #expect(relativeDifference(run.logProbabilities(index + 1), own) < 1e-4, "\(plan)")
      for (position, row) in whole.enumerated() {
        #expect(row[Int(ids[position])] > (row.max() ?? 0) - 1e-4, "the likeliest token is taken")
      }
      let forced = try tiny.wholePass(plan, baseline)
      let forcedLogs = zip(forced, baseline).map { $0[Int($1)] }
      #expect(relativeDifference(scores[index + 1].logProbabilities, forcedLogs) < 1e-4, "\(plan)")
      let divergences = zip(unsteered, forced).map { p, q in
        zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      }
      #expect(relativeDifference(scores[index + 1].divergences, divergences) < 1e-3, "\(plan)")
      if divergences.contains(where: { $0 > 1e-3 }) { changed += 1 }
    }
    #expect(changed > plans.count * 3 / 4)
    #expect(try given.score(baseline) == scores, "timelines are rewound after each answer")
    let alone = try tiny.given([plans[4]]).score(baseline)
    #expect(relativeDifference(alone[1].logProbabilities, scores[5].logProbabilities) < 1e-5, "company does not matter")
  }

  @Test(arguments: PairKind.allCases)
  func strengthZeroIsBitIdenticalToUnsteered(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let plans = SteeringMode.allCases.filter { $0 != .clamp }.flatMap { mode in
      TokenPositions.allCases.map {
        SteeringPlan(interventions: [Intervention(latent: 3, mode: mode, strength: 0)], positions: $0)
      }
    }
    let run = try tiny.run(plans)
    for index in plans.indices {
      #expect(run.produced(index + 1) == run.produced(0))
      #expect(run.logProbabilities(index + 1) == run.logProbabilities(0))
      #expect(run.firstDifference(index + 1) == nil)
    }
    let held = try tiny.run(
      [(SteeringMode.clamp, 0.0), (.ablate, 1)].map { mode, strength in
        SteeringPlan(interventions: [Intervention(latent: 3, mode: mode, strength: strength)])
      })
    #expect(held.produced(1) == held.produced(2) && held.logProbabilities(1) == held.logProbabilities(2))
    #expect(held.logProbabilities(1) != held.logProbabilities(0))
  }

  @Test(arguments: PairKind.allCases)
  func companyAndOrderOfPlansDoNotMatter(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let plans = Self.everything
    let together = try tiny.run(plans)
    let reversed = try tiny.run(plans.reversed())
    for index in plans.indices {
      let stream = plans.count - index
      #expect(reversed.produced(stream) == together.produced(index + 1))
      #expect(
        relativeDifference(reversed.logProbabilities(stream), together.logProbabilities(index + 1)) < 1e-5)
      #expect(reversed.size(ofPlan: stream - 1).tokens == together.size(ofPlan: index).tokens)
    }
    for index in stride(from: 0, to: plans.count, by: 6) {
      let alone = try tiny.run([plans[index]])
      #expect(alone.produced(1) == together.produced(index + 1) && alone.produced(0) == together.produced(0))
    }
  }

  @Test func positionsSteerAsManyTokensAsTheySay() throws {
    let tiny = try TinySteering(.adapter)
    let plans = TokenPositions.allCases.map {
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 0.1)], positions: $0)
    }
    let run = try tiny.run(plans)
    // The timeline's first token is steered but not counted, the answer's last one never fed.
    let T = tiny.prompt.ids.count
    let template = tiny.prompt.templateMask.dropFirst().filter { $0 }.count
    let counts = Dictionary(
      uniqueKeysWithValues: TokenPositions.allCases.enumerated().map {
        ($1, run.size(ofPlan: $0).tokens - ([.all, .generated].contains($1) ? run.produced($0 + 1).count - 1 : 0))
      })
    #expect(counts == [.all: T - 1, .prompt: T - 1, .generated: 1, .template: template, .last: 1])
  }

  @Test func aVectorAtAllLayersIsAddedAfterEachBlockFromTheCrosscodersOn() throws {
    let tiny = try TinySteering(.adapter)
    let plan = SteeringPlan(
      interventions: [Intervention(latent: 3, mode: .add, strength: 0.5)], positions: .generated, blocks: .ownAndAbove)
    let answer: [Int32] = [70, 80, 90, 75]
    let scores = try tiny.given([plan]).score(answer)
    let vector = try tiny.crosscoder.direction(3, .chat).vector.map { 0.5 * 3 * $0 }
    var hooks = Hooks()
    for layer in TinySteering.layer..<TinyModel.nLayers {
      hooks.add(layer: layer, site: .residPost) { view in
        for row in tiny.prompt.ids.count - 1..<tiny.prompt.ids.count + 3 {
          for i in 0..<view.d { view.row(row)[i] += vector[i] }
        }
      }
    }
    let segment = Segment(
      stream: 0, cache: tiny.engine.model.makeCache(), tokens: tiny.prompt.ids + answer.dropLast(), logits: .all)
    let logits = try tiny.engine.forward([segment], of: [.chat], hooks: hooks)[0]
    let expected = answer.indices.map { index in
      let row = logits.row(tiny.prompt.ids.count - 1 + index).map(Double.init)
      return row[Int(answer[index])] - log(row.reduce(0) { $0 + exp($1) })
    }
    #expect(relativeDifference(scores[1].logProbabilities, expected) < 1e-5)
    var own = plan
    own.blocks = .own
    #expect(try tiny.given([own]).score(answer)[1] != scores[1])
  }

  @Test func aConditionThatNeverHoldsSteersNothing() throws {
    let tiny = try TinySteering(.adapter)
    let items = [Intervention(latent: 3, mode: .add, strength: 2)]
    func plan(_ side: SteeringCondition.Side, _ value: Double) -> SteeringPlan {
      SteeringPlan(interventions: items, conditions: [SteeringCondition(latent: 5, side: side, value: value)])
    }
    let run = try tiny.run([plan(.above, 1e9), plan(.below, 1e9), plan(.above, 0), SteeringPlan(interventions: items)])
    #expect(run.logProbabilities(1) == run.logProbabilities(0) && run.size(ofPlan: 0).tokens == 0)
    #expect(run.size(ofPlan: 1).tokens == run.size(ofPlan: 3).tokens)
    #expect((1..<run.size(ofPlan: 3).tokens).contains(run.size(ofPlan: 2).tokens), "some tokens have it on")
  }

  @Test(arguments: SteeredBlocks.allCases)
  func aConditionOnOneRowLeavesTheOthersAsTheyAre(blocks: SteeredBlocks) throws {
    let tiny = try TinySteering(.adapter)
    let free = Intervention(latent: 3, mode: .add, strength: 2)
    func plan(_ value: Double?) -> SteeringPlan {
      var gated = Intervention(latent: 7, mode: .add, strength: 1)
      if let value { gated.conditions = [SteeringCondition(latent: 5, side: .above, value: value)] }
      return SteeringPlan(interventions: [free, gated], blocks: blocks)
    }
    let run = try tiny.run([plan(1e9), SteeringPlan(interventions: [free], blocks: blocks), plan(0), plan(nil)])
    #expect(run.logProbabilities(1) == run.logProbabilities(2) && run.size(ofPlan: 0) == run.size(ofPlan: 1))
    #expect(run.logProbabilities(1) != run.logProbabilities(0), "the row without a condition steers")
    #expect(run.logProbabilities(3) != run.logProbabilities(2) && run.logProbabilities(3) != run.logProbabilities(4))
    #expect(run.size(ofPlan: 2).tokens == run.size(ofPlan: 3).tokens, "the free row steers every token")
    var alone = plan(0)
    alone.interventions.removeFirst()
    let gated = try tiny.run([alone])
    #expect((1..<run.size(ofPlan: 3).tokens).contains(gated.size(ofPlan: 0).tokens))
  }

  @Test func samplesShareTheirSeedsAcrossArms() throws {
    let tiny = try TinySteering(.adapter)
    let plans = [
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .ablate, strength: 0)]),
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 3)]),
    ]
    var settings = GenerationSettings(
      maxTokens: 8, temperature: 1.5, seed: 40, topP: 0.9, minP: 0.01, frequencyPenalty: 0.5, samples: 3)
    let run = try tiny.run(plans, settings)
    #expect(run.arms == 3)
    settings.samples = 1
    for sample in 0..<3 {
      let baseline = run.produced(run.stream(arm: 0, sample: sample))
      #expect(run.produced(run.stream(arm: 1, sample: sample)) == baseline)
      settings.seed = 40 + UInt64(sample)
      let alone = try tiny.run(plans, settings)
      for arm in 0..<3 { #expect(alone.produced(arm) == run.produced(run.stream(arm: arm, sample: sample))) }
      let steered = run.stream(arm: 2, sample: sample)
      let difference = try #require(run.firstDifference(steered))
      #expect(run.produced(steered).prefix(difference) == baseline.prefix(difference))
    }
    #expect(Set((0..<3).map { run.produced(run.stream(arm: 0, sample: $0)) }).count > 1)
    settings.samples = 0
    #expect(throws: DiffingError.self) { try tiny.run(plans, settings) }
  }
}
