// `crosscope serve` as a program: what it answers over a Unix socket, that it computes what `steer` and `generate`
// compute, what it refuses, how it ends.

import Foundation
import Glibc
import Inference
import Serving
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import Reports
@testable import crosscope

@Suite(.serialized) struct ServeCommandTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
  }

  private static let messages = [["role": "user", "content": "Hi there"]]

  /// A build puts a new store under the service: it opens that one and goes on.
  @Test func aStoreThatIsReplacedIsServedAnew() throws {
    let service = try build.serve()
    let steered =
      ["prompt": "Hi there", "interventions": [["latent": latent, "strength": 0.7]], "max_tokens": 3] as [String: Any]
    #expect(try service.post("/v1/steer", steered).status == 200)
    #expect(try Program.run(["build", build.configurationPath]).code == 0)
    try service.wait(for: "answers come from that one now")
    let answer = try service.get("/v1/latents/\(latent)")
    #expect(answer.status == 200, "\(answer.body)")
    #expect(try service.post("/v1/steer", steered).status == 200)
  }

  @Test func answersAreThoseOfSteerAndGenerate() throws {
    let service = try build.serve()
    for (temperature, seed) in [(0.0, 0), (1.3, 7)] {
      let options = [
        "--prompt", "Hi there", "--max-tokens", "9", "--temperature", "\(temperature)", "--seed", "\(seed)",
      ]
      let local = try Program.run(
        ["steer", build.storePath, "--latent", "\(latent):0.7", "--latent", "\(latent):-1:difference", "--json"]
          + options
      ).json()
      let steered = try #require((local["steered"] as? [[String: Any]])?.first)
      let interventions: [[String: Any]] = [
        ["latent": latent, "strength": 0.7], ["latent": latent, "mode": "difference", "strength": -1],
      ]
      let sampling: [String: Any] = ["max_tokens": 9, "temperature": temperature, "seed": seed]
      let both = try service.post(
        "/v1/steer",
        sampling.merging([
          "prompt": "Hi there", "interventions": interventions, "watch": SteeringRequest.usuallyWatched,
        ]) { $1 }
      ).json()
      #expect((both["tokens_per_second"] as? Double ?? 0) > 0)
      #expect(
        NSDictionary(dictionary: both.filter { $0.key != "tokens_per_second" }) == NSDictionary(dictionary: local))
      let generated = try Program.run(
        [
          "generate", "--model", build.folder.path + "/tiny.gguf", "--adapter", build.folder.path + "/adapter",
          "--json",
        ]
          + options
      ).json()
      let chat = sampling.merging(["messages": Self.messages]) { $1 }
      let plain = try service.post("/v1/chat/completions", chat).json()
      #expect(try Self.content(plain) == generated["text"] as? String)
      let other = try service.post("/v1/chat/completions", chat.merging(["interventions": interventions]) { $1 }).json()
      #expect(try Self.content(other) == steered["text"] as? String)
      #expect((other["usage"] as? [String: Int])?["completion_tokens"] == (steered["ids"] as? [Int])?.count)
    }
    #expect(service.stop(SIGTERM) == 0)
  }

  static func content(_ completion: [String: Any]) throws -> String {
    let choice = try #require((completion["choices"] as? [[String: Any]])?.first)
    return try #require((choice["message"] as? [String: Any])?["content"] as? String)
  }

  @Test func aStreamAddsUpToTheWholeAnswerAndStopsAtItsTexts() throws {
    let service = try build.serve()
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

  @Test func theLikeliestTokensStandBesideEachTokenStreamedOrNot() throws {
    let service = try build.serve()
    func entries(_ choices: Any?) throws -> [[String: Any]] {
      let choices = try #require(choices as? [[String: Any]])
      return choices.flatMap { ($0["logprobs"] as? [String: Any])?["content"] as? [[String: Any]] ?? [] }
    }
    for temperature in [0.0, 1.5] {
      let fields: [String: Any] = [
        "messages": Self.messages, "max_tokens": 12, "temperature": temperature, "seed": 4, "logprobs": true,
        "top_logprobs": 20, "interventions": [["latent": latent, "strength": 0.7]],
      ]
      let whole = try entries(service.post("/v1/chat/completions", fields).json()["choices"])
      let streamed = try service.events("/v1/chat/completions", fields.merging(["stream": true]) { $1 }).flatMap {
        try entries($0["choices"])
      }
      #expect(NSArray(array: whole) == NSArray(array: streamed) && !whole.isEmpty)
      for entry in whole {
        let top = try #require(entry["top_logprobs"] as? [[String: Any]])
        let values = try top.map { try #require($0["logprob"] as? Double) }
        #expect(top.count == 20 && values == values.sorted(by: >) && values.reduce(0) { $0 + exp($1) } <= 1.0001)
        #expect(top.allSatisfy { $0["top_logprobs"] == nil && $0["token"] is String && $0["bytes"] is [Int] })
        // The chosen token is the likeliest one without sampling, and has the same value wherever it stands.
        let own = top.first { ($0["bytes"] as? [Int]) == entry["bytes"] as? [Int] }?["logprob"] as? Double
        let value = try #require(entry["logprob"] as? Double)
        #expect(own.map { abs($0 - value) < 1e-5 } ?? (value <= values[19] + 1e-5))
        if temperature == 0 { #expect(abs(values[0] - value) < 1e-5) }
      }
      let none = try entries(
        service.post("/v1/chat/completions", fields.merging(["top_logprobs": 0]) { $1 }).json()["choices"])
      #expect(none.count == whole.count && none.allSatisfy { ($0["top_logprobs"] as? [Any])?.isEmpty == true })
    }
  }

  @Test func whatIsNotUnderstoodIsRefusedByName() throws {
    let service = try build.serve(["--max-tokens", "40", "--max-body", "5000"])
    func refusal(_ more: [String: Any], _ path: String = "/v1/chat/completions") throws -> (Int, String?, String?) {
      var fields: [String: Any] = path.hasPrefix("/v1/steer") ? ["prompt": "a"] : ["messages": Self.messages]
      fields.merge(more) { $1 }
      return try service.post(path, fields).error()
    }
    let cases: [([String: Any], String)] = [
      (["tools": [["type": "function"]]], "tools"), (["presence_penalty": 0.5], "presence_penalty"),
      (["top_logprobs": 3], "top_logprobs"),
      (["top_logprobs": 21, "logprobs": true], "top_logprobs"),
      (["max_tokens": 41], "max_tokens"), (["max_tokens": 0], "max_tokens"), (["temperature": -1], "temperature"),
      (["top_p": 0], "top_p"), (["n": 17], "n"), (["n": "two"], "n"), (["stop": ["a", "b", "c", "d", "e"]], "stop"),
      (["repetition_penalty": 0], "repetition_penalty"), (["repetition_window": 0], "repetition_window"),
      (["seed": 1.5], "seed"), (["seed": "one"], "seed"), (["max_completion_tokens": 41], "max_completion_tokens"),
      (["logit_bias": ["5": 3]], "logit_bias"), (["response_format": ["type": "json_object"]], "response_format"),
      (["store": true], "store"),
      (["messages": [["role": "user", "content": "x", "refusal": "y"]]], "messages[0].refusal"),
      (["max_tokens": 2, "max_completion_tokens": 2], "max_completion_tokens"),
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
      (["interventions": [["latent": latent, "conditions": [["value": 1]]]]], "interventions[0].conditions[0].latent"),
      (["interventions": [["latent": latent, "conditions": [["latent": latent, "value": -1]]]]], "conditions"),
    ]
    for (more, param) in cases {
      let (status, found, _) = try refusal(more)
      #expect(status == 400 && found == param, "\(more): \(status) \(found ?? "none")")
    }
    #expect(try refusal(["model": "gpt"]) == (404, nil, "model_not_found"))
    #expect(try refusal(["n": 2], "/v1/steer") == (400, "n", "unsupported_parameter"))
    #expect(try refusal(["seed": 2], "/v1/steer/preview") == (400, "seed", "unsupported_parameter"))
    #expect(try refusal(["samples": 17], "/v1/steer").1 == "samples")
    #expect(try refusal(["max_tokens": 41], "/v1/steer").1 == "max_tokens")
    #expect(try refusal(["watch": [""]], "/v1/steer").1 == "watch")
    #expect(try refusal(["turns": [["role": "tool", "content": "x"]]], "/v1/steer/preview").1 == "turns[0].role")
    #expect(try refusal(["conditions": [["latent": latent, "value": 1]]], "/v1/steer/preview").1 == "conditions")
    let long = String(repeating: "sun rain ", count: 500)
    #expect(try refusal(["messages": [["role": "user", "content": long]]]).2 == "context_length_exceeded")
    for path in ["/v1/steer", "/v1/steer/preview"] {
      #expect(try refusal(["prompt": long], path) == (400, "prompt", "context_length_exceeded"), "\(path)")
    }
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

  @Test func fiveHundredAndTwelveLatentsAreTheMost() throws {
    let service = try build.serve()
    func steer(_ count: Int, conditions: Int = 0) throws -> RunningService.Answer {
      let condition: [String: Any] = ["latent": latent, "value": 0.5]
      let interventions = (0..<count).map { _ in
        ["latent": latent, "strength": 0.02, "conditions": [[String: Any]](repeating: condition, count: conditions)]
      }
      return try service.post("/v1/steer", ["prompt": "a", "max_tokens": 1, "interventions": interventions])
    }
    #expect(try steer(512, conditions: 1).status == 200)
    #expect(try steer(513).error().1 == "interventions")
    #expect(try steer(1, conditions: 513).error().1 == "conditions")
  }

  @Test func latentsAreThoseOfTheOtherCommands() throws {
    let service = try build.serve()
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
    let service = try build.serve(environment: ["CROSSCOPE_TOKEN": "secret"])
    #expect(try service.get("/v1/models").error() == (401, nil, "invalid_api_key"))
    #expect(try service.get("/v1/models", token: "secre").status == 401)
    #expect(try service.get("/v1/models", token: "secret").status == 200)
    #expect(try service.get("/health").status == 200)
    let open = try Program.run(["serve", build.storePath, "--port", "0"])
    open.expectOneLine(saying: "give a token with --token-file or in CROSSCOPE_TOKEN")
  }

  @Test func signalsEndItCleanlyAndALostSocketIsReplaced() throws {
    for number in [SIGTERM, SIGINT] {
      let service = try build.serve()
      let second = try Program.run(["serve", build.storePath, "--socket", service.socket])
      second.expectOneLine(saying: "a service answers there already")
      #expect(service.stop(number) == 0)
      #expect(!FileManager.default.fileExists(atPath: service.socket))
    }
    let killed = try build.serve()
    #expect(killed.stop(SIGKILL) == SIGKILL)
    #expect(FileManager.default.fileExists(atPath: killed.socket))
    let next = try build.serve()
    #expect(try next.get("/health").status == 200)
  }

  /// Answers as the service gives them, without HTTP around.
  private func answers(queue: Int) throws -> Routes {
    let store = try Store(path: build.storePath, access: .readOnly)
    return try Routes(
      owner: ModelOwner(store: store, files: ModelLocations(), precision: .exact, queue: queue),
      limits: AnswerLimits())
  }

  private static let short = ChatTask(
    messages: [.init(role: .user, content: "Hi")], plan: nil, settings: .init(maxTokens: 3))

  private func count(_ events: AsyncThrowingStream<ChatEvent, any Error>) async throws -> Int {
    var tokens = 0
    for try await case .token in events { tokens += 1 }
    return tokens
  }

  @Test func requestsBeyondTheQueueAreRefused() async throws {
    let (service, short) = (try answers(queue: 0), Self.short)
    try await service.owner.turns.take {
      await #expect(throws: APIError.busy) { for try await _ in service.chat(short) {} }
    }
    #expect(try await count(service.chat(short)) > 0)
    await service.owner.stop()
    await #expect(throws: APIError.stopping) { for try await _ in service.chat(short) {} }
  }

  @Test func whoGoesAwayInTheMidstOfAnAnswerLeavesTheModelToTheNext() async throws {
    let service = try answers(queue: 1)
    var long = Self.short
    long.settings.maxTokens = 400
    long.settings.temperature = 2
    for try await case .token in service.chat(long) { break }
    #expect(try await count(service.chat(Self.short)) > 0)
  }
}
