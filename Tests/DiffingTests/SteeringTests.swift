// Steering: the formulas, the positions, and the invariants that users of other tools had to find out the hard way.

import Inference
import TestSupport
import Testing

@testable import Diffing
@testable import Kernels

@Suite struct SteeringTests {
  static let (d, F, layer) = (TinyModel.dModel, 12, 2)
  let folder = TemporaryFolder()
  let engine: Engine
  let crosscoder: Crosscoder

  init() throws {
    engine = try Engine(model: TinyModel.writeGGUF(in: folder), adapter: TinyModel.writeAdapter(in: folder))
    crosscoder = randomCrosscoder(d: Self.d, F: Self.F, seed: 11, threshold: 0.5)
  }

  private func run(
    _ plans: [SteeringPlan], tokens: Int = 12, prompt: String = "hello there", on other: Engine? = nil
  ) throws -> SteeringRun {
    let run = try SteeringRun(
      engine: other ?? engine, crosscoder: crosscoder, layer: Self.layer, prompt: engine.encodePrompt(prompt),
      plans: plans,
      settings: GenerationSettings(maxTokens: tokens), maxActivations: { $0 == 11 ? nil : 3 })
    while !run.isFinished { _ = try run.step() }
    return run
  }

  private func plan(_ latent: Int, _ mode: SteeringMode, _ strength: Double) -> SteeringPlan {
    SteeringPlan(interventions: [Intervention(latent: latent, mode: mode, strength: strength)])
  }

  @Test func addFollowsItsFormula() throws {
    let steering = try PreparedSteering(
      plan: SteeringPlan(interventions: [
        Intervention(latent: 2, mode: .add, strength: 0.5), Intervention(latent: 7, mode: .add, strength: -2),
      ]), crosscoder: crosscoder, layer: 0, nLayers: 1, maxActivations: { _ in 3 })
    var h = [Float](repeating: 0.25, count: Self.d)
    steering.apply(to: &h, base: nil, isFirst: false)
    for i in 0..<Self.d {
      var wanted = 0.25
      for (latent, strength) in [(2, 0.5), (7, -2.0)] {
        let direction = Array(crosscoder.decoderDirection(latent, .chat))
        wanted += strength * 3 * Double(direction[i]) / crosscoder.chatNorms[latent]
      }
      #expect(abs(Double(h[i]) - wanted) < 1e-5)
    }
  }

  @Test func differenceFollowsItsFormulaAndOnlyWhereTheLatentIsOn() throws {
    var generator = SeededGenerator(5)
    for _ in 0..<20 {
      let pair = PairedActivations(
        dModel: Self.d, values: (0..<2 * Self.d).map { _ in Float.random(in: -1...1, using: &generator) })
      let codes = try crosscoder.encode(pair)
      for latent in 0..<Self.F {
        let steering = try PreparedSteering(
          plan: plan(latent, .difference, -1), crosscoder: crosscoder, layer: 0, nLayers: 1,
          maxActivations: { _ in nil })
        var h = Array(pair.vector(token: 0, model: .chat))
        let base = Array(pair.vector(token: 0, model: .base))
        let before = h
        steering.apply(to: &h, base: base, isFirst: false)
        let f = codes.entries(of: 0).first { codes.latents[$0] == latent }.map { Double(codes.values[$0]) } ?? 0
        let (chat, other) = (
          Array(crosscoder.decoderDirection(latent, .chat)), Array(crosscoder.decoderDirection(latent, .base))
        )
        for i in 0..<Self.d {
          #expect(abs(Double(h[i]) - (Double(before[i]) - f * Double(chat[i] - other[i]))) < 1e-4)
        }
        var first = before
        steering.apply(to: &first, base: base, isFirst: true)
        #expect(first == before, "codes of the first token mean nothing")
      }
    }
  }

  @Test(arguments: SteeringMode.allCases.filter { $0 != .clamp })
  func strengthZeroIsTheUnsteeredAnswer(mode: SteeringMode) throws {
    let run = try run([plan(3, mode, 0)])
    #expect(run.produced(1) == run.produced(SteeringRun.baseline))
    #expect(run.size(ofPlan: 0).relative == 0)
  }

  @Test func steeringChangesTheAnswerAndSaysByHowMuch() throws {
    let run = try run([plan(3, .add, 4)])
    #expect(run.produced(1) != run.produced(SteeringRun.baseline))
    #expect(run.size(ofPlan: 0).relative ?? 0 > 0.1)
  }

