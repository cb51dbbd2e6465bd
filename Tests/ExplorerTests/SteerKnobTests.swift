// The knob and the settings of the steer screen, with a scripted engine.

import Diffing
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct SteerKnobTests {
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

  private mutating func sendKey(_ key: Key) -> [Effect] { driver.sendOnly(.terminal(.input(.key(key)))) }

  @Test mutating func theDistributionFollowsTheKnob() async {
    #expect(asked.map { $0.plan.interventions.map(\.strength) } == [[1]], "leaving the prompt asks for the first one")
    #expect(driver.text.contains("KL 0.400 nats") && driver.text.contains("steered: I am sorry"))
    await driver.press("+", "]", "[", "-", "-")
    #expect(asked.map { $0.plan.interventions[0].strength } == [1, 1.25, 1.26, 1.25, 1, 0.75])
    #expect(driver.text.contains("KL 0.225 nats"))
    await driver.press("m", "space", "p", "D")
    #expect(asked.count == 10 && asked[7].plan.interventions.isEmpty)
    #expect(asked[8].plan.positions == .prompt && asked[9].plan.decoder == .base)
    await driver.press("T", "L", "R", "j")
    #expect(asked.count == 10, "sampling changes nothing about the first distribution")
  }

  @Test mutating func aHeldKeyNeverMakesAQueueAndTheLastStrengthWins() async throws {
    let first = sendKey("+")
    let number = driver.state.steer.preview.number
    #expect(first == [.preview(driver.state.steer.request.withoutSampling, number: number)])
    for _ in 0..<5 { #expect(sendKey("+") == [], "one is being computed") }
    let shown = try #require(driver.state.steer.preview.tokens)
    #expect(driver.text.contains("KL 0.400 nats"), "the former one stays until the next has come")
    let next = driver.sendOnly(.previewed(.distribution(shown), number: number))
    #expect(next == [.preview(driver.state.steer.request.withoutSampling, number: number + 1)])
    #expect(driver.state.steer.request.plan.interventions[0].strength == 2.5)
    #expect(driver.sendOnly(.previewed(.token("stale!"), number: number)) == [])
    #expect(driver.sendOnly(.previewFailed("stale!", number: number)) == [])
    var latest = shown
    latest.divergence = 7
    #expect(driver.sendOnly(.previewed(.distribution(latest), number: number + 1)) == [])
    _ = driver.sendOnly(.previewed(.token("now"), number: number + 1))
    #expect(driver.text.contains("KL 7.000 nats") && driver.text.contains("steered: now"))
    #expect(!driver.text.contains("stale!"))
  }

  @Test mutating func nothingIsPreviewedWithoutPromptModelOrScreen() async throws {
    let count = asked.count
    await driver.press("q", "S", "i", "ctrl-u", "esc")
    #expect(asked.count == count && driver.text.contains("of a prompt"))
    var waiting = try await ExplorerDriver(try sample.open())
    for key: Key in ["s", "x", "esc"] { _ = waiting.sendOnly(.terminal(.input(.key(key)))) }
    #expect(waiting.text.contains("comes as soon as the model is loaded"))
    let effects = waiting.sendOnly(.modelReady("chat"))
    #expect(effects == [.preview(waiting.state.steer.request.withoutSampling, number: 1)])
  }

  @Test mutating func aRunComesBeforeThePreviewOfTheSame() async throws {
    let run = sendKey("enter")
    #expect(run == [.run(driver.state.steer.request, number: 1)])
    #expect(sendKey("+").count == 1, "another strength is previewed while the run goes on")
    var fresh = try await ExplorerDriver(try sample.open())
    await fresh.press("s", "H", "i")
    let effects = fresh.sendOnly(.terminal(.input(.key("enter"))))
    #expect(effects == [.run(fresh.state.steer.request, number: 1)])
    let after = fresh.sendOnly(
      .steering(.finished(ScriptedLaboratory.document(fresh.state.steer.request)), number: 1))
    #expect(after.contains(.preview(fresh.state.steer.request.withoutSampling, number: 1)))
  }

  @Test func aPreviewThatFailsSaysWhyAndCanBeTriedAgain() async throws {
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaks: true))
    await driver.press("s", "H", "i", "esc")
    #expect(driver.text.contains("layer 14: not a number; lower the strength") && driver.text.contains("x tries again"))
    let count = driver.asked.count
    await driver.press("j")
    #expect(driver.asked.count == count, "it is not asked for again by itself")
    await driver.press("x", "-")
    #expect(driver.asked.count == count + 2)
  }

  @Test mutating func theWheelTurnsTheKnobOverALatentAndScrollsElsewhere() async {
    let row = SteerLayout(driver.state).rows
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelUp, at: Point(row: row.row, column: 5))))))
    #expect(driver.state.steer.rows[0].strength == 1.25)
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelDown, at: Point(row: row.row, column: 5))))))
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelDown, at: Point(row: row.row, column: 5))))))
    #expect(driver.state.steer.rows[0].strength == 0.75)
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelDown, at: Point(row: row.row + 9, column: 5))))))
    #expect(driver.state.steer.rows[0].strength == 0.75)
  }

  @Test mutating func warningsSayWhoseLimitTheyAre() async throws {
    await driver.press("+", "+", "+", "+")
    #expect(driver.text.contains("+2.00 !  ") && driver.text.contains("others' limit is 2.5"))
    await driver.press("+", "+")
    #expect(driver.text.contains("+2.50 !! "))
    let store = try sample.open()
    try store.setMeta(Store.coherenceLimit, "1.2")
    try store.setMeta(Store.coherenceLimit, "1.25")
    var calibrated = try await ExplorerDriver(store)
    await calibrated.press("s", "H", "i", "esc", "-")
    #expect(calibrated.text.contains("+1.00 !  ") && calibrated.text.contains("this pair's limit is 1.25"))
    await calibrated.press("+")
    #expect(calibrated.text.contains("+1.25 !! "))
    await calibrated.press("2", "6", "[")
    #expect(!calibrated.text.contains("limit is"))
    await calibrated.press("+", "+", "N")
    #expect(!calibrated.text.contains("limit is"), "a length has none")
  }

  @Test func theLimitIsWhereTheCurveCrossesTheFirstBound() throws {
    typealias Figures = Calibration.Figures
    func calibration(_ curve: [[(Double, Double)]]) throws -> Calibration {
      var result = try Calibration(unsteered: Figures(logPerplexity: 0.6, repetition: 0), model: "chat")
      for (index, latents) in curve.enumerated() {
        result.add(Double(index + 1), latents.map { Figures(logPerplexity: $0.0, repetition: $0.1) })
      }
      return result
    }
    // Means of 2.4 nats at 1 and 3.6 at 2: 3.0 lies between them.
    let both = try calibration([[(2, 0), (2.8, 0)], [(3.2, 0), (4, 0)]])
    #expect(both.limit.value == 1.5 && !both.isFarEnough)
    // By itself the first latent comes to 3.0 at 1.83, the second at 1.17: as far as draws of them reach.
    #expect(both.limit.low == 1.17 && both.limit.high == 1.83)
    #expect(try calibration([[(1, 0.1)], [(1, 0.7)]]).limit == Interval(value: 1.47), "text in circles is broken, too")
    #expect(try calibration([[(6, 0), (1, 0.8)]]).limit.value == 0.44, "each in its own way")
    let never = try calibration([[(1, 0), (1, 0)], [(2, 0), (3.3, 0)]])
    #expect(never.limit.value == 2 && !never.isFarEnough)
    #expect(try calibration([[(1, 0), (1, 0)], [(4, 0), (4.1, 0)]]).isFarEnough)
    #expect(throws: InputError.self) {
      try Calibration(unsteered: Figures(logPerplexity: 4, repetition: 0), model: "chat")
    }
  }

  @Test(
    arguments: [
      (nil, 1), (0.8, 0.75), (0.75, 0.75), (0.74, 0.5), (1.3, 1.25), (0.2, 0.2), (0.075, 0.07), (40, 10),
    ] as [(Double?, Double)])
  func aLatentBeginsAtTheLastNotchWithinTheLimit(limit: Double?, begins: Double) async throws {
    if let limit { try sample.open().setMeta(Store.coherenceLimit, "\(limit)") }
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("s")
    #expect(abs(driver.state.steer.rows[0].strength - begins) < 1e-12)
    await driver.press("esc", "a", "7", "enter", "m", "m", "m")
    #expect(driver.state.steer.rows[1].strength == 1, "project takes all of it out")
    await driver.press("m")
    #expect(driver.state.steer.rows[1].mode == .clamp && abs(driver.state.steer.rows[1].strength - begins) < 1e-12)
    await driver.press("N", "a", "8", "enter")
    #expect(driver.state.steer.rows[2].strength == 1, "a length knows no limit")
  }

  @Test func aLimitThatIsNoStrengthIsNone() throws {
    let store = try sample.open()
    for text in ["nan", "inf", "-1", "0", "much"] {
      try store.setMeta(Store.coherenceLimit, text)
      #expect(try store.knownCoherenceLimit() == nil, "\(text)")
    }
  }

  @Test mutating func manyFineNotchesAreExact() async {
    for _ in 0..<43 { await driver.press("[") }
    #expect(driver.state.steer.rows[0].strength == 0.57)
    for _ in 0..<57 { await driver.press("[") }
    #expect(driver.state.steer.rows[0].strength == 0)
    await driver.press("s", "ctrl-u")
    await driver.type("0.1257")
    await driver.press("enter", "+", "]")
    #expect(driver.state.steer.rows[0].strength == 0.3857, "digits that were typed stay")
  }

  @Test mutating func aCountTurnsAKnobThatFar() async {
    await driver.press("2", "0", "0", "]")
    #expect(driver.state.steer.rows[0].strength == 3)
    await driver.press("3", "[", "4", "+", "1", "2", "-")
    #expect(driver.state.steer.rows[0].strength == 0.97)
    await driver.press("[")
    #expect(driver.state.steer.rows[0].strength == 0.96, "a count is of one key")
    #expect(asked.map { $0.plan.interventions[0].strength } == [1, 3, 2.97, 3.97, 0.97, 0.96])
  }

  @Test func theLargestNumberOfTokensIsNotTurnedBeyondItself() {
    var steer = SteerState()
    #expect(SteerSetting.maxTokens.set("\(Int.max)", &steer) == nil)
    #expect(SteerSetting.maxTokens.step(1, &steer) != nil && steer.sampling.maxTokens == .max)
  }

  @Test mutating func everySettingIsInTheListAndInTheRequest() async {
    await driver.press(",")
    for setting in SteerSetting.allCases { #expect(driver.text.contains(setting.title), "\(setting)") }
    await driver.press("+", "j", "+", "j", "+", "j", "+", "j")
    for character in "0.8" { await driver.type(String(character)) }
    await driver.press("enter", "j", "-", "-", "j", "+", "j", "+", "+", "j", "+", "+", "j", "+", "j", "-")
    await driver.press("j", "j", "j", "+", "j", "-", "esc")
    let request = driver.state.steer.request
    #expect(request.plan.positions == .prompt && request.plan.decoder == .base && request.plan.blocks == .ownAndAbove)
    #expect(
      request.plan.unit == .norm && request.sampling.temperature == 0.8 && request.sampling.topP == 0.9
        && request.sampling.minP == 0.05)
    #expect(
      request.sampling.frequencyPenalty == 0.2 && request.sampling.samples == 3 && request.sampling.seed == 2
        && request.sampling.maxTokens == 80)
    #expect(request.sampling.repetitionPenalty == 1.1 && request.sampling.penaltyWindow == 48)
    let text = driver.text
    #expect(text.contains("temperature 0.8, seed 2") && text.contains("length of what is added along d_base"))
    await driver.send(.terminal(.resized(Size(columns: 240, rows: 30))))
    for part in [
      "steers prompt tokens", "3 samples", "top-p 0.9", "min-p 0.05", "penalty 0.2", "penalty 1.1 over 48 tokens",
    ] {
      #expect(driver.text.contains(part), "\(part)")
    }
    await driver.press("T")
    #expect(driver.state.steer.sampling.temperature == 0 && driver.state.steer.request.sampling.samples == 1)
    #expect(driver.state.steer.request.sampling.topP == 1 && driver.state.steer.request.sampling.minP == 0)
    var steer = driver.state.steer
    #expect(SteerSetting.repetitionPenalty.set("1", &steer) == nil && steer.sampling.penaltyWindow == 64)
  }

  @Test mutating func whatWouldChangeNothingOrIsOutOfRangeIsRefused() async {
    let before = driver.state.steer.request
    for (setting, text, reason) in [
      (SteerSetting.topP, "0.5", "temperature 0"), (.samples, "4", "temperature 0"), (.minP, "0.5", "temperature 0"),
      (.temperature, "-1", "temperature"), (.temperature, "warm", "a number"), (.seed, "-1", "whole number"),
      (.maxTokens, "0", "1 or more"), (.samples, "99", "1 to 16"), (.frequencyPenalty, "1000", "-100"),
      (.repetitionPenalty, "0", "above 0"), (.penaltyWindow, "0", "1 or more"),
      (.penaltyWindow, "32", "repetition penalty 1"),
    ] {
      var steer = driver.state.steer
      let refused = setting.set(text, &steer)
      #expect(refused?.contains(reason) == true, "\(setting) \(text): \(refused ?? "set")")
      #expect(steer == driver.state.steer)
    }
    await driver.press(",", "j", "j", "j", "j", "j", "-")
    #expect(driver.state.message?.text.contains("changes nothing at temperature 0") == true)
    await driver.press("esc")
    #expect(driver.state.steer.request == before)
  }

  @Test mutating func aConditionIsTypedOnALatent() async {
    await driver.press("c", "ctrl-u")
    await driver.type("<0")
    await driver.press("enter")
    #expect(driver.state.message?.kind == .error && driver.state.steer.rows[0].conditions.isEmpty)
    await driver.press("ctrl-u")
    await driver.type("> 0.5")
    await driver.press("enter")
    let condition = SteeringCondition(latent: 5, side: .above, value: 0.5)
    #expect(driver.state.steer.request.plan.interventions[0].conditions == [condition])
    #expect(driver.text.contains("where f>0.5") && driver.state.steer.request.plan.conditions.isEmpty)
    #expect(asked.last?.plan.interventions[0].conditions == [condition])
    await driver.press("c", "ctrl-u")
    await driver.type(">0.25 and 42<3")
    await driver.press("enter")
    #expect(driver.text.contains("where f>0.25 and f(42)<3"))
    await driver.press("c")
    #expect(driver.text.contains("where >0.25 42<3"), "what is set comes back to be edited")
    await driver.press("ctrl-u", "enter")
    #expect(driver.state.steer.rows[0].conditions.isEmpty)
  }

  @Test mutating func aConditionGatesTheRowOnWhichItStands() async throws {
    await driver.press("a")
    await driver.type("42:0.5")
    await driver.press("enter", "c", "ctrl-u")
    await driver.type(">20")
    await driver.press("enter")
    let request = driver.state.steer.request
    let condition = SteeringCondition(latent: 42, side: .above, value: 20)
    #expect(request.plan.interventions.map(\.conditions) == [[], [condition]] && request.plan.conditions.isEmpty)
    let lines = driver.text.split(separator: "\n").filter { $0.contains("where f>20") }
    #expect(lines.count == 1 && lines[0].contains("[x]     42"))
  }

  @Test mutating func aConditionOfAllIsDrawnAsOne() async throws {
    await driver.press("a")
    await driver.type("42:0.5@>1")
    await driver.press("enter", "c", "tab", "ctrl-u")
    await driver.type("7>0.5")
    await driver.press("enter")
    let request = driver.state.steer.request
    #expect(request.plan.conditions == [SteeringCondition(latent: 7, side: .above, value: 0.5)])
    #expect(request.plan.interventions.map(\.conditions.count) == [0, 1])
    #expect(driver.text.contains("Latents, all only where f(7)>0.5"))
    #expect(request.steeringText == "5 add +1.00, 42 add +0.50 where f>1; all only where f(7)>0.5")
    var steer = SteerState()
    steer.set(to: request)
    #expect(
      steer.request.plan.interventions == request.plan.interventions
        && steer.request.plan.conditions == request.plan.conditions)
  }

  @Test mutating func aLatentComesToTheListWithoutTypingIntoThePrompt() async {
    await driver.press("q", "j", "s", "1", "f2")
    #expect(driver.state.steer.prompt.text == "Hi" && driver.state.screen == .latents)
  }

  @Test mutating func everyModeSaysWhatItsStrengthIs() async {
    for (columns, parts) in [
      (
        120,
        [
          "largest activation along d_chat", "(d_chat − d_base)", "takes the latent's contribution away",
          "takes it out", "held at",
        ]
      ),
      (80, ["along d_chat", "(d_chat − d_base)", "strength × f · d_chat", "h − mean along d_chat", "held at"]),
      (40, ["add × max", "diff. × f", "ablate − × f", "project − ×", "clamp f at"]),
    ] {
      await driver.send(.terminal(.resized(Size(columns: columns, rows: 24))))
      for part in parts {
        #expect(driver.text.contains(part), "\(part) at \(columns)")
        await driver.press("m")
      }
    }
  }
}
