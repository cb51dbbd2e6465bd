// Behaviours in the program: `steer --prompts`, one prompt, `causal-check` and `rerun` count those of a file, a service's
// answers are counted here, and a judge is asked only with --judge.

import Diffing
import FlyingFox
import Foundation
import Storage
import Synchronization
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite struct BehaviourCommandTests {
  let build: TinyBuild
  let latent: Int
  let prompts: String
  let behaviours: String
  var store: String { build.storePath }

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
    prompts = build.folder.path + "/prompts.jsonl"
    behaviours = build.folder.path + "/b.json"
    try "{\"prompt\": \"sun\"}\n{\"prompt\": \"rain\"}\n".write(toFile: prompts, atomically: true, encoding: .utf8)
    try write(#"{"name": "speaks", "about": "It says something.", "expressions": ["."]}"#, Self.silent)
  }

  private static let silent = #"{"name": "silent", "about": "It says nothing.", "expressions": ["^$"]}"#

  private func write(_ behaviours: String...) throws {
    try "{\"behaviours\": [\(behaviours.joined(separator: ", "))]}".write(
      toFile: self.behaviours, atomically: true, encoding: .utf8)
  }

  private var set: [String] {
    ["steer", store, "--prompts", prompts, "--latent", "\(latent)", "--random", "1", "--max-tokens", "4"]
  }

  private func names(_ found: Any?) -> [String] {
    (found as? [[String: Any]] ?? []).compactMap { $0["name"] as? String ?? $0["behaviour"] as? String }
  }

  @Test func aSetReportsEveryBehaviourForEachArmInAllForms() throws {
    let counting = set + ["--behaviours", behaviours, "--coherent", "1e9"]
    let saved = try Program.run(counting + ["--save", "--json"])
    let report = try saved.json()
    let rows = try #require(report["rows"] as? [[String: Any]], "\(saved)")
    for row in rows {
      #expect(names(row["behaviours"]) == ["refused", "speaks", "silent"])
      let rates = try #require(row["behaviours"] as? [[String: Any]]).compactMap { $0["rate"] as? [String: Any] }
      #expect(rates[1]["value"] as? Double == 1 && (rates[1]["low"] as? Double ?? 1) < 0.5, "\(rates)")
      #expect(row["refused"] as? [String: Double] == rates[0] as? [String: Double])
    }
    #expect(names(report["behaviours"]) == ["refused", "speaks", "silent"])
    let coherent = try #require(report["coherent"] as? [String: Any])
    #expect(coherent["perplexity"] as? Double == 1e9 && names(coherent["best"]) == ["refused", "speaks", "silent"])
    let outcome = try #require((report["outcomes"] as? [[String: Any]])?.first)
    let answers = try #require(outcome["answers"] as? [[String: Any]])
    #expect(answers.allSatisfy { $0["behaviours"] as? [String] == ["speaks"] && $0["refused"] as? Bool == false })

    let text = try Program.run(counting).out
    for part in ["speaks", "100% [34, 100]", "best strengths of a perplexity of at most 1e+09", "its perplexity"] {
      #expect(text.contains(part), "\(part) in \(text)")
    }
    let csv = try Program.run(counting + ["--csv"]).out.split(separator: "\n").map { $0.split(separator: ",") }
    #expect(
      csv[0].suffix(7) == [
        "relative_change", "speaks", "speaks_low", "speaks_high", "silent", "silent_low", "silent_high",
      ])
    #expect(csv.allSatisfy { $0.count <= csv[0].count } && csv[2].suffix(6).first == "1.0")
    let markdown = try Program.run(["experiments", store, "1", "--markdown"]).out
    #expect(markdown.contains("speaks") && markdown.contains("best strengths") && markdown.contains(", speaks\n"))
    let again = try Program.run(["rerun", store, "1", "--json"]).json()
    #expect(again["match"] as? Bool == true && names((again["run"] as? [String: Any])?["behaviours"]).count == 3)
  }

  @Test func whenNoStrengthQualifiesItIsSaid() throws {
    let text = try Program.run(set + ["--coherent", "1"]).out
    #expect(text.contains("no strength keeps the perplexity at or below 1: the lowest is "), "\(text)")
    let report = try Program.run(set + ["--coherent", "1", "--json"]).json()
    let coherent = try #require(report["coherent"] as? [String: Any])
    #expect((coherent["strengths"] as? [Double])?.isEmpty == true)
    #expect((coherent["best"] as? [[String: Any]])?.allSatisfy { $0["strength"] == nil } == true)
  }

  @Test func samplesOfOnePromptAreCounted() throws {
    let steer = ["steer", store, "--prompt", "sun", "--latent", "\(latent)", "--max-tokens", "4", "--sweep", "1:2:1"]
    let sampled = steer + ["--samples", "3", "--temperature", "1"]
    let counting = ["--behaviours", behaviours, "--coherent", "1e9"]
    let text = try Program.run(sampled + counting + ["--save"])
    #expect(text.out.contains("speaks 100% [44, 100]") && text.out.contains("best strengths"), "\(text)")
    let document = try Program.run(steer + counting + ["--json"]).json()
    #expect(names(document["behaviours"]) == ["refused", "speaks", "silent"])
    #expect((document["baseline"] as? [String: Any])?["behaviours"] as? [String] == ["speaks"])
    #expect(try Program.run(steer + ["--json"]).json()["behaviours"] == nil, "nothing was asked for")
    let markdown = try Program.run(["experiments", store, "1", "--markdown"]).out
    #expect(markdown.contains("## Coherent strengths") && markdown.contains("| speaks"), "\(markdown)")
    #expect(try Program.run(["rerun", store, "1"]).code == 0)
  }

  @Test func aCheckCountsThemAndAnOldRecordIsMadeAgain() throws {
    let check = ["causal-check", store, "\(latent)", "--random", "2", "--prompts", "2", "--contexts", "1"]
    let outcome = try Program.run(
      check + ["--max-tokens", "4", "--behaviours", behaviours, "--coherent", "1e9", "--save", "--json"])
    let effects = try #require(try outcome.json()["effects"] as? [[String: Any]], "\(outcome)")
    let measures = effects.compactMap { $0["measure"] as? String }
    #expect(
      measures.prefix(5) == [
        "added ×0.5: KL", "added ×0.5: refused", "added ×0.5: speaks", "added ×0.5: silent", "added ×0.5: perplexity",
      ])
    #expect(measures.suffix(2).allSatisfy { $0.hasPrefix("taken away") } && measures.count == 12)
    let again = try Program.run(["rerun", store, "1"])
    #expect(again.code == 0 && again.out.contains("added ×1: speaks: match, 1 against 1"), "\(again)")

    // As an older version wrote it: refusals alone, and nothing of coherence.
    let open = try Store(path: store, access: .readWrite)
    var record = try open.experiments(ids: [1])[0]
    var fields = try #require(
      JSONSerialization.jsonObject(with: Data(record.outputs.utf8)) as? [String: Any])
    (fields["behaviours"], fields["coherent"]) = (nil, nil)
    fields["effects"] = effects.filter { effect in
      !["speaks", "silent"].contains { (effect["measure"] as? String ?? "").hasSuffix($0) }
    }
    for name in ["added", "answers"] { fields[name] = Self.withoutBehaviours(fields[name] ?? []) }
    record.outputs = String(decoding: try JSONSerialization.data(withJSONObject: fields), as: UTF8.self)
    try open.save(record)
    let kept = SavedRun(try open.experiments(ids: [2])[0])
    open.close()
    #expect(kept.check?.effects.count == 8 && kept.check?.behaviours == nil && kept.coherent == nil)
    let old = try Program.run(["rerun", store, "2"])
    #expect(old.code == 0 && !old.out.contains("speaks"), "\(old)")
  }

  /// A document without the fields called behaviours, at any depth.
  private static func withoutBehaviours(_ value: Any) -> Any {
    if let list = value as? [Any] { return list.map(withoutBehaviours) }
    guard let object = value as? [String: Any] else { return value }
    return object.filter { $0.key != "behaviours" }.mapValues(withoutBehaviours)
  }

  @Test func aServicesAnswersAreCountedHere() throws {
    let counting = set + ["--behaviours", behaviours, "--json"]
    let own = try Program.run(counting).json()
    let service = try build.serve()
    let remote = try Program.run(counting + ["--engine", "unix:\(service.socket)"])
    for field in ["rows", "behaviours", "coherent"] {
      let (own, remote) = (own[field] as? NSObject, try remote.json()[field] as? NSObject)
      #expect(own != nil && own == remote, "\(field)")
    }
    #expect(service.stop(SIGTERM) == 0)
  }

  @Test(arguments: [
    (["--judge"], 2 as Int32, "without --behaviours"), (["--coherent", "0.5"], 2, "1 or more"),
    (["--behaviours", "/nowhere.json"], 1, "/nowhere.json"),
  ])
  func whatCannotBeCountedIsRefused(options: [String], code: Int32, hint: String) throws {
    try Program.run(set + options).expectOneLine(code: code, saying: hint)
    try Program.run(["causal-check", store, "\(latent)"] + options).expectOneLine(code: code, saying: hint)
  }

  @Test func optionsWithoutAJudgeOrASetAreRefused() throws {
    try Program.run(set + ["--behaviours", behaviours, "--judge"]).expectOneLine(
      code: 2, saying: "no behaviour of \(behaviours) has a judge")
    try Program.run(["steer", store, "--latent", "1", "--prompt", "a", "--coherent", "3"]).expectOneLine(
      code: 2, saying: "--coherent changes nothing")
  }

  // MARK: - Judges

  private final class Log: Sendable {
    let seen = Mutex<[(body: String, key: String?)]>([])
  }

  /// A server at which a judge says `verdict`.
  private func withJudge(_ verdict: String, _ body: (String, Log) async throws -> Void) async throws {
    let log = Log()
    let seconds = HangGuard.limit / .seconds(1)
    let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: 0), timeout: seconds)
    await server.appendRoute("POST /v1/chat/completions") { request in
      let text = String(decoding: try await request.bodyData, as: UTF8.self)
      log.seen.withLock { $0.append((text, request.headers[.authorization])) }
      let json = try JSONSerialization.data(withJSONObject: ["choices": [["message": ["content": verdict]]]])
      return HTTPResponse(statusCode: .ok, body: json)
    }
    let task = Task { try await server.run() }
    defer { task.cancel() }
    try await server.waitUntilListening(timeout: seconds)
    guard case .ip4(_, let port) = await server.listeningAddress else {
      Issue.record("no port")
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

  private func judge(_ url: String, key: String = "") -> String {
    #"{"name": "kind", "about": "It is kind.", "judge": {"url": "\#(url)", "model": "m", "question": "Is it kind?"\#(key)}}"#
  }

  @Test func aJudgeIsAskedOnlyWithTheOption() async throws {
    try await withJudge("Yes.") { url, log in
      try write(judge(url), Self.silent)
      let quiet = try await run(set + ["--behaviours", behaviours, "--json"])
      #expect(quiet.error.contains("kind: judges are asked only with --judge; left out"), "\(quiet.error)")
      #expect(names(try quiet.json()["behaviours"]) == ["refused", "silent"] && log.seen.withLock(\.isEmpty))

      let asked = try await run(set + ["--behaviours", behaviours, "--judge", "--json"])
      let report = try asked.json()
      #expect(names(report["behaviours"]) == ["refused", "silent", "kind"], "\(asked)")
      for row in try #require(report["rows"] as? [[String: Any]]) {
        let rates = try #require(row["behaviours"] as? [[String: Any]])
        #expect((rates[2]["rate"] as? [String: Any])?["value"] as? Double == 1)
      }
      let seen = log.seen.withLock { $0 }
      #expect((1...6).contains(seen.count), "equal answers are asked about once: \(seen.count)")
      #expect(seen.allSatisfy { $0.body.contains("Is it kind?") && $0.key == nil })
      #expect(seen.contains { $0.body.contains("sun") } && seen.contains { $0.body.contains("rain") })
    }
  }

  @Test func aJudgeWithoutAVerdictCostsItsBehaviourAlone() async throws {
    try await withJudge("It depends.") { url, _ in
      try write(judge(url))
      let outcome = try await run(set + ["--behaviours", behaviours, "--judge", "--csv"])
      #expect(outcome.code == 1 && outcome.out.hasPrefix("arm,") && !outcome.out.contains("kind"), "\(outcome)")
      #expect(outcome.error.contains("the judge of kind was to say yes or no, but said"), "\(outcome.error)")
    }
    try write(judge("http://127.0.0.1:9/v1"))
    let outcome = try await run(set + ["--behaviours", behaviours, "--judge"])
    #expect(outcome.code == 1 && outcome.error.contains("the judge of kind does not answer: http://127.0.0.1:9"))
    try write(judge("http://127.0.0.1:9/v1", key: #", "key_variable": "CROSSCOPE_TEST_NO_KEY""#))
    try await run(set + ["--behaviours", behaviours, "--judge"]).expectOneLine(
      saying: "set the environment variable CROSSCOPE_TEST_NO_KEY")
  }
}
