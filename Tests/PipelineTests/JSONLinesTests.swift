import Foundation
import TestSupport
import Testing

@testable import Experiments
@testable import Pipeline

/// What a line of a JSON-lines file is.
@Suite struct JSONLinesTests {
  let folder = TemporaryFolder()

  @Test func passesOverBlankLinesOfAnyLineEnd() {
    let text = "\u{FEFF}{\"a\":1}\r\n\r\n \t\r\n{\"a\":2}\n\n{\"a\":3}"
    let lines = JSONLine.lines(Data(text.utf8))
    #expect(lines.map(\.number) == [1, 4, 6])
    #expect(lines.map { String(decoding: $0.content, as: UTF8.self) } == ["{\"a\":1}\r", "{\"a\":2}", "{\"a\":3}"])
    #expect(JSONLine.lines(Data()).isEmpty && JSONLine.lines(Data("\r\n".utf8)).isEmpty)
  }

  @Test func readsPromptsWithCRLF() throws {
    let path = try folder.file("p.jsonl", Array("\u{FEFF}{\"prompt\":\"a\"}\r\n\r\n{\"prompt\":\"b\"}\r\n".utf8))
    #expect(try SetPrompt.read(path).map(\.prompt) == ["a", "b"])
    let wrong = try folder.file("w.jsonl", Array("{\"prompt\":\"a\"}\r\n\r\n{}\r\n".utf8))
    #expect(
      throws: InputError.invalid(
        source: "\(wrong) line 3", expected: "a JSON object with \"prompt\"", found: "something else")
    ) { try SetPrompt.read(wrong) }
  }

  /// A log that an editor gave CRLF is followed, and what a resumed run keeps of it is all that came before.
  @Test func followsAndKeepsALogWithCRLF() throws {
    let line = #"{"step":S,"loss":1,"auxiliary":0,"sparsity":0,"l0":2,"dead":0,"gradient_norm":1,"learning_rate":1}"#
    let text = (0..<3).map { line.replacing("S", with: "\($0)") + "\r\n\r\n" }.joined()
    let path = try folder.file("log.jsonl", Array(text.utf8))
    var followed = FollowedLog(path: path)
    #expect(try followed.read().map(\.step) == [0, 1, 2])
    _ = try TrainingLog(path: path, keepingSteps: 2)
    var kept = FollowedLog(path: path)
    #expect(try kept.read().map(\.step) == [0, 1])
  }
}
