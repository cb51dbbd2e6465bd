// `crosscope serve` as a program: what it answers over a Unix socket, that it computes what `steer` and `generate`
// compute, what it refuses, how it ends.

import Foundation
import Glibc
import Serving
import Storage
import TestSupport
import Testing

@testable import crosscope

/// A running `crosscope serve`, asked over blocking sockets.
private final class RunningService {
  let socket: String
  let process = Process()
  private let error = Pipe()

  init(_ store: String, socket: String, _ more: [String] = [], environment: [String: String] = [:]) throws {
    self.socket = socket
    process.executableURL = Program.url
    process.arguments = ["serve", store, "--socket", socket] + more
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardError = error
    try process.run()
    var text = ""
    while !text.contains("listens on") {
      let data = error.fileHandleForReading.availableData
      try #require(!data.isEmpty, "\(text)")
      text += String(decoding: data, as: UTF8.self)
    }
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  struct Answer {
    var status: Int
    var head: String
    var body: String

    func json() throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any], "\(body)")
    }

    /// Status, param and code of an error.
    func error() throws -> (Int, String?, String?) {
      let error = try #require(try json()["error"] as? [String: Any])
      #expect(!(error["message"] as? String ?? "").isEmpty && error["type"] is String)
      return (status, error["param"] as? String, error["code"] as? String)
    }
  }

  /// Sends bytes and reads to the end of the connection.
  func send(_ request: String) throws -> Answer {
    let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: socket.utf8) }
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try #require(connected == 0)
    let bytes = Array(request.utf8)
    try #require(Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
    let text = String(decoding: answer, as: UTF8.self)
    let end = try #require(text.range(of: "\r\n\r\n"), "\(text)")
    return Answer(
      status: Int(text.split(separator: " ")[1]) ?? 0, head: String(text[..<end.lowerBound]),
      body: String(text[end.upperBound...]))
  }

  func get(_ path: String, token: String? = nil) throws -> Answer {
    let authorization = token.map { "Authorization: Bearer \($0)\r\n" } ?? ""
    return try send("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(authorization)\r\n")
  }

  func post(_ path: String, _ body: String) throws -> Answer {
    try send("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
  }

  func post(_ path: String, _ fields: [String: Any]) throws -> Answer {
    try post(path, String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self))
  }

  /// The events of a stream, without the framing of chunks.
  func events(_ path: String, _ fields: [String: Any]) throws -> [[String: Any]] {
    let answer = try post(path, fields)
    #expect(answer.status == 200 && answer.head.contains("text/event-stream"), "\(answer.head)")
    let lines = answer.body.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("data: ") }.map { $0.dropFirst(6) }
    #expect(lines.last == "[DONE]")
    return try lines.dropLast().map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
    }
  }

  /// Ends it by a signal.
  func stop(_ number: Int32) -> Int32 {
    kill(process.processIdentifier, number)
    process.waitUntilExit()
    return process.terminationStatus
  }
}

