// Comma-separated values: quotes, line ends, and every way in which a row can be wrong.

import Foundation
import Inference
import TestSupport
import Testing

@Suite struct CSVReaderTests {
  private func read(_ text: String) throws -> [[String]] {
    let folder = TemporaryFolder()
    let path = folder.path + "/t.csv"
    try Data(text.utf8).write(to: URL(filePath: path))
    var reader = try CSVReader(path: path)
    var rows = [reader.header]
    while let row = try reader.next() { rows.append(row) }
    return rows
  }

  @Test func quotesNewlinesAndLineEndsAreUnderstood() throws {
    #expect(try read("a,b\n1,2\n") == [["a", "b"], ["1", "2"]])
    #expect(try read("a,b\r\n1,2") == [["a", "b"], ["1", "2"]])
    #expect(try read("\u{FEFF}a,b\n\n,\n") == [["a", "b"], ["", ""]])
    #expect(try read("a,b\n\"x \"\"y\"\", z\",\"two\nlines\"\n") == [["a", "b"], ["x \"y\", z", "two\nlines"]])
    #expect(try read("a\nb\n") == [["a"], ["b"]])
  }

  @Test(arguments: [
    ("a,b\n1\n", "line 2"), ("a,b\n1,2,3\n", "line 2"), ("a,b\n1,\"2\n", "line 2"), ("a,b\n1,2\"\n", "line 2"),
    ("a,b\n\n1,\"2\"3\n", "line 3"), ("a,b\r1,2\n", "line 1"), ("a,\"b\nc\"\n1\n", "line 3"), ("", "empty"),
    ("\n\n", "line 1"),
  ]) func aBadRowIsNamedByItsLine(text: String, place: String) {
    #expect { try read(text) } throws: { "\($0)".contains(place) }
  }

  @Test func bytesThatAreNoTextAreRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/t.csv"
    try Data([0x61, 0x0A, 0xFF, 0x0A]).write(to: URL(filePath: path))
    var reader = try CSVReader(path: path)
    #expect { try reader.next() } throws: { "\($0)".contains("UTF-8") }
  }
}
