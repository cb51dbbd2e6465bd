// Keys in, state out: what each of the four uses does, without a terminal.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct LatentsTableTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test func theMostChatSpecificLatentComesFirst() throws {
    #expect(try sample.open().latentIDs() == driver.state.latents.ids)
    #expect(driver.state.latents.selectedID == 5 && driver.state.latents.count == SampleStore.latents)
    #expect(driver.text.contains("by chat-specificity"))
  }

  @Test mutating func sortsGoThroughTheColumnsAndReverse() async throws {
    let store = try sample.open()
    let sorts = LatentsState.sorts(driver.state)
    for sort in sorts.dropFirst() {
      await driver.press("G", ">")
      #expect(driver.state.latents.ids == (try store.latentIDs(sortedBy: sort)))
      #expect(driver.state.latents.list.selected == 0)
      await driver.press("r")
      #expect(driver.state.latents.ids == (try store.latentIDs(sortedBy: sort, ascending: !sort.ascendsByDefault)))
    }
    await driver.press(">")
    #expect(driver.state.latents.query == ListQuery())
    await driver.press("<")
    #expect(driver.state.latents.query.sort == sorts.last)
  }

  @Test mutating func theFilterAppliesWhileItIsTyped() async throws {
    await driver.press("/")
    await driver.type("nu_error < 0.1")
    let expected = try sample.open().latentIDs(matching: Filter("nu_error < 0.1"))
    #expect(driver.state.latents.ids == expected && !expected.isEmpty && expected.count < SampleStore.latents)
    await driver.press("enter", "j")
    #expect(!driver.state.latents.isTypingFilter && driver.state.latents.list.selected == 1)
    await driver.press("x")
    #expect(driver.state.latents.count == SampleStore.latents)
  }

  @Test mutating func aWrongFilterKeepsTheListAndSaysWhy() async {
    await driver.press("/")
    await driver.type("nu_eror < 0.1")
    #expect(driver.state.latents.filterError != nil && driver.state.latents.count == SampleStore.latents)
    await driver.press("enter")
    #expect(driver.state.latents.isTypingFilter)
    await driver.press("esc")
    #expect(driver.state.latents.filterError == nil && !driver.state.latents.isTypingFilter)
  }

  @Test mutating func filtersFindTagsAndText() async throws {
    try sample.open().annotate([5, 42], adding: ["refusal"])
    await driver.press("/")
    await driver.type("tag:refusal")
    #expect(driver.state.latents.ids == [5, 42])
    await driver.press("ctrl-u")
    await driver.type("\"earth\"")
    #expect((1..<SampleStore.latents).contains(driver.state.latents.count))
  }

  @Test mutating func keysAreTextWhileTheFilterIsTyped() async {
    await driver.press("/")
    await driver.type("qst?ux")
    #expect(driver.state.latents.filter.text == "qst?ux" && driver.state.ending == nil && driver.state.overlay == nil)
  }

  @Test mutating func anOlderSearchDoesNotReplaceANewerOne() async {
    let old = driver.state.latents.generation
    _ = driver.sendOnly(.terminal(.input(.key(">"))))
    let ids = driver.state.latents.ids
    await driver.send(.list(FoundLatents(ids: [1, 2]), generation: old))
    await driver.send(.listFailed("late", generation: old))
    #expect(driver.state.latents.ids == ids && driver.state.latents.filterError == nil)
  }

  @Test mutating func thePreviewFollowsWhenTheCursorRests() async throws {
    let ids = try #require(driver.state.latents.ids)
    #expect(driver.text.contains("Latent \(ids[0])"))
    var moves: [Effect] = []
    for _ in 0..<3 { moves += driver.sendOnly(.terminal(.input(.key("j")))) }
    #expect(moves == [.rest(on: ids[1]), .rest(on: ids[2]), .rest(on: ids[3])])
    #expect(driver.state.work.isEmpty, "a cursor at rest is no work")
    await driver.settle(Array(moves.prefix(2)))
    #expect(driver.state.latents.previewed == ids[0] && driver.state.pages[ids[2]] == nil, "it went on")
    #expect(driver.text.contains("Latent \(ids[0])"))
    await driver.settle([moves[2]])
    #expect(driver.state.latents.previewed == ids[3] && driver.state.pages[ids[3]] != nil)
    #expect(driver.text.contains("Latent \(ids[3])"))
  }

  @Test mutating func movingKeepsTheCursorInView() async {
    for key in ["G", "pgup", "g", "pgdn", "down", "up", "end", "home"] {
      await driver.press(key)
      let list = driver.state.latents.list
      #expect((list.top..<list.top + LatentsLayout(driver.state).rowsVisible).contains(list.selected))
      #expect(driver.state.latents.selectedID.map { driver.state.latents.rows[$0] != nil } == true)
    }
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelDown, at: Point(row: 5, column: 5))))))
    #expect(driver.state.latents.list.selected == 3)
    await driver.send(.terminal(.input(.mouse(Mouse(.press, at: Point(row: 4, column: 9))))))
    #expect(driver.state.latents.list.selected == 1)
    await driver.send(.terminal(.input(.mouse(Mouse(.press, at: Point(row: 4, column: 9))))))
    #expect(driver.state.screen == .latent)
  }

  @Test mutating func quittingAsksNothingAndEscapeNeverQuits() async {
    await driver.press("esc", "esc")
    #expect(driver.state.ending == nil)
    await driver.press("enter", "q")
    #expect(driver.state.screens == [.latents] && driver.state.ending == nil)
    await driver.press("q")
    #expect(driver.state.ending == 0)
  }
}