  @Test func swappingBaseInGivesBasesOwnAnswer() throws {
    // The adapter changes blocks 0 and 1 only, the swap happens after block 2: nothing of chat is left.
    let run = try run([SteeringPlan(interventions: [], swapsBase: true)])
    let base = Decoding(
      engine: engine, streams: [DecodingStream(model: .base, source: .sampled(.greedy))],
      prompt: try engine.encodePrompt("hello there").ids, limit: 12)
    while !base.isFinished { _ = try base.step() }
    #expect(run.produced(1) == base.produced(0))
    #expect(run.produced(1) != run.produced(SteeringRun.baseline))
  }

  @Test func aPairOfTwoFilesIsSteeredAsTheSamePairWithAnAdapter() throws {
    let base = folder.path + "/tiny.gguf"
    let chat = try TinyModel.writeGGUF(in: folder, name: "chat.gguf", merging: folder.path + "/adapter")
    let files = try Engine(model: chat, base: base)
    let texts: [[Int32]] = [[3, 1, 4, 1, 5], [9, 2, 6]]
    let wanted = try Harvester(engine: engine, layer: Self.layer).activations(of: texts)
    let found = try Harvester(engine: files, layer: Self.layer).activations(of: texts)
    #expect(
      zip(found, wanted).allSatisfy { pair in zip(pair.0.values, pair.1.values).allSatisfy { abs($0 - $1) < 1e-4 } })
    #expect(wanted[0].vector(token: 1, model: .base) != wanted[0].vector(token: 1, model: .chat))

    let plans = [
      plan(3, .difference, -1), plan(5, .add, 4), SteeringPlan(interventions: [], swapsBase: true),
    ]
    let (one, two) = (try run(plans), try run(plans, on: files))
    for stream in 0...plans.count { #expect(two.produced(stream) == one.produced(stream)) }
    #expect(two.produced(3) != two.produced(SteeringRun.baseline))
    for index in plans.indices {
      let (first, second) = (one.size(ofPlan: index).relative ?? 0, two.size(ofPlan: index).relative ?? 0)
      #expect(first > 0 && abs(first - second) < 1e-4 * first)
    }
  }

  @Test func companyAndOrderDoNotMatter() throws {
    let (a, b) = (plan(1, .add, 3), plan(4, .difference, -2))
    let together = try run([a, b])
    let swapped = try run([b, a])
    let alone = try run([a])
    #expect(together.produced(1) == swapped.produced(2) && together.produced(2) == swapped.produced(1))
    #expect(alone.produced(1) == together.produced(1))
    #expect(alone.produced(0) == together.produced(0))
  }

  @Test func theFirstGeneratedTokenIsSteered() throws {
    let generated = SteeringPlan(
      interventions: [Intervention(latent: 3, mode: .add, strength: 50)], positions: .generated)
    let run = try run([generated], tokens: 1)
    #expect(run.produced(1) != run.produced(0))
    #expect(run.size(ofPlan: 0).tokens == 1)
  }

  @Test func positionsCoverWhatTheirNamesSay() throws {
    let prompt = try engine.encodePrompt("hi")
    let T = prompt.ids.count
    func steered(_ positions: TokenPositions) -> [Int] {
      (0..<T + 2).filter { positions.include($0, prompt: prompt) }
    }
    #expect(steered(.all) == Array(0..<T + 2))
    #expect(steered(.prompt) == Array(0..<T))
    #expect(steered(.generated) == [T - 1, T, T + 1])
    #expect(steered(.template) == (0..<T).filter { prompt.templateMask[$0] })
    #expect(!steered(.template).isEmpty && steered(.template).count < T)
    #expect(steered(.last) == [T - 1])
  }

  @Test func whatCannotBeDoneIsRefused() {
    #expect(throws: DiffingError.self) { try run([plan(Self.F, .add, 1)]) }
    #expect(throws: DiffingError.self) { try run([plan(-1, .difference, 1)]) }
    #expect(throws: DiffingError.self) { try run([plan(11, .add, 1)]) }
    #expect(throws: DiffingError.self) { try run([plan(1, .add, .nan)]) }
    #expect(throws: DiffingError.self) { try run([plan(1, .add, .infinity)]) }
  }
}
