// `crosscope causal` on the tiny random pair: what it prints, that one seed gives one result, what it says of bad input,
// and that Ctrl-C ends it tidily.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import crosscope

@Suite struct CausalCommandTests {
  let build: TinyBuild

  init() throws {
    build = try TinyBuild()
    try build.run()
  }

  private func causal(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["causal", build.storePath, "--chats", build.folder.path + "/chat.jsonl"] + arguments)
  }

  private func value(_ row: [String: Any], _ scope: String, _ figure: String) -> Double? {
    ((row[scope] as? [String: Any])?[figure] as? [String: Any])?["value"] as? Double
  }

  @Test func printsEveryArmWithItsFigures() throws {
    let arguments = ["-n", "4", "--limit", "6", "--random-sets", "2", "--precision", "exact", "--json"]
    let outcome = try Program.run(
      ["causal", build.storePath, "--chats", build.folder.path + "/chat.jsonl"] + arguments)
    #expect(outcome.code == 0, "\(outcome.error)")
    let json = try outcome.json()
    #expect(json["chat_count"] as? Int == 6 && json["layer"] as? Int == 2 && json["precision"] as? String == "exact")
    let arms = try #require(json["arms"] as? [[String: Any]])
    var names = ["none", "all", "error", "template"]
    for _ in 0..<5 { names += ["top", "bottom"] }
    let found = arms.compactMap { $0["arm"] as? String }
    #expect(found == names + ["random"])
    for row in arms {
      let latents = row["latents"] as? [[Int]]
      #expect(latents?.allSatisfy { Set($0).count == 4 } ?? true)
      #expect((row["n"] as? Int == 4) == (latents != nil))
      for scope in ["all", "response", "first_9"] {
        let kl = try #require(value(row, scope, "kl"))
        #expect(kl >= 0)
        guard row["arm"] as? String != "none" else { continue }
        let closed = try #require(value(row, scope, "closed"))
        let none = try #require(value(arms[0], scope, "kl"))
        #expect(abs(closed - (1 - kl / none)) < 1e-9)
        guard row["arm"] as? String == "top" else { continue }
        let random = try #require(value(arms[arms.count - 1], scope, "closed"))
        let beyond = try #require(value(row, scope, "closed_beyond_random"))
        #expect(abs(beyond - (closed - random)) < 1e-9)
      }
    }
    #expect((arms.last?["latents"] as? [[Int]])?.count == 2)
    // The tops are the first of the store's own order among the scored.
    let latents = try Program.run(["latents", build.storePath, "--json", "--filter", "not dead"]).json()["latents"]
    let scored = try #require(latents as? [[String: Any]]).filter { latent in
      ["nu_error", "nu_reconstruction"].allSatisfy { name in
        (latent[name] as? Double).map { (-0.1...2).contains($0) } ?? false
      }
    }
    let wanted = scored.prefix(4).compactMap { $0["id"] as? Int }.sorted()
    #expect((arms[4]["latents"] as? [[Int]])?.first == wanted)
    let byDelta = scored.sorted { ($0["delta_norm"] as? Double ?? 0) > ($1["delta_norm"] as? Double ?? 0) }
    #expect((arms[6]["latents"] as? [[Int]])?.first == byDelta.prefix(4).compactMap { $0["id"] as? Int }.sorted())
    // Again, the same to the last digit.
    let again = try Program.run(
      ["causal", build.storePath, "--chats", build.folder.path + "/chat.jsonl"] + arguments)
    #expect(again.out == outcome.out)
  }

  @Test func printsATableAndBars() throws {
    let outcome = try causal("-n", "3", "--limit", "2", "--score", "nu-error", "delta-norm", "--ascii")
    #expect(outcome.code == 0, "\(outcome.error)")
    for text in ["KL response", "top nu_error", "bottom delta_norm", "random (mean of 5)", "####", "2 chats"] {
      #expect(outcome.out.contains(text), "\(text)")
    }
    #expect(outcome.out.utf8.allSatisfy { $0 < 0x80 })
    #expect(outcome.error.contains("causal 100%"))
  }

  @Test func saysWhatIsWrong() throws {
    let store = build.storePath
    func refused(_ name: String, _ text: String, saying hint: String) throws {
      let path = build.folder.path + "/" + name
      try text.write(toFile: path, atomically: true, encoding: .utf8)
      let outcome = try Program.run(["causal", store, "-n", "2", "--chats", path])
      let last = outcome.error.split(separator: "\n").last ?? ""
      #expect(outcome.code == 1 && outcome.out == "")
      #expect(last.hasPrefix("crosscope: ") && last.contains(hint), "\(outcome.error)")
    }
    try refused("plain.jsonl", "{\"text\": \"no chat\"}\n", saying: "plain.jsonl line 1")
    try refused("broken.jsonl", "\n{\"messages\": [\n", saying: "broken.jsonl line 2")
    try refused("empty.jsonl", "\n\n", saying: "at least one chat")
    try refused("mute.jsonl", #"{"messages":[{"role":"user","content":"hi"}]}"#, saying: "assistant's answer")
    let none = try Program.run(["causal", store, "-n", "2"])
    #expect(none.code == 1 && none.error.contains("heldout-chats.jsonl"))
    try Program.run(["causal", store, "-n", "65"]).expectOneLine(saying: "-n takes fewer")
    try Program.run(["causal", store, "-n", "0"]).expectOneLine(code: 2, saying: "positive")
    try Program.run(["causal", store, "--score", "beauty"]).expectOneLine(code: 2, saying: "nu-error")
    try Program.run(["causal", store, "--filter", "nu_error<"]).expectOneLine(code: 2, saying: "filter")
  }

  @Test func interruptingEndsItWithALine() throws {
    let line = #"{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"a long answer to that"}]}"#
    let path = build.folder.path + "/many.jsonl"
    try [String](repeating: line, count: 20_000).joined(separator: "\n").write(
      toFile: path, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = Program.url
    process.arguments = ["causal", build.storePath, "-n", "2", "--chats", path, "--json"]
    let (out, error) = (Pipe(), Pipe())
    process.standardOutput = out
    process.standardError = error
    try process.run()
    // It says that it loads the models once it listens.
    var said = ""
    while !said.contains("loading the models"), process.isRunning {
      said += String(decoding: error.fileHandleForReading.availableData, as: UTF8.self)
    }
    kill(process.processIdentifier, SIGINT)
    let rest = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 130)
    #expect(out.fileHandleForReading.readDataToEndOfFile().isEmpty)
    #expect(rest.hasSuffix("run it again\n"), "\(rest)")
  }
}
