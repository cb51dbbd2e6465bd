import Testing

@testable import TUI

@Suite struct WidgetTests {
  @Test func listsKeepTheSelectionInView() {
    var generator = SeededGenerator(seed: 6)
    for _ in 0..<2000 {
      var state = ListState()
      for _ in 0..<8 {
        let count = Int.random(in: 0...20, using: &generator)
        let height = Int.random(in: 0...7, using: &generator)
        state.move(Int.random(in: -25...25, using: &generator), count: count, height: height)
        #expect(state.selected >= 0 && state.selected < max(1, count))
        #expect(state.top <= state.selected && state.selected < state.top + max(1, height))
        #expect(state.top == 0 || state.top + max(1, height) <= count)
      }
    }
  }

  @Test func aLineChartPutsItsPointsInPlaceAndTellsSeriesApart() {
    let chart = LineChart(
      title: "share", xLabel: "x",
      series: [
        .init(name: "one", points: [(0, 0), (0.5, 1), (1, 0)], role: .accent),
        .init(name: "two", points: [(0, 0.5), (.nan, 3), (1, 0.5)], role: .muted),
      ])
    var canvas = Canvas(size: Size(columns: 25, rows: 8))
    chart.draw(into: &canvas, canvas.bounds)
    let lines = canvas.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[0] == "share   ● one   ○ two")
    // The peak is in the middle of the first row, the ends of the first series in the last.
    #expect(Array(lines[1]).firstIndex(of: "●").map { abs($0 - 13) <= 1 } == true, "\(canvas.text)")
    #expect(lines[5].hasPrefix("0│●") && lines[5].hasSuffix("●") && lines[1].hasPrefix("1│"), "\(canvas.text)")
    #expect(lines[1...5].contains { $0.dropFirst(2).first == "○" && $0.last == "○" }, "\(canvas.text)")
    #expect(lines[6].hasPrefix(" └──") && lines[7].hasPrefix("  0") && lines[7].hasSuffix("1"))
    var plain = Canvas(size: Size(columns: 25, rows: 8), asciiOnly: true)
    chart.draw(into: &plain, plain.bounds)
    #expect(plain.text.utf8.allSatisfy { $0 < 0x80 } && plain.text.contains("*") && plain.text.contains("o"))
    for size in [Size(columns: 3, rows: 2), Size(columns: 17, rows: 4)] {
      var small = Canvas(size: size)
      chart.draw(into: &small, small.bounds)
      LineChart(title: "", xLabel: "", series: []).draw(into: &small, small.bounds)
    }
    #expect([0.3, 12.34, 1e9, -0.126].map(LineChart.label) == ["0.3", "12.3", "1000000000", "-0.13"])
  }

  @Test func barsGrowInEighths() {
    for eighth in 0...32 {
      var canvas = Canvas(size: Size(columns: 4, rows: 1))
      canvas.bar(Double(eighth) / 32, in: canvas.bounds)
      #expect(canvas.text.filter { $0 == "█" }.count == eighth / 8)
      #expect(canvas.text.contains { "▏▎▍▌▋▊▉".contains($0) } == (eighth % 8 != 0))
    }
    var canvas = Canvas(size: Size(columns: 4, rows: 1))
    canvas.bar(.nan, in: canvas.bounds)
    canvas.bar(7, in: canvas.bounds)
    #expect(canvas.text == "████\n")
  }

  @Test func tablesAlignAndLeaveOutWhatDoesNotFit() {
    let columns = [
      TableColumn("id", width: 4, .right), TableColumn("Δ", width: 5, .right, sorted: .descending),
      TableColumn("tags", width: nil),
      TableColumn("last", width: 6),
    ]
    func drawn(_ width: Int) -> String {
      var canvas = Canvas(size: Size(columns: width, rows: 3))
      canvas.table(columns, count: 9, state: ListState(selected: 1), in: canvas.bounds) { row in
        [.text("\(row)"), .text("0.5"), .text("refusal, template"), .text("x")]
      }
      return canvas.text
    }
    #expect(drawn(30) == "  id    Δ▼ tags         last\n   0   0.5 refusal, te… x\n   1   0.5 refusal, te… x\n")
    #expect(drawn(20) == "  id    Δ▼ tags\n   0   0.5 refusal,…\n   1   0.5 refusal,…\n")
    #expect(drawn(6) == "  id\n   0\n   1\n")
  }

  @Test func tokensWrapAtSpacesAndKeepTheirStyles() {
    let lines = flowLines(
      [
        FlowToken("I"), FlowToken(" cannot", level: 4), FlowToken(" help"), FlowToken(".\n"),
        FlowToken("Next", level: 1),
      ],
      width: 9)
    #expect(lines.map { $0.map(\.text).joined() } == ["I cannot ", "help.↵", "Next"])
    #expect(lines[0][1] == FlowSpan(text: " cannot", style: .heat(4)))
    #expect(lines[2][0].style == .heat(1))
  }

  @Test func noLineOfAFlowIsTooWideAndNothingIsLost() {
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<400 {
      let tokens = (0..<12).map { _ in FlowToken(generator.text(4), level: Int.random(in: 0...4, using: &generator)) }
      let width = Int.random(in: 2...30, using: &generator)
      let lines = flowLines(tokens, width: width)
      for line in lines {
        #expect(
          line.reduce(0) { $0 + displayWidth($1.text) } <= width,
          "\(width) \(line.map { Array($0.text.unicodeScalars) })")
      }
      let kept = lines.flatMap { $0 }.map(\.text).joined().filter { $0 != " " }
      let all = tokens.map { termSafe($0.text) }.joined().filter { $0 != " " }
      #expect(Array(kept.unicodeScalars) == Array(all.unicodeScalars))
    }
  }

  @Test func asciiMarkersTellLevelsApart() {
    let tokens = (0...4).map { FlowToken(" t", level: $0) }
    #expect(flowLines(tokens, width: 40, asciiMarkers: true)[0].map(\.text).joined() == " t t (t) [t] {t}")
  }

  @Test func theWindowHoldsTheTokenWhereverItIs() {
    let tokens = (0..<50).map { FlowToken(" w\($0)", level: $0 == 30 ? 4 : 0) }
    for index in 0..<50 {
      let text = flowWindow(tokens, around: index, width: 24).map(\.text).joined()
      #expect(text.contains(" w\(index)") && displayWidth(text) <= 24)
      #expect(text.hasPrefix("…") == !text.hasPrefix(" w0 ") && text.hasSuffix("…") == !text.hasSuffix(" w49"))
    }
  }

  @Test func levelsFollowTheShareOfTheLargest() {
    #expect([0, 0.1, 0.3, 0.6, 0.9, 1].map { FlowToken.level($0, of: 1) } == [0, 1, 2, 3, 4, 4])
    #expect(FlowToken.level(.nan, of: 1) == 0 && FlowToken.level(1, of: 0) == 0)
  }

  @Test func theKeyBarKeepsHelpWhenOthersDoNotFit() {
    var canvas = Canvas(size: Size(columns: 24, rows: 1))
    canvas.keyBar(
      [KeyHint("Enter", "open"), KeyHint("s", "steer"), KeyHint("t", "tag")], last: [KeyHint("?", "help")],
      in: canvas.bounds)
    #expect(canvas.text == " Enter open  ? help\n")
  }

  @Test func splitsCoverTheWhole() {
    let whole = Rect(row: 2, column: 3, rows: 10, columns: 20)
    for count in -1...12 {
      let (top, rest) = whole.split(top: count)
      #expect(top.rows + rest.rows == 10 && top.endRow == rest.row)
      let (upper, bottom) = whole.split(bottom: count)
      #expect(upper.rows + bottom.rows == 10 && bottom.endRow == 12)
    }
  }

  @Test func aParagraphBreaksLinesWhereAskedTo() {
    var editor = LineEditor("ab\ncdefgh\n")
    #expect(editor.rows(width: 5) == 4)
    var canvas = Canvas(size: Size(columns: 5, rows: 4))
    #expect(canvas.paragraph(editor, breakLines: true, in: canvas.bounds) == Point(row: 3, column: 0))
    #expect(canvas.text == "ab↵\ncdefg\nh↵\n\n")
    var compact = Canvas(size: Size(columns: 5, rows: 4))
    #expect(compact.paragraph(editor, in: compact.bounds) == Point(row: 2, column: 0))
    #expect(compact.text.contains("ab↵cd"))
    editor.text = ""
    #expect(editor.rows(width: 5) == 1)
  }

  @Test func aSelectedTokenStandsOutWhateverItsLevel() {
    var token = FlowToken("peak", level: 4)
    token.isSelected = true
    let spans = flowLines([FlowToken("a "), token, FlowToken(" b", level: 4)], width: 20)[0]
    #expect(spans.map(\.text) == ["a ", "peak", " b"])
    #expect(spans[1].style.background == .selected && spans[2].style == .heat(4))
  }
}
