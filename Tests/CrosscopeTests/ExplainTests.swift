// Explanations: what a model is asked, how its answers are read, and the program against a server that plays the model.

import FlyingFox
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import crosscope

@Suite struct ExplainTests {
  @Test(
    arguments: [
      ("[1,0,1]", [true, false, true]), ("Sure: [ 0, 0 ,1 ]\n", [false, false, true]),
      ("[1,0] then [0,1,1]", [false, true, true]),
      ("[1,0]", nil), ("[1,0,2]", nil), ("1, 0, 1", nil), ("[1,0,1", nil), ("", nil),
      ("[[1,0,1]]", [true, false, true]),
      ("[1,0,0] [", [true, false, false]),
    ] as [(String, [Bool]?)])
  func decisionsAreReadOrNot(answer: String, wanted: [Bool]?) {
    #expect(ExplainPrompts.decisions(in: answer, count: 3) == wanted)
  }

  @Test func anExplanationIsOneLine() {
    #expect(ExplainPrompts.explanation(in: "  \"Words about\n bombs.\" ") == "Words about bombs.")
    #expect(ExplainPrompts.explanation(in: " \n ") == nil)
    #expect(ExplainPrompts.explanation(in: String(repeating: "a", count: 5000)) == nil)
  }

  @Test func theScoreIsBalancedAccuracy() {
    var counts = DetectionCounts()
    #expect(counts.score == nil)
    for said in [true, true, true, false] { counts.add(active: true, said: said) }
    #expect(counts.score == nil, "nothing is known of the other kind")
    for said in [true, false] { counts.add(active: false, said: said) }
    #expect(counts.score == 0.625)
  }

  @Test func activeTokensAreMarked() {
    let window = ContextWindow(
      ids: [0, 1, 2, 3, 4], activations: [0, 0, 5, 2.4, 0.1], center: 2, radius: 2
    ) { ["a", " b", " c", " d", "\n"][Int($0)] }
    let question = ExplainPrompts.explain([window], promoted: [" no"])
    #expect(question.contains("a b« c»« d»\n\nActive: \" c\" 10, \" d\" 5\n"))
    #expect(question.hasSuffix("Makes more likely: \" no\"\n"))
    let cut = ContextWindow(ids: [0, 1, 2, 3, 4], activations: [0, 0, 0, 0, 1], center: 4, radius: 1) { "\($0)" }
    #expect(cut.tokens == ["3", "4"])
  }

  @Test func whatIsShownIsNotTestedAndBothCoverAllBands() throws {
    let store = try SampleStore().open(.readOnly)
    let contexts = try store.page(of: store.latentIDs()[0]).contexts
    let (shown, tested) = Explainer.split(contexts, ExplainSettings())
    #expect(shown.count + tested.count == contexts.count && abs(shown.count - tested.count) <= 1)
    #expect(Set(shown.map(\.example.rank)).isDisjoint(with: tested.map(\.example.rank)))
    #expect(shown[0].example.quantile == 4)
  }

  @Test func aSummaryNamesWhatCarriesTheActivation() {
    var summary = TokenSummary(promoted: [9, 9, 8])
    summary.add(tokens: [1, 2, 3], values: [1, 4, 2])
    summary.add(tokens: [2, 5], values: [10, 1])
    let text = summary.text { $0 == 3 ? nil : " t\($0)" }
    #expect(text == "on “ t2” “ t1” “ t5” · promotes “ t9” “ t8”")
    #expect(TokenSummary(promoted: []).text { "\($0)" } == nil)
    #expect(TokenSummary(promoted: [1]).text { _ in "\n" } == "promotes “↵”")
  }
}

/// The program with a server beside it.
@Suite struct ExplainServerTests {
  /// What the server saw, and how it misbehaves.
  private final class Log: Sendable {
    struct Seen: Sendable { var body: String, authorization: String? }
    let seen = Mutex<[Seen]>([])
    let busy: Mutex<Int>
    init(busy: Int) { self.busy = Mutex(busy) }
  }

