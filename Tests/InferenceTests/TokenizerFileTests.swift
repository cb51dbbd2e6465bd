import Foundation
import TestSupport
import Testing

@testable import Inference

/// Hostile tokenizer.json files: an error that names the place, never a crash or a hang.
@Suite struct TokenizerFileTests {
  let folder = TemporaryFolder()

  static let head =
    #""added_tokens":[{"id":4,"content":"<x>","special":true}],"pre_tokenizer":{"type":"ByteLevel"},"model""#

  func load(_ json: String) throws -> Tokenizer {
    _ = try folder.file("tokenizer.json", Array(json.utf8))
    return try Tokenizer(folder: folder.path)
  }

  func refusal(_ json: String) -> String {
    let error = #expect(throws: InferenceError.self, "\(json)") { try load(json) }
    let text = error.map { "\($0)" } ?? "accepted"
    #expect(!text.contains("\n") && text.contains("tokenizer.json"), "\(text)")
    return text
  }

  func model(_ vocab: String, _ merges: String = "[]", _ rest: String = "") -> String {
    #"{\#(Self.head):{"vocab":\#(vocab),"merges":\#(merges)\#(rest)}}"#
  }

  @Test func readsMergesOfBothForms() throws {
    for merges in [#"["a b","ab c"]"#, #"[["a","b"],["ab","c"]]"#] {
      let json = model(#"{"a":0,"b":1,"c":2,"ab":3,"abc":4}"#, merges)
      #expect(try load(json).encode("abcab<x>", parseSpecial: true) == [4, 3, 5])
    }
    // Merges before the vocabulary, escapes, white space, members that nobody asks for.
    let json = #"""
      { "model" : { "merges":[ "\u0061 b" ], "x":[{}, -1.5e3, null, true],"vocab": {"a":0,"b":1,"\u0061b" : 2 } },
      "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false} }
      """#
    #expect(try load(json).encode("ab", parseSpecial: true) == [2])
  }

  @Test func refusesAbsurdIds() {
    #expect(refusal(model(#"{"a":-1}"#)).contains("a non-negative integer below"))
    #expect(refusal(model(#"{"a":1e3}"#)).contains("expected }"))
    #expect(refusal(model(#"{"a":99999999999999999999}"#)).contains("a non-negative integer below"))
    #expect(refusal(model(#"{"a":4194304}"#)).contains("a non-negative integer below"))
    #expect(refusal(model(#"{"a":4000000}"#)).contains("ids without large gaps"))
    #expect(refusal(model(#"{"a":0,"b":0}"#)).contains("0 twice"))
    #expect(refusal(model("{}")).contains("a vocabulary"))
    #expect(refusal(model(#"{"a":"0"}"#)).contains("a non-negative integer"))
    #expect(refusal(#"{"added_tokens":{},"model":{"vocab":{"a":0},"merges":[]}}"#).contains("added_tokens: expected a"))
    #expect(refusal(#"{"added_tokens":[{"id":1}],"model":{"vocab":{"a":0},"merges":[]}}"#).contains("content"))
  }

  /// The library gives an added token the next number after the vocabulary's size, which a gap may have taken.
  @Test func refusesAddedTokensOfOneId() throws {
    let tokens = #"[{"id":9,"content":"<y>"},{"id":1,"content":"b"}]"#
    let rest = #""pre_tokenizer":{"type":"ByteLevel"},"model":{"vocab":{"a":0,"b":2},"merges":[]}"#
    #expect(refusal(#"{"added_tokens":\#(tokens),\#(rest)}"#).contains("2 twice, the second time for b"))
    let one = try load(#"{"added_tokens":[{"id":9,"content":"<y>","special":true}],\#(rest)}"#)
    #expect(one.encode("a<y>b", parseSpecial: true) == [0, 2, 2] && one.decode([2]) == "<y>")
  }

  @Test func refusesMergesOfNoTokens() throws {
    let vocab = #"{"a":0,"b":1,"ab":2,"ba":3}"#
    for merge in [
      #""a c""#, #""ab""#, #""""#, #"["a"]"#, #"["a","b","b"]"#, #"["a b"]"#, "[]", "7", "null", #""b ab""#,
    ] {
      _ = refusal(model(vocab, "[\(merge)]"))
    }
    // A merge that runs in a circle is none: what two tokens make is longer than each.
    #expect(try load(model(vocab, #"["a b","b a"]"#)).encode("abab", parseSpecial: false) == [2, 2])
    #expect(try load(model(vocab, #"["a b","a b"]"#)).encode("ab", parseSpecial: false) == [2])
  }

  @Test func namesPartsThatItDoesNotKnow() {
    func top(_ part: String, _ vocab: String = #"{"a":0}"#) -> String {
      refusal(#"{\#(part),"model":{"type":"BPE","vocab":\#(vocab),"merges":[]}}"#)
    }
    #expect(top(#""pre_tokenizer":{"type":"Whitespace"}"#).contains("the pre-tokenizer {type: \\\"Whitespace\\\"}"))
    #expect(top(#""pre_tokenizer":{"type":"ByteLevel","add_prefix_space":1}"#).contains("add_prefix_space"))
    #expect(top(#""x":1"#).contains("the unknown field x "))
    #expect(
      top(
        #""pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\d"},"#
          + #""behavior":"Isolated"},{"type":"ByteLevel","use_regex":false}]}"#
      ).contains("Regex"))
    #expect(top(#""normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"ByteLevel"}"#).contains("Lowercase"))
    #expect(top(#""normalizer":null"#).contains("the normalizer null"))
    #expect(refusal(#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#).contains("without merges"))
    #expect(refusal(#"{"model":{"type":"X","vocab":{"a":0},"merges":[]}}"#).contains("model.type \\\"X\\\""))
    #expect(refusal(model(#"{"a":0}"#, "[]", #","dropout":0.1"#)).contains("dropout"))
    #expect(refusal(model(#"{"a":0}"#, "[]", #","unk_token":"?""#)).contains("unk_token"))
    #expect(refusal(model(#"{"a":0}"#, "[]", #","end_of_word_suffix":"</w>""#)).contains("end_of_word_suffix"))
    #expect(refusal("{}").contains("no metadata key model"))
    #expect(refusal(#"{"model":{}}"#).contains("model.vocab"))
    #expect(refusal(#"{"model":[]}"#).contains("expected {"))
    #expect(refusal(#"{"model":{},"model":{}}"#).contains("model twice"))
    #expect(refusal(#"{"a":{"b":1,"b":2},"model":{"vocab":{},"merges":[]}}"#).contains("b twice"))
  }

  @Test func refusesNestingWithoutEnd() {
    for (open, value) in [("[", ""), (#"{"a":"#, "")] {
      #expect(refusal(#"{"x":"# + String(repeating: open, count: 200_000) + value).contains("at most 64 levels"))
    }
  }

  @Test func refusesWhatIsNoJSON() {
    for json in [
      "x", "[", #"{"model":tru}"#, #"{"a":"\q"}"#, #"{"a":"\u12"}"#, #"{"a":"\ud800"}"#, #"{"a":"\ud800\u0041"}"#,
      "{\"a\":\"\n\"}",
      #"{"a":+1}"#, #"{"a":1e999}"#, #"{"a":--}"#, #"{"a":1,}"#, #"{"a" 1}"#, #"{} {}"#, #"{"a":.5}"#,
    ] {
      _ = refusal(json)
    }
  }

  @Test func refusesEveryTruncation() throws {
    let bytes = Array(model(#"{"a":0,"\u0062":1,"ab":2}"#, #"["a b"]"#, #","unk_token":null"#).utf8)
    for count in 1..<bytes.count {
      _ = try folder.file("tokenizer.json", Array(bytes[..<count]))
      #expect(throws: InferenceError.self, "\(count) bytes") { try Tokenizer(folder: folder.path) }
    }
  }

  /// Any byte may be any other: an answer or an error, and nothing else.
  @Test func survivesFlippedBytes() throws {
    let original = Array(model(#"{"a":0,"b":1,"ab":2,"\u00e9":3}"#, #"["a b"]"#).utf8)
    var generator = SeededGenerator(8)
    for position in original.indices {
      var bytes = original
      bytes[position] = UInt8.random(in: 0...255, using: &generator)
      _ = try folder.file("tokenizer.json", bytes)
      if let tokenizer = try? Tokenizer(folder: folder.path) { _ = tokenizer.encode("abé<x>", parseSpecial: true) }
    }
  }

  @Test func namesAFolderWithoutATokenizer() {
    let error = #expect(throws: InferenceError.self) { try Tokenizer(folder: folder.path) }
    #expect(error.map { "\($0)".contains("tokenizer.json") } ?? false)
  }
}
