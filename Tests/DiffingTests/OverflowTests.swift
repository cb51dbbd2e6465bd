// Steering beyond what numbers hold: the stream ends alone where it is allowed to, the run fails where it is not, and no
// timeline of others or of later runs knows of it.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct OverflowTests {
  private static func plan(_ strength: Double, _ positions: TokenPositions = .all) -> SteeringPlan {
    SteeringPlan(
      interventions: [Intervention(latent: 3, mode: .add, strength: strength)], positions: positions, unit: .norm)
  }

  private func run(_ tiny: TinySteering, _ plans: [SteeringPlan], _ prefixes: PromptPrefixes) throws -> SteeringRun {
    let run = try SteeringRun(
      engine: tiny.engine, crosscoder: tiny.crosscoder, layer: TinySteering.layer, prompt: tiny.prompt, plans: plans,
      settings: GenerationSettings(maxTokens: 6, temperature: 1, seed: 4, samples: 2), prefixes: prefixes,
      recordsLogProbabilities: true, mayOverflow: true, maxActivations: tiny.maxActivations)
    while !run.isFinished { _ = try run.step() }
    return run
  }

  @Test(arguments: PairKind.allCases)
  func theOthersAndLaterRunsAreAsEver(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let prefixes = PromptPrefixes()
    let usual = Self.plan(2)
    let before = try run(tiny, [usual], prefixes)
    for positions in [TokenPositions.all, .prompt, .last, .generated] {
      let broken = try run(tiny, [Self.plan(1e39, positions), usual, Self.plan(-1e300, positions)], prefixes)
      for sample in 0..<2 {
        for (arm, former) in [(0, 0), (2, 1)] {
          let (now, then) = (broken.stream(arm: arm, sample: sample), before.stream(arm: former, sample: sample))
          #expect(broken.produced(now) == before.produced(then) && broken.overflow(now) == nil, "\(positions)")
          let logs = (broken.logProbabilities(now), before.logProbabilities(then))
          #expect(relativeDifference(logs.0, logs.1) < 1e-5, "\(positions)")
        }
        for arm in [1, 3] {
          let stream = broken.stream(arm: arm, sample: sample)
          #expect(broken.overflow(stream) == 0 && broken.produced(stream).isEmpty, "\(positions)")
        }
      }
    }
    let after = try run(tiny, [usual], prefixes)
    for stream in 0..<4 {
      #expect(after.produced(stream) == before.produced(stream))
      #expect(after.logProbabilities(stream) == before.logProbabilities(stream))
    }
  }

  /// Steering that overflows at one position leaves what was said before it.
  @Test(arguments: [0, 1, 3])
  func aStreamEndsBeforeTheTokenThatCannotBeComputed(after tokens: Int) throws {
    let tiny = try TinySteering(.adapter)
    let position = tiny.prompt.ids.count - 1 + tokens
    var hooks = Hooks()
    hooks.add(layer: 1, site: .residPost) { view in
      guard let rows = view.segment(ofStream: 1) else { return }
      for (offset, row) in rows.rows.enumerated() where rows.firstPosition + offset == position {
        view.row(row)[0] = .infinity
      }
    }
    let streams = [false, true].map { DecodingStream(source: .sampled(.greedy), mayOverflow: $0) }
    let decoding = Decoding(
      engine: tiny.engine, streams: streams, prompt: tiny.prompt.ids, limit: 6, hooks: hooks,
      recordsLogProbabilities: true)
    while !decoding.isFinished { _ = try decoding.step() }
    #expect(decoding.overflowed(1) && !decoding.overflowed(0))
    #expect(decoding.produced(0).count > tokens)
    #expect(decoding.produced(1) == Array(decoding.produced(0).prefix(tokens)))
    #expect(decoding.logProbabilities(1).count == tokens && decoding.logProbabilities(1).allSatisfy(\.isFinite))
  }

  @Test func givenAnswersAreNoNumbersUnderThatPlanAlone() throws {
    let tiny = try TinySteering(.adapter)
    let plans = [Self.plan(1e39), Self.plan(2), Self.plan(1e39, .generated)]
    let given = try GivenAnswers(
      engine: tiny.engine, crosscoder: tiny.crosscoder, layer: TinySteering.layer, prompt: tiny.prompt, plans: plans,
      mayOverflow: true, maxActivations: tiny.maxActivations)
    for _ in 0..<2 {
      let scores = try given.score([5, 6, 7])
      #expect(scores.map(\.isFinite) == [true, false, true, false])
    }
    let usual = try tiny.given([plans[1]]).score([5, 6, 7])
    let beside = try given.score([5, 6, 7])
    #expect(relativeDifference(usual[1].logProbabilities, beside[2].logProbabilities) < 1e-5)
  }

  @Test func whereItIsNotAllowedTheRunFails() throws {
    let tiny = try TinySteering(.adapter)
    #expect { try tiny.run([Self.plan(1e39)]) } throws: { "\($0)".contains("lower the steering strength") }
  }
}
