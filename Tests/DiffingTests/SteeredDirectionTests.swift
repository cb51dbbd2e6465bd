// Directions in steered streams: a control vector's logits against repeng's, runs and given answers against whole passes,
// also below and above the crosscoder's block, what must not matter, and what is refused.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Diffing

@Suite struct SteeredDirectionTests {
  private func known(_ layer: Int, seed: UInt64, unit: Double = 3, d: Int = TinyModel.dModel) throws -> StreamDirection
  {
    var generator = SplitMix64(seed: seed)
    return try StreamDirection(layer: layer, unit: unit, vector: (0..<d).map { _ in Float(generator.normal()) })
  }

  private func term(
    _ name: String, _ layer: Int, _ mode: SteeredDirection.Mode = .add, _ strength: Double = 0.7
  ) throws -> SteeredDirection {
    SteeredDirection(name: name, mode: mode, strength: strength, known: try known(layer, seed: UInt64(name.count)))
  }

  /// Directions below, at and above the crosscoder's block, alone and beside latents.
  private func plans() throws -> [SteeringPlan] {
    let latent = Intervention(latent: 3, mode: .add, strength: 0.4)
    let reader = Intervention(latent: 7, mode: .ablate, strength: 0.5)
    var plans: [SteeringPlan] = []
    for positions in [TokenPositions.all, .generated] {
      plans.append(SteeringPlan(interventions: [], directions: [try term("a", 2)], positions: positions))
      plans.append(SteeringPlan(interventions: [latent], directions: [try term("ab", 1)], positions: positions))
      plans.append(SteeringPlan(interventions: [reader], directions: [try term("abc", 0)], positions: positions))
      plans.append(SteeringPlan(interventions: [reader], directions: [try term("d", 3)], positions: positions))
    }
    plans.append(SteeringPlan(interventions: [], directions: [try term("a", 2, .project, 1)]))
    plans.append(
      SteeringPlan(
        interventions: [Intervention(latent: 4, mode: .project, strength: 0.5)],
        directions: [try term("a", 2, .project, 1), try term("bcd", 1), try term("xy", 3)]))
    plans.append(SteeringPlan(interventions: [], directions: [try term("a", 2)], blocks: .ownAndAbove))
    plans.append(SteeringPlan(interventions: [], directions: [try term("abc", 1)], unit: .norm))
    plans.append(
      SteeringPlan(
        interventions: [latent], directions: [try term("a", 2)],
        conditions: [.init(latent: 5, side: .below, value: 20)]))
    return plans
  }

  @Test func aControlVectorGivesRepengsLogits() throws {
    let model = try Transformer.load(path: Difference.path("base"))
    let reference = try SafetensorsFile(path: fixture("vectors/reference.safetensors"))
    let ids = try reference.ints(named: "input_ids").map(Int32.init)
    let file = try VectorFile(path: fixture("vectors/control_vector.gguf"), width: model.configuration.dModel)
    #expect(file.vectors.map(\.layer) == [1, 2, 3] && file.modelHint == "llama")
    let directions = try file.vectors.map { vector in
      SteeredDirection(
        name: vector.name, strength: 2,
        known: try StreamDirection(layer: try #require(vector.layer), unit: 1, vector: vector.values))
    }
    let d = model.configuration.dModel
    let plan = SteeringPlan(interventions: [], directions: directions)
    let prepared = try PreparedSteering(
      plan: plan, crosscoder: randomCrosscoder(d: d, F: 4, seed: 1), layer: 2, nLayers: model.configuration.nLayers,
      maxActivations: { _ in nil })
    #expect(prepared.otherLayers == [1, 3])
    var hooks = Hooks()
    for layer in 1...3 {
      hooks.add(layer: layer, site: .residPost) { view in
        for rows in view.segments {
          for (offset, row) in rows.rows.enumerated() {
            let isFirst = rows.firstPosition + offset == 0
            if layer == 2 {
              prepared.apply(to: view.row(row), base: nil, isFirst: isFirst)
            } else {
              prepared.addDirections(at: layer, to: view.row(row), isFirst: isFirst)
            }
          }
        }
      }
    }
    for (hooks, name) in [(Hooks(), "logits"), (hooks, "logits_steered_2")] {
      let segments = (0..<2).map {
        Segment(stream: $0, cache: model.makeCache(), tokens: Array(ids[$0 * 12..<($0 + 1) * 12]), logits: .all)
      }
      let found = try model.forward(segments, hooks: hooks).flatMap(\.values)
      #expect(relativeDifference(found, try reference.floats(named: name)) <= 1e-4, "\(name)")
    }
    // Three blocks and eleven tokens of each text: the first token of a text does not count in the size.
    #expect(prepared.size.tokens == 66 && (prepared.size.relative ?? 0) > 0)
  }

  @Test(arguments: PairKind.allCases) func runsAndGivenAnswersEqualWholePasses(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let plans = try plans()
    let high = plans.filter { $0.directions.allSatisfy { $0.known?.layer ?? 0 >= 2 } }
    for group in [Array(high.prefix(3)), plans] {
      let run = try tiny.run(group)
      let baseline = run.produced(SteeringRun.baseline)
      let scores = try tiny.given(group).score(baseline)
      var changed = 0
      for (index, plan) in group.enumerated() {
        let ids = run.produced(index + 1)
        let whole = try tiny.wholePass(plan, ids)
        #expect(
          relativeDifference(run.logProbabilities(index + 1), zip(whole, ids).map { $0[Int($1)] }) < 1e-4,
          "\(plan.directions)")
        let forced = try tiny.wholePass(plan, baseline)
        #expect(
          relativeDifference(scores[index + 1].logProbabilities, zip(forced, baseline).map { $0[Int($1)] }) < 1e-4)
        if scores[index + 1].divergences.contains(where: { $0 > 1e-4 }) { changed += 1 }
      }
      #expect(changed > group.count * 3 / 4)
    }
  }

