import Inference
import TestSupport
import Testing

@testable import Experiments
@testable import crosscope

@Suite struct TokenizeTests {
  @Test func readsMessagesFromAnArrayOrAnObject() throws {
    let expected = [
      ChatMessage(role: .system, content: "Be \"brief\"."), ChatMessage(role: .user, content: "Hi\nthere"),
    ]
    let array = #"[{"role":"system","content":"Be \"brief\"."},{"role":"user","content":"Hi\nthere"}]"#
    #expect(try Tokenize.messages(array) == expected)
    #expect(try Tokenize.messages(" \n{\"messages\":\(array)}\n") == expected)
    #expect(try Tokenize.messages("[]") == [])
  }

  @Test func takesOtherTextAsAlreadyRendered() throws {
    #expect(try Tokenize.messages("<|im_start|>user\n[1]<|im_end|>\n") == nil)
    #expect(try Tokenize.messages("") == nil)
  }

  @Test(arguments: [
    ("[1", "text that is no JSON"), ("{\"a\":[]}", "no \"messages\" at the beginning"),
    ("[{\"content\":\"a\"}]", "no \"role\" at [0]"),
    ("[{\"role\":\"user\",\"content\":3}]", "another type at [0].content"),
    ("{\"messages\":[{\"role\":\"root\",\"content\":\"\"}]}", "another value at messages.[0].role"),
  ])
  func saysWhatIsWrongWithTheMessages(text: String, found: String) {
    let error = #expect(throws: InputError.self) { try Tokenize.messages(text) }
    #expect(error.map(String.init(describing:))?.contains("found \(found);") == true)
  }

  @Test func readsAFolder() throws {
    let folder = TemporaryFolder()
    let tokenizer = #"{"pre_tokenizer":{"type":"ByteLevel"},"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}"#
    _ = try folder.file("tokenizer.json", Array(tokenizer.utf8))
    #expect(try Program.run(["tokenize", "--model", folder.path], input: "aba").out == "{\"ids\":[2,0]}\n")
    try Program.run(["tokenize", "--model", folder.path, "--chat"], input: "[]")
      .expectOneLine(saying: "chat_template")
    _ = try folder.file("tokenizer.json", Array("{".utf8))
    try Program.run(["tokenize", "--model", folder.path], input: "a").expectOneLine(saying: "tokenizer.json is damaged")
  }
}
