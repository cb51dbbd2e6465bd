// `crosscope direction`, and steering with what it makes: here, by a service, again from a saved run, over a set of prompts, in files
// for other programs, and in a store without a crosscoder.

import Foundation
import Storage
import TestSupport
import Testing

@testable import crosscope

@Suite struct DirectionCommandTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
    let folder = build.folder.path
    func write(_ text: String, _ name: String) throws {
      try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
    }
    try write("{\"prompt\": \"sun\"}\n{\"prompt\": \"rain\"}\n{\"prompt\": \"snow\"}\n", "warm.jsonl")
    try write(
      "{\"text\": \"cold and wet\"}\n{\"messages\": [{\"role\": \"user\", \"content\": \"ice\"}, "
        + "{\"role\": \"assistant\", \"content\": \"is cold\"}]}\n", "cold.jsonl")
    try write("One paragraph here.\n\nAnother paragraph,\r\n\r\nand a third one.\n", "plain.txt")
  }

  private func file(_ name: String) -> String { build.folder.path + "/" + name }

  private func direction(_ arguments: [String]) throws -> Program.Outcome {
    try Program.run(["direction"] + arguments)
  }

  private func makeMeans(_ more: [String] = []) throws -> Program.Outcome {
    try direction(
      [build.storePath, "--name", "warm", "--positive", file("warm.jsonl"), "--negative", file("cold.jsonl")] + more)
  }

  private func entries() throws -> [[String: Any]] {
    try #require(try direction(["list", build.storePath, "--json"]).json()["directions"] as? [[String: Any]])
  }

  @Test func directionsAreMadeListedShownRenamedAndDeleted() throws {
    let made = try makeMeans(["--tag", "weather"])
    #expect(made.code == 0 && made.out.contains("difference in means of chat"), "\(made)")
    let again = try makeMeans()
    #expect(again.code != 0 && again.error.contains("--force replaces it"))
    #expect(try makeMeans(["--force", "--stream", "difference", "--tokens", "all"]).code == 0)
    let components = try direction([
      build.storePath, "--name", "part", "--components", "2", "--texts", file("plain.txt"), "--layer", "1",
    ])
    #expect(components.code == 0 && components.out.contains("of its variance"), "\(components)")
    #expect(try entries().map { $0["name"] as? String } == ["warm", "part 1", "part 2"])
    let page = try direction(["show", build.storePath, "warm", "--json"]).json()
    #expect((page["promoted"] as? [Any])?.count == 10 && (page["latents"] as? [Any])?.isEmpty == false)
    let explained = try #require(page["explained"] as? Double)
    #expect((0...1).contains(explained) && page["explained_by_chance"] is Double)
    let text = try direction(["show", build.storePath, "part 1", "--quick"])
    #expect(text.code == 0 && text.out.contains("after block 1") && !text.out.contains("logit lens"), "\(text)")
    #expect(
      try direction(["edit", build.storePath, "warm", "--rename", "heat", "--tag", "a", "--unit", "2"]).code == 0)
    let heat = try #require(try entries().first { $0["name"] as? String == "heat" })
    #expect(heat["tags"] as? [String] == ["a"] && heat["unit"] as? Double == 2)
    let taken = try direction(["edit", build.storePath, "heat", "--rename", "part 1"])
    #expect(taken.code != 0 && taken.error.contains("is taken"))
    let wrong = try direction(["delete", build.storePath, "part 1", "nothing"])
    #expect(wrong.code != 0 && wrong.error.contains("one of heat, part 1, part 2"))
    #expect(try direction(["delete", build.storePath, "part 1", "part 2"]).code == 0)
    #expect(try entries().map { $0["name"] as? String } == ["heat"])
  }

  @Test func aRunIsSavedRepeatedAndRefusedAfterTheDirectionChanged() throws {
    try #require(try makeMeans().code == 0)
    let steer = ["steer", build.storePath, "--prompt", "Hi", "--max-tokens", "5", "--direction", "warm:3"]
    let run = try Program.run(steer + ["--sweep", "0:1:1", "--save", "--json"])
    let json = try run.json()
    let arms = try #require(json["steered"] as? [[String: Any]])
    #expect(arms[0]["first_difference"] == nil && (arms[1]["relative_change"] as? Double ?? 0) > 0)
    let recorded = try #require((json["directions"] as? [[String: Any]])?.first)
    #expect(recorded["name"] as? String == "warm" && (recorded["sha256"] as? String)?.count == 64)
    let again = try Program.run(["rerun", build.storePath, "1"])
    #expect(again.code == 0 && again.out.contains("match") && !again.out.contains("mismatch"), "\(again)")
    #expect(try Program.run(["experiments", build.storePath]).out.contains("warm add +3.00"))
    try #require(try makeMeans(["--force", "--tokens", "last"]).code == 0)
    let changed = try Program.run(["rerun", build.storePath, "1"])
    #expect(changed.code != 0 && changed.error.contains("another one of that name"), "\(changed)")
    for (arguments, words) in [
      (["--direction", "cold"], "one of warm"), (["--direction", "warm:1:ablate"], "one of warm"),
      (["--direction", "warm", "--when", "0>1", "--positions", "last", "--decoder", "base"], "change nothing"),
    ] {
      let refused = try Program.run(Array(steer.dropLast(2)) + arguments)
      #expect(refused.code != 0 && refused.error.contains(words), "\(refused)")
    }
  }

  @Test func aSetComparesLatentsWithTheDirectionAtTheSameNorm() throws {
    try #require(try makeMeans().code == 0)
    let set = [
      "steer", build.storePath, "--prompts", file("warm.jsonl"), "--max-tokens", "4", "--sweep", "-1:1:2",
      "--against", "warm", "--random", "1",
    ]
    let json = try Program.run(set + ["--latent", "\(latent)", "--save", "--json"]).json()
    let rows = try #require(json["rows"] as? [[String: Any]])
    #expect(
      rows.map { $0["arm"] as? String } == ["baseline"] + ["steered", "random", "direction"].flatMap { [$0, $0] })
    func change(_ row: Int) throws -> Double { try #require(rows[row]["relative_change"] as? Double) }
    for row in [1, 2] { #expect(abs(try change(row) - change(row + 4)) < 0.05 * (try change(row))) }
    let again = try Program.run(["rerun", build.storePath, "1"])
    #expect(again.code == 0 && !again.out.contains("mismatch"), "\(again)")
    let mode = try Program.run(set + ["--latent", "\(latent):1:ablate"])
    #expect(mode.code != 0 && mode.error.contains("latents in mode add alone"), "\(mode)")
    let check = try Program.run([
      "causal-check", build.storePath, "\(latent)", "--random", "1", "--prompts", "2", "--contexts", "1",
      "--max-tokens", "3", "--against", "warm", "--save",
    ])
    #expect(check.code == 0 && check.out.contains("direction warm"), "\(check)")
    #expect(try Program.run(["rerun", build.storePath, "2"]).code == 0)
  }

  @Test func vectorsGoOutAndComeBackWithTheSameBits() throws {
    try #require(try makeMeans().code == 0)
    try #require(
      try direction([
        build.storePath, "--name", "low", "--components", "1", "--texts", file("plain.txt"), "--layer", "1",
      ]).code == 0)
    let vectors = ["--direction", "warm:0.5", "--direction", "low:-1"]
    for (form, path) in [("safetensors", file("v.safetensors")), ("control-vector", file("v.gguf"))] {
      let out = try Program.run(["export", build.storePath, form] + vectors + ["--out", path])
      #expect(out.code == 0, "\(out)")
      let read = try direction([build.storePath, "--name", form, "--file", path])
      #expect(read.code == 0 && read.out.contains("\(form) 1"), "\(read)")
    }
    let store = try Store(path: build.storePath, access: .readOnly)
    let all = try store.directions()
    let safe = all.filter { $0.name.hasPrefix("safetensors") }
    let gguf = all.filter { $0.name.hasPrefix("control-vector") }
    #expect(safe.map(\.layer) == gguf.map(\.layer) && safe.map(\.vector) == gguf.map(\.vector) && safe.count == 2)
    // The family steers as its members do.
    let steer = ["steer", build.storePath, "--prompt", "Hi", "--max-tokens", "4", "--json"]
    func ids(_ more: [String]) throws -> [Int] {
      let arms = try #require(try Program.run(steer + more).json()["steered"] as? [[String: Any]])
      return try #require(arms[0]["ids"] as? [Int])
    }
    #expect(try ids(["--direction", "control-vector:1"]) == ids(vectors))
    let refused = try Program.run(
      ["export", build.storePath, "neuronpedia", "--prompt", "x", "--out", file("n.json")] + vectors)
    #expect(refused.code != 0 && refused.error.contains("latents alone"))
  }

  @Test func aStoreWithoutCrosscoderSteersWithItsDirections() throws {
    let store = file("plain.crosscope")
    let made = try Program.run([
      "differences", "--model", file("tiny.gguf"), "--adapter", file("adapter"), "--texts", file("plain.txt"),
      "--quick",
      "--out", store,
    ])
    try #require(made.code == 0, "\(made)")
    let list = try direction(["list", store])
    #expect(list.out.contains("δ "), "\(list)")
    let means = try direction([
      store, "--name", "warm", "--positive", file("warm.jsonl"), "--negative", file("cold.jsonl"),
    ])
    #expect(means.code == 0, "\(means)")
    let steer = ["steer", store, "--prompt", "Hi", "--max-tokens", "4"]
    let run = try Program.run(steer + ["--direction", "warm:2", "--amplify", "logits:1", "--save"])
    #expect(run.code == 0 && run.out.contains("warm add +2.00; amplified logits:1"), "\(run)")
    #expect(try Program.run(["rerun", store, "1"]).code == 0)
    #expect(try direction(["show", store, "warm"]).code == 0)
    let latent = try Program.run(steer + ["--latent", "3"])
    #expect(latent.code != 0 && latent.error.contains("has no latents"), "\(latent)")
  }

  @Test func aServiceSteersWithThemAndListsThem() throws {
    try #require(try makeMeans(["--tag", "weather"]).code == 0)
    let service = try build.serve()
    let listed = try service.get("/v1/directions").json()
    #expect((listed["directions"] as? [[String: Any]])?.first?["name"] as? String == "warm")
    let steer = ["steer", build.storePath, "--prompt", "Hi", "--max-tokens", "5", "--direction", "warm:3", "--json"]
    // Only the versions of what computes may differ.
    func same(_ arguments: [String], _ key: String) throws -> Bool {
      let (here, there) = (
        try Program.run(arguments).json(), try Program.run(arguments + ["--engine", "unix:\(service.socket)"]).json()
      )
      let (mine, its) = (try #require(here[key] as? NSObject), try #require(there[key] as? NSObject))
      return mine == its
    }
    #expect(try same(steer, "steered"))
    let set = [
      "steer", build.storePath, "--prompts", file("warm.jsonl"), "--max-tokens", "3", "--sweep", "1:1:1", "--latent",
      "\(latent)", "--against", "warm", "--json",
    ]
    #expect(try same(set, "rows"))
    let wrong = try service.post(
      "/v1/steer", ["prompt": "Hi", "directions": [["name": "cold"]]] as [String: Any])
    let (status, param, _) = try wrong.error()
    #expect(status == 400 && param == "directions", "\(wrong.body)")
  }

  @Test func wrongOptionsAndFilesAreRefusedByName() throws {
    let store = build.storePath
    try Data([1, 2, 3]).write(to: URL(fileURLWithPath: file("bytes.npy")))
    try "{\"prompt\": \"a\", \"text\": \"b\"}\n".write(toFile: file("two.jsonl"), atomically: true, encoding: .utf8)
    for (arguments, words) in [
      ([store, "--name", "x"], "give one of"),
      ([store, "--name", "x", "--positive", file("warm.jsonl")], "need each other"),
      ([store, "--name", "x", "--components", "2"], "need each other"),
      ([store, "--name", "x", "--file", file("bytes.npy"), "--stream", "chat"], "change nothing with --file"),
      ([store, "--name", "x", "--file", file("bytes.npy")], "bytes.npy"),
      ([store, "--name", "x", "--file", file("none.npy")], "cannot read"),
      ([store, "--name", "x", "--positive", file("two.jsonl"), "--negative", file("cold.jsonl")], "two.jsonl line 1"),
      (
        [store, "--name", "x", "--positive", file("warm.jsonl"), "--negative", file("cold.jsonl"), "--layer", "99"],
        "--layer: expected 0 to"
      ),
      (
        [store, "--name", "x", "--positive", file("warm.jsonl"), "--negative", file("warm.jsonl")],
        "a vector other than 0"
      ),
      ([store, "--name", "", "--positive", file("warm.jsonl"), "--negative", file("cold.jsonl")], "name"),
    ] as [([String], String)] {
      let outcome = try direction(arguments)
      #expect(outcome.code != 0 && outcome.error.contains(words), "\(arguments): \(outcome)")
    }
    #expect(try entries().isEmpty)
  }
}