@Suite(.serialized) struct ServeCommandTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    let json = try Program.run(["latents", build.storePath, "--filter", "not dead", "--limit", "1", "--json"]).json()
    latent = try #require((json["latents"] as? [[String: Any]])?.first?["id"] as? Int)
  }

  private func start(_ more: [String] = [], environment: [String: String] = [:]) throws -> RunningService {
    try RunningService(build.storePath, socket: build.folder.path + "/s", more, environment: environment)
  }

  private static let messages = [["role": "user", "content": "Hi there"]]

  @Test func answersAreThoseOfSteerAndGenerate() throws {
    let service = try start()
    for (temperature, seed) in [(0.0, 0), (1.3, 7)] {
      let options = [
        "--prompt", "Hi there", "--max-tokens", "9", "--temperature", "\(temperature)", "--seed", "\(seed)",
      ]
      let local = try Program.run(
        ["steer", build.storePath, "--latent", "\(latent):0.7", "--latent", "\(latent):-1:difference", "--json"]
          + options
      ).json()
      let baseline = try #require(local["baseline"] as? [String: Any])
      let steered = try #require((local["steered"] as? [[String: Any]])?.first)
      let interventions: [[String: Any]] = [
        ["latent": latent, "strength": 0.7], ["latent": latent, "mode": "difference", "strength": -1],
      ]
      let sampling: [String: Any] = ["max_tokens": 9, "temperature": temperature, "seed": seed]
      let both = try service.post(
        "/v1/steer", sampling.merging(["prompt": "Hi there", "interventions": interventions]) { $1 }
      ).json()
      for (name, expected) in [("baseline", baseline), ("steered", steered)] {
        let found = try #require(both[name] as? [String: Any])
        for key in ["text", "ids", "finished", "relative_change"] {
          #expect("\(found[key] ?? "nil")" == "\(expected[key] ?? "nil")", "\(name) \(key)")
        }
      }
      let generated = try Program.run(
        [
          "generate", "--model", build.folder.path + "/tiny.gguf", "--adapter", build.folder.path + "/adapter",
          "--json",
        ]
          + options
      ).json()
      let chat = sampling.merging(["messages": Self.messages]) { $1 }
      let plain = try service.post("/v1/chat/completions", chat).json()
      #expect(try content(plain) == generated["text"] as? String)
      let other = try service.post("/v1/chat/completions", chat.merging(["interventions": interventions]) { $1 }).json()
      #expect(try content(other) == steered["text"] as? String)
      #expect((other["usage"] as? [String: Int])?["completion_tokens"] == (steered["ids"] as? [Int])?.count)
    }
    #expect(service.stop(SIGTERM) == 0)
  }

  private func content(_ completion: [String: Any]) throws -> String {
    let choice = try #require((completion["choices"] as? [[String: Any]])?.first)
    return try #require((choice["message"] as? [String: Any])?["content"] as? String)
  }

  @Test func aStreamAddsUpToTheWholeAnswerAndStopsAtItsTexts() throws {
    let service = try start()
    let fields: [String: Any] = [
      "messages": Self.messages, "max_tokens": 24, "temperature": 1, "seed": 3, "n": 2, "logprobs": true,
    ]
    func streamed(_ fields: [String: Any]) throws -> (texts: [String], reasons: [String], logs: [Int], usage: Bool) {
      let more = fields.merging(["stream": true, "stream_options": ["include_usage": true]]) { $1 }
      var result = (texts: ["", ""], reasons: ["", ""], logs: [0, 0], usage: false)
      for event in try service.events("/v1/chat/completions", more) {
        for choice in try #require(event["choices"] as? [[String: Any]]) {
          let index = try #require(choice["index"] as? Int)
          result.texts[index] += (choice["delta"] as? [String: Any])?["content"] as? String ?? ""
          result.reasons[index] += choice["finish_reason"] as? String ?? ""
          result.logs[index] += ((choice["logprobs"] as? [String: Any])?["content"] as? [Any])?.count ?? 0
        }
        result.usage = event["usage"] is [String: Any]
      }
      return result
    }
    func whole(_ fields: [String: Any]) throws -> [(text: String, reason: String, logs: Int)] {
      let choices = try service.post("/v1/chat/completions", fields).json()["choices"] as? [[String: Any]]
      return try #require(choices).map {
        (
          ($0["message"] as? [String: Any])?["content"] as? String ?? "", $0["finish_reason"] as? String ?? "",
          (($0["logprobs"] as? [String: Any])?["content"] as? [Any])?.count ?? 0
        )
      }
    }
    let (parts, all) = (try streamed(fields), try whole(fields))
    #expect(parts.texts == all.map(\.text) && parts.reasons == all.map(\.reason) && parts.logs == all.map(\.logs))
    #expect(parts.usage && all.allSatisfy { $0.logs > 0 } && all[0].text != all[1].text)
    // A stop text from the middle of the first answer, which cuts that answer there.
    let text = all[0].text
    let middle = try #require(text.dropFirst(text.count / 2).first.map(String.init))
    let stopped = fields.merging(["stop": [middle]]) { $1 }
    let (cut, cutWhole) = (try streamed(stopped), try whole(stopped))
    #expect(cut.texts == cutWhole.map(\.text) && cutWhole[0].reason == "stop")
    #expect(Array(cutWhole[0].text.utf8) == Array(text.components(separatedBy: middle)[0].utf8))
  }

  @Test func whatIsNotUnderstoodIsRefusedByName() throws {
    let service = try start(["--max-tokens", "40", "--max-body", "5000"])
    func refusal(_ more: [String: Any], _ path: String = "/v1/chat/completions") throws -> (Int, String?, String?) {
      var fields: [String: Any] = path == "/v1/steer" ? ["prompt": "a"] : ["messages": Self.messages]
      fields.merge(more) { $1 }
      return try service.post(path, fields).error()
    }
    let cases: [([String: Any], String)] = [
      (["tools": []], "tools"), (["presence_penalty": 0.5], "presence_penalty"), (["top_logprobs": 3], "top_logprobs"),
      (["max_tokens": 41], "max_tokens"), (["max_tokens": 0], "max_tokens"), (["temperature": -1], "temperature"),
      (["top_p": 0], "top_p"), (["n": 17], "n"), (["n": "two"], "n"), (["stop": ["a", "b", "c", "d", "e"]], "stop"),
      (["seed": -1], "seed"), (["max_tokens": 2, "max_completion_tokens": 2], "max_completion_tokens"),
      (["messages": []], "messages"), (["messages": [["role": "tool", "content": "x"]]], "messages[0].role"),
      (["messages": [["role": "user"]]], "messages[0].content"),
      (["messages": [["role": "user", "content": "x", "name": "y"]]], "messages[0].name"),
      (["messages": [["role": "user", "content": [["type": "image_url"]]]]], "messages[0].content[0].type"),
      (["stream_options": ["include_usage": true]], "stream_options"), (["positions": "prompt"], "positions"),
      (["interventions": [["latent": latent, "force": 1]]], "interventions[0].force"),
      (["interventions": [["strength": 1]]], "interventions[0].latent"),
      (["interventions": [["latent": 1_000_000]]], "interventions"),
      (["interventions": [["latent": latent, "mode": "push"]]], "interventions[0].mode"),
      (["interventions": [["latent": latent, "mode": "ablate"]], "all_layers": true], "all_layers"),
    ]
    for (more, param) in cases {
      let (status, found, _) = try refusal(more)
      #expect(status == 400 && found == param, "\(more): \(status) \(found ?? "none")")
    }
    #expect(try refusal(["model": "gpt"]) == (404, nil, "model_not_found"))
    #expect(try refusal(["n": 2], "/v1/steer") == (400, "n", "unsupported_parameter"))
    let long = String(repeating: "sun rain ", count: 500)
    #expect(try refusal(["messages": [["role": "user", "content": long]]]).2 == "context_length_exceeded")
    for body in ["", "{", "[]", "{\"messages\": 1}", "{\"a\":\u{1}}"] {
      #expect(try service.post("/v1/chat/completions", body).error().0 == 400, "\(body)")
    }
    #expect(try service.post("/v1/steer", String(repeating: " ", count: 5001)).error().0 == 413)
    #expect(try service.post("/v1/models", "").error().0 == 405)
    #expect(try service.get("/v1/steer").error().0 == 405)
    #expect(try service.get("/v1/nothing").error().0 == 404)
    #expect(try service.get("/v1/latents/99999").error() == (404, nil, "latent_not_found"))
    #expect(try service.get("/v1/latents?colour=1").error().1 == "colour")
    #expect(try service.get("/v1/latents?filter=nu_error%3C").error().1 == "filter")
    #expect(try service.get("/v1/latents?sort=colour").error().1 == "sort")
    #expect(try service.send("nonsense\r\n\r\n").status == 400)
    #expect(try service.get("/health").status == 200)
  }

  @Test func latentsAreThoseOfTheOtherCommands() throws {
    let service = try start()
    let list = try service.get("/v1/latents?filter=not+dead&sort=delta_norm&limit=3").json()
    let local = try Program.run(
      ["latents", build.storePath, "--filter", "not dead", "--sort", "delta-norm", "--limit", "3", "--json"]
    ).json()
    #expect(NSDictionary(dictionary: list) == NSDictionary(dictionary: local))
    let page = try service.get("/v1/latents/\(latent)").json()
    let shown = try Program.run(["show", build.storePath, "\(latent)", "--json"]).json()
    #expect(NSDictionary(dictionary: page) == NSDictionary(dictionary: shown))
    let models = try service.get("/v1/models").json()
    #expect((models["data"] as? [[String: Any]])?.first?["id"] as? String == "tiny-chat")
  }

  @Test func theTokenIsAskedForAndComesFromTheEnvironment() throws {
    let service = try start(environment: ["CROSSCOPE_TOKEN": "secret"])
    #expect(try service.get("/v1/models").error() == (401, nil, "invalid_api_key"))
    #expect(try service.get("/v1/models", token: "secre").status == 401)
    #expect(try service.get("/v1/models", token: "secret").status == 200)
    #expect(try service.get("/health").status == 200)
    let open = try Program.run(["serve", build.storePath, "--port", "0"])
    open.expectOneLine(saying: "give a token with --token-file or in CROSSCOPE_TOKEN")
  }

  @Test func signalsEndItCleanlyAndALostSocketIsReplaced() throws {
    for number in [SIGTERM, SIGINT] {
      let service = try start()
      let second = try Program.run(["serve", build.storePath, "--socket", service.socket])
      second.expectOneLine(saying: "a service answers there already")
      #expect(service.stop(number) == 0)
      #expect(!FileManager.default.fileExists(atPath: service.socket))
    }
    let killed = try start()
    #expect(killed.stop(SIGKILL) == SIGKILL)
    #expect(FileManager.default.fileExists(atPath: killed.socket))
    let next = try start()
    #expect(try next.get("/health").status == 200)
  }

  /// Answers as the service gives them, without HTTP around.
  private func answers(queue: Int) throws -> AnswerService {
    let store = try Store(path: build.storePath, access: .readOnly)
    return AnswerService(owner: ModelOwner(store: store, files: ModelLocations(), precision: .exact), queue: queue)
  }

  private static let short = AnswerRequest(messages: [.init(role: .user, content: "Hi")], settings: .init(maxTokens: 3))

  private func count(_ events: AsyncThrowingStream<AnswerEvent, any Error>) async throws -> Int {
    var tokens = 0
    for try await case .token in events { tokens += 1 }
    return tokens
  }

  @Test func requestsBeyondTheQueueAreRefused() async throws {
    let (service, short) = (try answers(queue: 0), Self.short)
    try await service.turns.take {
      await #expect(throws: APIError.busy) { for try await _ in service.answer(short) {} }
    }
    #expect(try await count(service.answer(short)) > 0)
    await service.stop()
    await #expect(throws: APIError.stopping) { for try await _ in service.answer(short) {} }
  }

  @Test func whoGoesAwayInTheMidstOfAnAnswerLeavesTheModelToTheNext() async throws {
    let service = try answers(queue: 1)
    var long = Self.short
    long.settings.maxTokens = 400
    long.settings.temperature = 2
    for try await case .token in service.answer(long) { break }
    #expect(try await count(service.answer(Self.short)) > 0)
  }

  @Test func theExplorerSteersByAServiceOfTheSameFilesOnly() async throws {
    let running = try start()
    let store = try Store(path: build.storePath, access: .readOnly)
    let client = ServiceClient(address: .unix(path: running.socket), token: nil)
    let remote = SteeringService.remote(client, pair: try store.modelPair())
    #expect(try await remote.load { _ in } == "tiny-chat at unix:\(running.socket)")
    let request = SteeringRequest(
      prompt: "Hi there", interventions: [.init(latent: Int32(latent), mode: .add, strength: 0.7)], maxTokens: 12,
      temperature: 1, seed: 5)
    var (baseline, steered, info) = ("", "", SteeringInfo?.none)
    for try await event in remote.run(request) {
      switch event {
      case .baseline(let text): baseline += text
      case .steered(let text): steered += text
      case .finished(let found): info = found
      }
    }
    // The reference is a process of its own: other tests switch this one's kernels.
    let local = try Program.run([
      "steer", build.storePath, "--latent", "\(latent):0.7", "--prompt", "Hi there", "--max-tokens", "12",
      "--temperature", "1", "--seed", "5", "--json",
    ]).json()
    let here = try [local["baseline"], (local["steered"] as? [Any])?.first].map { try #require($0 as? [String: Any]) }
    #expect([baseline, steered] == here.map { $0["text"] as? String ?? "" } && baseline != steered)
    let found = try #require(info)
    #expect([found.baseline, found.steered].map { $0.map(Int.init) } == here.map { $0["ids"] as? [Int] ?? [] })
    #expect([found.baselineEnded, found.steeredEnded] == here.map { $0["finished"] as? Bool })
    let change = try #require(here[1]["relative_change"] as? Double)
    // The two readers of JSON round the last digit each in its way.
    #expect(abs(try #require(found.relativeChange) - change) < 1e-12)
    #expect(found.layer == 2 && found.decoder == "chat" && found.versions["crosscoder"]?.count == 64)

    var other = try store.modelPair()
    other.crosscoder?.sha256 = String(repeating: "0", count: 64)
    let wrong = SteeringService.remote(client, pair: other)
    await #expect(throws: CommandError.self) { try await wrong.load { _ in } }
    await #expect(throws: CommandError.self) { for try await _ in wrong.run(request) {} }
    #expect(running.stop(SIGTERM) == 0)
    await #expect(throws: ServiceError.self) { for try await _ in remote.run(request) {} }
  }
}
