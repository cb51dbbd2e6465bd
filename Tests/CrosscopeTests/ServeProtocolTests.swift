// `crosscope serve` and the rules of HTTP and of OpenAI's API that clients rely on: methods, versions, Expect, the token's
// scheme, fields that are null or ask for nothing, models by name, what is listed up to a stop.

import Foundation
import Inference
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import Reports
@testable import crosscope

@Suite(.serialized) struct ServeProtocolTests {
  let build: TinyBuild

  init() throws {
    build = try TinyBuild()
    try build.run()
  }

  private static let messages = [["role": "user", "content": "Hi there"]]
  private static let fields = #"{"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "temperature": 0}"#

  @Test func theSchemeOfTheTokenHasNoCase() throws {
    let token = build.folder.path + "/token"
    try "open-sesame".write(toFile: token, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
    let service = try build.serve(["--token-file", token])
    func status(_ header: String) throws -> Int {
      try service.send("GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(header)\r\n\r\n").status
    }
    for scheme in ["Bearer", "bearer", "BEARER", "bearer "] {
      #expect(try status("Authorization: \(scheme) open-sesame") == 200, "\(scheme)")
    }
    for header in [
      "X: y", "Authorization: open-sesame", "Authorization: Basic open-sesame", "Authorization: Bearer",
      "Authorization: Bearer open", "Authorization: Bearer open-sesame2", "Authorization: Beareropen-sesame",
    ] {
      #expect(try status(header) == 401, "\(header)")
    }
    // What may be asked is no secret, so that a browser's question is answered without a token.
    let options = try service.send("OPTIONS /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(options.status == 204 && options.head.lowercased().contains("allow: post, options"), "\(options.head)")
    #expect(!options.head.lowercased().contains("access-control"))
  }

  @Test func methodsAreAnsweredAsTheyMustBe() throws {
    let service = try build.serve()
    func ask(_ line: String, _ more: String = "", close: Bool = true) throws -> RunningService.Answer {
      try service.send("\(line)\r\nHost: x\r\n\(close ? "Connection: close\r\n" : "")\(more)\r\n")
    }
    for path in ["/health", "/v1/models", "/v1/latents", "/v1/latents/0", "/v1/nothing"] {
      let (whole, head) = (try ask("GET \(path) HTTP/1.1"), try ask("HEAD \(path) HTTP/1.1"))
      #expect(head.status == whole.status && head.body.isEmpty && !whole.body.isEmpty, "\(path)")
      #expect(head.head.lowercased().contains("content-length: \(whole.body.utf8.count)"), "\(head.head)")
    }
    for (line, allowed) in [
      ("PUT /health", "get, head, options"), ("DELETE /v1/models/x", "get, head, options"),
      ("GET /v1/chat/completions", "post, options"), ("HEAD /v1/steer", "post, options"),
      ("POST /v1/latents/3", "get, head, options"),
    ] {
      let answer = try ask(line + " HTTP/1.1", "Content-Length: 0\r\n")
      #expect(answer.status == 405 && answer.head.lowercased().contains("allow: \(allowed)"), "\(line): \(answer.head)")
    }
    #expect(try ask("OPTIONS /v1/models HTTP/1.1").status == 204)
    #expect(try ask("OPTIONS * HTTP/1.1").status == 204)
    #expect(try ask("OPTIONS /v1/nothing HTTP/1.1").status == 404)
    #expect(try service.send("GET /health HTTP/1.1\r\nConnection: close\r\n\r\n").status == 400)
    #expect(
      try ask("GET /health HTTP/1.1").head.contains(/[Dd]ate: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [0-9:]{8} GMT/))
    #expect(try service.send("GET /health HTTP/1.0\r\n\r\n").status == 200)
    #expect(try service.send("GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n").status == 400)
    let two = try service.send(
      "GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    #expect(!two.head.lowercased().contains("connection: close") && two.body.lowercased().contains("connection: close"))
    func chunked(_ size: Int) throws -> Int {
      try service.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          + "\(String(size, radix: 16))\r\n\(Self.fields)\r\n0\r\n\r\n"
      ).status
    }
    #expect(try chunked(Self.fields.utf8.count) == 200)
    #expect(try chunked(Self.fields.utf8.count + 3) == 400)
    // The end of the connection ends an answer of HTTP/1.0, whether it is asked for or not.
    for line in ["GET /health HTTP/1.0", "GET /health HTTP/1.1"] {
      let answer = try ask(line, line.hasSuffix("1.1") ? "Connection: Close\r\n" : "", close: false)
      #expect(answer.status == 200 && answer.body.contains("ok") && answer.head.hasPrefix(line.suffix(8)))
      #expect(answer.head.lowercased().contains("connection: close"))
    }
    let stream = #"{"stream": true, "# + Self.fields.dropFirst()
    let old = try service.send(
      "POST /v1/chat/completions HTTP/1.0\r\nContent-Length: \(stream.utf8.count)\r\n\r\n\(stream)")
    #expect(!old.head.lowercased().contains("chunked"))
    #expect(old.body.hasPrefix("data: {") && old.body.hasSuffix("data: [DONE]\n\n"), "\(old.body)")
  }

  @Test func aBodyIsAskedForWhereItsClientWaits() throws {
    let service = try build.serve(["--max-body", "500"])
    func head(_ length: Int, _ expectation: String) -> String {
      "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: \(expectation)\r\n"
        + "Content-Length: \(length)\r\n\r\n"
    }
    for expectation in ["100-continue", "100-Continue"] {
      let text = try service.send(head(Self.fields.utf8.count, expectation) + Self.fields)
      #expect(text.status == 100 && text.body.hasPrefix("HTTP/1.1 200 "), "\(text)")
    }
    // What will be refused is not asked for.
    #expect(try service.send(head(501, "100-continue")).status == 413)
    #expect(try service.send(head(Self.fields.utf8.count, "more") + Self.fields).status == 417)
    let packed = "POST /v1/steer HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"
    #expect(try service.send(packed).status == 415)
  }

  @Test func fieldsThatAskForNothingAreTaken() throws {
    let service = try build.serve()
    let plain: [String: Any] = ["messages": Self.messages, "max_tokens": 3, "temperature": 0]
    func text(_ more: [String: Any]) throws -> String {
      let answer = try service.post("/v1/chat/completions", plain.merging(more) { $1 })
      #expect(answer.status == 200, "\(more): \(answer.body)")
      let choice = try #require((try answer.json()["choices"] as? [[String: Any]])?.first)
      return try #require((choice["message"] as? [String: Any])?["content"] as? String)
    }
    let wanted = try text([:])
    for field in FormatTable.chatCompletion.fields where field.name != "messages" && field.name != "temperature" {
      if field.name != "max_tokens" { #expect(try text([field.name: NSNull()]) == wanted) }
    }
    for more in [
      ["tools": []], ["tool_choice": "auto"], ["presence_penalty": 0], ["logit_bias": [:]], ["user": "me"],
      ["response_format": ["type": "text"]], ["parallel_tool_calls": true], ["store": false], ["service_tier": "auto"],
      ["metadata": ["a": "b"]], ["seed": -1], ["seed": Int64.min], ["seed": UInt64.max], ["nobody_knows": NSNull()],
      ["top_logprobs": 0], ["max_completion_tokens": NSNull()],
    ] as [[String: Any]] {
      #expect(try text(more) == wanted, "\(more)")
    }
    // An answer's message, as clients hand it back.
    let nulls = ["refusal", "annotations", "audio", "function_call", "tool_calls", "name"].map { ($0, NSNull()) }
    let turn: [String: Any] = ["role": "assistant", "content": wanted].merging(nulls as [(String, Any)]) { $1 }
    _ = try text(["messages": Self.messages + [turn, ["role": "user", "content": "And?"]] as [[String: Any]]])
    let system = Self.messages + []
    #expect(
      try text(["messages": [["role": "developer", "content": "Be short."]] + system])
        == text(["messages": [["role": "system", "content": "Be short."]] + system]))
  }

  /// Whoever reads a field refuses what can be no value of it.
  @Test func everyHonouredFieldIsRead() throws {
    let service = try build.serve()
    let usual: [String: Any] = ["messages": Self.messages, "max_tokens": 2, "logprobs": true, "stream": true]
    for field in FormatTable.chatCompletion.fields where field.use == .honoured {
      let absurd: [String: Any] = ["x": [1]]
      let error = try service.post("/v1/chat/completions", usual.merging([field.name: absurd]) { $1 }).error()
      #expect(error.0 == 400, "\(field.name)")
      #expect(error.1?.hasPrefix(field.name) == true, "\(field.name): \(error)")
    }
  }

  @Test func aModelIsFoundByItsNameAsClientsQuoteIt() throws {
    let service = try build.serve()
    let list = try #require(try service.get("/v1/models").json()["data"] as? [[String: Any]])
    let name = try #require(list.first?["id"] as? String)
    for allowed in [CharacterSet.urlPathAllowed, .alphanumerics] {
      let quoted = try #require(name.addingPercentEncoding(withAllowedCharacters: allowed))
      let model = try service.get("/v1/models/" + quoted)
      #expect(try model.status == 200 && model.json()["id"] as? String == name, "\(quoted): \(model)")
    }
    #expect(try service.get("/v1/models/another").error() == (404, nil, "model_not_found"))
  }

  /// A token that a stop text begins in is listed up to it, and none behind it is.
  @Test func whatIsListedIsTheTextThatIsReturned() throws {
    let service = try build.serve()
    let fields: [String: Any] = [
      "messages": Self.messages, "max_tokens": 30, "temperature": 1.5, "seed": 5, "logprobs": true, "top_logprobs": 2,
    ]
    func choice(_ more: [String: Any]) throws -> (text: String, tokens: [String], ending: String?) {
      let answer = try service.post("/v1/chat/completions", fields.merging(more) { $1 }).json()
      let choice = try #require((answer["choices"] as? [[String: Any]])?.first)
      let content = (choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]] ?? []
      let bytes = content.flatMap { ($0["bytes"] as? [Int] ?? []).map(UInt8.init) }
      return (
        (choice["message"] as? [String: Any])?["content"] as? String ?? "",
        [String(decoding: bytes, as: UTF8.self)] + content.compactMap { $0["token"] as? String },
        choice["finish_reason"] as? String
      )
    }
    let whole = try choice([:])
    #expect(whole.tokens[0] == whole.text && whole.tokens.count > 10)
    var stops = 0
    for start in stride(from: 1, to: whole.text.count - 3, by: 3) {
      let stop = String(whole.text.dropFirst(start).prefix(2))
      guard !stop.contains("\u{FFFD}") else { continue }
      let cut = try choice(["stop": [stop]])
      #expect(cut.ending == "stop" && cut.tokens[0] == cut.text, "\(cut)")
      #expect(
        cut.text
          == String(
            whole.text.prefix { _ in true }.split(separator: stop, maxSplits: 1, omittingEmptySubsequences: false)[0]))
      stops += 1
    }
    #expect(stops > 0)
  }
}
