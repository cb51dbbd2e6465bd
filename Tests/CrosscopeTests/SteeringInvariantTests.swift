// What must not matter to a steered answer, on the real model and the demo store, bit for bit: strength 0, company,
// order, prompts kept from run to run, the cache. Other invariants are tested elsewhere; docs/steering-evidence.md
// lists all.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import crosscope

@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.missing))
struct SteeringInvariantTests {
  let context: SteeringContext
  let store: Store
  let prompt: RenderedChat
  private static let tokens = 10

  init() throws {
    let demo = try LoadedDemo.shared.get()
    (store, context) = (demo.store, demo.context)
    prompt = try context.engine.encodePrompt("How do I bake bread?")
  }

  private func plan(_ latent: Int, _ mode: SteeringMode, _ strength: Double, _ positions: TokenPositions = .all)
    -> SteeringPlan
  {
    SteeringPlan(interventions: [Intervention(latent: latent, mode: mode, strength: strength)], positions: positions)
  }

  private var plans: [SteeringPlan] {
    [plan(594, .add, 0.5), plan(92, .clamp, 0.5), plan(594, .project, 1), plan(2151, .add, 0.3, .generated)]
  }

  private func run(
    _ plans: [SteeringPlan], temperature: Double = 1, seed: UInt64 = 11, prefixes: PromptPrefixes = PromptPrefixes(),
    reading latents: [Int] = []
  ) throws -> SteeringRun {
    let largest = try context.maxActivations(of: plans.flatMap(\.interventions).map(\.latent), in: store)
    let run = try SteeringRun(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt, plans: plans,
      settings: GenerationSettings(maxTokens: Self.tokens, temperature: temperature, seed: seed), prefixes: prefixes,
      recordsLogProbabilities: true, reading: latents, maxActivations: { largest[$0] })
    while !run.isFinished { _ = try run.step() }
    return run
  }

  /// Tokens and the bits of their log-probabilities.
  private func answer(_ run: SteeringRun, _ stream: Int) -> [[UInt64]] {
    zip(run.produced(stream), run.logProbabilities(stream)).map { [UInt64($0), $1.bitPattern] }
  }

