import Testing

@testable import TUI

@Suite struct CanvasTests {
  /// Every cell is one cell wide, or a wide one followed by its empty half.
  static func isSound(_ canvas: Canvas) -> Bool {
    for row in 0..<canvas.size.rows {
      var column = 0
      while column < canvas.size.columns {
        let cell = canvas[row, column]
        switch cell.width {
        case 1:
          if displayWidth(cell.text) != 1 { return false }
          column += 1
        case 2:
          guard column + 1 < canvas.size.columns, canvas[row, column + 1].width == 0, displayWidth(cell.text) == 2,
            canvas[row, column + 1].text.isEmpty
          else { return false }
          column += 2
        default: return false
        }
      }
    }
    return true
  }

  @Test func textIsCutAtBothEdgesWhateverItsOffset() {
    for offset in -8...8 {
      var canvas = Canvas(size: Size(columns: 6, rows: 1))
      canvas.put("abcdefg", row: 0, column: offset)
      let expected = (0..<6).map { column -> Character in
        let index = column - offset
        return (0..<7).contains(index) ? Array("abcdefg")[index] : " "
      }
      var trimmed = String(expected)
      while trimmed.last == " " { trimmed.removeLast() }
      #expect(canvas.text == trimmed + "\n", "offset \(offset)")
    }
  }

  @Test func halvedWideCharactersBecomeBlanks() {
    for offset in -3...5 {
      var canvas = Canvas(size: Size(columns: 5, rows: 1))
      canvas.fill(canvas.bounds, with: ".")
      canvas.put("漢", row: 0, column: offset)
      #expect(Self.isSound(canvas))
      let expected = [
        -3: ".....", -2: ".....", -1: " ....", 0: "漢...", 1: ".漢..", 2: "..漢.", 3: "...漢", 4: "....", 5: ".....",
      ]
      #expect(canvas.text == (expected[offset] ?? "") + "\n", "offset \(offset)")
    }
  }

  @Test func writingOverHalfOfAWideCharacterBlanksTheOther() {
    for column in 1...2 {
      var canvas = Canvas(size: Size(columns: 4, rows: 1))
      canvas.put("漢", row: 0, column: 1)
      canvas.put("x", row: 0, column: column)
      #expect(Self.isSound(canvas))
      #expect(canvas.text == (column == 1 ? " x\n" : "  x\n"))
    }
  }

  @Test func randomUnicodeAtRandomPlacesNeverLeavesTheClip() {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<1500 {
      var canvas = Canvas(size: Size(columns: 17, rows: 4), asciiOnly: Bool.random(using: &generator))
      canvas.fill(canvas.bounds, with: "#")
      let clip = Rect(
        row: Int.random(in: -2...5, using: &generator), column: Int.random(in: -4...18, using: &generator),
        rows: Int.random(in: 0...5, using: &generator), columns: Int.random(in: 0...20, using: &generator))
      for _ in 0..<6 {
        canvas.put(
          generator.text(9), row: Int.random(in: -2...5, using: &generator),
          column: Int.random(in: -9...20, using: &generator), style: Style(.accent), clip: clip)
      }
      #expect(Self.isSound(canvas))
      for row in 0..<4 {
        for column in 0..<17 where !clip.contains(Point(row: row, column: column)) {
          #expect(canvas[row, column].text == "#" && canvas[row, column].style == .plain)
        }
      }
    }
  }

  @Test func asciiModeLetsNothingElseThrough() {
    var generator = SeededGenerator(seed: 4)
    var canvas = Canvas(size: Size(columns: 40, rows: 10), asciiOnly: true)
    for row in 0..<10 { canvas.put(generator.text(60), row: row, column: 0) }
    canvas.put("─│┌█▌…→“”", row: 0, column: 0)
    #expect(canvas.text.utf8.allSatisfy { $0 == 0x0A || (0x20..<0x7F).contains($0) })
    #expect(canvas.text.hasPrefix("-|+#=~>\"\""))
  }

  @Test func emptyCanvasesAndRectsAreHarmless() {
    var canvas = Canvas(size: Size(columns: 0, rows: -1))
    canvas.put("x", row: 0, column: 0)
    canvas.fill(Rect(row: 0, column: 0, rows: 3, columns: 3))
    #expect(canvas.text == "")
    for columns in 0..<12 {
      for rows in 0..<6 {
        var small = Canvas(size: Size(columns: columns, rows: rows))
        _ = small.window("title", size: Size(columns: 20, rows: 5), in: small.bounds)
        small.help([HelpSection("a", [KeyHint("q", "quit")])], title: "Help", top: 0, in: small.bounds)
        small.breadcrumbs(["one", "two"], right: "three", in: small.bounds.line(0))
        small.statusLine("message", right: "ready", in: small.bounds.line(1))
        small.keyBar([KeyHint("q", "quit")], last: [KeyHint("?", "help")], in: small.bounds.line(2))
        small.bar(0.5, in: small.bounds)
        small.input(LineEditor("hello"), label: "> ", in: small.bounds)
        small.paragraph(LineEditor("hello"), in: small.bounds)
        small.heading("title", note: "note", in: small.bounds)
        small.notice(["one", "two"], in: small.bounds)
        small.table([TableColumn("a", width: 5)], count: 3, state: ListState(), in: small.bounds) { [.text("\($0)")] }
        #expect(Self.isSound(small))
      }
    }
  }

  @Test func snapshotsNameStylesInOrderOfAppearance() {
    var canvas = Canvas(size: Size(columns: 6, rows: 2))
    canvas.put("ab", row: 0, column: 1, style: Style(.chat, .bold))
    canvas.put("c", row: 1, column: 0, style: Style(.heat1, on: .heat1, .underline))
    #expect(
      canvas.styledText == " ab\nc\n--- styles\n.aa\nb\n--- legend\na chat bold\nb heat1 on heat1 underline\n")
  }

  @Test(arguments: [
    ("Δ ν^ε β ‖h‖", "D n^e b |h|"), ("naïve café Łódź", "naive cafe Lodz"), ("Привет", "Privit"), ("漢字か", "[][]ka"),
    ("👍🏽!", "[]!"), ("☃\u{FFFD}", "**"), ("¿?", "??"), ("→ ≤3 ±1", "> <3 +1"),
  ])
  func everyCharacterHasAnASCIIFormOfItsWidth(text: String, expected: String) {
    var canvas = Canvas(size: Size(columns: 20, rows: 1), asciiOnly: true)
    let end = canvas.put(text, row: 0, column: 0)
    let shown = (0..<end).map { canvas[0, $0].text }.joined()
    #expect(shown.utf8.count == displayWidth(text) && shown.utf8.allSatisfy { $0 < 0x80 })
    #expect(shown == expected)
  }

  @Test func withoutColoursRolesDifferByAttributes() {
    let theme = Theme(colours: 0)
    for role in Role.allCases {
      let paint = theme.paint(Style(role, on: role))
      #expect(paint.foreground == -1 && paint.background == -1)
    }
    #expect(Set((0...4).map { theme.paint(.heat($0)).attributes }).count == 5)
    #expect(theme.paint(Style(.plain, on: .selected)).attributes.contains(.reverse))
    #expect(theme.paint(Style(.changed)).attributes != theme.paint(.plain).attributes)
  }

  @Test func coloursStayInsideThePalette() {
    for colours in [8, 16, 256] {
      for text in Role.allCases {
        for ground in Role.allCases {
          let paint = Theme(colours: colours).paint(Style(text, on: ground))
          #expect((-1..<colours).contains(paint.foreground) && (-1..<colours).contains(paint.background))
        }
      }
    }
  }
}
