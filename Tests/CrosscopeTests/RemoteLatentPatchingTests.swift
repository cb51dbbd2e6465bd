// `crosscope causal --engine` and POST /v1/causal: the same figures as on models here, what is refused, and which answers
// of a service are taken.

import Diffing
import Foundation
import Inference
import Serving
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import crosscope

@Suite(.serialized) struct RemoteLatentPatchingTests {
  let build: TinyBuild
  let store: Store
  let latents: [Int]
  let running: RunningService
  let engine: RemoteEngine

  init() throws {
    build = try TinyBuild()
    try build.run()
    store = try Store(path: build.storePath, access: .readOnly)
    latents = try build.livingLatents(2)
    running = try build.serve()
    engine = try running.engine(of: build.storePath)
  }

  /// A chat, without an answer where there is none.
  private static func messages(_ answer: String?) -> [ChatMessage] {
    [ChatMessage(role: .user, content: "Hi")] + (answer.map { [ChatMessage(role: .assistant, content: $0)] } ?? [])
  }

  /// The chat as a request has it.
  private static func chat(_ answer: String?) -> [[String: String]] {
    messages(answer).map { ["role": $0.role.rawValue, "content": $0.content] }
  }

  private var address: String { "unix:\(running.socket)" }

  @Test func setsOfLatentsAreTestedAsByTheCommand() async throws {
    let chats = build.folder.path + "/chat.jsonl"
    let causal = ["causal", build.storePath, "-n", "4", "--random-sets", "2", "--chats", chats]
    for more in [["--json"], ["--limit", "3", "--max-tokens", "160", "--json"], ["--limit", "2", "--ascii"]] {
      let local = try Program.run(causal + more)
      let remote = try Program.run(causal + more + ["--engine", address])
      #expect(remote.out == local.out && remote.code == 0 && !local.out.isEmpty, "\(more): \(remote.error)")
      #expect(remote.error.contains("causal 100%"))
    }
    let mute = build.folder.path + "/mute.jsonl"
    try #"{"messages":[{"role":"user","content":"hi"}]}"#.write(toFile: mute, atomically: true, encoding: .utf8)
    let here = try Program.run(["causal", build.storePath, "-n", "2", "--chats", mute])
    let remote = try Program.run(["causal", build.storePath, "-n", "2", "--chats", mute, "--engine", address])
    let refusal = "mute.jsonl: expected chats with an assistant's answer within 512 tokens, found none"
    #expect(here.error.contains(refusal) && remote.error.contains(refusal) && remote.code == 1, "\(remote.error)")

    // A chat without an answer is left out, and the document is that of the events.
    let answers = ["sun", nil, "rain and sun"]
    let whole = try running.post(
      "/v1/causal", ["arms": ["none", "template", latents], "chats": answers.map { Self.chat($0) }])
    let job = LatentPatchingJob(
      arms: [.none, .template, .latents(Set(latents))], chats: answers.map { Self.messages($0) }, name: "chats",
      limit: nil, maxTokens: 512)
    var progress: [Double] = []
    let found = try await engine.outcome(of: job) { event in
      if case .progress(let done, let total) = event { progress.append(Double(done) / Double(total)) }
    }
    #expect(try jsonText(found) == whole.body.trimmingCharacters(in: .newlines))
    #expect(found == (try await ModelOwner(store: store, files: ModelLocations(), precision: .fast).outcome(of: job)))
    #expect(found.chats.count == 2 && progress.count == 3 && progress.first == 0 && progress.last == 1)
  }

  @Test func moreChatsThanABodyHoldsAreRefusedByName() throws {
    #expect(running.stop(SIGTERM) == 0)
    let service = try build.serve(["--max-body", "100000"])
    let line =
      String(decoding: try JSONEncoder().encode(["messages": Self.chat("a long answer")]), as: UTF8.self) + "\n"
    let path = build.folder.path + "/many.jsonl"
    try String(repeating: line, count: 20_000).write(toFile: path, atomically: true, encoding: .utf8)
    try Program.run(["causal", build.storePath, "-n", "2", "--chats", path, "--engine", "unix:\(service.socket)"])
      .expectOneLine(saying: "the request's body is larger than 100000 bytes")
    #expect(service.stop(SIGTERM) == 0)
  }

  @Test func whatIsNotUnderstoodIsRefusedByName() throws {
    let causal: [String: Any] = ["arms": ["none"], "chats": [Self.chat("sun")]]
    for (fields, param) in [
      (["arms": ["some"]], "arms"), (["arms": [[99999]]], "arms"), (["arms": [[Int.max]]], "arms"),
      (["arms": [String]()], "arms"),
      (["arms": [String](repeating: "none", count: 128)], "arms"), (["chats": [Any]()], "chats"),
      (["limit": 0], "limit"), (["max_tokens": 1], "max_tokens"), (["max_tokens": 5000], "max_tokens"),
      (["chats": [Self.chat(nil)]], nil), (["top": 1], "top"),
    ] as [([String: Any], String?)] {
      let (status, found, _) = try running.post("/v1/causal", causal.merging(fields) { $1 }).error()
      #expect(status == 400 && found == param, "\(fields)")
    }
  }

  @Test func divergencesOfSomethingElseAreRefused() async throws {
    let job = LatentPatchingJob(
      arms: [.none, .all], chats: ["sun", nil, "rain"].map { Self.messages($0) }, name: "chats", limit: nil,
      maxTokens: 512)
    func measured(arms: Int = 2, sum: Double = 1, response: Int = 2) throws -> LatentPatchingEvent {
      let sums = [Double](repeating: sum, count: arms)
      let fields: [String: Any] = [
        "tokens": ["all": 3, "response": response, "first_9": 1],
        "sums": ["all": sums, "response": sums, "first_9": sums],
      ]
      return .measured(
        try JSONDecoder().decode(ChatDivergence.self, from: JSONSerialization.data(withJSONObject: fields)))
    }
    let layer = engine.identity.layer
    func end(_ chats: Int) -> LatentPatchingEvent { .finished(chats: chats, layer: layer, .fast) }
    func answer(_ events: [LatentPatchingEvent]) async throws {
      try await LyingService.answer(events, as: build) { _ = try await $0.outcome(of: job) }
    }
    let right = try measured()
    try await answer([right, right, end(2)])
    // A service may find that one of both answers is beyond the cut.
    try await answer([right, end(1)])
    for wrong in [
      [right, right, right, end(3)], [right, end(2)], [end(0)], [right, right],
      [right, .finished(chats: 1, layer: layer + 1, .fast)], [try measured(arms: 1), end(1)],
      [try measured(sum: -1), end(1)], [try measured(response: 0), end(1)],
    ] {
      await #expect(throws: ServiceError.self, "\(wrong)") { try await answer(wrong) }
    }
  }
}
