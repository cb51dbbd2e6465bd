// Every screen, cell by cell, beside files that CROSSCOPE_RECORD=1 writes anew.

import Foundation
import TUI
import Testing

@testable import crosscope

@Suite struct ExplorerGoldenTests {
  /// A way to a screen.
  struct View: Sendable, CustomTestStringConvertible {
    let name: String
    var ascii = false
    let go: @Sendable (inout ExplorerDriver) async -> Void
    var testDescription: String { name }
  }

  static let views: [View] = [
    View(name: "latents") { _ in },
    View(name: "latents-ascii", ascii: true) { await $0.press("space", "space") },
    View(name: "latents-sorted-marked") { await $0.press(">", ">", "r", "space", "space", "down") },
    View(name: "latents-filter") { driver in
      await driver.press("/")
      await driver.type("nu_error<0.2 and not dead")
    },
    View(name: "latents-filter-wrong") { driver in
      await driver.press("/")
      await driver.type("nu_eror<0.2")
    },
    View(name: "latents-filter-none") { driver in
      await driver.press("/")
      await driver.type("delta_norm>5")
      await driver.press("enter")
    },
    View(name: "latent") { await $0.press("enter") },
    View(name: "latent-ascii", ascii: true) { await $0.press("enter", "enter") },
    View(name: "latent-unfolded") { await $0.press("enter", "w", "j", "c") },
    View(name: "latent-end") { await $0.press("j", "enter", "G") },
    View(name: "help") { await $0.press("?") },
    View(name: "tags") { driver in
      await driver.press("space", "down", "space", "t", "enter")
      await driver.type("ref")
    },
    View(name: "note") { driver in
      await driver.press("n")
      await driver.type("refuses what harms others; 漢字 too")
    },
    View(name: "map") { await $0.press("m") },
    View(name: "map-ascii", ascii: true) { await $0.press("m") },
    View(name: "map-blocks") { await $0.press("m", "b", "c") },
    View(name: "map-box") { await $0.press("m", "v", "l", "l", "l", "l", "l", "l", "k", "k", "k") },
    View(name: "map-zoomed") { await $0.press("j", "m", "+", "+") },
    View(name: "map-axis") { driver in
      await driver.press("m", "U")
      await driver.type("act")
    },
    View(name: "palette") { await $0.press(":") },
    View(name: "palette-typed") { driver in
      await driver.press("m", ":")
      await driver.type("ax")
    },
    View(name: "experiments-none") { await $0.press("f6") },
    View(name: "experiments") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "down", "space")
    },
    View(name: "experiments-filter-ascii", ascii: true) { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "space", "/")
      await driver.type("bomb")
    },
    View(name: "experiment") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "G", "enter")
    },
    View(name: "experiment-ascii", ascii: true) { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "enter", "w")
    },
    View(name: "experiments-compared") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "down", "space", "space", "c")
    },
    View(name: "experiment-export") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "e")
    },
    View(name: "steer-empty") { await $0.press("S") },
    View(name: "steer-add") { await $0.press("S", "esc", "a", "1", "2") },
    View(name: "steer-ready") { driver in
      await driver.press("space", "j", "space", "s", "esc", "+", "+", "+", "+", "j", "m", "j")
    },
    View(name: "steer-finished") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter")
    },
    View(name: "steer-changed") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "+", "+", "+", "+", "+", "+")
    },
    View(name: "steer-finished-ascii", ascii: true) { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "tab")
    },
  ]

  @Test(arguments: views, [Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)])
  func theScreenLooksAsRecorded(view: View, size: Size) async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), size: size, ascii: view.ascii)
    await view.go(&driver)
    let (canvas, cursor) = driver.state.draw()
    let place = cursor.map { "cursor at row \($0.row), column \($0.column)\n" } ?? "no cursor\n"
    try expectGolden(canvas.styledText + place, "\(view.name)-\(size.columns)x\(size.rows).txt")
  }

  @Test func tooSmallATerminalSaysSo() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.send(.terminal(.resized(Size(columns: 39, rows: 9))))
    #expect(driver.text.contains("terminal too small") && driver.text.contains("39×9, needs 40×10"))
    await driver.send(.terminal(.resized(Size(columns: 40, rows: 10))))
    #expect(driver.text.contains("latent"))
    for columns in 0..<45 {
      for rows in 0..<14 {
        await driver.send(.terminal(.resized(Size(columns: columns, rows: rows))))
        _ = driver.state.draw()
      }
    }
  }
}

/// Compares a text with the file of that name among the goldens, or records it.
func expectGolden(_ text: String, _ name: String) throws {
  let recorded = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Goldens/\(name)")
  if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
    try text.write(to: recorded, atomically: true, encoding: .utf8)
    return
  }
  let golden = try #require(
    try? String(contentsOf: recorded, encoding: .utf8), "no golden \(name): record it with CROSSCOPE_RECORD=1")
  let (new, old) = (
    text.split(separator: "\n", omittingEmptySubsequences: false),
    golden.split(separator: "\n", omittingEmptySubsequences: false)
  )
  let row = zip(new, old).enumerated().first { $1.0 != $1.1 }
  #expect(
    text == golden,
    "\(name) first differs in line \((row?.offset ?? min(new.count, old.count)) + 1):\nnow  \(row?.element.0 ?? "")\nwas  \(row?.element.1 ?? "")"
  )
}
