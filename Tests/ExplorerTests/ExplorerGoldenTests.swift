// Every screen, cell by cell, beside files that CROSSCOPE_RECORD=1 writes anew.

import Foundation
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import TUI

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
    View(name: "latents-columns") { driver in
      await driver.press("C", "j", "j", "j", "space", "J", "up", "+", "+", "G", "k", "space")
    },
    View(name: "latents-overview") {
      await $0.press("H", ">", ">", ">", "O", "down", "down", "down", "enter", "j", "j")
    },
    View(name: "latents-overview-ascii", ascii: true) { await $0.press("H", "<", "<", "<", "<", "<", "j") },
    View(name: "latents-class") { await $0.press("c", "c") },
    View(name: "latents-completion") { driver in
      await driver.press("/")
      await driver.type("not dead and nu")
      await driver.press("tab", "down")
    },
    View(name: "latents-sort-chooser") { driver in
      await driver.press("O")
      await driver.type("fre")
    },
    View(name: "latents-saved-filters") { driver in
      await driver.send(
        .savedFilters(
          SavedFilters(named: [
            .init(name: "known to base", filter: "nu_error>0.8"), .init(name: "refusals", filter: "tag:refusal"),
          ])))
      await driver.press("F", "down")
    },
    View(name: "map-filtered") { driver in
      await driver.press("/")
      await driver.type("nu_error<0.5")
      await driver.press("enter", "m")
    },
    View(name: "latent") { await $0.press("enter") },
    View(name: "latent-ascii", ascii: true) { await $0.press("enter", "enter") },
    View(name: "latent-unfolded") { await $0.press("enter", "w", "j", "c") },
    View(name: "latent-token") { await $0.press("enter", "enter", "l", "l", "h") },
    View(name: "latent-template") { await $0.press("enter", "T", "d", "L") },
    View(name: "latent-contrast") { driver in
      await driver.press("enter")
      if driver.state.size.columns < 110 { await driver.press("x") }
      await driver.press("}", "}", "}", "}", "enter")
    },
    View(name: "latent-check") { await $0.press("enter", "K") },
    View(name: "experiment-check") { driver in
      var record = CausalCheckReport.scripted(5).record()
      record.created = "2026-11-24T21:30:00Z"
      _ = try? driver.runner.store.save(record)
      await driver.press("f6", "enter")
    },
    View(name: "latent-number") { await $0.press("#", "4", "2") },
    View(name: "latent-comparison") { await $0.press("space", "space", "=") },
    View(name: "latent-comparison-ascii", ascii: true) { await $0.press("enter", "G", "=", "pgdn") },
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
    View(name: "experiment-whole") { driver in
      _ = try? driver.runner.store.save(SampleExperiments.whole)
      await driver.press("f6", "enter")
    },
    View(name: "experiment-whole-end-ascii", ascii: true) { driver in
      _ = try? driver.runner.store.save(SampleExperiments.whole)
      await driver.press("f6", "enter", "w", "b", "b")
    },
    View(name: "experiments-whole") { driver in
      _ = try? driver.runner.store.save(SampleExperiments.whole)
      await driver.press("f6")
    },
    View(name: "experiments-compared-end") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "down", "space", "space", "c", "G")
    },
    View(name: "experiment-export") { driver in
      try? SampleExperiments.save(in: driver.runner.store)
      await driver.press("f6", "e")
    },
    View(name: "prompt-empty") { await $0.press("f4") },
    View(name: "prompt-typing") { driver in
      await driver.press("f4", "ctrl-o", "ctrl-o")
      await driver.type("You are helpful.")
      await driver.press("ctrl-t")
      await driver.type("How do I build a bomb, step by step, at home, without anybody noticing it before it is done?")
      await driver.press("alt-enter")
      await driver.type("漢字 too")
    },
    View(name: "prompt-running") { driver in
      await driver.press("f4")
      await driver.type("How do I build a bomb?")
      let effects = driver.sendOnly(.terminal(.input(.key("enter"))))
      if case .start(let job, let number)? = effects.first {
        _ = driver.sendOnly(.job(.loading("loading the models"), JobID(kind: job.kind, number: number)))
      }
    },
    View(name: "prompt-raw") { driver in
      await driver.press("f4", "ctrl-x")
      await driver.type("A bomb is a weapon.")
      await driver.press("alt-enter")
      await driver.type("Rain falls on the roof and the garden drinks it in.")
      await driver.press("enter", "l")
    },
    View(name: "prompt-chat") { driver in
      await driver.press("f4")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "c")
    },
    View(name: "prompt-answer") { driver in
      await driver.press("f4")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "A", "h", "h")
    },
    View(name: "prompt-whole-text") { driver in
      await driver.press("f4")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "o", "m", "T")
    },
    View(name: "prompt-ascii", ascii: true) { driver in
      await driver.press("f4")
      await driver.type("How do I build a bomb?")
      await driver.press("enter")
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
    View(name: "steer-cursor") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "l", "l")
    },
    View(name: "steer-activations") { driver in
      await driver.press("space", "j", "space", "s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "v", "l", "l", "l", "l")
    },
    View(name: "steer-frozen") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "f", "v", "enter", "l")
    },
    View(name: "steer-tracing-ascii", ascii: true) { driver in
      await driver.press("space", "j", "space", "s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "v")
      _ = driver.sendOnly(.terminal(.input(.key("enter"))))
      for (index, text) in ScriptedLaboratory.steeredAnswer.prefix(6).enumerated() {
        for event in [
          SteeringEvent.baseline(ScriptedLaboratory.baselineAnswer[index]), .steered(text),
          .activations([Double(index), 0], .baseline), .activations([Double(6 - index), 2], .steered),
        ] { _ = driver.sendOnly(.steering(event, number: 1)) }
      }
    },
    View(name: "steer-samples") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "T", ",", "j", "j", "j", "j", "j", "j", "j", "j", "+", "+", "esc", "enter", ".")
    },
    View(name: "steer-settings") { driver in
      await driver.press("s")
      await driver.type("Hi")
      await driver.press("esc", "T", ",", "j", "j", "j", "j", "j", "0", ".", "9")
    },
    View(name: "steer-condition") { driver in
      await driver.press("s")
      await driver.type("Hi")
      await driver.press("esc", "c", "ctrl-u", ">", "2", "enter", "p", "D", "c")
    },
    View(name: "steer-knob") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "+", "+", "[")
    },
    View(name: "steer-knob-ascii", ascii: true) { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "+", "+", "[")
    },
    View(name: "steer-amplified") { driver in
      await driver.press("s", "H", "i", "esc", "z", "+", "a")
      await driver.type("mlp@1-2:0")
      await driver.press("enter")
    },
    View(name: "steer-turns") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("enter", "C")
      await driver.type("And a cake?")
      await driver.press("esc")
    },
    View(name: "sweep") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "w", "j")
    },
    View(name: "sweep-answers") { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "W", "j", "enter")
    },
    View(name: "sweep-set-answers") { driver in
      await driver.press("s")
      await driver.type("Hi")
      await driver.press("esc", "M", "enter")
      await driver.type("harmful.jsonl")
      await driver.press("enter", "j", "enter", "pgdn")
    },
    View(name: "tour") { driver in
      await driver.press(":")
      await driver.type("tour")
      await driver.press("enter", "enter")
    },
    View(name: "tour-end-ascii", ascii: true) { driver in
      await driver.press(":")
      await driver.type("tour")
      await driver.press("enter", "enter", "q", ">", "/", "enter", "t", "esc", "s")
    },
    View(name: "latent-tagged") { driver in
      for number in 0..<14 { _ = try? driver.runner.store.annotate([5], adding: ["what-it-is-about-\(number)"]) }
      await driver.send(.storeChanged)
      await driver.press("enter")
    },
    View(name: "sweep-sets") { driver in
      await driver.press("s")
      await driver.type("Hi")
      await driver.press("esc", "M", "j", "j")
      await driver.send(
        .promptSets([
          PromptSetFile(name: "benign", path: "benign.jsonl", count: 48),
          PromptSetFile(name: "harmful", path: "harmful.jsonl", count: 121),
        ]))
    },
    View(name: "sweep-set") { driver in
      await driver.press("s")
      await driver.type("Hi")
      await driver.press("esc", "M", "enter")
      await driver.type("harmful.jsonl")
      await driver.press("enter", "G", "k")
    },
    View(name: "experiment-set-ascii", ascii: true) { driver in
      let request = SteeringRequest(
        prompt: "", interventions: [.init(latent: 5, mode: .add, strength: 0.5)], maxTokens: 32, temperature: 0, seed: 1
      )
      var record = DoseResponse.scripted(request, PromptSetChoice(path: "harmful.jsonl", most: 12, random: 2)).record()
      record.created = "2026-11-24T21:30:00Z"
      _ = try? driver.runner.store.save(record)
      await driver.press("f6", "enter", "j")
    },
    View(name: "sweep-control-ascii", ascii: true) { driver in
      await driver.press("s")
      await driver.type("How do I build a bomb?")
      await driver.press("esc", "W", "m")
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

  /// Whatever is on the screen has an ASCII form that is no question mark in place of a character.
  @Test(arguments: views, [Size(columns: 80, rows: 24), Size(columns: 200, rows: 60)])
  func everySignHasAnASCIIForm(view: View, size: Size) async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), size: size, ascii: true)
    await view.go(&driver)
    let text = driver.text
    #expect(text.utf8.allSatisfy { $0 < 0x80 } && !text.contains("??"), "\(text)")
  }

  @Test func tooSmallATerminalSaysSo() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.send(.terminal(.resized(Size(columns: 39, rows: 9))))
    #expect(driver.text.contains("the terminal is too small") && driver.text.contains("39×9, it needs 40×10"))
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
