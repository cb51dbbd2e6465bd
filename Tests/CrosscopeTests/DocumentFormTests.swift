// The form of every JSON document: its fields, their types and which of them may be missing, beside a file that
// CROSSCOPE_RECORD=1 writes anew. Numbers differ from one processor to another; forms do not.

import Foundation
import TestSupport
import Testing

@testable import Experiments
@testable import Reports

@Suite struct DocumentFormTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
  }

  @Test func documentsHaveTheirForms() throws {
    var forms = DocumentForms()
    func run(_ name: String, _ arguments: [String]) throws {
      let outcome = try Program.run(arguments)
      forms.add(name, try #require(Self.json(outcome.out), "\(name): \(outcome.out) \(outcome.error)"))
    }
    let store = build.storePath
    let sampled = ["--temperature", "1", "--samples", "2"]
    let steer = ["steer", store, "--max-tokens", "4", "--seed", "3", "--json"]
    let own = ["--latent", "\(latent):0.5:add@>0.1", "--prompt", "Hi"]
    let prompts = build.folder.path + "/prompts.jsonl"
    try "{\"prompt\": \"sun\", \"kind\": \"x\"}\n{\"prompt\": \"rain\"}\n".write(
      toFile: prompts, atomically: true, encoding: .utf8)

    try run("steer", steer + own + ["--save", "--when", "\(latent)>0.1"] + sampled)
    try run("steer, project", steer + ["--latent", "\(latent):0.5:project", "--prompt", "Hi", "--top-p", "1"])
    try run("steer, swap base", steer + ["--swap-base", "--prompt", "Hi"])
    try run("steer, two prompts", steer + own + ["--prompt", "Bye"])
    try run("steer, sweep", steer + own + ["--save", "--sweep", "0:1:0.5", "--frozen-attention"])
    let set = build.folder.path + "/set.json"
    try run(
      "steer, set of prompts",
      steer + ["--latent", "\(latent)", "--prompts", prompts, "--random", "1", "--save", "--out", set])
    forms.add("steer, file of a set", try #require(Self.json(String(contentsOfFile: set, encoding: .utf8))))
    let behaviours = build.folder.path + "/b.json"
    let behaviour = #"{"name": "x", "about": "a", "first": 9, "expressions": ["a"], "unless": ["b"], "group": "g"}"#
    try "{\"behaviours\": [\(behaviour)]}".write(toFile: behaviours, atomically: true, encoding: .utf8)
    try run("steer, behaviours", steer + own + ["--behaviours", behaviours])
    try run(
      "steer, set of prompts, behaviours",
      steer + ["--latent", "\(latent)", "--prompts", prompts, "--behaviours", behaviours, "--coherent", "1e9"])
    let amplified = ["--amplify", "logits:1", "--amplify", "mlp@1-2:0"]
    try run("steer, amplified", steer + ["--prompt", "Hi"] + amplified)
    try run("amplify", ["amplify", store, "--prompts", prompts, "--max-tokens", "4", "--json"])
    let size = ["--random", "1", "--prompts", "2", "--contexts", "1", "--max-tokens", "4", "--json"]
    try run("causal-check", ["causal-check", store, "\(latent)", "--save"] + size)
    for (name, number) in [("steer", "1"), ("set", "3"), ("check", "4")] {
      try run("rerun, \(name)", ["rerun", store, number, "--json"])
    }
    try run("experiments", ["experiments", store, "--json"])
    try run("activations", ["activations", store, "--prompt", "Hi", "--generate", "2", "--json"])
    let chats = build.folder.path + "/chat.jsonl"
    try run(
      "causal",
      ["causal", store, "--chats", chats, "-n", "2", "--limit", "2", "--random-sets", "1", "--json"])
    try run("latents", ["latents", store, "--limit", "3", "--json"])
    try run("show", ["show", store, "\(latent)", "--json"])
    try run("tags", ["tags", store, "--json"])
    try run("check", ["check", store, "--json"])
    try run(
      "generate",
      ["generate", "--model", build.folder.path + "/tiny.gguf", "--prompt", "Hi", "--max-tokens", "2", "--json"])
    try serviceForms(&forms)
    try expectGolden(forms.text, "document-forms.txt")
  }

  private func serviceForms(_ forms: inout DocumentForms) throws {
    let service = try build.serve()
    let steer: [String: Any] = [
      "prompt": "Hi", "interventions": [["latent": latent, "strength": 0.5]], "max_tokens": 4, "seed": 3,
      "watch": ["no"],
    ]
    let set: [String: Any] = [
      "interventions": [["latent": latent]], "max_tokens": 4, "seed": 3, "random": 1,
      "prompts": [["prompt": "sun", "kind": "x"], ["prompt": "rain"]],
    ]
    let posts: [(String, [String: Any])] = [
      ("/v1/steer", steer),
      ("/v1/steer/sweep", steer.merging(["strengths": [0.5, 1], "control": true]) { $1 }),
      ("/v1/steer/set", set),
      ("/v1/steer/preview", ["prompt": "Hi", "interventions": [["latent": latent]]]),
      ("/v1/steer/activations", ["prompt": "Hi", "baseline": [1, 2], "steered": [3], "latents": [latent]]),
      ("/v1/activations", ["text": "sun", "generate": 2]),
      ("/v1/causal-check", ["latent": latent, "random": 1, "prompts": 2, "contexts": 1, "max_tokens": 4]),
      (
        "/v1/causal",
        [
          "arms": ["none", [latent]],
          "chats": [[["role": "user", "content": "Hi"], ["role": "assistant", "content": "sun and rain"]]],
        ]
      ),
      (
        "/v1/chat/completions",
        [
          "messages": [["role": "user", "content": "Hi"]], "max_tokens": 4, "logprobs": true, "top_logprobs": 2,
          "interventions": [["latent": latent]],
        ]
      ),
    ]
    for (path, fields) in posts {
      forms.add("POST \(path)", try service.post(path, fields).json())
      var streamed = fields.merging(["stream": true]) { $1 }
      if path == "/v1/steer" { streamed["trace"] = [latent] }
      if path == "/v1/chat/completions" { streamed["stream_options"] = ["include_usage": true] }
      forms.add("POST \(path), events", try service.events(path, streamed))
    }
    forms.add("an error", try service.post("/v1/steer", ["prompt": 1]).json())
    for path in ["/health", "/v1/models", "/v1/status", "/v1/latents", "/v1/latents/\(latent)"] {
      forms.add("GET \(path == "/v1/latents/\(latent)" ? "/v1/latents/ID" : path)", try service.get(path).json())
    }
    #expect(service.stop(SIGTERM) == 0)
  }

  private static func json(_ text: String) -> Any? { try? JSONSerialization.jsonObject(with: Data(text.utf8)) }
}

/// The forms of documents as text: a line a field, with its types. A list's elements count as several values of one field.
private struct DocumentForms {
  private(set) var text = ""

  mutating func add(_ name: String, _ document: Any) {
    var types: [String: Set<String>] = [:]
    // How often an object holds the field, against how often there is such an object.
    var (found, objects): ([String: Int], [String: Int]) = ([:], [:])
    func visit(_ value: Any, _ path: String) {
      switch value {
      case let object as [String: Any]:
        objects[path, default: 0] += 1
        types[path, default: []].insert("object")
        for (key, inner) in object {
          // Keys that are latents' numbers, names of files or of versions are one field.
          let name = Int(key) == nil ? key : "ID"
          found["\(path).\(name)", default: 0] += 1
          visit(inner, "\(path).\(name)")
        }
      case let list as [Any]:
        types[path, default: []].insert("list")
        for inner in list { visit(inner, path + "[]") }
      case is String: types[path, default: []].insert("string")
      case let number as NSNumber:
        types[path, default: []].insert(CFNumberIsBoolean(number) ? "bool" : "number")
      default: types[path, default: []].insert("null")
      }
    }
    visit(document, "")
    text += "\(name)\n"
    for path in types.keys.sorted() {
      let parent = path.lastIndex(of: ".").map { String(path[..<$0]) }
      let isOptional = parent.map { (found[path] ?? 0) < (objects[$0] ?? 0) && !path.hasSuffix("[]") } ?? false
      text +=
        "  \(path.isEmpty ? "." : path)\(isOptional ? "?" : ""): \(types[path, default: []].sorted().joined(separator: ", "))\n"
    }
  }
}

/// Whether a number of JSONSerialization is true or false.
private func CFNumberIsBoolean(_ number: NSNumber) -> Bool { String(cString: number.objCType) == "c" }
