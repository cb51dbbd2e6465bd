import Testing

@testable import TUI

@Suite struct KeyTests {
  static func keys(_ text: String) -> [Input] {
    var decoder = KeyDecoder()
    return decoder.decode(text.utf8) + decoder.flush()
  }

  @Test(arguments: [
    ("q", "q"), (" ", "space"), ("G", "G"), ("é", "é"), ("漢", "漢"), ("\r", "enter"), ("\n", "ctrl-j"), ("\t", "tab"),
    ("\u{7F}", "backspace"), ("\u{08}", "backspace"), ("\u{12}", "ctrl-r"), ("\u{1}", "ctrl-a"), ("\u{1B}", "esc"),
    ("\u{1B}[A", "up"), ("\u{1B}OA", "up"), ("\u{1B}[B", "down"), ("\u{1B}[C", "right"), ("\u{1B}[D", "left"),
    ("\u{1B}[H", "home"), ("\u{1B}OH", "home"), ("\u{1B}[1~", "home"), ("\u{1B}[7~", "home"), ("\u{1B}[4~", "end"),
    ("\u{1B}[5~", "pgup"), ("\u{1B}[6~", "pgdn"), ("\u{1B}[3~", "del"), ("\u{1B}[2~", "ins"), ("\u{1B}OP", "f1"),
    ("\u{1B}[11~", "f1"), ("\u{1B}[[A", "f1"), ("\u{1B}[15~", "f5"), ("\u{1B}[24~", "f12"), ("\u{1B}[Z", "shift-tab"),
    ("\u{1B}[1;5C", "ctrl-right"), ("\u{1B}[1;3D", "alt-left"), ("\u{1B}[3;5~", "ctrl-del"), ("\u{1B}b", "alt-b"),
    ("\u{1B}\u{7F}", "alt-backspace"), ("\u{1B}[114;5u", "ctrl-r"), ("\u{1B}[", "alt-["),
  ])
  func sequencesNameTheirKey(bytes: String, name: String) {
    #expect(Self.keys(bytes) == Key(name: name).map { [.key($0)] })
    #expect(Key(name: name)?.name == name)
  }

  @Test func sequencesMayArriveByteByByte() {
    var decoder = KeyDecoder()
    var inputs: [Input] = []
    for byte in Array("a\u{1B}[1;5Cé\u{1B}[<0;3;4M\u{1B}[200~p\u{1B}q\u{1B}[201~z".utf8) {
      inputs += decoder.decode([byte])
    }
    #expect(
      inputs == [
        .key("a"), .key("ctrl-right"), .key("é"), .mouse(Mouse(.press, at: Point(row: 3, column: 2))),
        .paste("p\u{1B}q"), .key("z"),
      ])
    #expect(!decoder.isWaiting)
  }

  @Test func mouseReportsOfBothForms() {
    #expect(Self.keys("\u{1B}[<64;10;5M") == [.mouse(Mouse(.wheelUp, at: Point(row: 4, column: 9)))])
    #expect(Self.keys("\u{1B}[<65;1;1M") == [.mouse(Mouse(.wheelDown, at: Point(row: 0, column: 0)))])
    #expect(Self.keys("\u{1B}[<0;2;3m") == [.mouse(Mouse(.release, at: Point(row: 2, column: 1)))])
    #expect(Self.keys("\u{1B}[M !!") == [.mouse(Mouse(.press, at: Point(row: 0, column: 0)))])
    #expect(Self.keys("\u{1B}[M`!!") == [.mouse(Mouse(.wheelUp, at: Point(row: 0, column: 0)))])
    #expect(Self.keys("\u{1B}[<0;0;0M") == [])
  }

  @Test func twoEscapesAreTwoKeysAndUnknownSequencesVanishWhole() {
    #expect(Self.keys("\u{1B}\u{1B}") == [.key("esc"), .key("esc")])
    #expect(Self.keys("\u{1B}[?1;2cx") == [.key("x")])
    #expect(Self.keys("\u{1B}[99~y") == [.key("y")])
  }

  @Test func invalidBytesAndNoiseNeverCrash() {
    var decoder = KeyDecoder()
    #expect(decoder.decode([0xFF, 0xC3, 0x28, 0x80]) == [.key("(")])
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<3000 {
      var noise = (0..<20).map { _ in UInt8.random(in: 0...255, using: &generator) }
      if Bool.random(using: &generator) { noise[0...1] = [0x1B, 0x5B] }
      _ = decoder.decode(noise)
      _ = decoder.flush()
    }
    _ = decoder.decode("\u{1B}[201~".utf8)
    #expect(decoder.decode("k".utf8).last == .key("k"))
  }

  @Test func pastesAreCapped() {
    let long = String(repeating: "x", count: KeyDecoder.longestPaste + 100)
    #expect(Self.keys("\u{1B}[200~\(long)\u{1B}[201~") == [.paste(String(long.dropLast(100)))])
  }
}

