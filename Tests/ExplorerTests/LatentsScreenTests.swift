// The table of latents beyond moving and filtering: columns, orders, histogram, classes, completion, saved filters, marks.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct TableColumnsTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 120, rows: 40))
  }

  private var head: String {
    let lines = driver.text.split(separator: "\n", omittingEmptySubsequences: false)
    return String(lines[LatentsLayout(driver.state).head.row])
  }
  private var fields: [TableField] { TableColumns.onScreen(driver.state).shown.map(\.field) }

  @Test mutating func columnsAreHiddenShownMovedAndSized() async {
    await driver.press("C", "j", "j", "space")
    #expect(!fields.contains(.column(.deltaNorm)) && !head.contains("Δ norm"))
    await driver.press("space", "K")
    #expect(head.contains("Δ norm"))
    #expect(fields.firstIndex(of: .column(.deltaNorm)) == fields.count - 3, "before the tags, then one to the left")
    await driver.press("+", "+", "esc")
    #expect(driver.state.latents.columns?.shown[fields.count - 3].width == 16)
    await driver.press("C", "0", "esc")
    #expect(driver.state.latents.columns == nil && fields == TableColumns.usual.shown.map(\.field))
  }

  @Test mutating func everyColumnCanBeShown() async throws {
    try sample.open().annotate([5], note: "seen")
    driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 120, rows: 40))
    for field in TableField.all(driver.state.store) {
      driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 160, rows: 40))
      await driver.press("C")
      while true {
        guard let chooser = driver.state.overlay as? ColumnChooser else { break }
        if chooser.field == field { break }
        await driver.press("j")
      }
      if !fields.contains(field) { await driver.press("space") }
      await driver.press("esc")
      #expect(fields.contains(field))
      #expect(head.contains(field.title), "\(field): \(head)")
    }
    #expect(TableField.all(driver.state.store).contains(.activations))
  }

  @Test func aChoiceIsSavedAndReadAgain() throws {
    var columns = TableColumns([.column(.nuError), .metric("base uselessness score"), .activations, .note, .tags])
    columns.widen(.column(.nuError), by: 3, isWide: false)
    let data = try JSONEncoder().encode(columns)
    #expect(try JSONDecoder().decode(TableColumns.self, from: data) == columns)
    #expect(String(decoding: data, as: UTF8.self).contains("metric:base uselessness score"))
    for field in TableField.all(driver.state.store) { #expect(TableField(rawValue: field.rawValue) == field) }
  }

  @Test func aChoiceOfAnotherStoreOrAWrongWidthIsMended() throws {
    let text = #"{"shown":[{"field":"nu_error","width":-4},{"field":"metric:elsewhere"},{"field":"id","width":4000}]}"#
    var state = driver.state
    state.latents.columns = try JSONDecoder().decode(TableColumns.self, from: Data(text.utf8))
    let shown = TableColumns.onScreen(state).shown
    #expect(shown.map(\.field) == [.column(.nuError), .column(.id), .column(.chatSpecificity)])
    #expect(shown.compactMap(\.width) == [3, 60])
    state.latents.columns = TableColumns([])
    #expect(state.draw().canvas.text.contains("#▲"), "what it is sorted by is there in any case")
  }

  @Test mutating func columnsScrollAndNoneIsCutAtAnySize() async {
    await driver.press("C", "G")
    for _ in 0..<20 { await driver.press("space", "G") }
    await driver.press("esc")
    for columns in 40..<140 {
      await driver.send(.terminal(.resized(Size(columns: columns, rows: 24))))
      let view = TableView(driver.state)
      let areas = TableColumn.areas(view.heads, in: LatentsLayout(driver.state).table).filter { !$0.isEmpty }
      #expect(areas.allSatisfy { $0.endColumn <= columns })
      #expect(driver.text.contains("›") == (areas.count < view.heads.count), "\(columns)")
    }
    await driver.send(.terminal(.resized(Size(columns: 80, rows: 24))))
    let before = TableView(driver.state).shown
    await driver.press("}", "}")
    #expect(
      TableView(driver.state).shown.prefix(3).map(\.field) == [before[0].field, before[1].field, before[4].field])
    #expect(driver.text.contains("‹"))
    for _ in 0..<60 { await driver.press("}") }
    #expect(TableView(driver.state).shown.count == 3)
    await driver.press("{")
    #expect(TableView(driver.state).shown.count == 4)
  }

  @Test mutating func whatLiesOverTheTableFitsEverySize() async {
    let ways: [[String]] = [
      ["C"], ["o"], ["O"], ["F"], ["/", "tab"], ["/", "d", "e"], ["H", ">", ">"], ["c"], ["V", "j"],
    ]
    for keys in ways {
      await driver.send(.terminal(.resized(Size(columns: 120, rows: 40))))
      for key in keys { await driver.press(key) }
      for columns in stride(from: 40, to: 130, by: 7) {
        for rows in [10, 12, 16, 19, 20, 24, 31, 32, 50] {
          await driver.send(.terminal(.resized(Size(columns: columns, rows: rows))))
          let (canvas, cursor) = driver.state.draw()
          #expect(cursor.map { canvas.bounds.contains($0) } ?? true, "\(keys) \(columns)×\(rows)")
          let list = driver.state.latents.list
          let visible = list.visible(count: SampleStore.latents, height: LatentsLayout(driver.state).rowsVisible)
          #expect(driver.state.latents.count == 0 || visible.contains(list.selected), "\(keys) \(columns)×\(rows)")
        }
      }
      await driver.press("esc", "esc", "esc")
    }
  }

  @Test mutating func marksShowWithWhateverColumnComesFirst() async {
    // The table is sorted by the rank, which shows in any case, so by another column first.
    await driver.press(">", ">", "C", "space", "g", "space", "esc", "space")
    #expect(!fields.contains(.column(.chatSpecificity)) && !fields.contains(.column(.id)))
    #expect(driver.text.contains("●"))
  }

  @Test mutating func headsSortWhenTheyArePressed() async throws {
    let store = try sample.open()
    let view = TableView(driver.state)
    let layout = LatentsLayout(driver.state)
    for (column, area) in zip(view.shown, TableColumn.areas(view.heads, in: layout.table)) {
      guard let sort = column.field.sort, sort != .chatSpecificity else { continue }
      let press = ExplorerEvent.terminal(
        .input(.mouse(Mouse(.press, at: Point(row: layout.head.row, column: area.column)))))
      await driver.send(press)
      #expect(driver.state.latents.ids == (try store.latentIDs(sortedBy: sort)), "\(sort)")
      // In the same place: a histogram that comes must not move the head.
      await driver.send(press)
      #expect(driver.state.latents.ids == (try store.latentIDs(sortedBy: sort, ascending: !sort.ascendsByDefault)))
    }
    #expect(driver.state.screen == .latents)
  }

  @Test mutating func aSecondKeyIsChosenReversedAndDropped() async throws {
    let store = try sample.open()
    await driver.press("o")
    await driver.type("class")
    await driver.press("enter", "O")
    await driver.type("max_act")
    await driver.press("enter")
    #expect(
      driver.state.latents.ids == (try store.latentIDs(sortedBy: .latentClass, then: LatentOrder(.maxActivation))))
    #expect(driver.text.contains("class▲1") && driver.text.contains("max▼2"))
    await driver.press("O", "enter")
    let reversed = LatentOrder(.maxActivation, ascending: true)
    #expect(driver.state.latents.ids == (try store.latentIDs(sortedBy: .latentClass, then: reversed)))
    await driver.press("O", "home", "up", "up", "up", "up", "up", "up", "pgup", "enter")
    #expect(driver.state.latents.query.then == nil)
  }
}

