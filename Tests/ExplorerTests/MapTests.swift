// The map: arithmetic of its cells against plain loops, and what its keys do.

import Foundation
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Explorer

@Suite struct MapPlaneTests {
  /// Numbers that look random and are not.
  private func points(_ count: Int) -> LatentPoints {
    var points = LatentPoints()
    var seed: UInt64 = 7
    func next() -> Double {
      seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(seed >> 40) / Double(1 << 24)
    }
    for id in 0..<count {
      points.ids.append(id)
      points.x.append(next() * 3 - 1)
      points.y.append(next())
      points.isChatOnly.append(id % 5 == 0)
    }
    return points
  }

  @Test func everyLatentIsInTheCellWhoseEdgesEncloseIt() {
    let points = points(2000)
    let window = MapWindow(x: MapSpan(low: -0.5, high: 1.7), y: MapSpan(low: 0.1, high: 0.8))
    for (columns, rows) in [(1, 1), (2, 3), (37, 11)] {
      let bins = MapBins(points, window: window, columns: columns, rows: rows)
      var seen = 0
      for row in 0..<rows {
        for column in 0..<columns {
          let inside = points.ids.filter { id in
            let (x, y) = (points.x[Int(id)], points.y[Int(id)])
            return x >= window.x.edge(column, of: columns) && x < window.x.edge(column + 1, of: columns)
              && y >= window.y.edge(rows - 1 - row, of: rows) && y < window.y.edge(rows - row, of: rows)
          }
          #expect(bins.latents(row: row, column: column) == inside)
          #expect(bins.count(row: row, column: column) == inside.count)
          #expect(Int(bins.chatOnly[row * columns + column]) == inside.filter { $0 % 5 == 0 }.count)
          #expect((bins.dots[row * columns + column] == 0) == inside.isEmpty)
          for id in inside.prefix(3) { #expect(bins.cell(of: id).map { [$0.row, $0.column] } == [row, column]) }
          seen += inside.count
        }
      }
      #expect(seen + bins.outside == 2000 && bins.outside > 0)
    }
  }

  @Test func aBoxSaysTheSameLatentsInWordsAsInNumbers() throws {
    let sample = try SampleStore()
    let store = try sample.open(.readOnly)
    let (x, y) = (FilterColumn.column(.nuError), FilterColumn.column(.maxActivation))
    let points = try store.points(x: x, y: y)
    let window = MapWindow(x: .usual(points.x), y: .usual(points.y))
    let bins = MapBins(points, window: window, columns: 13, rows: 7)
    var sizes: Set<Int> = []
    for row in 0..<7 {
      for column in 0..<13 {
        let box = bins.box(rows: row...min(6, row + 2), columns: column...min(12, column + 3))
        let filter = box.filter(x: x, y: y)
        #expect(try store.latentCount(matching: Filter(filter)) == bins.count(in: box), "\(filter)")
        sizes.insert(bins.count(in: box))
      }
    }
    #expect(sizes.count > 5)
  }

  @Test func dotsStandWhereTheirPointsAre() {
    var points = LatentPoints()
    (points.ids, points.x, points.y, points.isChatOnly) = ([0, 1], [0.1, 0.9], [0.1, 0.9], [false, false])
    let unit = MapWindow(x: MapSpan(low: 0, high: 1), y: MapSpan(low: 0, high: 1))
    // Lower left and upper right dot: bits 7 and 4 of Unicode's braille patterns.
    #expect(MapBins(points, window: unit, columns: 1, rows: 1).dots == [0x40 | 0x08])
  }

  @Test func windowsLeaveOutOnlyWhatIsFarAway() {
    let many = (0..<1000).map { Double($0) / 1000 }
    #expect(MapSpan.usual(many + [1.2]).contains(1.2))
    #expect(!MapSpan.usual(many + [50]).contains(50) && MapSpan.all(many + [50]).contains(50))
    #expect(MapSpan.usual(many + [1.2, 50]).contains(1.2), "one far away does not take the near ones with it")
    for values in [[], [3], [3, 3], [-1, 2]] as [[Double]] {
      for span in [MapSpan.usual(values), .all(values)] {
        #expect(span.length > 0 && values.allSatisfy(span.contains))
      }
    }
  }

  @Test func ticksAreRoundAndInside() {
    #expect(axisTicks(MapSpan(low: 0.03, high: 1.1), count: 3).map(\.text) == ["0.5", "1.0"])
    #expect(axisTicks(MapSpan(low: -12, high: 30), count: 5).map(\.text) == ["-10", "0", "10", "20"])
    #expect(axisTicks(MapSpan(low: 0.0301, high: 0.0342), count: 4).map(\.text) == ["0.032", "0.034"])
    #expect(axisTicks(MapSpan(low: 1, high: 1), count: 4).isEmpty)
    for (low, high) in [(0.0, 1e-12), (-1e9, 1e9), (5.0, 5.0000001)] {
      let ticks = axisTicks(MapSpan(low: low, high: high), count: 6)
      #expect((1...6).contains(ticks.count) && ticks.allSatisfy { $0.value >= low - 1e-15 && $0.value < high })
    }
  }
}

@Suite struct MapScreenTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open())
  }

  @Test mutating func theMapOpensOnTheSelectedLatentAndEnterOpensIt() async {
    await driver.press("j", "j", "m")
    let id = driver.state.latents.selectedID
    #expect(driver.state.screen == .map && driver.state.map.origin == id && driver.state.currentLatent == id)
    #expect(driver.text.contains("◆ latent 19") || driver.text.contains("◆"))
    await driver.press("enter")
    #expect(driver.state.screen == .latent && driver.state.latent.id == id)
    await driver.press("esc")
    #expect(driver.state.screen == .map)
  }

  @Test mutating func aBoxBecomesTheTablesFilter() async throws {
    await driver.press("/")
    await driver.type("not dead")
    await driver.press("enter", "m", "v", "l", "l", "l", "l", "j", "j", "j")
    let box = try #require(driver.state.map.box)
    let expected = driver.state.map.bins?.count(in: box)
    #expect(driver.text.contains("box: \(expected ?? -1) latents"))
    await driver.press("enter")
    #expect(driver.state.screens == [.latents] && driver.state.latents.count == expected && (expected ?? 0) > 0)
    #expect(
      driver.state.latents.filter.text.hasPrefix("(not dead) and nu_error>=") && driver.text.contains("/(not dead"))
    await driver.press("/", "up")
    #expect(driver.state.latents.filter.text == "not dead")
  }

  @Test mutating func escapeDropsTheBoxFirst() async {
    await driver.press("m", "v", "l", "esc")
    #expect(driver.state.screen == .map && driver.state.map.corner == nil)
    await driver.press("esc")
    #expect(driver.state.screen == .latents)
  }

  @Test mutating func zoomingKeepsWhatIsUnderTheCursor() async throws {
    await driver.press("j", "m")
    let id = try #require(driver.state.currentLatent)
    let window = try #require(driver.state.map.window)
    await driver.press("+", "+")
    let near = try #require(driver.state.map.window)
    #expect(abs(near.x.length - window.x.length / 4) < 1e-9 && driver.state.currentLatent == id)
    await driver.press("-", "-", "0")
    #expect(driver.state.map.window == window)
    for _ in 0..<80 { await driver.press("+") }
    #expect(driver.state.message?.text == "the map goes no closer than this")
    for _ in 0..<120 { await driver.press("-") }
    #expect(driver.state.message?.text == "the map goes no farther than this")
    _ = driver.text
    await driver.press("a")
    #expect(driver.state.map.bins?.outside == 0)
  }

  @Test mutating func axesAreChosenByName() async {
    await driver.press("m", "x")
    await driver.type("freq")
    await driver.press("enter")
    #expect(driver.state.map.x == .column(.frequency) && driver.state.overlay == nil)
    #expect(driver.text.contains("→ frequency") && driver.text.contains("↑ ν^r"))
    await driver.press("X")
    #expect(driver.state.map.y == .column(.frequency) && driver.state.map.x == .column(.nuReconstruction))
    // An answer for former axes is dropped.
    let before = driver.state.map
    _ = driver.sendOnly(.points(LatentPoints(), generation: before.generation - 1))
    #expect(driver.state.map == before)
  }

  @Test mutating func theMouseMovesDragsAndZooms() async throws {
    await driver.press("m")
    let plot = MapLayout(driver.state).plot
    func at(_ row: Int, _ column: Int) -> Point { Point(row: plot.row + row, column: plot.column + column) }
    await driver.send(.terminal(.input(.mouse(Mouse(.press, at: at(2, 3))))))
    #expect(driver.state.map.cursor == Point(row: 2, column: 3))
    await driver.send(.terminal(.input(.mouse(Mouse(.release, at: at(2, 3))))))
    #expect(driver.state.map.corner == nil)
    await driver.send(.terminal(.input(.mouse(Mouse(.press, at: at(0, 0))))))
    await driver.send(.terminal(.input(.mouse(Mouse(.release, at: at(9, 30))))))
    #expect(driver.state.map.corner == Point(row: 0, column: 0) && driver.state.map.cursor == Point(row: 9, column: 30))
    let window = driver.state.map.window
    await driver.send(.terminal(.input(.mouse(Mouse(.wheelUp, at: at(4, 4))))))
    #expect(driver.state.map.window != window)
  }

  @Test mutating func tabGoesToTheNearestThenThroughTheList() async {
    await driver.press("m", "home", "pgup", "pgup", "pgup", "pgup")
    if driver.state.map.selectedID != nil { await driver.press("down") }
    await driver.press("tab")
    #expect(driver.state.map.selectedID != nil)
    await driver.press("-", "-", "-", "-", "-", "-", "-")
    let here = driver.state.map.latentsHere
    let index = here.firstIndex { $0 == driver.state.currentLatent } ?? here.count
    await driver.press("]")
    #expect(here.count > index + 1 && driver.state.currentLatent == here[index + 1])
    await driver.press("[")
    #expect(driver.state.currentLatent == here[index])
  }

  @Test mutating func itFitsEverySize() async {
    await driver.press("m", "v", "l", "j")
    for (columns, rows) in [(40, 10), (41, 30), (60, 10), (59, 24), (110, 12), (200, 60)] {
      await driver.send(.terminal(.resized(Size(columns: columns, rows: rows))))
      _ = driver.text
      #expect(driver.state.map.bins?.columns == max(1, MapLayout(driver.state).plot.columns))
    }
  }
}

