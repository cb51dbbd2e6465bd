// A preview says what the run says: the same distribution of the first token, the same greedy tokens, whatever the mode
// and the positions, on the tiny pair with an adapter and as two files.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct SteeringPreviewTests {
  @Test(arguments: PairKind.allCases)
  func theShiftIsThatOfAWholePassAndTheTokensAreTheRuns(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    let baseline = try tiny.wholePass(nil, [0])[0]
    var moved = 0
    for plan in SteeringStreamTests.everything {
      let preview = try SteeringPreview(
        engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
        maxActivations: tiny.maxActivations)
      let shift = try preview.shift(count: 8)
      let whole = try tiny.wholePass(plan, [0])[0]
      let place = "\(plan.interventions[0].mode) at \(plan.positions)"
      for token in shift.likelyUnsteered + shift.likelySteered {
        #expect(abs(token.unsteered - exp(baseline[Int(token.id)])) < 1e-4, "\(place)")
        #expect(abs(token.steered - exp(whole[Int(token.id)])) < 1e-4, "\(place)")
      }
      #expect(shift.likelySteered.map(\.steered) == shift.likelySteered.map(\.steered).sorted(by: >))
      let divergence = zip(baseline, whole).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
      #expect(abs(shift.divergence - divergence) < 1e-4, "\(place)")
      if shift.divergence > 1e-3 { moved += 1 }

      let run = try tiny.run([plan], GenerationSettings(maxTokens: 5))
      let stream = run.stream(arm: 1, sample: 0)
      var tokens: [Int32] = []
      while tokens.count < 5, let id = try preview.next() { tokens.append(id) }
      let wanted = run.produced(stream).filter { !tiny.engine.tokenizer.endOfTurnIDs.contains($0) }
      #expect(tokens == wanted, "\(place)")
      let log = try #require(run.logProbabilities(stream).first)
      #expect(abs(exp(log) - shift.likelySteered[0].steered) < 1e-4, "\(place): the run's first step")
      if plan.positions == .last || plan.positions == .prompt {
        let size = try #require(run.size(ofPlan: 0).relative)
        #expect(abs((shift.size.relative ?? -1) - size) < 1e-5, "\(place)")
      }
    }
    #expect(moved > SteeringStreamTests.everything.count / 2, "most of these change something")
  }

  @Test func whatChangesNothingIsTheBaselineBitForBit() throws {
    let tiny = try TinySteering(.adapter)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    for items in [[], [Intervention(latent: 3, mode: .add, strength: 0)]] {
      let preview = try SteeringPreview(
        engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered,
        plan: SteeringPlan(interventions: items),
        prefixes: prefixes, maxActivations: tiny.maxActivations)
      let shift = try preview.shift(count: 4)
      #expect(shift.divergence == 0 && shift.likelyUnsteered == shift.likelySteered)
      #expect(shift.likelySteered.allSatisfy { $0.steered == $0.unsteered } && shift.size.relative == 0)
      #expect(try preview.next() == shift.likelyUnsteered[0].id)
    }
  }

  @Test func aPreviewLeavesTheUnsteeredPromptAsItWas() throws {
    let tiny = try TinySteering(.adapter)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    func shift(_ strength: Double) throws -> NextTokenShift {
      let plan = SteeringPlan(interventions: [Intervention(latent: 3, mode: .clamp, strength: strength)])
      let preview = try SteeringPreview(
        engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
        maxActivations: tiny.maxActivations)
      defer { _ = try? preview.next() }
      return try preview.shift(count: 4)
    }
    let first = try shift(0.5)
    let other = try shift(1.5)
    #expect(other != first)
    #expect(try shift(0.5) == first)
    #expect(prefixes.count == 2, "chat's and base's, computed once")
  }

  @Test func aStreamThatOverflowsIsAnErrorAndNotACrash() throws {
    let tiny = try TinySteering(.adapter)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    let plan = SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 1e300)])
    let preview = try SteeringPreview(
      engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
      maxActivations: tiny.maxActivations)
    #expect(throws: InferenceError.self) { try preview.shift(count: 4) }
  }
}