@Suite struct OverviewTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open(), size: Size(columns: 100, rows: 40))
  }

  @Test func binsHoldWhatLiesInThem() throws {
    let store = try sample.open()
    for sort in LatentSort.everywhere where sort.isNumber {
      for ascending in [true, false] {
        let list = try store.latentList(by: LatentOrder(sort, ascending: ascending))
        guard let distribution = Distribution(list) else {
          #expect(list.values.isEmpty)
          continue
        }
        #expect(distribution.counts.reduce(0, +) == list.values.count)
        #expect(distribution.missing == list.ids.count - list.values.count)
        #expect(distribution.below == list.values.filter { $0 < distribution.low }.count)
        #expect(distribution.above == list.values.filter { $0 > distribution.high }.count)
        for bin in 0..<Distribution.bins {
          #expect(distribution.counts[bin] == list.values.filter { distribution.bin(of: $0) == bin }.count)
        }
        for (a, b) in zip(list.values, list.values.dropFirst()) {
          let (x, y) = (distribution.bin(of: a), distribution.bin(of: b))
          #expect(ascending ? x <= y : x >= y)
        }
      }
    }
    #expect(Distribution(LatentList(ids: [1], values: [])) == nil)
    let same = try #require(Distribution(LatentList(ids: [1, 2], values: [3, 3])))
    #expect(same.counts[0] == 2 && same.counts.reduce(0, +) == 2)
  }

  @Test mutating func theArrowStandsUnderTheBinOfTheSelectedLatent() async throws {
    await driver.press(">", ">")
    for key in ["j", "G", "pgup", "g"] {
      await driver.press(key)
      let value = try #require(driver.state.latents.selectedValue)
      let bin = try #require(driver.state.latents.distribution).bin(of: value)
      let axis = LatentsLayout(driver.state).histogram.endRow - 1
      #expect(driver.state.draw().canvas[axis, 9 + bin].text == "▲", "\(key)")
    }
  }

  @Test mutating func itTakesRowsOnlyWhereTheyAre() async {
    await driver.press(">", ">")
    #expect(LatentsLayout(driver.state).histogram.rows == 4)
    await driver.send(.terminal(.resized(Size(columns: 100, rows: 24))))
    #expect(LatentsLayout(driver.state).histogram.rows == 0)
    await driver.press("H")
    #expect(LatentsLayout(driver.state).histogram.rows == 4 && driver.text.contains("median"))
    await driver.send(.terminal(.resized(Size(columns: 100, rows: 19))))
    #expect(LatentsLayout(driver.state).histogram.rows == 0)
    await driver.send(.terminal(.resized(Size(columns: 70, rows: 40))))
    #expect(LatentsLayout(driver.state).histogram.rows == 0 && LatentsLayout(driver.state).classes.rows == 1)
  }

  @Test mutating func itIsReadOnlyWhereItIsShown() async throws {
    driver = try await ExplorerDriver(try sample.open())
    #expect(driver.state.latents.classCounts == nil)
    await driver.press(">", ">")
    #expect(driver.state.latents.distribution == nil)
    await driver.press("H")
    #expect(driver.state.latents.distribution != nil && driver.state.latents.classCounts != nil)
  }

  @Test mutating func classesAreShownOneAfterTheOther() async throws {
    let store = try sample.open()
    let counts = try store.classCounts()
    for latentClass in LatentClass.allCases where counts[latentClass] != nil {
      await driver.press("c")
      let filter = Filter.everything.narrowed(to: latentClass)
      #expect(driver.state.latents.ids == (try store.latentIDs(matching: filter)))
      #expect(driver.text.contains("[\(latentClass.rawValue) \(counts[latentClass] ?? 0)]"))
    }
    await driver.press("c")
    #expect(driver.state.latents.count == SampleStore.latents && driver.text.contains("[all 60]"))
    // On a low screen the line of classes has no room; a class without latents is passed over there too.
    await driver.send(.terminal(.resized(Size(columns: 100, rows: 16))))
    await driver.press("/")
    await driver.type("nu_error>0.7")
    await driver.press("enter", "c")
    let left = try store.classCounts(matching: Filter("nu_error>0.7"))
    #expect(left[.chatOnly] == nil && driver.state.latents.query.latentClass.flatMap { left[$0] } ?? 0 > 0)
    #expect(driver.state.latents.count > 0 && driver.text.contains("shared, by chat-specificity"))
    await driver.press("x")
    await driver.send(.terminal(.resized(Size(columns: 100, rows: 40))))
    await driver.press("c", "x")
    #expect(driver.state.latents.query.latentClass == nil && driver.state.latents.count == SampleStore.latents)
  }
}

