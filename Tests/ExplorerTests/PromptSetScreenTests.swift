// Sweeps over sets of prompts in the explorer, with a scripted engine: choosing a set, progress, figures, saving,
// cancelling.

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

@Suite struct PromptSetScreenTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    let prompts = sample.folder + "/prompts"
    try FileManager.default.createDirectory(atPath: prompts, withIntermediateDirectories: true)
    for (name, text) in [
      ("benign", "{\"prompt\":\"Hi\"}\n{\"prompt\":\"Ho\"}\n"), ("other", "{\"messages\":[]}\n"), ("broken", "{"),
    ] { try text.write(toFile: "\(prompts)/\(name).jsonl", atomically: true, encoding: .utf8) }
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "esc")
  }

  private var asked: [PromptSetChoice] {
    driver.asked.compactMap { if case .start(.promptSet(_, let choice), _) = $0 { choice } else { nil } }
  }

  @Test mutating func aSetBesideTheStoreIsChosenSweptAndSaved() async throws {
    await driver.press("M")
    #expect(driver.text.contains("benign") && driver.text.contains("2 prompts"))
    #expect(!driver.text.contains("other  ") && !driver.text.contains("broken"), "no sets of prompts")
    await driver.press("+", "]", "enter")
    let path = "\(sample.folder)/prompts/benign.jsonl"
    #expect(asked == [PromptSetChoice(path: path, most: 16, random: 3)])
    #expect(driver.state.screen == .sweep && driver.state.steer.sweep?.phase == .finished)
    for part in ["refused, share", "● steered", "○ random latents", "control", "benign.jsonl", "same norm", "+2.00"] {
      #expect(driver.text.contains(part), "\(part) in\n\(driver.text)")
    }
    // At strength 2 all three prompts refuse, of random latents' answers none.
    await driver.press("G")
    #expect(
      driver.text.contains("steered 1.00 [0.44, 1.00], random latents 0.00 [0.00, 0.56]; 3 prompts"), "\(driver.text)")
    await driver.press("tab")
    #expect(driver.text.contains("KL, nats a token") && driver.text.contains("steered 2.100 ["))
    let saved = try #require(try sample.open().experiments().first)
    let run = SavedRun(saved)
    #expect(saved.kind == DoseResponse.kind && saved.prompt == "3 prompts of benign.jsonl")
    #expect(run.set == driver.state.steer.sweep?.report && run.request == nil && run.check == nil)
    await driver.press("f6", "enter")
    #expect(driver.text.contains("random (mean of 3)") && driver.text.contains("refused"))
    await driver.press("r")
    #expect(driver.state.message?.text.contains("with M") == true)
    await driver.press("q", "f5", "M")
    #expect(driver.text.contains("at most 16 prompts, evenly; random latents 3 times"), "as it was chosen last")
  }

  @Test mutating func aPathIsTypedAndTheFiguresAreExported() async throws {
    await driver.press("M", "j", "enter")
    await driver.type("/tmp/a b.jsonl")
    await driver.press("enter")
    #expect(asked.map(\.path) == ["/tmp/a b.jsonl"])
    await driver.press("e", "ctrl-u")
    let path = sample.folder + "/figures.md"
    await driver.type(path)
    await driver.press("enter")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.contains("## Figures") && text.contains("random (mean of 2)") && text.contains("95% intervals"))
  }

  @Test mutating func theBehavioursBesideTheStoreAreOfferedAndCounted() async throws {
    let path = sample.folder + "/behaviours.json"
    try #"{"behaviours": [{"name": "answers", "about": "It answers.", "expressions": ["an answer"]}]}"#.write(
      toFile: path, atomically: true, encoding: .utf8)
    await driver.press("M")
    #expect(driver.text.contains("counts 2 behaviours of behaviours.json; b: refusals alone"), "\(driver.text)")
    await driver.press("b")
    #expect(driver.text.contains("counts refusals; b: 2 behaviours"))
    await driver.press("b", "enter")
    #expect(asked.map(\.behaviours) == [path])
    #expect(driver.text.contains("no strength keeps") || driver.text.contains("refused: 0%; best ×"), "\(driver.text)")
    await driver.press("tab", "tab", "tab", "tab", "tab", "G")
    #expect(driver.text.contains("answers, share of answers") && driver.text.contains("steered 1.00 [0.44, 1.00]"))
    #expect(driver.text.contains("answers: 100%; best ×"), "\(driver.text)")
    let run = SavedRun(try #require(try sample.open().experiments().first))
    #expect(run.set?.behaviours.names == ["refused", "answers"])
    await driver.press("f6", "enter")
    #expect(driver.state.experiment.runs.first?.coherent?.best.count == 2)
    await driver.press("G", "f5", "M", "b", "enter")
    #expect(asked.last?.behaviours == nil)
  }

  @Test mutating func itIsCancelledAndLateEventsAreDropped() async throws {
    _ = driver.sendOnly(.terminal(.input(.key("M"))))
    #expect(driver.sendOnly(.terminal(.input(.key("enter")))) == [], "nobody knows yet what it would choose")
    #expect(driver.text.contains("looking beside the store"))
    _ = driver.sendOnly(.promptSets([PromptSetFile(name: "a", path: "a.jsonl", count: 9)]))
    let begun = driver.sendOnly(.terminal(.input(.key("enter"))))
    let number = driver.state.steer.runNumber
    let choice = PromptSetChoice(path: "a.jsonl", most: 12, random: 2)
    var request = driver.state.steer.request
    request.strengths = PromptSetJob.usualStrengths
    #expect(begun == [.start(.promptSet(request, choice), number: number)])
    _ = driver.sendOnly(.sweptSet(.progress(done: 2, of: 9), number: number))
    #expect(driver.text.contains("answering, 2 of 9 prompts") && driver.state.steer.isBusy)
    #expect(driver.sendOnly(.terminal(.input(.key("M")))) == [], "one at a time")
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelRun])
    let late = PromptSetEvent.finished(.scripted(driver.state.steer.request, choice))
    #expect(driver.sendOnly(.sweptSet(late, number: number)) == [])
    #expect(driver.state.steer.sweep?.phase == .cancelled && driver.state.steer.sweep?.report == nil)
  }

  @Test mutating func whatASetCannotDoIsSaid() async throws {
    await driver.press("enter", "C", "esc", "M")
    #expect(driver.state.overlay == nil && driver.state.message?.text.contains("begin a chat") == true)
    var several = try await ExplorerDriver(try sample.open())
    await several.press("s", "H", "i", "esc", "T", ",", "j", "j", "j", "j", "j", "j", "j", "j", "+", "esc", "M")
    #expect(several.state.overlay == nil && several.state.message?.text.contains("answered once") == true)
    await several.press("T", "T", "T", "space", "M")
    #expect(several.state.message?.text.contains("nothing to sweep") == true)
  }

  @Test func aFailureSaysWhy() async throws {
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaks: true))
    await driver.press("s", "H", "i", "esc", "M", "enter")
    #expect(driver.state.screen == .sweep && driver.text.contains("layer 14: not a number"))
    #expect(try sample.open().experiments().isEmpty)
  }
}
