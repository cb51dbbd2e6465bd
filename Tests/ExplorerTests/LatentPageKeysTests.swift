// Keys and mouse on a latent's page and on the comparison: state in, state out.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct LatentPageKeysTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("enter")
  }

  private var content: LatentPageContent? {
    driver.state.latent.id.flatMap { driver.state.pages[$0] }.map { LatentPageContent($0, driver.state) }
  }

  private mutating func press(at text: String) async throws {
    let rows = driver.text.split(separator: "\n", omittingEmptySubsequences: false)
    let row = try #require(rows.firstIndex { $0.contains(text) })
    await driver.send(.terminal(.input(.mouse(Mouse(.press, at: Point(row: row, column: 4))))))
  }

  @Test mutating func theCursorInsideATextSaysWhatIsUnderIt() async throws {
    await driver.press("enter")
    let page = try #require(driver.state.pages[5])
    let entry = try #require(content?.ranking.entries.first)
    let context = page.contexts[entry.index]
    #expect(driver.state.latent.token == entry.peak)
    let id = context.sequence.tokenIDs[entry.peak]
    let message = try #require(driver.state.message?.text)
    #expect(
      message.contains("id \(id)  10.3, 100.0% of max  token \(entry.peak) of \(context.sequence.tokenIDs.count)"))
    await driver.press("l", "l", "l", "left")
    #expect(driver.state.latent.token == entry.peak + 2 && driver.state.latent.id == 5)
    #expect(driver.state.message?.text.contains("silent") == true)
    let (canvas, cursor) = driver.state.draw()
    let point = try #require(cursor)
    #expect(canvas[point.row, point.column].style.background == .selected)
    await driver.press("{")
    #expect(driver.state.latent.token == entry.peak + 1)
    await driver.press("g", "h")
    #expect(driver.state.latent.token == 0 && driver.state.message?.text.hasSuffix("template") == true)
    await driver.press("G", "l", "}")
    #expect(driver.state.latent.token == context.sequence.tokenIDs.count - 1)
    await driver.press("esc")
    #expect(driver.state.latent.token == nil && driver.state.screen == .latent && driver.state.draw().cursor == nil)
    await driver.press("enter", "enter")
    #expect(driver.state.latent.token == nil && driver.state.latent.unfolded.isEmpty)
    await driver.press("enter", "j", "l")
    #expect(driver.state.latent.token == nil && driver.state.latent.id == 42)
  }

  @Test mutating func templateTokensCountWhenTheyShould() async throws {
    // A latent of the sample with a context whose peak is on a template token.
    let store = try sample.open()
    let id = try #require(
      store.latentIDs().first { id in
        guard let page = try? store.page(of: id) else { return false }
        return ContextRanking(page).entries.map(\.index) != Array(page.contexts.indices)
      })
    await driver.press("#")
    await driver.type("\(id)")
    await driver.press("enter")
    #expect(driver.state.latent.id == id && driver.text.contains("no template"))
    let item = driver.state.latent.selectedItem(driver.state)
    await driver.press("T")
    #expect(driver.text.contains("template counted"))
    #expect(driver.state.latent.selectedItem(driver.state) == item, "the cursor stays on its context")
    #expect(content?.ranking.entries.map(\.index) == Array((driver.state.pages[id]?.contexts ?? []).indices))
    await driver.press("T", "d")
    #expect(driver.text.contains("no template") && driver.text.contains("copies shown"))
  }

  @Test mutating func contrastIsFoldedWhereThereIsLittleRoom() async throws {
    let folded = try #require(content)
    #expect(!folded.items.contains { if case .contrast = $0 { true } else { false } })
    await driver.press("x")
    let contrast = try #require(driver.state.latent.surroundings?.contrast.contexts)
    #expect(!contrast.isEmpty && content?.items.count == folded.items.count + contrast.count)
    await driver.send(.terminal(.resized(Size(columns: 120, rows: 40))))
    #expect(driver.text.contains("Contrast"))
    await driver.press("x")
    #expect(driver.text.contains("x shows"))
  }

  @Test mutating func surroundingsOfAnotherLatentAreNotShown() async {
    let before = driver.state.latent.surroundings
    await driver.send(.surroundings(LatentSurroundings(latent: 6, contrast: Contrast(), coFiring: [])))
    #expect(driver.state.latent.surroundings == before && before?.latent == 5)
  }

  @Test mutating func bracesGoFromBandToBand() async throws {
    let starts = try #require(content?.sectionStarts)
    #expect(starts.count > 5)
    for start in starts.dropFirst() {
      await driver.press("}")
      #expect(driver.state.latent.selected == start)
    }
    await driver.press("}")
    #expect(driver.state.latent.selected == starts.last)
    for start in starts.dropLast().reversed() {
      await driver.press("{")
      #expect(driver.state.latent.selected == start)
    }
  }

  @Test mutating func theMouseSelectsAndOpens() async throws {
    try await press(at: "claim is false")
    let selected = driver.state.latent.selectedItem(driver.state)
    #expect(selected?.isContext == true && driver.state.latent.unfolded.isEmpty && driver.state.latent.selected > 0)
    try await press(at: "claim is false")
    #expect(selected.map { driver.state.latent.unfolded == [$0] } == true)
    await driver.press("esc", "G")
    let last = try #require(driver.state.latent.selectedItem(driver.state))
    guard case .latent(let other, .coFiring) = last else { Issue.record("\(last)"); return }
    try await press(at: "›" + String(other).leftPadded(to: 6))
    #expect(driver.state.latent.id == other)
  }

  @Test mutating func latentsByChanceAreOfTheListAndFollowEachOther() async throws {
    await driver.press("T", "R")
    let first = try #require(driver.state.latent.id)
    #expect(driver.state.latents.selectedID == first && driver.state.pages[first] != nil)
    #expect(driver.state.latent.choices.ranking.countsTemplate, "the way of looking stays")
    var seen: Set<Int> = [first]
    for _ in 0..<8 {
      await driver.press("R")
      if let id = driver.state.latent.id { seen.insert(id) }
      #expect(driver.state.latent.surroundings?.latent == driver.state.latent.id)
    }
    #expect(seen.count > 4)
  }

  @Test mutating func anIdThatIsNoneStaysToBeMended() async {
    await driver.press("#", "6", "0", "enter")
    #expect(driver.state.message?.kind == .error && driver.state.overlay != nil)
    await driver.press("backspace", "enter")
    #expect(driver.state.latent.id == 6 && driver.state.overlay == nil)
  }

  @Test mutating func twoLatentsAreComparedFromThePage() async throws {
    await driver.press("=", "5", "enter")
    #expect(driver.state.message?.kind == .error && driver.state.screen == .latent)
    await driver.press("=", "9", "enter")
    #expect(driver.state.screen == .latentComparison && driver.state.latentComparison.ids == [5, 9])
    let pages = try #require(LatentComparisonState.pages(driver.state))
    let difference = try #require(pages.0.latent.deltaNorm) - (try #require(pages.1.latent.deltaNorm))
    let row = try #require(driver.text.split(separator: "\n").first { $0.contains("Δ norm") })
    #expect(row.contains((difference < 0 ? "−" : "+") + fixed(abs(difference), 2)))
    #expect(driver.text.contains("cos 0.44  base directions"))
    await driver.press("x", "enter")
    #expect(driver.state.latent.id == 9 && driver.state.screens == [.latents, .latentComparison, .latent])
    await driver.press("esc", "t", "enter", "esc")
    #expect(try sample.open().tags(of: [5, 9]) == [5: ["refusal"], 9: ["refusal"]])
    #expect(driver.state.screen == .latentComparison && !driver.text.contains("reading"))
    await driver.press("s")
    #expect(driver.state.screen == .steer && driver.state.steer.rows.map(\.latent).sorted() == [5, 9])
  }

  @Test mutating func twoMarkedLatentsAreComparedFromTheTable() async {
    await driver.press("esc", "=")
    #expect(driver.state.screen == .latents && driver.state.message?.text.contains("Space") == true)
    await driver.press("g", "space", "space", "=")
    #expect(driver.state.latentComparison.ids == [5, 42] && driver.state.screen == .latentComparison)
    for key in ["G", "j", "pgdn", "pgup", "k", "g"] {
      await driver.press(key)
      #expect(driver.state.latentComparison.top >= 0)
    }
    #expect(driver.state.latentComparison.top == 0)
  }
}