@Suite struct FilterLineTests {
  let sample: SampleStore
  let file: FilterFile
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    file = FilterFile(path: sample.folder + "/config/crosscope/filters.json")
    driver = try await ExplorerDriver(try sample.open(), filters: file)
  }

  @Test mutating func wordsAreCompletedAndChosen() async throws {
    try sample.open().annotate([5], adding: ["two words"])
    driver = try await ExplorerDriver(try sample.open())
    await driver.press("/")
    await driver.type("nu_")
    await driver.press("tab", "down")
    #expect(driver.text.contains("›nu_reconstruction"))
    await driver.press("enter")
    #expect(driver.state.latents.filter.text == "nu_reconstruction" && driver.state.latents.isTypingFilter)
    await driver.type("<2")
    await driver.press("tab", "tab")
    #expect(driver.state.latents.filter.text == "nu_reconstruction<2 and ")
    await driver.type("tag:t")
    await driver.press("tab")
    #expect(driver.state.latents.filter.text == "nu_reconstruction<2 and tag:\"two words\" ")
    #expect(driver.state.latents.ids == [5])
    await driver.press("tab", "esc")
    #expect(driver.state.latents.completion == nil && driver.state.latents.isTypingFilter)
  }

  @Test mutating func theListNarrowsAsOneTypes() async {
    await driver.press("/", "tab")
    let all = driver.state.latents.completion?.words.items.count ?? 0
    await driver.type("nu")
    let some = driver.state.latents.completion?.words.items.count ?? 0
    #expect(all > 20 && some < all && some >= 2)
    await driver.type("x")
    #expect(driver.state.latents.completion == nil)
  }

  @Test mutating func anArrowStandsUnderTheMistake() async {
    await driver.press("/")
    await driver.type("dead and nu_eror<1")
    #expect(driver.state.latents.errorPosition == 9)
    // One cell of margin and the slash before it.
    #expect(driver.state.draw().canvas[2, 2 + 9].text == "▲")
    await driver.press("home")
    #expect(driver.state.draw().canvas[2, 2 + 9].text == "▲", "the cursor does not move it")
  }

  @Test mutating func filtersAreRememberedBeyondTheRun() async throws {
    await driver.press("/")
    await driver.type("nu_error<0.3")
    await driver.press("enter", "/", "ctrl-u")
    await driver.type("not dead")
    await driver.press("enter")
    var next = try await ExplorerDriver(try sample.open(), filters: file)
    await next.press("/", "up", "up")
    #expect(next.state.latents.filter.text == "nu_error<0.3")
    #expect(try file.read().history == ["nu_error<0.3", "not dead"])
  }

  @Test mutating func filtersAreSavedByNameChosenAndDeleted() async throws {
    await driver.press("F", "enter")
    #expect(driver.state.message?.text.contains("type a name") == true)
    await driver.press("esc", "/")
    await driver.type("nu_error<0.3")
    await driver.press("enter", "F")
    await driver.type("new to chat")
    await driver.press("enter", "x")
    #expect(try file.read().named == [.init(name: "new to chat", filter: "nu_error<0.3")])
    var next = try await ExplorerDriver(try sample.open(), filters: file)
    await next.press("F")
    await next.type("ntc")
    await next.press("enter")
    #expect(next.state.latents.query.filter == "nu_error<0.3" && next.state.latents.count < SampleStore.latents)
    await next.press("F", "ctrl-d")
    #expect(try file.read().named.isEmpty && next.state.message?.text.contains("nu_error<0.3") == true)
  }

  @Test mutating func aFileThatCannotBeReadStaysAsItIs() async throws {
    try FileManager.default.createDirectory(
      atPath: sample.folder + "/config/crosscope", withIntermediateDirectories: true)
    try "not json".write(toFile: file.path, atomically: true, encoding: .utf8)
    driver = try await ExplorerDriver(try sample.open(), filters: file)
    #expect(driver.state.message?.kind == .error)
    await driver.press("/")
    await driver.type("dead")
    await driver.press("enter")
    #expect(driver.state.message?.kind == .error)
    #expect(try String(contentsOfFile: file.path, encoding: .utf8) == "not json")
  }

  @Test func theFolderIsTheUsersConfiguration() {
    #expect(FilterFile.ofUser(["XDG_CONFIG_HOME": "/x/y"]).path == "/x/y/crosscope/filters.json")
    #expect(FilterFile.ofUser([:]).path.hasSuffix("/.config/crosscope/filters.json"))
    #expect(FilterFile.ofUser(["XDG_CONFIG_HOME": "relative"]).path.hasSuffix("/.config/crosscope/filters.json"))
  }
}