  /// Runs `body` with the address of a server that explains with `explanation` and finds it wherever a text holds "bomb".
  private func withServer(
    explanation: String = "Talk of bombs.", busy: Int = 0, status: HTTPStatusCode = .ok,
    _ body: (String, Log) async throws -> Void
  ) async throws {
    let log = Log(busy: busy)
    let seconds = HangGuard.limit / .seconds(1)
    let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: 0), timeout: seconds)
    await server.appendRoute("POST /v1/chat/completions") { request in
      let text = String(decoding: try await request.bodyData, as: UTF8.self)
      log.seen.withLock { $0.append(.init(body: text, authorization: request.headers[.authorization])) }
      let isBusy = log.busy.withLock { left in
        left -= 1
        return left >= 0
      }
      if isBusy { return HTTPResponse(statusCode: .tooManyRequests) }
      guard status == .ok else { return HTTPResponse(statusCode: status, body: Data("no \u{1B}[31mentry".utf8)) }
      let messages = try #require(
        (JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])?["messages"] as? [[String: String]])
      let user = try #require(messages.last?["content"])
      var answer = explanation
      if user.hasPrefix("Description: ") {
        let texts = user.components(separatedBy: "\n\nText ").dropFirst()
        answer = "[" + texts.map { $0.contains("bomb") ? "1" : "0" }.joined(separator: ",") + "]"
      }
      let json = try JSONSerialization.data(withJSONObject: ["choices": [["message": ["content": answer]]]])
      return HTTPResponse(statusCode: .ok, body: json)
    }
    let task = Task { try await server.run() }
    defer { task.cancel() }
    try await server.waitUntilListening(timeout: seconds)
    guard case .ip4(_, let port) = await server.listeningAddress else {
      Issue.record("no address")
      return
    }
    try await body("http://127.0.0.1:\(port)/v1", log)
  }

  /// The program on a thread of its own, so that the server goes on meanwhile.
  private func run(_ arguments: [String]) async throws -> Program.Outcome {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result { try Program.run(arguments) }) }
    }
  }

  @Test func explanationsAndTheirScoresAreSaved() async throws {
    let sample = try SampleStore()
    try await withServer(busy: 1) { address, log in
      let flags = [
        "explain", sample.path, "--endpoint", address, "--endpoint-model", "judge", "--endpoint-key", "secret",
        "--limit",
        "3",
      ]
      let outcome = try await run(flags + ["--json"])
      #expect(outcome.code == 0, "\(outcome.error)")
      let made = try #require(try outcome.json()["explanations"] as? [[String: Any]])
      #expect(made.count == 3)
      let store = try sample.open(.readOnly)
      for item in made {
        let latent = try #require(item["latent"] as? Int)
        let saved = try #require(store.page(of: latent).explanations.first { $0.source == "judge" })
        #expect(saved.text == "Talk of bombs." && saved.detectionScore == item["detection_score"] as? Double)
        #expect(saved.details?.contains("true_positives") == true)
      }
      #expect(try store.check().isEmpty)
      let seen = log.seen.withLock { $0 }
      #expect(seen.allSatisfy { $0.authorization == "Bearer secret" && $0.body.contains("\"model\":\"judge\"") })
      // Another run goes on with others; asked for again, the same latents are explained in place.
      #expect(try await run(flags).code == 0)
      #expect(try store.latentsExplained(by: "judge").count == 6)
      #expect(try await run(flags + ["--again"]).code == 0)
      #expect(try store.latentsExplained(by: "judge").count == 6)
    }
  }

  @Test func withoutAnEndpointTokensAloneAreSummed() async throws {
    let sample = try SampleStore()
    let outcome = try await run(["explain", sample.path])
    #expect(outcome.code == 0, "\(outcome.error)")
    let store = try sample.open(.readOnly)
    let alive = try store.latentIDs(matching: Filter("not dead"))
    #expect(try store.latentsExplained(by: Store.tokenSource) == Set(alive))
    let listed = try await run(["latents", sample.path, "--limit", "1", "--json"]).json()
    let first = try #require((listed["latents"] as? [[String: Any]])?.first)
    #expect((first["summary"] as? String)?.contains("promotes") == true)
  }

  @Test func whatCannotWorkEndsInOneLine() async throws {
    let sample = try SampleStore()
    let flags = ["explain", sample.path, "--limit", "2", "--endpoint-model", "judge", "--endpoint"]
    try await withServer(status: .unauthorized) { address, log in
      let outcome = try await run(flags + [address])
      outcome.expectOneLine(saying: "check the API key")
      #expect(!outcome.error.contains("\u{1B}"))
    }
    try await withServer(explanation: " ") { address, _ in
      let outcome = try await run(flags + [address])
      #expect(outcome.code == 1 && outcome.error.contains("expected a sentence"))
      #expect(try sample.open(.readOnly).latentsExplained(by: "judge").isEmpty)
    }
    try await run(flags + ["http://127.0.0.1:1/v1"]).expectOneLine(saying: "127.0.0.1:1")
    for (arguments, hint) in [
      (["--endpoint", "ftp://x"], "address"), (["--endpoint", "http://x"], "--endpoint-model"),
      (["--endpoint-model", "m"], "--endpoint"), (["--latent", "77777"], "77777"),
    ] {
      let outcome = try await run(
        ["explain", sample.path] + (hint == "address" ? ["--endpoint-model", "m"] : []) + arguments)
      #expect(outcome.code != 0 && outcome.error.contains(hint), "\(outcome.error)")
    }
  }
}
