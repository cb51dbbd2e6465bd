// Whatever is typed, clicked, pasted and resized, the view state stays drawable.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

/// SplitMix64, so that a failure can be had again from its seed.
private struct SeededNumbers: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

@Suite struct RandomInputTests {
  private static let names =
    ["enter", "tab", "esc", "esc", "backspace", "del", "up", "down", "left", "right", "home", "end", "pgup", "pgdn"]
    + ["f1", "f2", "f3", "f4", "f5", "f6", "ctrl-l", "ctrl-r", "alt-left", "alt-right", "alt-e", "ctrl-c", "shift-tab"]
    + (33...126).compactMap { Unicode.Scalar($0).map { String(Character($0)) } }

  private static func event(_ numbers: inout SeededNumbers, _ size: Size) -> TerminalEvent {
    switch Int.random(in: 0..<100, using: &numbers) {
    case 0..<88:
      return .input(.key(Key(name: names.randomElement(using: &numbers) ?? "j") ?? "j"))
    case 88..<94:
      let kinds: [Mouse.Kind] = [.press, .release, .wheelUp, .wheelDown]
      let point = Point(
        row: Int.random(in: 0...size.rows, using: &numbers), column: Int.random(in: 0...size.columns, using: &numbers))
      return .input(.mouse(Mouse(kinds.randomElement(using: &numbers) ?? .press, at: point)))
    case 94..<97:
      let texts = [
        "nu_error<0.5", "12", "漢字 👩‍👩‍👧 é\u{301}", "\u{1B}[2J\u{7}\u{202E}x", String(repeating: "long ", count: 2000),
      ]
      return .input(.paste(texts.randomElement(using: &numbers) ?? ""))
    default:
      return .resized(
        Size(columns: Int.random(in: 0...150, using: &numbers), rows: Int.random(in: 0...60, using: &numbers)))
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func tenThousandEventsLeaveAStateThatCanBeDrawn(seed: UInt64) async throws {
    var numbers = SeededNumbers(state: seed)
    let sample = try SampleStore()
    try SampleExperiments.save(in: try sample.open())
    var driver = try await ExplorerDriver(try sample.open(), ascii: seed == 2, spoken: seed == 3)
    for index in 0..<2500 {
      for effect in driver.sendOnly(.terminal(Self.event(&numbers, driver.state.size))) {
        // Not files of random names in whatever folder this is.
        if case .export = effect { await driver.send(.done(effect)) } else { await driver.settle([effect]) }
      }
      if driver.state.ending != nil {
        driver = try await ExplorerDriver(try sample.open(), ascii: seed == 2, spoken: seed == 3)
      }
      let (canvas, cursor) = driver.state.draw()
      #expect(canvas.size == driver.state.size)
      if let cursor { #expect(canvas.bounds.contains(cursor), "seed \(seed), event \(index): \(cursor)") }
      #expect(driver.state.work.isEmpty, "seed \(seed), event \(index): \(driver.state.work)")
    }
    #expect(try sample.open().check().isEmpty)
  }

  @Test func aPasteOfAMegabyteIsTakenInPieces() async throws {
    var decoder = KeyDecoder()
    let text = String(repeating: "0123456789abcdef", count: 65_536)
    var inputs: [Input] = []
    let bytes = Array("\u{1B}[200~\(text)\u{1B}[201~j".utf8)
    for start in stride(from: 0, to: bytes.count, by: 4096) {
      inputs += decoder.decode(bytes[start..<min(bytes.count, start + 4096)])
    }
    #expect(inputs.count == 2 && inputs.last == .key("j"))
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("S")
    for input in inputs { await driver.send(.terminal(.input(input))) }
    #expect(driver.state.steer.prompt.text.count == driver.state.steer.prompt.limit)
    _ = driver.state.draw()
  }
}