@Suite struct MarkingTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func rangesAllAndTheReverseAreMarked() async throws {
    let ids = try #require(driver.state.latents.ids)
    await driver.press("j", "V", "j", "j")
    #expect(driver.text.contains("○2") && driver.state.latents.marked.isEmpty)
    await driver.press("V")
    #expect(driver.state.latents.marked == Set(ids[1...3]))
    await driver.press("i")
    #expect(driver.state.latents.marked == Set(ids).subtracting(ids[1...3]))
    await driver.press("M", "g", "shift-down", "shift-down")
    #expect(driver.state.latents.marked == Set(ids[0...2]))
    await driver.press("/")
    await driver.type("class:shared")
    await driver.press("enter", "M", "a")
    #expect(driver.state.latents.marked == Set(try sample.open().latentIDs(matching: Filter("class:shared"))))
    await driver.press("V", "esc")
    #expect(
      driver.state.latents.anchor == nil && !driver.state.latents.query.filter.isEmpty, "Esc drops the range first")
  }

  @Test mutating func allAreTaggedInOneStepAndCountedInTheStore() async throws {
    await driver.press("a", "t", "enter")
    let store = try sample.open()
    #expect(try store.tagCounts().map(\.count) == [SampleStore.latents])
    #expect(driver.text.contains("[x] refusal"))
    await driver.press("esc", "M", "space", "t", "enter", "esc")
    #expect(try store.tagCounts().map(\.count) == [SampleStore.latents - 1])
    // Most of the marked latents' rows were never read: the box knows all the same.
    await driver.press("a", "t")
    #expect(driver.text.contains("[·] refusal"))
    await driver.press("esc", "u", "u")
    #expect(try store.tagCounts().isEmpty)
  }

  @Test mutating func moreThanCanBeLookedAtAreNotSteered() async {
    await driver.press("a", "s")
    #expect(driver.state.screen == .latents && driver.state.message?.text.contains("at most 50") == true)
    await driver.press("M", "space", "space", "s")
    #expect(driver.state.screen == .steer && driver.state.steer.rows.count == 2)
  }
}

@Suite struct FilteredMapTests {
  @Test func theMapShowsWhatTheTableLists() async throws {
    let sample = try SampleStore()
    var driver = try await ExplorerDriver(try sample.open())
    let points = try sample.open().points(x: .column(.nuError), y: .column(.nuReconstruction))
    await driver.press("/")
    await driver.type("nu_error<0.5")
    await driver.press("enter", "m")
    let shown = points.ids.filter { points.x[points.ids.firstIndex(of: $0) ?? 0] < 0.5 }
    #expect(driver.state.map.bins?.total == shown.count && shown.count < points.count)
    await driver.press("f")
    #expect(driver.state.map.bins?.total == points.count)
    await driver.press("f", "v", "g", "enter")
    #expect(driver.state.latents.query.filter.hasPrefix("(nu_error<0.5) and "))
    await driver.press("x", "m")
    #expect(driver.state.map.bins?.total == points.count)
  }
}