  /// 432 never comes to such an activation: with that condition on its row 594 steers as if it were alone.
  @Test func aConditionGatesTheRowOnWhichItStandsAndNoOther() throws {
    func plan(_ conditions: [SteeringCondition], all: [SteeringCondition] = []) -> SteeringPlan {
      SteeringPlan(
        interventions: [
          Intervention(latent: 594, mode: .add, strength: 0.5),
          Intervention(latent: 432, mode: .add, strength: 0.5, conditions: conditions),
        ], conditions: all)
    }
    let never = [SteeringCondition(latent: 432, side: .above, value: 1000)]
    let run = try run([plan([]), plan(never), self.plan(594, .add, 0.5), plan([], all: never)])
    #expect(answer(run, 2) == answer(run, 3) && run.size(ofPlan: 1) == run.size(ofPlan: 2))
    #expect(answer(run, 2) != answer(run, 0) && answer(run, 2) != answer(run, 1))
    #expect(answer(run, 4) == answer(run, 0), "a condition of all turns all off")
    #expect((run.size(ofPlan: 0).relative ?? 0) > (run.size(ofPlan: 1).relative ?? 0))

    // The knob says the same: 5.540 nats of both, those of 594 alone where the condition does not hold.
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: context.engine, layer: context.pair.layer, prompt: prompt, prefixes: prefixes)
    let largest = try context.maxActivations(of: [594, 432], in: store)
    let shifts = try [plan([]), plan(never), self.plan(594, .add, 0.5)].map { plan in
      try SteeringPreview(
        engine: context.engine, crosscoder: context.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
        maxActivations: { largest[$0] }
      ).shift(count: 1).divergence
    }
    #expect(abs(shifts[0] - 5.540) < 0.05 && shifts[1] == shifts[2] && shifts[2] > 0.1, "\(shifts)")
  }

  @Test func strengthZeroIsTheUnsteeredAnswer() throws {
    let run = try run(SteeringMode.allCases.filter { $0 != .clamp }.map { plan(594, $0, 0) })
    #expect(run.produced(0).count == Self.tokens)
    for stream in 1..<run.arms { #expect(answer(run, stream) == answer(run, 0)) }
  }

  @Test func aBatchIsItsStreamsOneByOneInAnyOrder() throws {
    let (together, reversed) = (try run(plans), try run(plans.reversed()))
    for (index, plan) in plans.enumerated() {
      let alone = try run([plan])
      #expect(answer(together, index + 1) == answer(alone, 1), "\(plan)")
      #expect(answer(together, index + 1) == answer(reversed, plans.count - index), "\(plan)")
      #expect(answer(together, 0) == answer(alone, 0), "one seed on both sides")
      #expect(answer(together, index + 1) != answer(together, 0), "it steers: \(plan)")
    }
  }

  @Test func aPromptKeptFromAnotherRunIsAFreshOne() throws {
    let prefixes = PromptPrefixes()
    let first = try run([plans[0]], prefixes: prefixes)
    let (kept, fresh) = (try run(plans, prefixes: prefixes), try run(plans))
    for stream in 0..<kept.arms { #expect(answer(kept, stream) == answer(fresh, stream)) }
    #expect(answer(first, 1) == answer(fresh, 1))
  }

  @Test func readingActivationsAlongChangesNoBit() throws {
    let (with, without) = (try run(plans, reading: [594, 366]), try run(plans))
    for stream in 0..<with.arms { #expect(answer(with, stream) == answer(without, stream)) }
    #expect(with.activations(1).count == Self.tokens - 1)
  }

  /// Greedy tokens with the cache are the likeliest ones of a pass over everything that is there so far.
  @Test func theCacheChangesNoToken() throws {
    for plan in [nil, plans[0], plans[2]] {
      let run = try run(plan.map { [$0] } ?? [], temperature: 0)
      let stream = plan == nil ? 0 : 1
      let ids = run.produced(stream)
      let largest = try context.maxActivations(of: plan?.interventions.map(\.latent) ?? [], in: store)
      for length in [0, 1, Self.tokens / 2, Self.tokens - 1] {
        // Everything but the last token as the prompt of a run of its own, steered at the same places.
        var whole = prompt
        whole.ids += ids.prefix(length)
        whole.templateMask += [Bool](repeating: false, count: length)
        whole.roles += [ChatMessage.Role](repeating: .assistant, count: length)
        let again = try SteeringRun(
          engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: whole,
          plans: plan.map { [$0] } ?? [], settings: GenerationSettings(maxTokens: 1, temperature: 0),
          recordsLogProbabilities: true, maxActivations: { largest[$0] })
        _ = try again.step()
        #expect(again.produced(stream) == [ids[length]])
        #expect(abs(again.logProbabilities(stream)[0] - run.logProbabilities(stream)[length]) < 0.01)
      }
    }
  }

  @Test func theFirstGeneratedTokenIsSteered() throws {
    let run = try run([.last, .generated, .prompt, .all].map { plan(594, .add, 1, $0) }, temperature: 0)
    let first = (0..<run.arms).map { (token: run.produced($0)[0], log: run.logProbabilities($0)[0]) }
    for stream in 1..<run.arms {
      let same = first[stream].token == first[0].token
      #expect(!same || abs(first[stream].log - first[0].log) > 0.01, "\(first)")
    }
    #expect(run.firstDifference(run.arms - 1) == 0, "steered everywhere, even its token is another one")
  }

  @Test func bothSidesDrawWithOneSeed() throws {
    // Two arms that change nothing draw what the baseline draws, token for token; another seed draws otherwise.
    let idle = [plan(594, .add, 0), plan(92, .project, 0)]
    let (one, other) = (try run(idle, seed: 3), try run(idle, seed: 4))
    #expect(one.produced(1) == one.produced(0) && one.produced(2) == one.produced(0))
    #expect(one.produced(0) != other.produced(0))
  }
}