@Suite struct LatentPageTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("enter")
  }

  @Test func thePageShowsWhatTheStoreHolds() {
    for part in ["Latent 5", "chat-only", "ν^ε", "Logit lens", "chat +", "base −", "above 95 %"] {
      #expect(driver.text.contains(part), "\(part)")
    }
  }

  @Test mutating func contextsUnfoldAndTheSelectionStaysInView() async {
    await driver.press("enter")
    let page = driver.state.pages[5]
    #expect(page != nil)
    guard let page else { return }
    let items = LatentPageContent(page, driver.state).items
    #expect(driver.state.latent.unfolded == [items[0]])
    await driver.press("w", "G")
    #expect(driver.state.latent.selected == items.count - 1)
    for key in ["up", "up", "pgup", "pgdn", "g", "G"] {
      await driver.press(key)
      let layout = LatentPageLayout(page, driver.state)
      let visible = layout.scrolled.dropFirst(driver.state.latent.top).prefix(layout.scrolledRect.rows)
      #expect(visible.contains { $0.item == driver.state.latent.selected }, "\(key)")
    }
  }

  @Test mutating func neighboursBelowTheWindowOfTheAsideScrollIntoIt() async throws {
    try sample.open().annotate([5], note: String(repeating: "a long note about this latent, ", count: 20))
    driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 120, rows: 24))
    await driver.press("enter")
    #expect(!driver.text.contains("cos 0.44") && driver.text.contains("a long note"))
    await driver.press("G")
    let page = try #require(driver.state.pages[5])
    let below = LatentPageContent(page, driver.state).items.filter { !$0.isContext }
    #expect(below.count > page.neighbours.count)
    for _ in below {
      guard case .latent(let other, _) = driver.state.latent.selectedItem(driver.state) else { break }
      #expect(driver.text.contains("›" + String(other).leftPadded(to: 6)), "\(other)")
      await driver.press("up")
    }
    #expect(driver.text.contains("a long note"), "back among the contexts the summary shows from its top")
  }

  @Test mutating func neighboursAndTheListAreWaysOn() async {
    await driver.press("G", "{", "up", "enter")
    #expect(driver.state.latent.id == 9 && driver.state.screens == [.latents, .latent])
    await driver.press("esc", "j", "enter", "right")
    #expect(driver.state.latent.id == 19 && driver.state.latents.list.selected == 2)
    await driver.press("left", "h", "h")
    #expect(driver.state.latent.id == 5 && driver.state.message?.text.contains("first") == true)
  }

  @Test mutating func coloursFollowTheChosenScale() async {
    await driver.press("c")
    #expect(driver.state.latent.choices.scale == .context)
  }
}

