// The steer screen with a scripted engine.

import Diffing
import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct SteerScreenTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func latentsComeFromTableAndPage() async {
    await driver.press("space", "space", "s")
    #expect(driver.state.screen == .steer && driver.state.steer.rows.map(\.latent) == [5, 42])
    #expect(driver.state.latents.marked.isEmpty)
    await driver.press("esc", "esc", "j", "enter", "&")
    #expect(driver.state.steer.rows.map(\.latent) == [5, 42, 56])
    await driver.press("esc", "esc", "&")
    #expect(driver.state.steer.rows.count == 3)
  }

  @Test mutating func strengthsModesAndTogglesChangeTheRequest() async {
    await driver.press("s", "esc", "+", "+", "-", "=")
    #expect(driver.state.steer.request.plan.interventions == [Intervention(latent: 5, mode: .add, strength: 1.5)])
    await driver.press("m")
    #expect(
      driver.state.steer.request.plan.interventions == [Intervention(latent: 5, mode: .difference, strength: -1)])
    await driver.press("space")
    #expect(driver.state.steer.request.plan.interventions.isEmpty && driver.state.steer.rows.count == 1)
    for (mode, strength) in [(SteeringMode.ablate, -1.0), (.project, 1), (.clamp, 1.5), (.add, 1.5)] {
      await driver.press("m")
      #expect(driver.state.steer.rows[0].mode == mode && driver.state.steer.rows[0].strength == strength)
      #expect(driver.text.contains(mode.rawValue))
    }
    await driver.press("space")
    for _ in 0..<60 { await driver.press("+") }
    #expect(driver.state.steer.rows[0].strength == KnobNotch.strongest)
    #expect(driver.text.contains("!!"))
    await driver.press("d", "d", "+")
    #expect(driver.state.steer.rows.isEmpty && driver.state.message?.text.contains("a adds one") == true)
  }

  @Test mutating func idsAreAddedIfTheStoreHasThem() async {
    await driver.press("S", "esc", "a")
    await driver.type("7")
    await driver.press("enter")
    #expect(driver.state.steer.rows.map(\.latent) == [7] && driver.state.latents.rows[7] != nil)
    await driver.press("a")
    await driver.type("600")
    await driver.press("enter")
    #expect(driver.state.steer.rows.count == 1 && driver.state.message?.text.contains("0 to 59") == true)
    await driver.press("esc")
    #expect(driver.state.overlay == nil)
  }

  @Test mutating func aRunStreamsBothAnswersAndIsSaved() async throws {
    await driver.press("s")
    await driver.type("How? q")
    await driver.press("enter")
    let run = try #require(driver.state.steer.run)
    #expect(run.baseline == ScriptedLaboratory.baselineAnswer && run.steered == ScriptedLaboratory.steeredAnswer)
    #expect(driver.text.contains("Building a bomb") && driver.text.contains("sorry"))
    let saved = try #require(try sample.open().experiments().first)
    #expect(driver.text.contains("saved as experiment \(saved.id)"))
    #expect(saved.prompt == "How? q" && saved.kind == "steer")
    let document = try SteeringDocument(saved)
    #expect(document.request.plan.interventions == [Intervention(latent: 5, mode: .add, strength: 1)])
    #expect(document == ScriptedLaboratory.document(run.request), "all that was measured is saved")
    #expect(document.request.sampling == GenerationSettings(maxTokens: 96, temperature: 0, seed: 1))
    #expect(document.basis.layer == 14 && document.request.plan.positions == .all)
    let answers = [document.outputs.baseline] + document.outputs.steered
    #expect(
      answers.map(\.text) == ["Building a bomb is complex. Here is how.", "I am sorry, but I cannot help with that."])
    #expect(answers.map(\.relativeChange) == [nil, 0.31])
    #expect(answers.map(\.finished) == [true, true] && answers.map(\.strength) == [nil, 1])
    #expect(saved.versions.contains("0.1.0") && !saved.created.isEmpty)
  }

  private func request(samples: Int = 1) -> SteeringRequest {
    SteeringRequest(
      prompt: "", interventions: [], maxTokens: 9, temperature: 1, seed: 1, samples: samples, watched: ["no"])
  }

  @Test func tokensThatDifferAreMarkedOnBothSides() {
    var run = SteerRun(request: request())
    run.samples[0].baseline = ["I", " can", " help", "."]
    run.samples[0].steered = ["I", " cannot", " help", " you", "."]
    #expect(run.differing.baseline == [1, 3] && run.differing.steered == [1, 3], "only the first four are compared")
    run.phase = .measuring
    #expect(run.differing.baseline == [1] && run.differing.steered == [1, 3])
    run.samples[0].steered = run.baseline
    #expect(run.differing.baseline.isEmpty && run.differing.steered.isEmpty)
  }

  @Test mutating func escapeCancelsAndLateTokensAreDropped() async throws {
    await driver.press("s", "x", "esc")
    let effects = driver.sendOnly(.terminal(.input(.key("enter"))))
    #expect(effects == [.run(driver.state.steer.request, number: 1)])
    _ = driver.sendOnly(.steering(.steered("a"), number: 1))
    #expect(driver.text.contains("generating, 1…"))
    #expect(driver.sendOnly(.terminal(.input(.key("enter")))) == [])
    #expect(driver.sendOnly(.terminal(.input(.key("j")))) == [])
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelRun])
    _ = driver.sendOnly(.steering(.steered("b"), number: 1))
    #expect(driver.state.steer.run?.steered == ["a"] && driver.state.steer.run?.phase == .cancelled)
    #expect(driver.state.screen == .steer)
    let again = driver.sendOnly(.terminal(.input(.key("enter"))))
    #expect(again == [.run(driver.state.steer.request, number: 2)])
    _ = driver.sendOnly(.steering(.steered("late"), number: 1))
    #expect(driver.state.steer.run?.steered == [])
    #expect(driver.sendOnly(.terminal(.input(.key("ctrl-c")))) == [.cancelRun] && driver.state.ending == nil)
    #expect(try sample.open().experiments().isEmpty)
  }

  @Test func aRunWaitsForTheModel() async throws {
    var driver = try await ExplorerDriver(try sample.open())
    #expect(driver.sendOnly(.terminal(.input(.key("S")))) == [.loadDirections, .loadModel])
    _ = driver.sendOnly(.modelProgress("loading 50 %"))
    #expect(driver.sendOnly(.terminal(.input(.key("x")))) == [])
    #expect(driver.sendOnly(.terminal(.input(.key("enter")))) == [])
    #expect(driver.state.steer.isWaitingForModel && driver.text.contains("waiting for the model"))
    #expect(driver.sendOnly(.modelReady("chat")) == [.run(driver.state.steer.request, number: 1)])
  }

  @Test func aRunThatWaitsIsCancelledOrForgotten() async throws {
    let ways: [[Key]] = [["esc"], ["tab", "q"], ["ctrl-c"], ["ctrl-u"], ["tab", "o"]]
    for keys in ways {
      var driver = try await ExplorerDriver(try sample.open())
      await driver.press("enter")
      _ = driver.sendOnly(.terminal(.input(.key("s"))))
      for key: Key in ["x", "enter"] { _ = driver.sendOnly(.terminal(.input(.key(key)))) }
      #expect(driver.state.steer.isWaitingForModel)
      for key in keys { _ = driver.sendOnly(.terminal(.input(.key(key)))) }
      #expect(driver.state.screen == (keys.last == "o" ? .latent : .steer), "\(keys)")
      let begun = driver.sendOnly(.modelReady("chat"))
      #expect(!begun.contains { if case .start(.run, _) = $0 { true } else { false } }, "\(keys)")
      #expect(driver.state.steer.run == nil && !driver.state.steer.isWaitingForModel && driver.state.ending == nil)
    }
  }

  @Test func aMissingModelIsSaidAndTriedAgain() async throws {
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(loads: false))
    await driver.press("S", "x")
    #expect(driver.text.contains("no model"))
    await driver.press("enter")
    #expect(driver.state.message?.text.contains("no such file") == true)
    #expect(driver.asked.filter { $0 == .loadModel }.count == 2)
  }

  @Test func anErrorOfTheEngineIsShownWhereTheAnswerWouldBe() async throws {
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaks: true))
    await driver.press("s", "x", "enter", "j")
    #expect(driver.text.contains("layer 14: not a number"))
    #expect(try sample.open().experiments().isEmpty)
  }

  @Test mutating func thePromptTakesEveryPrintableKeyAndPastes() async {
    await driver.press("s")
    await driver.type("q? s+-dt/")
    await driver.send(.terminal(.input(.paste("line one\r\nline two\u{1B}[31m"))))
    #expect(driver.state.steer.prompt.text == "q? s+-dt/line one\nline two\u{1B}[31m")
    #expect(driver.text.contains("line one↵line two␛[31m"))
    await driver.press("tab")
    #expect(driver.state.steer.focus == .interventions)
    await driver.press("tab", "tab")
    #expect(driver.state.steer.focus == .prompt)
  }

  @Test mutating func longAnswersScrollBack() async {
    await driver.press("s", "x", "enter")
    for index in 0..<400 { _ = driver.sendOnly(.steering(.steered(" word\(index)"), number: 0)) }
    await driver.press("enter")
    let number = driver.state.steer.runNumber
    _ = driver.sendOnly(.terminal(.input(.key("enter"))))
    for index in 0..<400 { _ = driver.sendOnly(.steering(.steered(" word\(index)"), number: number + 1)) }
    #expect(driver.text.contains("word399"))
    await driver.press("tab", "g")
    #expect(driver.text.contains(" word0 ") && !driver.text.contains("word399"))
    await driver.press("G")
    #expect(driver.text.contains("word399"))
    for _ in 0..<200 { _ = driver.sendOnly(.terminal(.input(.mouse(Mouse(.wheelUp, at: Point(row: 9, column: 9)))))) }
    #expect(driver.text.contains(" word0 "))
    _ = driver.sendOnly(.terminal(.input(.mouse(Mouse(.wheelDown, at: Point(row: 9, column: 9))))))
    #expect(!driver.text.contains(" word0 "), "what was turned beyond the top is not to be turned back")
  }

  @Test mutating func theSmallestTerminalShowsALineOfEachAnswer() async {
    await driver.press("space", "space", "space", "s")
    await driver.type("How?")
    await driver.press("enter", "tab", "tab", "tab")
    for size in [Size(columns: 40, rows: 10), Size(columns: 80, rows: 10), Size(columns: 59, rows: 13)] {
      await driver.send(.terminal(.resized(size)))
      let text = driver.text
      for part in ["Prompt", "How?", "Baseline", "how.", "Steered", "that.", "    42  add"] {
        #expect(text.contains(part), "\(part) at \(size.columns)×\(size.rows):\n\(text)")
      }
    }
  }

  @Test mutating func answersOfOtherSettingsAreMarked() async {
    await driver.press("space", "s")
    await driver.type("How?")
    await driver.press("enter")
    #expect(driver.text.contains("41 tokens/s") && !driver.text.contains("settings changed"))
    await driver.press("+")
    #expect(driver.text.contains("settings changed since"))
    await driver.press("-")
    #expect(!driver.text.contains("settings changed"), "the same settings again")
    await driver.press("L")
    #expect(driver.text.contains("settings changed since"))
  }

  @Test func anAnswerThatTheLimitCutSaysSo() {
    var run = SteerRun(request: request())
    run.samples = [SteerRun.Sample(baseline: ["a"], steered: ["a"])]
    #expect(run.shownBaseline.note == nil, "it goes on")
    var document = ScriptedLaboratory.document(request())
    document.outputs.steered[0].samples[0].finished = false
    run.phase = .finished(document)
    #expect(run.shownBaseline.note == nil)
    #expect(run.shownSteered.note == "(cut at 9 tokens)")
  }

  @Test mutating func thePromptSaysHowToReachHelp() async throws {
    await driver.press("s", "?")
    #expect(driver.state.steer.prompt.text == "?" && driver.text.contains("F1 help"))
    await driver.press("f1")
    let help = try #require(driver.state.overlay as? HelpPage)
    #expect(help.top == 0 && help.over == nil && driver.text.contains("Keys"))
  }
}
