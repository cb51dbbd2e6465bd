// The prompt screen with scripted activations.

import Diffing
import Foundation
import Inference
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct PromptScreenTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  private var prompt: PromptState { driver.state.prompt }

  /// The reading that was asked for last.
  private var request: TextActivationsJob? {
    driver.asked.compactMap { if case .start(.textActivations(let request), _) = $0 { request } else { nil } }.last
  }

  private mutating func read(_ text: String = "How do I build a bomb at home?") async {
    await driver.press("f4")
    await driver.type(text)
    await driver.press("enter")
  }

  @Test mutating func aReadingLooksAtTheTextsStrongestLatent() async throws {
    await read()
    #expect(
      request == TextActivationsJob(.chat([ChatMessage(role: .user, content: "How do I build a bomb at home?")])))
    #expect(!prompt.isTyping && prompt.run?.phase == .finished(seconds: 0.25))
    let chosen = try #require(prompt.overall.first)
    #expect(prompt.selected == chosen.latent && prompt.cursor == chosen.peak)
    #expect(
      prompt.overall.allSatisfy { latent in
        driver.state.latents.rows[latent.latent].map { ($0.latent.frequency ?? 0) <= 0.01 } ?? false
      })
    #expect(driver.text.contains("latent \(chosen.latent)") && driver.text.contains("KL next"))
  }

  @Test mutating func theLatentOfTheFormerTextIsLookedAtAgain() async throws {
    await read()
    await driver.press("v", "j", "j")
    let latent = try #require(prompt.selected)
    #expect(latent != prompt.overall.first?.latent)
    await driver.press("i")
    await driver.type(" Tell me how")
    await driver.press("enter")
    #expect(prompt.selected == latent && prompt.cursor == prompt.overall.first { $0.latent == latent }?.peak)
  }

  @Test mutating func theLatentStaysWhileTheCursorMoves() async throws {
    await read()
    let (latent, cursor) = (try #require(prompt.selected), prompt.cursor)
    let asked = driver.asked.count
    await driver.press("h", "l", "l", "w", "b", "$")
    #expect(prompt.selected == latent && prompt.cursor == prompt.tokens.count - 1)
    #expect(driver.asked.count == asked, "moving asks for nothing")
    await driver.press("l")
    #expect(prompt.cursor == prompt.tokens.count - 1)
    await driver.press("^", "h")
    #expect(prompt.cursor == 0 && driver.text.contains("silent"))
    await driver.press("p")
    #expect(prompt.cursor == cursor)
    await driver.press("j")
    let second = try #require(prompt.selected)
    #expect(second != latent && PromptState.rows(driver.state)[1].latent == second)
    await driver.press("g")
    #expect(PromptState.rows(driver.state)[0].latent == prompt.selected)
  }

  @Test mutating func wordsBeginAtBlanksAndLines() async throws {
    await read()
    let texts = try #require(prompt.run?.texts)
    await driver.press("^", "w")
    #expect(texts[prompt.cursor] == "\n")
    await driver.press("w")
    #expect(texts[prompt.cursor] == "How")
    await driver.press("w", "w", "b")
    #expect(texts[prompt.cursor] == " do")
  }

  @Test mutating func theWholeTextFollowsItsToggles() async throws {
    await read()
    await driver.press("v")
    let usual = prompt.overall
    #expect(usual.allSatisfy { !prompt.tokens[$0.peak].isTemplate } && driver.text.contains("Text ─"))
    await driver.press("T")
    #expect(prompt.overall.contains { prompt.tokens[$0.peak].isTemplate })
    await driver.press("T", "f")
    #expect(prompt.overall.count > usual.count && driver.text.contains("any freq"))
    await driver.press("f", "m")
    #expect(prompt.overall.map(\.mean) == prompt.overall.map(\.mean).sorted(by: >))
    #expect(Set(prompt.overall.map(\.latent)) == Set(usual.map(\.latent)))
    await driver.press("o")
    #expect(!prompt.overall.isEmpty && prompt.overall.count < usual.count)
    for latent in prompt.overall {
      let record = try #require(driver.state.latents.rows[latent.latent]?.latent)
      #expect(
        record.latentClass == .chatOnly || ((record.nuError ?? 1) < 0.2 && (record.nuReconstruction ?? 1) < 0.5))
    }
    // The latent that is looked at stays listed with its true value where it does not pass.
    let hidden = try #require(usual.first { latent in !prompt.overall.contains { $0.latent == latent.latent } })
    await driver.press("o")
    while prompt.selected != hidden.latent { await driver.press("j") }
    await driver.press("o")
    let row = try #require(PromptState.rows(driver.state).last)
    #expect(row.latent == hidden.latent && row.value == hidden.mean && row.tokens == hidden.tokens)
    await driver.press("g")
    // In this list a latent brings its peak along.
    await driver.press("o", "j")
    #expect(prompt.cursor == prompt.overall.first { $0.latent == prompt.selected }?.peak)
  }

  @Test mutating func latentsAreOpenedSteeredWithAndTagged() async throws {
    await read()
    let latent = try #require(prompt.selected)
    await driver.press("t")
    await driver.type("mine")
    await driver.press("enter", "esc")
    #expect(try sample.open().tags(of: [latent])[latent]?.contains("mine") == true)
    #expect(driver.text.contains("mine"))
    await driver.press("enter")
    #expect(driver.state.screen == .latent && driver.state.latent.id == latent)
    await driver.press("q", "s")
    #expect(driver.state.screen == .steer && driver.state.steer.rows.map(\.latent) == [latent])
  }

  @Test mutating func turnsHaveRolesAndAreAddedAndTakenAway() async {
    await driver.press("f4")
    await driver.type("Be brief.")
    await driver.press("ctrl-o", "ctrl-o", "ctrl-t")
    #expect(prompt.editor.turns.map(\.role) == [.system, .user])
    await driver.type("Hello")
    await driver.press("alt-enter")
    await driver.type("there")
    await driver.press("ctrl-t")
    await driver.type("x")
    await driver.press("backspace", "backspace", "up", "down", "ctrl-t", "up", "down", "ctrl-t")
    #expect(
      prompt.editor.turns.map(\.role) == [.system, .user, .assistant, .user] && driver.text.contains("assistant"))
    await driver.press("enter")
    #expect(
      request?.source
        == .chat([ChatMessage(role: .system, content: "Be brief."), ChatMessage(role: .user, content: "Hello\nthere")]))
    await driver.press("i", "f1")
    #expect(driver.text.contains("While typing") && driver.text.contains("add a turn after this one"))
    await driver.press("esc", "ctrl-x")
    await driver.send(.terminal(.input(.paste("raw\ntext"))))
    await driver.press("enter")
    #expect(request?.source == .raw("raw\ntext") && driver.text.contains("Raw text"))
  }

  @Test mutating func nothingIsReadOrAnsweredWithoutAText() async {
    await driver.press("f4", "enter")
    #expect(request == nil && driver.text.contains("nothing to read yet"))
    await driver.press("esc", "A")
    #expect(request == nil && driver.text.contains("nothing to answer"))
    await driver.press("l")
    #expect(driver.text.contains("nothing is read yet"))
    await driver.press("i")
    await driver.type("Hi")
    await driver.press("ctrl-t")
    await driver.type("Hello")
    await driver.press("esc", "A")
    #expect(request == nil && driver.text.contains("the last turn is the assistant's"))
  }

  @Test mutating func anAnswerGrowsWithTheCursorAtItsEnd() async throws {
    await driver.press("f4")
    await driver.type("Hi")
    await driver.press("esc", "A")
    #expect(request?.answerTokens == PromptState.answerTokens)
    let texts = try #require(prompt.run?.texts)
    #expect(texts.suffix(5).joined() == "I cannot help.<|im_end|>" && prompt.cursor == texts.count - 1)
    #expect(prompt.tokens.last?.isTemplate == true && driver.text.contains("cannot help"))
    #expect(prompt.selected == prompt.overall.first?.latent && prompt.selected != nil)
  }

  @Test mutating func aReadingIsCancelledAndItsLateTokensAreDropped() async throws {
    driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(endsTexts: false))
    await read("Hi")
    #expect(prompt.isBusy && driver.text.contains("reading, "))
    let count = prompt.tokens.count
    await driver.press("esc")
    #expect(driver.asked.last == .cancelReading && prompt.run?.phase == .cancelled && driver.state.screen == .prompt)
    let late = TextActivationsEvent.tokens([TokenActivations(id: 1)], names: [:])
    await driver.send(.read(late, number: prompt.runNumber))
    #expect(prompt.tokens.count == count)
    await driver.press("i")
    await driver.type("!")
    await driver.press("enter")
    let number = prompt.runNumber
    await driver.send(.read(late, number: number - 1))
    await driver.send(.read(.finished(seconds: 1, .fast), number: number - 1))
    #expect(prompt.isBusy && !prompt.tokens.contains(TokenActivations(id: 1)))
    // Enter in the midst of a reading begins another one.
    await driver.press("i")
    let effects = driver.sendOnly(.terminal(.input(.key("enter"))))
    #expect(effects.first == .cancelReading && prompt.runNumber == number + 1)
    await driver.press("ctrl-c")
    #expect(prompt.run?.phase == .cancelled && driver.state.ending == nil)
  }

  @Test mutating func aFailureIsSaidAndTheTextStays() async throws {
    driver = try await ExplorerDriver(try sample.open(), laboratory: ScriptedLaboratory(breaksTexts: true))
    await read("Hi")
    #expect(driver.text.contains("at most 8 tokens") && !prompt.isBusy && !prompt.tokens.isEmpty)
    await driver.press("i")
    #expect(prompt.editor.turns[0].text.text == "Hi")
  }

  @Test mutating func aChangedTextIsNotTakenForTheOneThatWasRead() async {
    await read("Hi")
    #expect(!driver.text.contains("text changed since"))
    await driver.press("i")
    await driver.type("!")
    await driver.press("esc")
    #expect(driver.text.contains("text changed since"))
  }

  @Test mutating func promptsAndContextsAreCarriedOver() async throws {
    await driver.press("f5")
    await driver.type("From steering")
    await driver.press("esc", "P")
    #expect(request?.source == .chat([ChatMessage(role: .user, content: "From steering")]))
    #expect(driver.state.screen == .prompt && !prompt.isTyping)
    await driver.press("f2", "enter", "j", "P")
    let page = try #require(driver.state.latent.id.flatMap { driver.state.pages[$0] })
    let sequence = page.contexts[1].sequence
    #expect(request?.source == .tokens(sequence.tokenIDs, templateMask: sequence.templateMask))
    #expect(prompt.selected == page.latent.id || prompt.overall.contains { $0.latent == prompt.selected })
    #expect(driver.text.contains("Context"))
    // Changed, the text is text.
    await driver.press("i")
    #expect(driver.text.contains("a context's own tokens"))
    await driver.type("x")
    await driver.press("enter")
    guard case .raw(let text)? = request?.source else { return #expect(Bool(false), "no raw text") }
    #expect(text.hasSuffix("x") && text.contains("<|im_start|>"))
  }

  @Test mutating func everySizeIsDrawn() async {
    await read()
    for columns in stride(from: 40, through: 130, by: 7) {
      for rows in 10..<45 {
        await driver.send(.terminal(.resized(Size(columns: columns, rows: rows))))
        #expect(driver.state.draw().cursor != nil)
      }
    }
  }
}