  @Test(arguments: PairKind.allCases) func previewsSayWhatRunsSay(kind: PairKind) throws {
    let tiny = try TinySteering(kind)
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: tiny.engine, layer: TinySteering.layer, prompt: tiny.prompt, prefixes: prefixes)
    for plan in try plans() {
      let preview = try SteeringPreview(
        engine: tiny.engine, crosscoder: tiny.crosscoder, unsteered: unsteered, plan: plan, prefixes: prefixes,
        maxActivations: tiny.maxActivations)
      let shift = try preview.shift(count: 8)
      let whole = try tiny.wholePass(plan, [0])[0]
      for token in shift.likelySteered {
        #expect(abs(token.steered - exp(whole[Int(token.id)])) < 1e-4, "\(plan.directions)")
      }
      let run = try tiny.run([plan])
      var answer: [Int32] = []
      while answer.count < 6, let next = try preview.next() { answer.append(next) }
      #expect(Array(run.produced(1).prefix(answer.count)) == answer)
    }
  }

  @Test func aDirectionOfALatentSteersAsTheLatent() throws {
    let tiny = try TinySteering(.adapter)
    let own = try tiny.crosscoder.direction(3, .chat)
    let direction = try StreamDirection(layer: TinySteering.layer, unit: 3, vector: own.vector)
    let run = try tiny.run([
      SteeringPlan(interventions: [Intervention(latent: 3, mode: .add, strength: 0.8)]),
      SteeringPlan(interventions: [], directions: [SteeredDirection(name: "own", strength: 0.8, known: direction)]),
    ])
    #expect(run.produced(1) == run.produced(2))
    #expect(relativeDifference(run.logProbabilities(1), run.logProbabilities(2)) < 1e-6)
    #expect(run.logProbabilities(1) != run.logProbabilities(0))
  }

  @Test func strengthZeroAndSwitchedOffDirectionsChangeNoBit() throws {
    let tiny = try TinySteering(.adapter)
    var off = try term("a", 1)
    off.isOn = false
    let run = try tiny.run([
      SteeringPlan(interventions: [], directions: [try term("a", 2, .add, 0), try term("b", 2, .project, 0)]),
      SteeringPlan(interventions: [], directions: [off]),
    ])
    for arm in 1...2 {
      #expect(run.produced(arm) == run.produced(0) && run.logProbabilities(arm) == run.logProbabilities(0))
    }
  }

  @Test func whatCannotBeDoneIsRefusedByName() throws {
    let tiny = try TinySteering(.adapter)
    func refusal(_ plan: SteeringPlan) -> String {
      do {
        _ = try tiny.run([plan])
        return "accepted"
      } catch { return String(describing: error) }
    }
    let low = try term("low", 1)
    let unknown = SteeredDirection(name: "nameless")
    let wide = SteeredDirection(name: "wide", known: try known(1, seed: 1, d: 7))
    let high = SteeredDirection(name: "high", known: try known(99, seed: 1))
    for (plan, words) in [
      (SteeringPlan(interventions: [], directions: [unknown]), "direction nameless should be looked up"),
      (SteeringPlan(interventions: [], directions: [wide]), "direction wide should be of width"),
      (SteeringPlan(interventions: [], directions: [high]), "after block 99"),
      (
        SteeringPlan(interventions: [], directions: [try term("low", 1, .project)]),
        "the residual stream's mean is known"
      ),
      (
        SteeringPlan(interventions: [], directions: [low], conditions: [.init(latent: 1, side: .above, value: 0)]),
        "latents are read after block 2"
      ),
      (SteeringPlan(interventions: [], directions: [low], blocks: .ownAndAbove), "steering at all layers"),
      (SteeringPlan(interventions: [], directions: [try term("x", 2, .project)], unit: .norm), "raw strength"),
      (
        SteeringPlan(interventions: [], directions: [try term("x", 2, .project), try term("y", 2, .project)]),
        "direction y in mode project"
      ),
      (SteeringPlan(interventions: [], directions: [try term("x", 2, .add, .nan)]), "a number"),
    ] { #expect(refusal(plan).contains(words), "\(words): \(refusal(plan))") }
    #expect(throws: DiffingError.self) { try StreamDirection(layer: 1, unit: 1, vector: [0, 0]) }
    #expect(throws: DiffingError.self) { try StreamDirection(layer: 1, unit: 0, vector: [0, 1]) }
    #expect(throws: DiffingError.self) { try StreamDirection(layer: 1, unit: 1, vector: [.nan, 1]) }
  }

  @Test func aPlanKeepsItsDirectionsInJSON() throws {
    let text = #"{"name": "δ 2 plain 0", "strength": -0.5, "mode": "project", "on": false}"#
    let read = try JSONDecoder().decode(SteeredDirection.self, from: Data(text.utf8))
    #expect(read == SteeredDirection(name: "δ 2 plain 0", mode: .project, strength: -0.5, isOn: false))
    var known = read
    known.known = try self.known(2, seed: 1)
    let again = try JSONDecoder().decode(SteeredDirection.self, from: JSONEncoder().encode(known))
    #expect(again.sha256 == known.known?.sha256 && again.name == read.name)
    for wrong in [#"{"strength": 1}"#, #"{"name": "a", "mode": "ablate"}"#, #"{"name": "a", "weight": 1}"#] {
      #expect(throws: JSONFieldError.self) { try JSONDecoder().decode(SteeredDirection.self, from: Data(wrong.utf8)) }
    }
  }
}
