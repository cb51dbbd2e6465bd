// Fields of a tokenizer's files: what would change tokens is refused by name, and what has no effect there has none here.
// That every field of the libraries has a row is FormatTableTests' business.

import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite struct TokenizerFieldsTests {
  let folder = TemporaryFolder()

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

  private func tokenizer(_ members: String, model: String = "") -> String {
    #"{"model":{"vocab":{"a":0},"merges":[]\#(model)},"pre_tokenizer":{"type":"ByteLevel"}\#(members)}"#
  }

  /// A value that asks for nothing elsewhere, such as false or an empty text, is one like any other here.
  @Test func refusesEveryOtherValueOfAFieldWithFewValues() throws {
    for value in ["false", #""""#, "[]", "{}", "1", "true"] {
      let text = try refusal(["tokenizer.json": tokenizer(#","version":\#(value)"#)])
      #expect(text.contains("tokenizer.json: version "), "\(text)")
    }
    for (field, value) in [
      ("type", #""""#), ("dropout", "false"), ("dropout", "0.1"), ("continuing_subword_prefix", "[]"),
      ("end_of_word_suffix", "false"),
    ] {
      let text = try refusal(["tokenizer.json": tokenizer("", model: #","\#(field)":\#(value)"#)])
      #expect(text.contains("tokenizer.json: model.\(field) "), "\(text)")
    }
    for (field, value) in [
      ("split_special_tokens", "[]"), ("fix_mistral_regex", #""""#), ("fast_tokenizer_files", "{}"),
    ] {
      let text = try refusal(["tokenizer_config.json": #"{"\#(field)":\#(value)}"#])
      #expect(text.contains("tokenizer_config.json: \(field) "), "\(text)")
    }
  }

  /// Where the library refuses a field that it does not know, even null is refused.
  @Test(arguments: ["null", "false", "{}", "1"]) func refusesFieldsThatTheLibraryDoesNotKnow(value: String) throws {
    let file = try refusal(["tokenizer.json": tokenizer(#","newest":\#(value)"#)])
    #expect(file.contains("tokenizer.json: the unknown field newest "), "\(file)")
    let token = try refusal([
      "tokenizer.json": tokenizer(#","added_tokens":[{"id":1,"content":"<x>","newest":\#(value)}]"#)
    ])
    #expect(token.contains("tokenizer.json: the unknown field added_tokens.newest "), "\(token)")
  }

  /// Null is no value, whichever the field.
  @Test func takesNullAndTheValuesThatAreListed() throws {
    let tables = FormatTable.tokenizers.filter { ["tokenizer.json", "tokenizer.json, model"].contains($0.title) }
    #expect(tables.count == 2)
    for table in tables {
      for field in table.fields where field.use == .refused {
        for value in [JSONValue.null] + field.accepted {
          let member = #","\#(field.name)":\#(value.text)"#
          let isOfModel = table.title.hasSuffix("model")
          let text = tokenizer(isOfModel ? "" : member, model: isOfModel ? member : "")
          _ = try folder.file("tokenizer.json", Array(text.utf8))
          #expect(throws: Never.self, "\(text)") { try Tokenizer(folder: folder.path) }
        }
      }
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
