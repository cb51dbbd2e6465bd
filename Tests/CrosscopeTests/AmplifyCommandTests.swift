// `crosscope steer --amplify` and `crosscope amplify`: what the documents say, that a repeated run gives the same tokens here and
// by a service, and what is refused.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import crosscope

@Suite struct AmplifyCommandTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
  }

  private func steer(_ more: [String]) throws -> Program.Outcome {
    try Program.run(["steer", build.storePath, "--prompt", "Hi", "--max-tokens", "5"] + more)
  }

  private func ids(_ answer: Any?) throws -> [Int] { try #require((answer as? [String: Any])?["ids"] as? [Int]) }

  @Test func theEndsAreChatAndBase() throws {
    let json = try steer(["--amplify", "logits:-1", "--sweep", "0:1:1", "--json"]).json()
    #expect(json["amplification"] as? [String: Double] == ["logits": -1])
    #expect((json["interventions"] as? [Any])?.isEmpty == true)
    let arms = try #require(json["steered"] as? [[String: Any]])
    #expect(try ids(arms[0]) == ids(json["baseline"]) && arms[0]["first_difference"] == nil)
    let weights = try steer(["--amplify", "weights:0", "--json"]).json()
    let base = try #require((weights["steered"] as? [[String: Any]])?[0])
    #expect(try ids(base) == ids(arms[1]))
    #expect((base["relative_change"] as? Double) == nil && (base["kl_mean"] as? Double ?? 0) > 0)
  }

  @Test func aSavedRunIsRepeatedTokenForToken() throws {
    let amplified = ["--amplify", "logits:0.5", "--amplify", "mlp@1-2:-1", "--amplify", "attention:1.5"]
    let sampled = ["--temperature", "1", "--min-p", "0.05", "--samples", "2", "--save"]
    let outcome = try steer(amplified + sampled + ["--latent", "\(latent):0.5", "--sweep", "0.5:1:0.5"])
    #expect(outcome.code == 0 && outcome.out.contains("amplified logits:0.5, mlp@1-2:-1, attention:1.5"), "\(outcome)")
    #expect(try steer(amplified + sampled).code == 0)
    for number in ["1", "2"] {
      let again = try Program.run(["rerun", build.storePath, number])
      #expect(again.code == 0 && again.out.contains("match") && !again.out.contains("mismatch"), "\(again)")
    }
    let shown = try Program.run(["experiments", build.storePath, "--markdown"])
    #expect(shown.out.contains("amplified logits:0.5, mlp@1-2:-1, attention:1.5"))
  }

  @Test func aSetOfPromptsIsAnsweredAndRepeated() throws {
    let prompts = build.folder.path + "/prompts.jsonl"
    try "{\"prompt\": \"sun\"}\n{\"prompt\": \"rain\"}\n".write(toFile: prompts, atomically: true, encoding: .utf8)
    let outcome = try Program.run([
      "steer", build.storePath, "--prompts", prompts, "--max-tokens", "4", "--amplify", "weights:3", "--sweep",
      "-1:1:1", "--save", "--json",
    ])
    let rows = try #require(try outcome.json()["rows"] as? [[String: Any]])
    #expect(rows.map { $0["strength"] as? Double } == [0, -1, 0, 1], "\(outcome.error)")
    func divergence(_ row: Int) -> Double? { (rows[row]["kl"] as? [String: Double])?["value"] }
    #expect(divergence(2) == 0 && (divergence(3) ?? 0) > 0)
    let again = try Program.run(["rerun", build.storePath, "1"])
    #expect(again.code == 0 && !again.out.contains("mismatch"), "\(again)")
  }

  @Test func everyBlockThatTheAdapterChangesIsTakenOutOnItsOwn() throws {
    let prompts = build.folder.path + "/prompts.jsonl"
    try "{\"prompt\": \"sun\"}\n{\"prompt\": \"rain\"}\n".write(toFile: prompts, atomically: true, encoding: .utf8)
    let arguments = ["amplify", build.storePath, "--prompts", prompts, "--max-tokens", "4"]
    let json = try Program.run(arguments + ["--json"]).json()
    let rows = try #require(json["rows"] as? [[String: Any]])
    let arms = rows.compactMap { $0["arm"] as? [String: Any] }
    #expect(arms.map { $0["kind"] as? String } == ["chat", "base", "block", "block"])
    #expect(arms.compactMap { $0["block"] as? Int } == [0, 1])
    func divergence(_ row: Int) -> Double { ((rows[row]["kl"] as? [String: Double])?["value"]) ?? -1 }
    #expect(divergence(0) == 0 && (1...3).allSatisfy { divergence($0) > 0 })
    let split = try Program.run(arguments + ["--modules", "--factor", "2", "--ascii"])
    #expect(split.code == 0 && split.out.contains("block 1 mlp") && split.out.contains("counts 2 times"), "\(split)")
  }

  @Test func requestsAreReadStrictly() throws {
    let service = try build.serve()
    func post(_ path: String, _ fields: [String: Any]) throws -> [String: Any] {
      let plain: [String: Any] =
        path.contains("chat") ? ["messages": [["role": "user", "content": "Hi"]]] : ["prompt": "Hi"]
      return try service.post(path, plain.merging(["max_tokens": 3]) { $1 }.merging(fields) { $1 }).json()
    }
    for (amplification, param) in [
      ([:], "amplification.weights"), (["alpha": 1], "amplification.alpha"),
      (["weights": [["factor": 0, "blocks": [2, 1]]]], "amplification.weights[0].blocks"),
      (["weights": [["factor": 0, "module": "norm"]]], "amplification.weights[0].module"),
      (["weights": [["factor": 0, "blocks": [4, 4]]]], "amplification"), (["logits": 1001], "amplification"),
    ] as [([String: Any], String)] {
      let answer = try post("/v1/steer", ["amplification": amplification])
      #expect((answer["error"] as? [String: Any])?["param"] as? String == param, "\(answer)")
    }
    let settings = try post("/v1/steer", ["amplification": ["logits": 1], "positions": "last"])
    #expect((settings["error"] as? [String: Any])?["param"] as? String == "positions", "\(settings)")
    func text(_ fields: [String: Any]) throws -> String? {
      let answer = try post("/v1/chat/completions", fields.merging(["temperature": 0]) { $1 })
      let message = (answer["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any]
      return message?["content"] as? String
    }
    let base = try text(["amplification": ["logits": -1]])
    #expect(try base == text(["amplification": ["weights": [["factor": 0]]]]))
    #expect(try text(["amplification": ["logits": 900]]) != text([:]))
    let blocks = try service.post(
      "/v1/amplify/blocks", ["prompts": [["prompt": "sun"]], "max_tokens": 3, "factor": 2, "modules": true]
    ).json()
    #expect((blocks["rows"] as? [Any])?.count == 2 + 2 * 2 && (blocks["factor"] as? Double) == 2)
    #expect(service.stop(SIGTERM) == 0)
  }

  @Test func aServiceAmplifiesAsWeDo() throws {
    let service = try build.serve()
    let own = ["--amplify", "logits:1", "--amplify", "mlp:0", "--json"]
    let (here, there) = (try steer(own).json(), try steer(own + ["--engine", "unix:\(service.socket)"]).json())
    #expect(try ids((here["steered"] as? [Any])?[0]) == ids((there["steered"] as? [Any])?[0]))
  }

  @Test func whatMakesNoSenseIsRefused() throws {
    for (arguments, word) in [
      (["--amplify", "logits:x"], "a number"), (["--amplify", "weights@4:0"], "0…3"),
      (["--amplify", "logits:1", "--amplify", "logits:2"], "once"),
      (["--amplify", "logits:1", "--positions", "last"], "positions"),
      (["--amplify", "logits:1", "--raw-strength"], "--raw-strength"), ([], "--amplify"),
    ] {
      let outcome = try steer(arguments)
      #expect(outcome.code != 0 && outcome.error.contains(word), "\(arguments): \(outcome)")
    }
    let set = ["amplify", build.storePath, "--prompts", "none.jsonl"]
    for (arguments, word) in [(set, "none.jsonl"), (set + ["--factor", "1"], "--factor")] {
      let outcome = try Program.run(arguments)
      #expect(outcome.code != 0 && outcome.error.contains(word), "\(outcome)")
    }
  }
}
