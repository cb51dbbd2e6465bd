// Amplifications on the steer screen's list: how keys add, turn, change and remove them, what is asked of the models, and what is
// remembered.

import Diffing
import Inference
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct AmplifiedRowsTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "esc")
  }

  private var asked: [SteeringRequest] {
    driver.asked.compactMap { if case .start(.preview(let request), _) = $0 { request } else { nil } }
  }

  private var terms: [String] { driver.state.steer.amplified.map(\.term.text) }
  private var said: String { driver.state.message?.text ?? "" }

  @Test mutating func aKeyAddsOneAndTheKnobTurnsIt() async {
    await driver.press("z")
    #expect(asked.last?.plan.amplification == Amplification(logits: 1))
    #expect(asked.last?.plan.interventions.map(\.latent) == [5], "the latent steers beside it")
    #expect(driver.text.contains("amplify logits") && driver.text.contains("beyond chat"))
    await driver.press("-", "-", "]")
    #expect(asked.last?.plan.amplification == Amplification(logits: 0.51))
    await driver.press("8", "-")
    #expect(terms == ["logits:-1.49"] && driver.text.contains("beyond base"))
    await driver.press("space")
    #expect(asked.last?.plan.amplification == nil)
    await driver.press("z")
    #expect(terms == ["logits:1"], "there is one of the logits")
  }

  @Test mutating func mGoesThroughThePartsAtTheSameDistanceFromChat() async {
    await driver.press("z", "m")
    #expect(terms == ["weights:2"] && said.contains("λ, where 1 is chat"))
    await driver.press("m", "m")
    #expect(terms == ["mlp:2"] && asked.last?.plan.amplification?.weights == [WeightFactor(2, module: .mlp)])
    await driver.press("m")
    #expect(terms == ["logits:1"] && said.contains("α"))
  }

  @Test mutating func typedOnesAreAddedAndSet() async {
    await driver.press("a")
    await driver.type("mlp@1-2:0 42:0.5 logits")
    await driver.press("enter")
    #expect(terms == ["mlp@1-2:0", "logits:1"] && driver.state.steer.rows.map(\.latent) == [5, 42])
    await driver.press("s", "ctrl-u", "-", "3", "enter")
    #expect(terms == ["mlp@1-2:0", "logits:-3"])
    await driver.press("a")
    await driver.type("mlp@2-1:0")
    await driver.press("enter")
    #expect(said.contains("mlp@2-1:0") && driver.state.overlay != nil)
  }

  @Test mutating func itRunsWithoutALatent() async {
    await driver.press("z", "k", "d")
    #expect(driver.state.steer.rows.isEmpty && said.contains("off the list: 5"))
    await driver.press("p", "enter")
    let run = driver.state.steer.run?.request
    #expect(run?.plan == SteeringPlan(interventions: [], amplification: Amplification(logits: 1)))
    await driver.press("o")
    #expect(driver.state.screen == .steer && said.contains("amplification"))
    await driver.press("w")
    #expect(driver.state.steer.sweep?.request.plan.amplification != nil)
  }

  @Test mutating func removedOnesComeBack() async {
    await driver.press("z", "d")
    #expect(terms == [] && said == "off the list: logits; u brings them back")
    await driver.press("u")
    #expect(terms == ["logits:1"] && said.contains("on the list again: 5, logits"))
    await driver.press("X")
    #expect(driver.state.steer.listCount == 0)
    await driver.press("u")
    #expect(terms == ["logits:1"] && driver.state.steer.rows.count == 1)
  }

  @Test mutating func theyAreRememberedAndSetFromARequest() async throws {
    await driver.press("z", "m", "+", "space")
    let view = SavedView(driver.state)
    #expect(view.amplified == [.init(term: "weights:2.25", isOn: false)])
    let later = try await ExplorerDriver(try sample.open(), restoring: view)
    #expect(later.state.steer.amplified == driver.state.steer.amplified)
    var steer = SteerState()
    let amplification = Amplification(logits: 2, weights: [WeightFactor(0, blocks: 1...1)])
    let plan = SteeringPlan(interventions: [], amplification: amplification)
    steer.set(to: SteeringRequest(prompt: "Hi", plan: plan))
    #expect(steer.request.plan == plan && steer.amplified.count == 2)
  }
}
