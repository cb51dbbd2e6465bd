// What the steer screen shows of a finished run, several samples, a chat of several turns and a sweep, with a scripted
// engine.

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

@Suite struct SteerMeasuresTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "enter")
  }

  @Test mutating func aFinishedRunShowsWhatWasMeasured() async throws {
    let run = try #require(driver.state.steer.run)
    #expect(
      run.phase == .finished(ScriptedLaboratory.document(run.request))
        && run.request.watched == SteeringRequest.usuallyWatched)
    for part in [
      "KL █", "parts at token 1", "log p at the start: I can't -12.50 → -8.50", "▸Building", "▸I", "41 tokens/s",
      "token 1, log p: baseline Building -0.10 │ steered I -0.10, KL 1.000",
    ] {
      #expect(driver.text.contains(part), "\(part) in\n\(driver.text)")
    }
    await driver.press("l", "l")
    #expect(driver.state.steer.focus == .answers)
    #expect(driver.text.contains("token 3, log p: baseline ␣bomb -0.30 │ steered ␣sorry -0.30, KL 0.333"))
    for _ in 0..<30 { await driver.press("right") }
    #expect(driver.text.contains("token 11, log p: baseline has ended │ steered . -1.10"))
    for _ in 0..<30 { await driver.press("h") }
    #expect(driver.state.steer.run?.cursor == 0)
  }

  @Test mutating func measuringGoesOnAfterTheLastTokenAndCanBeCancelled() async throws {
    let request = driver.state.steer.request
    #expect(driver.sendOnly(.terminal(.input(.key("enter")))) == [.run(request, number: 2)])
    _ = driver.sendOnly(.steering(.baseline("a"), number: 2))
    _ = driver.sendOnly(.steering(.answered, number: 2))
    #expect(driver.text.contains("measuring…") && driver.state.steer.isBusy)
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelRun])
    #expect(driver.sendOnly(.steering(.finished(ScriptedLaboratory.document(request)), number: 2)) == [])
    #expect(driver.state.steer.run?.phase == .cancelled)
  }

  @Test mutating func samplesArePagedAndTheirMeansHaveErrors() async {
    await driver.press("T", ",", "j", "j", "j", "j", "j", "j", "j", "j", "+", "+", "esc", "enter")
    #expect(driver.state.steer.run?.samples.count == 3)
    await driver.send(.terminal(.resized(Size(columns: 140, rows: 30))))
    // Means 0.2745 · (1, 2, 3) of 1/i over eleven tokens: 0.549, and Student's interval of three, 4.303 · 0.1585.
    #expect(driver.text.contains("sample 1/3, 95 %: KL 0.549 ± 0.682, ‖Δh‖/‖h‖ 0.31 ± 0.00"))
    await driver.press(".")
    #expect(driver.text.contains("sample 2/3") && driver.text.contains("KL 2.000"))
    await driver.press(".", ".")
    #expect(driver.text.contains("sample 1/3"))
  }

  @Test mutating func aChatGoesOnAfterEitherAnswer() async throws {
    await driver.press("C")
    #expect(driver.state.steer.focus == .prompt && driver.state.steer.prompt.isEmpty)
    #expect(driver.text.contains("Prompt, turn 2") && driver.text.contains("you: Hi  chat: I am sorry"))
    await driver.type("Why")
    await driver.press("alt-enter", "ctrl-j", "enter")
    let request = try #require(driver.state.steer.run?.request)
    #expect(request.prompt == "Why\n\n")
    #expect(
      request.turns == [
        ChatMessage(role: .user, content: "Hi"),
        ChatMessage(role: .assistant, content: ScriptedLaboratory.steeredAnswer.joined()),
      ])
    let saved = try #require(try sample.open().experiments().max { $0.id < $1.id })
    #expect(try SteeringDocument(saved).request.turns == request.turns)
    #expect(SavedRun(saved).request == request, "running it again asks for the same")
    await driver.press("B")
    #expect(driver.state.steer.turns.count == 4)
    #expect(driver.state.steer.turns.last?.content == ScriptedLaboratory.baselineAnswer.joined())
    await driver.press("backspace")
    #expect(driver.state.steer.prompt.text == "Why\n\n" && driver.state.steer.turns == request.turns)
    await driver.press("ctrl-u", "backspace")
    #expect(driver.state.steer.prompt.text == "Hi" && driver.state.steer.turns.isEmpty)
  }

  @Test mutating func theLatentsActivationsAreReadOnceWhileTheyAreShown() async throws {
    func asked() -> [AnswerActivationsJob] {
      driver.asked.compactMap { if case .start(.answerActivations(let request), _) = $0 { request } else { nil } }
    }
    #expect(asked().isEmpty, "it costs a pass: not without being asked for")
    await driver.press("v", "l", "l", "l")
    #expect(
      asked().map(\.latents) == [[5]] && asked()[0].steered == ScriptedLaboratory.steeredAnswer.indices.map(Int32.init))
    #expect(driver.text.contains("5  ▁▂▂▃▄▅▆▆▇█") && driver.text.contains("15.0"), "\(driver.text)")
    await driver.press("tab", "tab", "a", "7", "enter", "v")
    #expect(asked().map(\.latents) == [[5], [5, 7]])
    await driver.press("enter")
    #expect(asked().count == 2, "not shown: not read")
  }

  @Test func theLatentsActivationsComeWithTheTokens() async throws {
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "esc", "v")
    #expect(driver.state.message?.text.contains("come with the next answers") == true)
    let request = driver.state.steer.request
    var reading = request
    reading.traced = [5]
    #expect(driver.sendOnly(.terminal(.input(.key("enter")))) == [.run(reading, number: 1)])
    #expect(driver.state.steer.run?.request == request, "what is read makes no other run of it")
    for index in 0..<3 {
      for arm in [AnswerArm.baseline, .steered] {
        _ = driver.sendOnly(.steering(arm == .baseline ? .baseline("a") : .steered("b"), number: 1))
        let value = Double(index) * (arm == .baseline ? 2 : 4)
        _ = driver.sendOnly(.steering(.activations([value], arm), number: 1))
      }
      #expect(driver.text.contains(" \(2 * index).0") && driver.text.contains(" \(4 * index).0"))
    }
    #expect(driver.text.contains("5  ▂▄") && driver.text.contains("5  ▄█"), "one scale\n\(driver.text)")
    _ = driver.sendOnly(.steering(.activations([9, 9], .steered), number: 1))
    #expect(driver.state.steer.run?.samples[0].activations[.steered]?.count == 3, "of other latents")
  }

  @Test func whatWasToldIsNotReadAgain() async throws {
    func asked() -> [AnswerActivationsJob] {
      driver.asked.compactMap { if case .start(.answerActivations(let request), _) = $0 { request } else { nil } }
    }
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "esc", "v", "enter", "l", "l", "l")
    #expect(driver.state.steer.run?.document != nil && asked().isEmpty)
    #expect(driver.text.contains("5  ▁▂▂▃▄▅▆▆▇█") && driver.text.contains("15.0"), "\(driver.text)")
    await driver.press("v", "enter", "v")
    #expect(asked().map(\.latents) == [[5]], "switched on after the answers: read")
    let before = asked().count
    await driver.press("tab", "tab", "a", "7", "enter")
    #expect(asked().count == before + 1, "another latent: read")
    await driver.press("v")
    _ = driver.sendOnly(.terminal(.input(.key("enter"))))
    _ = driver.sendOnly(.terminal(.input(.key("v"))))
    #expect(driver.text.contains("read when the answers are there"))
  }

  @Test func anAnswerWithFrozenAttentionStandsBeside() async throws {
    for size in [Size(columns: 80, rows: 24), Size(columns: 140, rows: 40), Size(columns: 40, rows: 16)] {
      var driver = try await ExplorerDriver(try sample.open(), size: size)
      await driver.press("s", "H", "i", "esc", "f")
      #expect(driver.text.contains("Attention frozen"))
      let effects = driver.sendOnly(.terminal(.input(.key("enter"))))
      #expect(effects == [.run(driver.state.steer.request, number: driver.state.steer.runNumber)])
      for event in [SteeringEvent.baseline("one"), .steered("two"), .frozen("three")] {
        _ = driver.sendOnly(.steering(event, number: driver.state.steer.runNumber))
      }
      for token in ["one", "two", "three"] { #expect(driver.text.contains(token), "\(token) at \(size)") }
      await driver.settle([.run(driver.state.steer.request, number: driver.state.steer.runNumber)])
      #expect(driver.state.steer.run?.document?.outputs.frozenAttention?.count == 1)
      #expect(driver.text.contains("not"), "the scripted answer at \(size)\n\(driver.text)")
    }
    var driver = try await ExplorerDriver(try sample.open())
    let saved = try #require(try sample.open().experiments().max { $0.id < $1.id })
    let run = SavedRun(saved)
    #expect(
      run.frozen.count == 1 && run.request?.freezesAttention == true && run.markdown.contains("## Attention frozen"))
    await driver.press("f6", "r")
    #expect(driver.state.steer.freezesAttention && driver.state.steer.run?.frozen == ScriptedLaboratory.frozenAnswer)
    await driver.press("f6", "enter", "w")
    #expect(driver.text.contains("Attention frozen") && driver.text.contains("allowed"))
  }

  @Test func readingThatFailsSaysWhy() async throws {
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "H", "i", "enter", "v")
    let number = driver.state.steer.activations.number
    _ = driver.sendOnly(.answersFailed("no base: give --base-model", number: number - 1))
    #expect(!driver.text.contains("no base"))
    _ = driver.sendOnly(.answersFailed("no base: give --base-model", number: number))
    #expect(driver.text.contains("no base: give --base-model"))
  }

  @Test mutating func aSweepShowsDoseAndResponseAndIsSaved() async throws {
    await driver.press("w")
    #expect(driver.state.screen == .sweep && driver.state.steer.sweep?.phase == .finished)
    for part in [
      "KL, nats a token", "● steered", "+2.00", "-1.00", "perplexity", "repeated", "log p(I can't)", "-4.50",
    ] {
      #expect(driver.text.contains(part), "\(part) in\n\(driver.text)")
    }
    let saved = try #require(try sample.open().experiments().max { $0.id < $1.id })
    #expect(saved.kind == "sweep")
    #expect(try SteeringDocument(saved).outputs.steered.compactMap(\.strength) == SteerSweep.strengths)
    await driver.press("m", "m")
    #expect(driver.text.contains("perplexity, unsteered model"))
    await driver.press("W")
    #expect(driver.text.contains("○ random latents") && driver.text.contains("control"))
    #expect(try sample.open().experiments().filter { $0.kind == "sweep" }.count == 3)
    await driver.press("q")
    #expect(driver.state.screen == .steer)
  }

  @Test mutating func theAnswersOfASweepOpenWholeAndAreCopied() async throws {
    await driver.press("T", ",", "j", "j", "j", "j", "j", "j", "j", "j", "+", "esc", "W", "j")
    #expect(driver.state.steer.sweep?.request.sampling.samples == 2)
    #expect(driver.text.contains(", 95 % over 2 samples: I am sorry"), "\(driver.text)")
    await driver.press("enter")
    guard let page = driver.state.overlay as? TextPage else {
      Issue.record("nothing opened")
      return
    }
    #expect(page.title == "Answers at ×-0.5")
    let titles = ["Steered", "Random latents", "Baseline"].flatMap { name in
      (0..<2).map { "\(name), sample \($0 + 1) of 2, seed \($0 + 1)" }
    }
    #expect(page.parts.map(\.title) == titles)
    let steered = ScriptedLaboratory.steeredAnswer.joined()
    #expect(page.parts.prefix(4).allSatisfy { $0.text == steered })
    #expect(page.parts[0].note.contains("KL ") && page.parts[0].note.contains("log p(I can't) -14.50"))
    // Everything can be scrolled to.
    await driver.send(.terminal(.resized(Size(columns: 60, rows: 14))))
    var seen = driver.text
    for _ in 0..<40 {
      await driver.press("j")
      seen += driver.text
    }
    for title in titles { #expect(seen.contains(title), "\(title)") }
    await driver.press("y")
    #expect(driver.asked.contains(.copy(CopiedText(what: "the answers at ×-0.5", text: "\(steered)\n\n\(steered)"))))
    #expect(driver.state.overlay != nil)
    await driver.press("esc")
    #expect(driver.state.overlay == nil && driver.state.screen == .sweep)
  }

  @Test mutating func theAnswersOfASetsStrengthAreReadPromptByPrompt() async throws {
    await driver.press("M", "enter")
    await driver.type("harmful.jsonl")
    await driver.press("enter", "G", "enter")
    guard let page = driver.state.overlay as? TextPage else {
      Issue.record("nothing opened")
      return
    }
    #expect(page.title == "Answers at ×2" && page.parts.first?.text == "prompt 0")
    #expect(page.parts.filter { $0.title.hasPrefix("Steered") }.count == 3)
    await driver.press("y")
    let expected = (0..<3).map { "prompt \($0)\nan answer" }.joined(separator: "\n\n")
    #expect(driver.asked.contains(.copy(CopiedText(what: "the answers at ×2", text: expected))))
  }

  @Test mutating func aSweepIsRefusedWithoutLatentsAndCancelled() async throws {
    let effects = driver.sendOnly(.terminal(.input(.key("w"))))
    let number = driver.state.steer.runNumber
    var request = driver.state.steer.request
    request.strengths = SteerSweep.strengths
    #expect(effects == [.start(.sweep(request, withControl: false), number: number)])
    _ = driver.sendOnly(.swept(.tokens(7), number: number))
    #expect(driver.text.contains("7 of up to 96 tokens"))
    _ = driver.sendOnly(.swept(.scored(4, of: 8), number: number))
    #expect(driver.text.contains("answering, 4 of 8 texts scored"))
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelRun])
    let late = SweepEvent.finished(ScriptedLaboratory.document(driver.state.steer.request))
    #expect(driver.sendOnly(.swept(late, number: number)) == [] && driver.state.steer.sweep?.phase == .cancelled)
    _ = driver.sendOnly(.terminal(.input(.key("q"))))
    _ = driver.sendOnly(.terminal(.input(.key("space"))))
    #expect(driver.sendOnly(.terminal(.input(.key("w")))) == [])
    #expect(driver.state.message?.text.contains("nothing to sweep") == true)
  }

  @Test func aSweepThatFailsSaysWhy() async throws {
    var driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaks: true))
    await driver.press("s", "H", "i", "esc", "w")
    #expect(driver.state.screen == .sweep && driver.text.contains("layer 14: not a number"))
    await driver.press("q", "q")
    #expect(driver.state.screen == .latents)
  }
}
