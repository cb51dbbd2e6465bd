// A block of lines drawn in place: the escapes that leave for the terminal.

import Testing

@testable import TUI

@Suite struct LineBlockTests {
  @Test func drawsInPlace() {
    // Colours and the way up come from the block; the characters are the canvas's.
    var canvas = Canvas(size: Size(columns: 10, rows: 2))
    canvas.put("ab", row: 0, column: 0, style: Style(.base))
    canvas.put("c", row: 1, column: 3)
    var block = LineBlock(style: { ["TERM": "xterm-256color", "LANG": "C.UTF-8"][$0] })
    #expect(!block.asciiOnly)
    #expect(block.escapes(showing: canvas) == "\u{1b}[J\u{1b}[0;38;5;75mab\u{1b}[0m\u{1b}[K\n   c\u{1b}[K\n")
    #expect(block.escapes(showing: canvas) == "\r\u{1b}[2A\u{1b}[0;38;5;75mab\u{1b}[0m\u{1b}[K\n   c\u{1b}[K\n")
    var plain = LineBlock(style: { ["TERM": "xterm-256color", "NO_COLOR": "1", "LANG": "C"][$0] })
    #expect(plain.asciiOnly)
    #expect(plain.escapes(showing: canvas) == "\u{1b}[Jab\u{1b}[K\n   c\u{1b}[K\n")
  }

  @Test func fewerOrNarrowerLinesClearWhatIsBelow() {
    var block = LineBlock(style: { ["TERM": "xterm", "LC_ALL": "en_US.utf8"][$0] })
    #expect(!block.asciiOnly && block.theme.colours == 8)
    _ = block.escapes(showing: Canvas(size: Size(columns: 5, rows: 3)))
    #expect(block.escapes(showing: Canvas(size: Size(columns: 5, rows: 1))) == "\r\u{1b}[3A\u{1b}[J\u{1b}[K\n")
    #expect(block.escapes(showing: Canvas(size: Size(columns: 4, rows: 1))) == "\r\u{1b}[1A\u{1b}[J\u{1b}[K\n")
    #expect(block.escapes(showing: Canvas(size: Size(columns: 4, rows: 1))) == "\r\u{1b}[1A\u{1b}[K\n")
  }
}