@Suite struct LineEditorTests {
  static func type(_ keys: [Key], into text: String = "", history: [String] = []) -> LineEditor {
    var editor = LineEditor(text, history: history)
    for key in keys { _ = editor.handle(key) }
    return editor
  }

  @Test(arguments: [
    (["backspace"], "two wor", ""), (["left", "x"], "two worx", "d"), (["ctrl-a", "del"], "", "wo word"),
    (["ctrl-w"], "two ", ""), (["alt-b"], "two ", "word"), (["alt-b", "alt-b"], "", "two word"),
    (["ctrl-a", "alt-f"], "two", " word"), (["ctrl-left", "ctrl-k"], "two ", ""), (["alt-b", "ctrl-u"], "", "word"),
    (["home", "alt-d"], "", " word"), (["end", "right", "del"], "two word", ""),
    (["home", "left", "backspace"], "", "two word"),
  ])
  func keysOfReadline(names: [String], before: String, after: String) {
    let editor = Self.type(names.compactMap(Key.init(name:)), into: "two word")
    #expect(editor.parts.before == before && editor.parts.after == after)
  }

  @Test func editsWholeCharacters() {
    var editor = LineEditor("a👩‍👩‍👧e\u{301}")
    _ = editor.handle("backspace")
    #expect(editor.text == "a👩‍👩‍👧")
    _ = editor.handle("backspace")
    #expect(editor.text == "a")
    editor.insert("\u{301}")
    #expect(editor.text == "a\u{301}" && editor.cursor == 1)
  }

  @Test func historyGoesBackAndReturnsToTheDraft() {
    var editor = LineEditor("draft", history: ["one", "two"])
    _ = editor.handle("up")
    #expect(editor.text == "two")
    _ = editor.handle("up")
    _ = editor.handle("up")
    #expect(editor.text == "one")
    _ = editor.handle("down")
    _ = editor.handle("down")
    #expect(editor.text == "draft")
    editor.commit(clear: true)
    editor.commit()
    #expect(editor.history == ["one", "two", "draft"] && editor.isEmpty)
  }

  @Test func whatExceedsTheLimitIsNotTaken() {
    var editor = LineEditor(limit: 5)
    editor.insert("1234567")
    editor.insert("8")
    #expect(editor.text == "12345")
  }

  @Test func unknownKeysAreLeftToOthers() {
    var editor = LineEditor("x")
    let before = editor
    for key: Key in ["enter", "esc", "f1", "ctrl-r", "tab"] {
      let isKnown = editor.handle(key)
      #expect(!isKnown)
    }
    #expect(editor == before)
  }

  @Test func theCursorShowsWhereverItIs() {
    for length in 0..<30 {
      for back in 0...length {
        var editor = LineEditor(String(repeating: "漢", count: length))
        for _ in 0..<back { _ = editor.handle("left") }
        var canvas = Canvas(size: Size(columns: 11, rows: 3))
        let line = canvas.input(editor, label: "> ", in: Rect(row: 0, column: 0, rows: 1, columns: 11))
        let many = canvas.paragraph(editor, in: Rect(row: 1, column: 0, rows: 2, columns: 11))
        #expect(line.map { canvas.bounds.contains($0) && $0.row == 0 } == true)
        #expect(many.map { canvas.bounds.contains($0) && $0.row > 0 } == true)
      }
    }
  }
}