/// Contexts whose tokens try to leave their place: escapes, controls, wide, combining and right-to-left characters.
@Suite struct HostileContextTests {
  static let texts = [
    "<|im_start|>", "user", "\n", "\u{1B}[31m", "red\u{7}", " 漢字", "e\u{301}\u{302}\u{303}\u{304}", "\u{202E}rtl",
    " שלום", "👩‍👩‍👧", "\u{0}", "\r\n", "🇩🇪", "\u{9B}2J", "\u{FEFF}", " \u{301}", "\u{2028}", "assistant\u{1B}]0;x\u{7}",
  ]

  private static func store(in folder: String) throws -> Store {
    var tokens = texts.enumerated().map {
      TokenRecord(id: Int32($0), bytes: Array($1.utf8), isSpecial: $0 == 0)
    }
    // Half a character, and one that is none.
    tokens.append(TokenRecord(id: 18, bytes: [0xE6, 0xBC]))
    tokens.append(TokenRecord(id: 19, bytes: [0xFF, 0x1B]))
    let writer = try StoreWriter(
      replacing: folder + "/hostile.crosscope",
      pair: ModelPair(base: "b", chat: "c", layer: 1, dModel: 8, nLatents: 2, vocabSize: 100))
    try writer.add(tokens: tokens)
    var latent = LatentRecord(id: 0)
    latent.maxActivation = 20
    latent.chatSpecificity = 1
    try writer.add(latents: [latent, LatentRecord(id: 1, dead: true)])
    let ids = tokens.map(\.id) + [99]
    try writer.add(
      sequences: (0..<3).map { shift in
        let turned = Array(ids[(shift * 5)...] + ids[..<(shift * 5)])
        return SequenceRecord(
          id: Int32(shift), tokenIDs: turned, corpus: "chat\u{1B}[2J", templateMask: turned.map { $0 < 3 || $0 == 17 })
      })
    try writer.add(
      examples: (0..<2).map { rank in
        ExampleRecord(
          latent: 0, quantile: 4, rank: rank, sequence: Int32(rank), positions: (0..<21).map(Int32.init),
          values: (0..<21).map { Float($0 % 5 * 5 + 1) })
      })
    try writer.finish()
    return try Store(path: folder + "/hostile.crosscope", access: .readOnly)
  }

  @Test(arguments: [Size(columns: 40, rows: 10), Size(columns: 80, rows: 24), Size(columns: 120, rows: 40)])
  func nothingOfItReachesTheTerminal(size: Size) async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/crosscope-hostile-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for ascii in [false, true] {
      var driver = try await ExplorerDriver(try Self.store(in: folder), size: size, ascii: ascii)
      let walk =
        ["enter", "enter"] + [String](repeating: "l", count: 21) + ["T", "j", "enter", "x", "w", "}", "enter"]
      for key in walk {
        await driver.press(key)
        let canvas = driver.state.draw().canvas
        for row in 0..<size.rows {
          for column in 0..<size.columns {
            let cell = canvas[row, column]
            #expect(cell.text == termSafe(cell.text) && (!ascii || cell.text.utf8.allSatisfy { $0 < 0x7F }))
            #expect(displayWidth(cell.text) == Int(cell.width))
          }
        }
      }
      #expect(driver.state.latent.id == 0 && driver.state.screen == .latent)
    }
  }
}
