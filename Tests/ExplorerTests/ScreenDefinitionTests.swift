// What the fields of a screen's definition promise each other, on every screen.

import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Explorer

@Suite struct ScreenDefinitionTests {
  /// `typing` is what key bar and help go by, `type` is where the keys go: both must say the same.
  @Test func aLetterIsTextExactlyWhereTheKeyBarSaysSo() async throws {
    let sample = try SampleStore()
    try SampleExperiments.save(in: try sample.open())
    var driver = try await ExplorerDriver(try sample.open())
    var typing: Set<Screen> = []
    var seen: Set<Screen> = []
    for key in [
      "f2", "/", "x", "tab", "esc", "enter", "=", "1", "2", "enter", "f3", "v", "f4", "ctrl-x", "esc", "f5", "esc",
      "tab",
      "f6", "/", "enter", "enter", "f7", "enter",
    ] {
      await driver.press(key)
      guard driver.state.overlay == nil else { continue }
      let (state, definition) = (driver.state, driver.state.screen.definition)
      var changed = state
      let isText = definition.type(.key("z"), &changed) != nil
      #expect((definition.typing(state) != nil) == isText, "on \(state.screen) after \(key)")
      seen.insert(state.screen)
      if isText { typing.insert(state.screen) }
    }
    #expect(typing == [.latents, .prompt, .steer, .experiments])
    #expect(seen == Set(Screen.allCases).subtracting([.sweep]))
  }

  /// A screen shows what it needs, or the table comes up.
  @Test func goingToAScreenWithoutALatentEndsOnItOrOnTheTable() async throws {
    let sample = try SampleStore()
    let state = try await ExplorerDriver(try sample.open()).state
    for screen in Screen.allCases {
      var there = state
      _ = there.go(to: Place(screen: screen))
      let isOffered = TopScreen.all.contains { $0.screen == screen }
      let expected: Screen = isOffered ? screen : screen == .experiment ? .experiments : .bottom
      #expect(there.screen == expected, "\(screen)")
    }
  }
}
