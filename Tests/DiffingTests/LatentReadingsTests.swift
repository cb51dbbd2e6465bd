// Activations read while answers are generated: they equal those of the finished texts and do not change the answers.

import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct LatentReadingsTests {
  private static let latents = [3, 5, 0]

  private func run(_ tiny: TinySteering, _ plans: [SteeringPlan], _ latents: [Int]) throws -> SteeringRun {
    let run = try SteeringRun(
      engine: tiny.engine, crosscoder: tiny.crosscoder, layer: TinySteering.layer, prompt: tiny.prompt, plans: plans,
      settings: GenerationSettings(maxTokens: 9, temperature: 1, seed: 4, samples: 2), recordsLogProbabilities: true,
      reading: latents, maxActivations: tiny.maxActivations)
    while !run.isFinished { _ = try run.step() }
    return run
  }

  /// Every way to steer, some with base's streams of their own.
  private let plans =
    SteeringMode.allCases.map { mode in
      SteeringPlan(interventions: [3, 7].map { Intervention(latent: $0, mode: mode, strength: 0.4) })
    } + [
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 0.4)], freezesAttention: true),
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 0.4)], blocks: .ownAndAbove),
    ]

  @Test(arguments: PairKind.allCases)
  func theyEqualThoseOfTheFinishedAnswer(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let run = try run(tiny, plans, Self.latents)
    let before = (0..<2 * run.arms).map { run.activations($0) }
    for stream in before.indices {
      #expect(before[stream].count == run.produced(stream).count - 1, "a token's are known with the next one")
    }
    try run.readLastTokens()
    var on = 0
    for stream in before.indices {
      let ids = run.produced(stream)
      let reading = try TextActivations(engine: tiny.engine, crosscoder: tiny.crosscoder, layer: TinySteering.layer)
      let whole = try reading.append(
        tiny.prompt.ids + ids, templateMask: tiny.prompt.templateMask + ids.map { _ in false })
      let expected = whole.suffix(ids.count).map { token in
        Self.latents.map { latent in token.activations.first { $0.latent == latent }?.value ?? 0 }
      }
      let read = run.activations(stream)
      #expect(read.count == ids.count && Array(read.dropLast()) == before[stream])
      for (token, values) in zip(read, expected) {
        #expect(relativeDifference(token.doubles, values.doubles) < 1e-4, "stream \(stream)")
        on += values.filter { $0 > 0 }.count
      }
    }
    #expect(on > 20, "they are not all silent")
  }

  @Test(arguments: PairKind.allCases)
  func readingChangesNoToken(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let (with, without) = (try run(tiny, plans, Self.latents), try run(tiny, plans, []))
    for stream in 0..<2 * with.arms {
      #expect(with.produced(stream) == without.produced(stream))
      #expect(relativeDifference(with.logProbabilities(stream), without.logProbabilities(stream)) < 1e-5)
      #expect(without.activations(stream).isEmpty)
    }
    try without.readLastTokens()
    #expect(without.activations(0).isEmpty, "nothing was asked for")
  }

  @Test func anUnknownLatentIsRefused() throws {
    let tiny = try TinySteering(.adapter)
    for latent in [-1, 12] {
      #expect(throws: DiffingError.self) { try run(tiny, [], [latent]) }
    }
  }
}