@Suite struct PaletteTests {
  let sample: SampleStore
  var driver: ExplorerDriver

  init() async throws {
    sample = try SampleStore()
    driver = try await ExplorerDriver(try sample.open(.readOnly))
  }

  @Test mutating func itOffersEveryActionOnceAndRunsTheChosenOne() async {
    await driver.press(":")
    let titles = Chooser(purpose: .actions).choices(driver.state).map(\.title)
    #expect(Set(titles).count == titles.count && titles.contains("sort next") && titles.contains("help"))
    await driver.type("srtn")
    #expect(Chooser(purpose: .actions, typed: LineEditor("srtn")).choices(driver.state).first?.title == "sort next")
    await driver.press("enter")
    #expect(driver.state.overlay == nil && driver.state.latents.query.sort == .id)
  }

  @Test mutating func whatIsNotAvailableSaysWhyAndStays() async {
    await driver.press(":")
    await driver.type("undo")
    #expect(driver.text.contains("not now: this store is open read-only"))
    await driver.press("enter")
    #expect(driver.state.overlay != nil)
    #expect(driver.state.message?.text == "undo: this store is open read-only: nothing can be saved in it")
    await driver.press("ctrl-u", "x", "x", "x", "x", "enter")
    #expect(driver.text.contains("no match"))
    await driver.press("f1", "esc", "esc")
    #expect(driver.state.overlay == nil)
  }

  @Test func theBestMatchIsTheOneAtWordStarts() {
    #expect(fuzzyScore("xq", in: "sort next") == nil && fuzzyScore("", in: "anything") == 0)
    let names = ["resort nearest", "sort next", "snort an ext"]
    #expect(names.max { (fuzzyScore("sn", in: $0) ?? 0) < (fuzzyScore("sn", in: $1) ?? 0) } == "sort next")
    #expect((fuzzyScore("note", in: "note") ?? 0) > (fuzzyScore("note", in: "not here") ?? 0))
  }
}