@Suite struct AnnotationKeysTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func severalLatentsAreTaggedAtOnceAndSavedAtOnce() async throws {
    await driver.press("space", "space", "t", "down", "enter")
    let other = try sample.open(.readOnly)
    #expect(try other.tags(of: [5, 42, 19]) == [5: ["false-information"], 42: ["false-information"]])
    #expect(driver.text.contains("[x] false-information"))
    await driver.press("enter", "esc")
    #expect(try other.tags(of: [5, 42]).isEmpty)
  }

  @Test mutating func theCursorStaysOnTheTagThatWasSwitched() async throws {
    await driver.press("t", "down", "down", "enter", "enter", "enter")
    #expect(try sample.open().tags(of: [5]) == [5: ["personal-question"]])
    await driver.type("zoo")
    await driver.press("enter", "enter", "enter", "up", "down", "enter")
    #expect(try sample.open().tags(of: [5]) == [5: ["personal-question"]])
    #expect(driver.text.contains("[ ] zoo"), "what was just switched off stays on offer")
  }

  @Test mutating func ownWordsBecomeTags() async throws {
    await driver.press("enter", "t")
    await driver.type("bombs & co")
    await driver.press("enter", "esc")
    #expect(try sample.open().tags(of: [5]) == [5: ["bombs & co"]])
    #expect(driver.text.contains("bombs & co"))
    await driver.press("t")
    await driver.type("BOMBS")
    await driver.press("enter")
    #expect(try sample.open().tags(of: [5]).isEmpty)
    await driver.type("a\"b")
    await driver.press("enter")
    #expect(driver.state.message?.kind == .error)
  }

  @Test mutating func notesAreSavedAndAnEmptyOneIsDeleted() async throws {
    await driver.press("n")
    await driver.type("refuses, q?")
    await driver.press("alt-enter", "x", "enter")
    #expect(try sample.open().note(of: 5) == "refuses, q?\nx")
    await driver.press("n", "ctrl-u", "enter")
    #expect(try sample.open().note(of: 5) == nil)
    await driver.press("n", "y", "esc")
    #expect(try sample.open().note(of: 5) == nil)
  }

  @Test(arguments: ["esc", "ctrl-c"])
  mutating func aNoteThatIsLeftStaysAsADraft(key: String) async throws {
    await driver.press("n", "esc")
    #expect(driver.state.unsavedNotes.isEmpty && driver.state.message == nil)
    await driver.press("n")
    await driver.type("half a")
    await driver.press("alt-enter")
    await driver.type("thought")
    #expect(driver.text.contains("half a↵") && !driver.text.contains("half a↵t"), "a new line is one on the screen")
    await driver.press(key)
    #expect(driver.state.overlay == nil && driver.state.message?.text.contains("draft") == true)
    // Neither another latent's note nor a tag of this one takes it away, nor does the end of the program.
    await driver.press("t", "enter", "esc", "j", "n", "esc", "k")
    var again = try await ExplorerDriver(try sample.open(), restoring: SavedView(driver.state))
    for keys in [["n"], ["enter"]] { for key in keys { await again.press(key) } }
    #expect(try sample.open().note(of: 5) == "half a\nthought")
    #expect(again.state.unsavedNotes.isEmpty && SavedView(again.state).drafts == nil)
    await driver.press("n")
    #expect(driver.text.contains("half a↵"))
  }

  @Test mutating func aNoteIsOpenedOnlyWhenItIsRead() async throws {
    try sample.open().annotate([7], note: "there already")
    await driver.press("S", "esc", "a")
    await driver.type("7")
    await driver.press("enter")
    #expect(driver.state.pages[7] == nil)
    let effects = driver.sendOnly(.terminal(.input(.key("n"))))
    #expect(effects == [.loadPage(7)] && driver.state.overlay == nil)
    await driver.settle(effects)
    await driver.press("n", "!", "enter")
    #expect(try sample.open().note(of: 7) == "there already!")
  }

  @Test mutating func aNoteTooLongForTheStoreStaysOpen() async throws {
    await driver.press("n")
    await driver.send(.terminal(.input(.paste(String(repeating: "漢", count: Store.longestNote / 2)))))
    await driver.press("enter")
    #expect(driver.state.overlay != nil && driver.state.message?.kind == .error)
  }

  @Test mutating func interruptingClosesWhatLiesOverTheScreen() async {
    for key in ["n", "t", "?"] {
      await driver.press(key, "ctrl-c")
      #expect(driver.state.overlay == nil && driver.state.ending == nil, "\(key)")
      await driver.press(key)
      await driver.send(.terminal(.interrupted))
      #expect(driver.state.overlay == nil && driver.state.ending == nil, "\(key)")
    }
    await driver.press("ctrl-c")
    #expect(driver.state.ending == 0)
  }

  @Test mutating func helpIsReachedAlsoWhereKeysAreText() async {
    await driver.press("/", "f1")
    #expect(driver.text.contains("┌─ Keys"))
    await driver.press("esc", "esc", "n")
    await driver.type("half")
    await driver.press("f1")
    #expect(driver.text.contains("Alt-Enter") && driver.text.contains("new line"))
    await driver.press("f1")
    await driver.type(" done")
    #expect(driver.text.contains("half done") && driver.text.contains("F1 help"))
  }

  @Test mutating func changesAreUndoneAndRedone() async throws {
    await driver.press("t", "enter", "esc", "u")
    #expect(try sample.open().tags(of: [5]).isEmpty && driver.state.latents.rows[5]?.tags == [])
    await driver.press("ctrl-r")
    #expect(try sample.open().tags(of: [5]) == [5: ["refusal"]] && driver.state.latents.rows[5]?.tags == ["refusal"])
    await driver.press("ctrl-r")
    #expect(driver.state.message?.text == "there is nothing to redo in this session")
  }

  @Test mutating func aListFilteredByATagFollowsItsChanges() async throws {
    await driver.press("t", "enter", "esc", "/")
    await driver.type("tag:refusal")
    await driver.press("enter")
    #expect(driver.state.latents.ids == [5])
    await driver.press("t", "enter", "esc")
    #expect(driver.state.latents.ids == [] && driver.text.contains("no latent matches"))
  }

  @Test mutating func theCursorStaysWhereALatentLeftTheList() async throws {
    try sample.open().annotate([5, 42, 19, 56], adding: ["refusal"])
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("/")
    await driver.type("tag:refusal")
    await driver.press("enter", "j", "j")
    let ids = try #require(driver.state.latents.ids)
    #expect(ids.count == 4)
    await driver.press("t", "enter", "esc")
    #expect(driver.state.latents.selectedID == ids[3] && driver.state.latents.list.selected == 2)
    await driver.press("t", "enter", "esc")
    #expect(driver.state.latents.selectedID == ids[1] && driver.state.latents.list.selected == 1)
  }

  @Test func aReadOnlyStoreRefusesWithAReason() async throws {
    var driver = try await ExplorerDriver(try sample.open(.readOnly))
    for key in ["t", "n", "u", "ctrl-r"] {
      await driver.press(key)
      #expect(driver.state.overlay == nil && driver.state.message?.text.contains("read-only") == true, "\(key)")
    }
    #expect(driver.text.contains("read-only · ready"))
    await driver.press("s", "x", "enter")
    #expect(driver.state.message?.text.contains("not saved") == true)
    #expect(try sample.open(.readOnly).experiments().isEmpty)

    // What could not be saved can be written to a file.
    let document = try #require(driver.state.steer.run?.document)
    await driver.settle([.save(document.record())])
    #expect(driver.state.message?.text == "the run is not saved: the store is read-only; e exports it")
    await driver.press("e", "ctrl-u")
    let path = sample.folder + "/run.json"
    await driver.type(path)
    await driver.press("enter")
    #expect(driver.state.message?.text == "the file is written: \(path)")
    #expect(try String(contentsOfFile: path, encoding: .utf8).contains("\"baseline\""))
  }
}

