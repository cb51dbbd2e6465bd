import Foundation
import TestSupport
import Testing

@testable import Inference

/// What each field of a tokenizer's files means: the tables that the reading goes by, the library's own lists and the
/// documentation say the same.
@Suite struct FieldTableTests {
  let folder = TemporaryFolder()

  /// Fixtures/make_tokenizer_fields.py lists the fields on which the libraries act.
  @Test func knowsEveryFieldOnWhichTheLibrariesAct() throws {
    let fields = try JSONDecoder().decode([String: [String]].self, from: fixture("library-fields.json"))
    #expect(fields.count == 18)
    for (object, names) in fields {
      let table = try #require(TokenizerFields.all.first { $0.object == object }, "\(object)")
      for name in names { #expect(table.use(name) != nil, "\(object) lacks \(name)") }
    }
  }

  @Test func namesEachFieldOnce() {
    for table in TokenizerFields.all {
      #expect(Set(table.fields.map(\.name)).count == table.fields.count, "\(table.object)")
    }
  }

  /// docs/formats.md holds the tables as they are. CROSSCOPE_RECORD=1 writes them anew.
  @Test func isTheDocumentation() throws {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../docs/formats.md").standardized
    let tables = TokenizerFields.all.map(\.markdown).joined(separator: "\n")
    let (begin, end) = ("<!-- tokenizer fields -->\n", "<!-- end of tokenizer fields -->\n")
    let text = try String(contentsOf: url, encoding: .utf8)
    let head = try #require(text.range(of: begin))
    let tail = try #require(text.range(of: end))
    if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
      let new = text[..<head.upperBound] + tables + text[tail.lowerBound...]
      try String(new).write(to: url, atomically: true, encoding: .utf8)
    } else {
      #expect(text[head.upperBound..<tail.lowerBound] == tables)
    }
  }

  func refusal(_ files: [String: String]) throws -> String {
    let plain =
      #"{"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},"added_tokens":[]}"#
    _ = try folder.file("tokenizer.json", Array((files["tokenizer.json"] ?? plain).utf8))
    for (name, text) in files { _ = try folder.file(name, Array(text.utf8)) }
    defer { for name in files.keys { try? FileManager.default.removeItem(atPath: folder.path + "/" + name) } }
    let error = #expect(throws: InferenceError.self, "\(files)") { try Tokenizer(folder: folder.path) }
    return error.map { "\($0)" } ?? "accepted"
  }

  @Test func refusesWhatWouldChangeTokensByName() throws {
    for (file, text, part) in [
      ("tokenizer_config.json", #"{"split_special_tokens":true}"#, "split_special_tokens true"),
      ("tokenizer_config.json", #"{"fix_mistral_regex":true}"#, "fix_mistral_regex true"),
      ("tokenizer_config.json", #"{"fast_tokenizer_files":["tokenizer.4.0.0.json"]}"#, "fast_tokenizer_files"),
      ("tokenizer_config.json", #"{"eos_token":7}"#, "eos_token"),
      ("tokenizer_config.json", #"{"additional_special_tokens":"<x>"}"#, "additional_special_tokens"),
      ("tokenizer_config.json", #"{"added_tokens_decoder":{"3":{"content":"<x>","lstrip":"no"}}}"#, "lstrip"),
      ("tokenizer_config.json", #"{"added_tokens_decoder":{"3":{"content":"<x>","strip":true}}}"#, "strip"),
      ("tokenizer_config.json", "[]", "an object"),
      ("special_tokens_map.json", #"{"bos_token":{"lstrip":true}}"#, "content"),
      ("generation_config.json", #"{"eos_token_id":99}"#, "eos_token_id"),
      ("tokenizer.json", #"{"version":"2.0","model":{"vocab":{"a":0},"merges":[]}}"#, "version"),
      (
        "tokenizer.json",
        #"{"model":{"vocab":{"a":0},"merges":[],"fuse_unk":"true"},"pre_tokenizer":{"type":"ByteLevel"}}"#,
        "model.fuse_unk"
      ),
      (
        "tokenizer.json",
        #"{"model":{"vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"Digits","individual_digits":false}}"#,
        "individual_digits false"
      ),
      (
        "tokenizer.json",
        #"{"model":{"vocab":{"a":0},"merges":[]},"normalizer":{"type":"Replace","pattern":{"Regex":" "},"content":"▁"}}"#,
        "normalizer.pattern"
      ),
    ] {
      let text = try refusal([file: text])
      #expect(text.contains(part) && text.contains(file), "\(text)")
    }
  }

  /// What has no effect there has none here.
  @Test func passesOverWhatHasNoEffect() throws {
    let model = #"{"type":"BPE","vocab":{"a":0,"b":1},"merges":[],"cache_capacity":3}"#
    _ = try folder.file(
      "tokenizer.json",
      Array(#"{"truncation":{"max_length":1},"model":\#(model),"pre_tokenizer":{"type":"ByteLevel"}}"#.utf8))
    _ = try folder.file(
      "tokenizer_config.json",
      Array(#"{"add_bos_token":true,"bos_token":"a","tokenizer_class":"X","anything":{"a":[1]},"pad_token":null}"#.utf8)
    )
    let tokenizer = try Tokenizer(folder: folder.path)
    #expect(tokenizer.encode("ab", parseSpecial: false) == [0, 1])
    #expect(tokenizer.encode("ab", parseSpecial: true) == [0, 1])
    #expect(tokenizer.beginningOfSequence == 0 && tokenizer.prefix == [])
  }
}
