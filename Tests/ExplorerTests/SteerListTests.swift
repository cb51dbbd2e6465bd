// The steer screen's list of latents: what comes to it, what leaves it, what comes back, and what is typed for it.

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

@Suite struct SteerListTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  private var listed: [Int] { driver.state.steer.rows.map(\.latent) }
  private var said: String { driver.state.message?.text ?? "" }

  /// Adds latents as they are typed.
  private mutating func add(_ text: String) async {
    await driver.press("a")
    await driver.type(text)
    await driver.press("enter")
  }

  @Test(arguments: [80, 120])
  mutating func sSteersAloneAndAnotherKeyAddsAndTheBarSaysBoth(columns: Int) async {
    await driver.send(.terminal(.resized(Size(columns: columns, rows: 24))))
    #expect(driver.text.contains("s steer  & steer too"))
    await driver.press("s", "esc", "esc", "j", "&")
    #expect(listed == [5, 42] && driver.state.screen == .steer)
    await driver.press("esc", "esc", "j", "s")
    #expect(listed == [19], "what was there before is not steered with")
    #expect(said == "off the list: 5, 42; u brings them back")
    await driver.press("esc", "u")
    #expect(listed == [5, 42])
  }

  @Test mutating func uBringsLatentsBackAsTheyWereTurnedSince() async {
    await driver.press("s", "esc")
    await add("42:0.5 7:0.02:clamp")
    #expect(listed == [5, 42, 7] && driver.state.steer.rows[2].mode == .clamp)
    await driver.press("k", "d", "k", "+")
    #expect(listed == [5, 7])
    await driver.press("X")
    #expect(listed.isEmpty && said.contains("5, 7") && said.contains("u brings"))
    await driver.press("u")
    #expect(listed == [5, 7])
    await driver.press("u")
    #expect(listed == [5, 42, 7])
    #expect(driver.state.steer.rows.map(\.strength) == [1.25, 0.5, 0.02], "the first was turned after 42 had gone")
    await driver.press("ctrl-r", "ctrl-r")
    #expect(listed.isEmpty)
    await driver.press("3", "u")
    #expect(listed == [5])
    await driver.press("u", "u")
    #expect(listed.isEmpty && said.contains("no former list"))
  }

  @Test mutating func uOnTheSteerScreenTakesNoTagBack() async throws {
    await driver.press("t")
    await driver.type("mine")
    await driver.press("enter", "esc", "s", "esc", "d", "u", "u", "u")
    #expect(try sample.open().tags(of: [5])[5]?.contains("mine") == true)
    await driver.press("esc", "u")
    #expect(try sample.open().tags(of: [5])[5]?.contains("mine") != true, "elsewhere it does")
  }

  @Test mutating func listsAreBroughtBackInAStoreThatIsOpenReadOnly() async throws {
    var driver = try await ExplorerDriver(try sample.open(.readOnly))
    await driver.press("s", "esc", "X", "u")
    #expect(driver.state.steer.rows.map(\.latent) == [5])
  }

  @Test mutating func aCountTakesThatManyOff() async {
    await driver.press("S", "esc")
    await add("1 2 3 4 5 6 7 8")
    await driver.press("g", "j", "3", "d")
    #expect(listed == [1, 5, 6, 7, 8])
    await driver.press("u", "1", "0", "0", "d")
    #expect(listed == [1] && driver.state.steer.list.selected == 0)
    await driver.press("u")
    #expect(listed == [1, 2, 3, 4, 5, 6, 7, 8], "one key, one change")
  }

  @Test mutating func strengthsAreTypedForOneOrAll() async {
    await driver.press("S", "esc")
    await add("1 2 3")
    await driver.press("s", "ctrl-u")
    await driver.type("0.02")
    await driver.press("enter")
    #expect(driver.state.steer.rows.map(\.strength) == [1, 1, 0.02] && driver.text.contains("+0.02"))
    await driver.press("s", "tab")
    #expect(driver.text.contains("Strength of all 3 latents"))
    await driver.press("ctrl-u")
    await driver.type("-0.125")
    await driver.press("enter")
    #expect(driver.state.steer.rows.map(\.strength) == [-0.125, -0.125, -0.125])
    #expect(driver.text.contains("-0.125"), "what is shown is what is given")
    for text in ["", "much", "nan", "1e999"] {
      await driver.press("s", "ctrl-u")
      await driver.type(text)
      await driver.press("enter")
      #expect(driver.state.message?.kind == .error && driver.state.overlay != nil, "\(text)")
      await driver.press("esc")
    }
    #expect(driver.state.steer.rows[2].strength == -0.125)
  }

  @Test(
    arguments: [
      (0.5, "+0.50"), (-1, "-1.00"), (0.02, "+0.02"), (0.125, "+0.125"), (-0.0125, "-0.0125"), (10, "+10.00"),
      (1e39, "+1e+39"), (1.0 / 3, "+0.333333"), (0, "+0.00"),
    ] as [(Double, String)])
  func aStrengthIsWrittenWithAllThatItHas(strength: Double, text: String) {
    #expect(strengthText(strength) == text)
  }

  @Test mutating func whatIsHalfUnderstoodIsNotAdded() async {
    await driver.press("S", "esc")
    for (text, part) in [
      ("", "missing"), ("60", "0 to 59"), ("1 60:2", "0 to 59"), ("x", "number is expected"), ("1:x", "finite number"),
      ("1:1:push", "a mode is one of"), ("1@", "ID>VALUE"), ("1@>x", "0 or more"), ("1@60>1", "0 to 59"),
    ] {
      await add(text)
      #expect(said.contains(part) && driver.state.message?.kind == .error, "\(text): \(said)")
      #expect(driver.state.steer.rows.isEmpty && driver.state.overlay != nil)
      await driver.press("esc")
    }
    await add("1:0.3 1")
    #expect(listed == [1] && driver.state.steer.rows[0].strength == 0.3)
    await add("1:0.4:ablate@>2")
    #expect(listed == [1] && driver.state.steer.rows[0].strength == 0.4 && driver.state.steer.rows[0].mode == .ablate)
    #expect(driver.text.contains("where f>2"))
  }

  @Test mutating func aModeKeepsAStrengthThatItMeasuresAlikeAndSaysWhenNot() async {
    await driver.press("s", "esc", "s", "ctrl-u")
    await driver.type("0.35")
    await driver.press("enter", "m")
    #expect(driver.state.steer.rows[0].strength == -1)
    #expect(said == "the strength is now -1.00: difference counts the activation, add the maximum")
    await driver.press("+", "m")
    #expect(driver.state.steer.rows[0].mode == .ablate && driver.state.steer.rows[0].strength == -0.75)
    #expect(said == "the strength is still -0.75: ablate takes away above 0")
    await driver.press("m")
    #expect(driver.state.steer.rows[0].mode == .project && driver.state.steer.rows[0].strength == 1)
    #expect(said.contains("the strength is now +1.00"))
    await driver.press("m")
    #expect(driver.state.steer.rows[0].mode == .clamp && driver.state.steer.rows[0].strength == 0.35)
    await driver.press("m")
    #expect(driver.state.steer.rows[0].mode == .add && driver.state.steer.rows[0].strength == 0.35 && said.isEmpty)
  }

  @Test func whatIsLeftOfAnEarlierSessionIsShownAsThatUntilARun() async throws {
    var first = try await ExplorerDriver(try sample.open())
    await first.press("s", "esc", "c", "ctrl-u")
    await first.type(">20")
    await first.press("enter", "c", "tab", "ctrl-u")
    await first.type("7<3")
    await first.press("enter")
    #expect(!first.text.contains("earlier session"))
    let encoded = try JSONEncoder().encode(SavedView(first.state))
    let view = try JSONDecoder().decode(SavedView.self, from: encoded)
    var driver = try await ExplorerDriver(try sample.open(), restoring: view)
    await driver.press("f5")
    #expect(driver.state.steer.rows.map(\.conditions) == first.state.steer.rows.map(\.conditions))
    #expect(
      driver.state.steer.plan.conditions == first.state.steer.plan.conditions
        && !driver.state.steer.plan.conditions.isEmpty)
    #expect(driver.text.contains(", 1 of an earlier session") && driver.text.contains("where f>20  earlier session"))
    await driver.press("i")
    await driver.type("Hi")
    await driver.press("esc", "a", "8", "enter")
    let rows = driver.text.split(separator: "\n").filter { $0.contains("[x]") }
    #expect(rows.map { $0.contains("earlier session") } == [true, false])
    await driver.press("enter")
    #expect(driver.state.steer.run != nil && !driver.text.contains("earlier session"))
  }

  @Test mutating func fiveHundredAndTwelveLatentsAreTheMost() async throws {
    var steer = SteerState()
    #expect(steer.put(Array(0..<513), alone: true, limit: nil)?.contains("512 latents") == true)
    #expect(steer.rows.isEmpty && steer.put(Array(0..<512), alone: true, limit: nil) == nil)
    #expect(steer.put([512], alone: false, limit: nil) != nil && steer.put([512], alone: true, limit: nil) == nil)
    var driver = try await ExplorerDriver(try sample.open(), nLatents: 600)
    await driver.press("S", "esc", "a")
    await driver.send(.terminal(.input(.paste((0..<512).map { "\($0):0.02" }.joined(separator: "\n")))))
    await driver.press("enter")
    #expect(driver.state.steer.request.plan.interventions.count == 512)
    #expect(driver.state.steer.request.plan.interventions.allSatisfy { $0.strength == 0.02 })
    #expect(driver.text.contains("Latents 512 of 512"))
    await driver.press("a")
    await driver.type("512")
    await driver.press("enter")
    #expect(driver.state.steer.rows.count == 512 && driver.state.message?.kind == .error)
  }
}
