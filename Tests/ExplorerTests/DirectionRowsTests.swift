// Directions on the steer screen's list: how they are chosen, turned, changed, removed and remembered, what is asked of the models,
// and the way from a δ of the screen Differences.

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

@Suite struct DirectionRowsTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    let store = try sample.open()
    let d = try store.modelPair().dModel
    try store.save(directions: [
      DirectionRecord(
        name: "refusal", layer: 14, unit: 40, source: "difference in means of chat",
        vector: [Float](repeating: 1, count: d)),
      DirectionRecord(
        name: "δ 14 chat 1", layer: 14, unit: 70, source: "mean difference", card: #"{"tags": ["tuning"]}"#,
        vector: [Float](repeating: -1, count: d)),
    ])
    driver = try await ExplorerDriver(store)
    await driver.press("s", "H", "i", "esc")
  }

  private var asked: [SteeringRequest] {
    driver.asked.compactMap { if case .start(.preview(let request), _) = $0 { request } else { nil } }
  }
  private var said: String { driver.state.message?.text ?? "" }
  private var names: [String] { driver.state.steer.directions.map(\.name) }

  @Test mutating func oneIsChosenByAPartOfItsName() async {
    await driver.press("V")
    #expect(driver.text.contains("block 14, tuning; mean difference") && driver.text.contains("refusal"))
    await driver.type("ref")
    await driver.press("enter")
    #expect(names == ["refusal"])
    #expect(asked.last?.plan.directions == [SteeredDirection(name: "refusal", strength: 0.25)])
    #expect(asked.last?.plan.interventions.map(\.latent) == [5], "the latent steers beside it")
    await driver.press("+", "]")
    #expect(asked.last?.plan.directions.first?.strength == 0.51)
    await driver.press("m")
    #expect(asked.last?.plan.directions.first?.mode == .project && said.contains("taken out"))
    #expect(driver.text.contains("refusal project"))
    await driver.press("space")
    #expect(asked.last?.plan.directions == [])
    await driver.press("s", "ctrl-u", "-", "2", "enter", "space")
    #expect(asked.last?.plan.directions.first?.strength == -2)
  }

  @Test mutating func itRunsWithoutALatentAndBesideAmplification() async {
    await driver.press("V", "enter", "k", "d")
    #expect(driver.state.steer.rows.isEmpty && names == ["refusal"])
    await driver.press("p", "z", "enter")
    let plan = driver.state.steer.run?.request.plan
    #expect(plan?.directions.map(\.name) == ["refusal"] && plan?.amplification == Amplification(logits: 1))
    #expect(plan?.positions == .prompt)
    await driver.press("k", "o")
    #expect(driver.state.screen == .steer && said.contains("the row is a direction"))
    await driver.press("W")
    #expect(said.contains("nothing to replace"))
    await driver.press("w")
    #expect(driver.state.steer.sweep?.request.plan.directions.count == 1)
  }

  @Test mutating func removedOnesComeBackAndAreRemembered() async throws {
    await driver.press("V", "down", "enter", "d")
    #expect(names == [] && said == "off the list: δ 14 chat 1; u brings them back")
    await driver.press("u")
    #expect(names == ["δ 14 chat 1"] && said.contains("on the list again: 5, δ 14 chat 1"))
    await driver.press("j", "m", "space")
    let view = SavedView(driver.state)
    #expect(view.directions == [.init(name: "δ 14 chat 1", mode: "project", strength: 0.25, isOn: false)])
    let later = try await ExplorerDriver(try sample.open(), restoring: view)
    #expect(later.state.steer.directions == driver.state.steer.directions)
    await driver.press("X")
    #expect(driver.state.steer.listCount == 0)
    var steer = SteerState()
    let plan = SteeringPlan(interventions: [], directions: [SteeredDirection(name: "refusal", strength: 2)])
    steer.set(to: SteeringRequest(prompt: "Hi", plan: plan))
    #expect(steer.request.plan == plan)
  }

  @Test mutating func latentsOfDashboardsSteerByTheirDirections() async throws {
    let sample = try SampleStore()
    let store = try sample.open()
    let d = try store.modelPair().dModel
    try store.save(directions: [
      DirectionRecord(
        name: DirectionRecord.name(ofLatent: 5), layer: 14, unit: 3, source: "res-16k",
        card: DirectionRecord.publishedCard, vector: [Float](repeating: 1, count: d))
    ])
    var driver = try await ExplorerDriver(store)
    let latent = try #require(driver.state.currentLatent)
    await driver.press("s")
    #expect(driver.state.steer.directions.map(\.name) == ["latent \(latent)"] && driver.state.steer.rows.isEmpty)
    await driver.press("esc", "V")
    #expect(driver.state.overlay == nil, "latents' directions are not among those that one chooses by name")
  }

  @Test mutating func aStoreWithoutDirectionsSaysHowToMakeSome() async throws {
    let plain = try SampleStore()
    var driver = try await ExplorerDriver(try plain.open())
    await driver.press("s", "H", "i", "esc", "V")
    #expect(driver.state.overlay == nil)
    #expect(driver.state.message?.text.contains("crosscope direction makes one") == true)
  }
}