@Suite struct BindingTests {
  @Test(arguments: Screen.allCases)
  func noKeyMeansTwoThings(screen: Screen) {
    let keys = (screen.definition.bindings + GeneralBindings.always).flatMap(\.keys)
    #expect(
      Set(keys).count == keys.count,
      "\(Dictionary(grouping: keys, by: \.self).filter { $1.count > 1 }.keys.map(\.name))")
  }

  @Test(arguments: [Screen.latents, .latent, .steer])
  func helpListsEveryBinding(screen: Screen) async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 100, rows: 60))
    if screen == .latent { await driver.press("enter") }
    if screen == .steer { await driver.press("s", "esc") }
    await driver.press("?")
    var text = ""
    for _ in 0..<4 {
      text += driver.text
      await driver.press("pgdn")
    }
    for binding in screen.definition.bindings + GeneralBindings.always {
      #expect(text.contains(binding.label) && text.contains(String(binding.help.prefix(30))), "\(binding.action)")
    }
    await driver.press("esc")
    #expect(driver.state.overlay == nil)
  }

  @Test func workIsCountedUntilItIsDone() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    #expect(driver.state.work.isEmpty && driver.text.contains("ready"))
    let first = driver.sendOnly(.terminal(.input(.key(">"))))
    let second = driver.sendOnly(.terminal(.input(.key("r"))))
    #expect(first.count == 1 && second.count == 1)
    #expect(driver.state.work == ["searching", "searching"] && driver.text.contains("working… searching"))
    await driver.settle(first)
    #expect(driver.state.work == ["searching"] && !driver.text.contains("ready"))
    await driver.settle(second)
    #expect(driver.state.work.isEmpty && driver.text.contains("ready"))
  }

  @Test func cancellingIsNotWorkOfItsOwn() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    await driver.press("s", "x", "esc")
    let run = driver.sendOnly(.terminal(.input(.key("enter"))))
    #expect(driver.state.work == ["generating"])
    #expect(driver.sendOnly(.terminal(.input(.key("esc")))) == [.cancelRun])
    #expect(driver.state.work == ["generating"])
    await driver.settle(run)
    #expect(driver.state.work.isEmpty)
  }
}
