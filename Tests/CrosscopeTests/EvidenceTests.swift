// Steering that counts as evidence: saved runs made again, sets of prompts with a control, the check of one latent, and
// vectors for other programs, all on the tiny pair.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite struct EvidenceTests {
  let build: TinyBuild
  let latents: [Int]
  var store: String { build.storePath }

  init() throws {
    build = try TinyBuild()
    try build.run()
    latents = try build.livingLatents(8)
  }

  private func path(_ name: String) -> String { build.folder.path + "/" + name }

  @Test func aSavedRunIsMadeAgainTokenForToken() throws {
    let arguments = [
      "--prompt", "Hi", "--max-tokens", "6", "--latent", "\(latents[0]):0.5", "--latent",
      "\(latents[1]):-1:difference@<1e9@\(latents[2])<1e9", "--sweep", "0:2:1", "--temperature", "1", "--samples", "2",
      "--seed", "9", "--frozen-attention", "--when",
      "\(latents[0])<1e9", "--threads", "1",
    ]
    let saved = try Program.run(["steer", store, "--save", "--json"] + arguments)
    #expect(saved.code == 0 && saved.error.contains("saved as experiment 1"), "\(saved.error)")
    let printed = try JSONDecoder().decode(SteeringDocument.self, from: Data(saved.out.utf8))
    let kept = try SteeringDocument(Store(path: store, access: .readOnly).experiments(ids: [1])[0])
    #expect(kept == printed, "one form on paper and in the store")
    #expect(kept.outputs.steered.count == 3 && kept.outputs.frozenAttention?.count == 3)
    #expect(kept.basis.maxActivations.count == 2 && kept.versions["model"]?.count == 64)

    let again = try Program.run(["rerun", store, "1", "--threads", "1"])
    #expect(again.code == 0 && again.error == "", "\(again)")
    let lines = again.out.split(separator: "\n")
    #expect(
      lines.count == 14 && lines.allSatisfy { $0.contains(": match, ") && $0.hasSuffix("within 0") }, "\(again.out)")
    #expect(again.out.contains("frozen attention ×2, seed 10"))
    // Another number of threads cuts products elsewhere, which may change last bits but no token.
    let others = try Program.run(["rerun", store, "1", "--threads", "2"])
    #expect(others.code == 0 && others.error.hasPrefix("differs: threads: saved 1, now 2"), "\(others.error)")
    #expect(others.out.split(separator: "\n").allSatisfy { $0.contains(": match, ") }, "\(others.out)")
  }

  @Test func whatIsNotTheSameIsNamedAndCounted() throws {
    _ = try Program.run(
      [
        "steer", store, "--save", "--prompt", "Hi", "--max-tokens", "6", "--latent", "\(latents[0])", "--precision",
        "exact",
      ])
    let open = try Store(path: store, access: .readWrite)
    var record = try open.experiments(ids: [1])[0]
    var document = try SteeringDocument(record)
    document.outputs.steered[0].samples[0].ids[2] = 7
    record.outputs = storedJSON(document.outputs)
    document.versions["kernels"] = "portable"
    document.versions["adapter"] = String(repeating: "0", count: 64)
    record.versions = storedJSON(document.versions)
    #expect(try open.save(record).id == 2)
    open.close()
    let outcome = try Program.run(["rerun", store, "2"])
    #expect(outcome.code == 1)
    #expect(outcome.error.contains("differs: kernels: saved portable, now ") && outcome.error.contains("near tie"))
    #expect(outcome.error.contains("differs: adapter: saved 000000000000…"))
    #expect(!outcome.error.contains("precision"), "the saved precision is used")
    #expect(outcome.out.contains("baseline, seed 0: match") && outcome.out.contains("mismatch at token 2: saved 7 "))
    let json = try Program.run(["rerun", store, "2", "--json"])
    #expect(json.code == 1)
    let arms = try #require(json.json()["arms"] as? [[String: Any]])
    #expect(arms.map { $0["match"] as? Bool } == [true, false] && arms[1]["first_difference"] as? Int == 2)
  }

  @Test func recordsOfOlderVersionsAreReadAndOthersRefused() throws {
    let open = try Store(path: store, access: .readWrite)
    let old = ExperimentRecord(
      created: "2026-11-20T10:00:00Z", prompt: "Hi", kind: "steer",
      interventions: "[{\"latent\":\(latents[0]),\"mode\":\"add\",\"strength\":1.25}]",
      parameters: #"{"decoder":"chat","layer":2,"max_tokens":4,"positions":"all","seed":7,"temperature":0}"#,
      outputs: """
        {"baseline":{"finished":false,"ids":[1],"text":"a"},"steered":[{"finished":false,"ids":[2],"strength":1,"text":"b"}]}
        """, versions: #"{"program":"crosscope 0.1.0","precision":"fast"}"#)
    try open.save(old)
    let document = try SteeringDocument(old)
    #expect(document.request.plan.interventions.allSatisfy(\.isOn) && document.request.sampling.topP == 1)
    var odd = old
    odd.kind = "other"
    odd.parameters = "{}"
    try open.save(odd)
    open.close()
    let outcome = try Program.run(["rerun", store, "1"])
    #expect(
      outcome.code == 1 && outcome.out.contains("mismatch at token 0") && outcome.error.contains("model: saved nothing")
    )
    try Program.run(["rerun", store, "2"]).expectOneLine(saying: "experiment 2 (other)")
    try Program.run(["rerun", store, "9"]).expectOneLine(saying: "no experiment 9")
  }

  @Test func aSetOfPromptsGivesFiguresWithAControlOfEqualNorm() throws {
    let prompts = path("set.jsonl")
    try
      (["sun", "rain", "cat", "code"].enumerated().map {
        #"{"prompt":"\#($1)","kind":"\#($0 == 3 ? "other" : "word")"}"#
      }.joined(separator: "\n") + "\n").write(toFile: prompts, atomically: true, encoding: .utf8)
    let arguments = [
      "steer", store, "--prompts", prompts, "--kind", "word", "--latent", "\(latents[0])", "--latent",
      "\(latents[1]):0.5",
      "--sweep", "0:1:0.5", "--random", "2", "--max-tokens", "1", "--frozen-attention", "--seed", "3",
    ]
    let out = path("whole.json")
    let whole = try Program.run(arguments + ["--out", out])
    #expect(whole.code == 0, "\(whole.error)")
    for part in ["baseline", "random (mean of 2)", "frozen attention", "3 prompts", "same norm", "strength"] {
      #expect(whole.out.contains(part), "\(part)")
    }
    let text = try String(contentsOfFile: out, encoding: .utf8)
    let report = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let rows = try #require(report["rows"] as? [[String: Any]])
    #expect(rows.count == 10 && report["control"] as? String == "equal_norm")
    func kl(_ row: [String: Any]) -> Double? { (row["kl"] as? [String: Any])?["value"] as? Double }
    for row in rows {
      let arm = try #require(row["arm"] as? String)
      let strength = try #require(row["strength"] as? Double)
      #expect((kl(row) ?? -1 > 0) == (arm != "baseline" && strength > 0), "\(arm) \(strength)")
      let change = row["relative_change"] as? Double
      guard arm == "random" else { continue }
      let steered = try #require(
        rows.first { $0["arm"] as? String == "steered" && $0["strength"] as? Double == strength })
      // Two directions are not at the same angle to each other; the norm of one alone would be.
      let ratio = (change ?? 0) / max(1e-12, steered["relative_change"] as? Double ?? 0)
      #expect(strength == 0 ? change == 0 : (0.4...2.5).contains(ratio))
    }

    // Killed after the first prompt, in the midst of the second's line.
    let outcomes = try #require(report["outcomes"] as? [[String: Any]])
    let lines = try outcomes.map { try JSONSerialization.data(withJSONObject: $0, options: .sortedKeys) }
    let partial = path("again.json.partial.jsonl")
    try (lines[0] + Data("\n".utf8) + lines[1].prefix(20)).write(to: URL(filePath: partial))
    let resumed = try Program.run(arguments + ["--out", path("again.json")])
    #expect(resumed.code == 0 && resumed.error.contains("1 of 3 prompts are there already"), "\(resumed.error)")
    #expect(try String(contentsOfFile: path("again.json"), encoding: .utf8) == text)
    #expect(!FileManager.default.fileExists(atPath: partial))

    // What is there stays, before any work.
    try Program.run(arguments + ["--out", out]).expectOneLine(saying: "\(out) is there already")
    // Those of other settings are not mixed in.
    try (lines[0] + Data("\n".utf8)).write(to: URL(filePath: partial))
    try Program.run(arguments + ["--decoder", "base", "--out", path("again.json"), "--force"])
      .expectOneLine(saying: "finished prompts of these settings")
    let csv = try Program.run(arguments + ["--csv"])
    #expect(csv.out.split(separator: "\n").count == 11 && csv.out.hasPrefix("arm,strength,draws,prompts,refused,"))
  }

  @Test(arguments: [
    (["--random", "2", "--prompt", "Hi"], "without --prompts"),
    (["--prompts", "x", "--watch", "no"], "not for --prompts"),
    (["--prompts", "x", "--prompt", "Hi"], "not for --prompts"), (["--prompts", "x", "--limit", "0"], "--limit"),
  ])
  func optionsThatWouldDoNothingAreRefused(arguments: [String], hint: String) throws {
    try Program.run(["steer", store, "--latent", "1"] + arguments).expectOneLine(code: 2, saying: hint)
  }

  @Test func aLatentIsCheckedAgainstOthers() throws {
    let outcome = try Program.run([
      "causal-check", store, "\(latents[0])", "--random", "3", "--prompts", "3", "--contexts", "2", "--max-tokens", "4",
      "--save", "--json",
    ])
    #expect(outcome.code == 0, "\(outcome.error)")
    let report = try outcome.json()
    let random = try #require(report["random"] as? [Int])
    #expect(Set(random).count == 3 && !random.contains(latents[0]))
    let effects = try #require(report["effects"] as? [[String: Any]])
    #expect(effects.count == 8)
    for effect in effects {
      let name = effect["measure"] as? String ?? ""
      let value = (effect["latent"] as? [String: Any])?["value"] as? Double ?? .nan
      if name.contains("KL") { #expect(value > 0, "\(name)") }
    }
    let table = try Program.run(["experiments", store])
    #expect(table.out.contains("causal check") && table.out.contains("latent \(latents[0])"))
    #expect(
      SavedRun(try Store(path: store, access: .readOnly).experiments(ids: [1])[0]).parametersText.hasPrefix("3 random"))
    let markdown = try Program.run(["experiments", store, "1", "--markdown"])
    #expect(markdown.out.contains("## Effects") && markdown.out.contains("taken away: KL after the peak"))

    let again = try Program.run(["rerun", store, "1"])
    // Baseline, the latent and three random ones at two strengths, on three prompts.
    #expect(again.code == 0 && again.out.contains("27 of 27 answers match"), "\(again)")
    #expect(again.out.split(separator: "\n").filter { $0.contains(": match, ") }.count == 8, "\(again.out)")
    // A record of an older version, and one whose measures were others.
    let open = try Store(path: store, access: .readWrite)
    var record = try open.experiments(ids: [1])[0]
    var kept = try JSONDecoder().decode(CausalCheckReport.self, from: Data(record.outputs.utf8))
    kept.answers = nil
    record.outputs = storedJSON(kept)
    try open.save(record)
    record.outputs = record.outputs.replacing(#""measure":"added ×0.5: KL""#, with: #""measure":"something else""#)
    try open.save(record)
    record.outputs = record.outputs.replacing(#""prompts":3"#, with: #""prompts":-3"#)
    try open.save(record)
    open.close()
    try Program.run(["rerun", store, "4"]).expectOneLine(saying: "the size of a check")
    let older = try Program.run(["rerun", store, "2"])
    #expect(older.code == 0 && older.error.contains("its measures alone") && !older.out.contains("answers match"))
    let other = try Program.run(["rerun", store, "3", "--json"])
    #expect(other.code == 1)
    let figures = try #require(other.json()["figures"] as? [[String: Any]])
    #expect(
      figures.filter { $0["match"] as? Bool == false }.compactMap { $0["measure"] as? String } == ["something else"])
  }

  /// The latents drawn in place of a gated one act where it would, and those of a free one everywhere.
  @Test func aControlActsWhereTheLatentsThatItStandsForWould() throws {
    let prompts = path("set.jsonl")
    try "{\"prompt\":\"sun\"}\n".write(toFile: prompts, atomically: true, encoding: .utf8)
    func divergences(_ latents: [String]) throws -> [String: Double] {
      let outcome = try Program.run(
        ["steer", store, "--prompts", prompts, "--random", "1", "--max-tokens", "3", "--json"]
          + latents.flatMap { ["--latent", $0] })
      let rows = try #require(try outcome.json()["rows"] as? [[String: Any]], "\(outcome)")
      return Dictionary(
        uniqueKeysWithValues: rows.map {
          ($0["arm"] as? String ?? "", ($0["kl"] as? [String: Any])?["value"] as? Double ?? -1)
        })
    }
    let never = try divergences(["\(latents[0]):2@>1e9"])
    #expect(never["steered"] == 0 && never["random"] == 0, "\(never)")
    let half = try divergences(["\(latents[0]):2", "\(latents[1]):2@>1e9"])
    #expect((half["steered"] ?? 0) > 0 && (half["random"] ?? 0) > 0, "\(half)")
  }

  @Test(arguments: [[String](), ["--mode", "difference", "--frozen-attention"]])
  func aSavedSetOfPromptsIsMadeAgainTokenForToken(more: [String]) throws {
    let prompts = path("set.jsonl")
    try "{\"prompt\":\"sun\"}\n{\"prompt\":\"rain\",\"kind\":\"word\"}\n".write(
      toFile: prompts, atomically: true, encoding: .utf8)
    let saved = try Program.run(
      [
        "steer", store, "--prompts", prompts, "--latent", "\(latents[0]):0.5@<1e9", "--sweep", "1:2:1", "--random", "2",
        "--max-tokens", "5", "--temperature", "1", "--seed", "3", "--save",
      ] + more)
    #expect(saved.code == 0 && saved.error.contains("saved as experiment 1"), "\(saved.error)")
    // The set's file is not needed: the record has the prompts.
    try FileManager.default.removeItem(atPath: prompts)
    let again = try Program.run(["rerun", store, "1"])
    let answers = more.isEmpty ? 14 : 18
    #expect(again.code == 0 && again.out.hasPrefix("\(answers) of \(answers) answers match, "), "\(again)")
    let open = try Store(path: store, access: .readWrite)
    var record = try open.experiments(ids: [1])[0]
    var report = try JSONDecoder().decode(DoseResponse.self, from: Data(record.outputs.utf8))
    report = report.changed(prompt: 1, arm: 2, token: 1)
    record.outputs = storedJSON(report)
    try open.save(record)
    record.outputs = "{}"
    try open.save(record)
    record.outputs = storedJSON(report).replacing("\"latents\":[\(latents[0])],", with: "\"latents\":[],")
    try open.save(record)
    open.close()
    try Program.run(["rerun", store, "4"]).expectOneLine(saying: "arms of one run")
    let changed = try Program.run(["rerun", store, "2"])
    #expect(changed.code == 1 && changed.out.hasPrefix("prompt 2, steered ×2, seed 3: mismatch at token 1: saved 7 "))
    #expect(changed.out.contains("\(answers - 1) of \(answers) answers match"))
    try Program.run(["rerun", store, "3"]).expectOneLine(saying: "experiment 3 (prompt set)")
  }

  @Test func vectorsAreReadBack() throws {
    let id = latents[0]
    let record = try Store(path: store, access: .readOnly).latents(ids: [id])[0]
    func export(_ form: String, _ more: [String] = []) throws -> Program.Outcome {
      try Program.run(["export", store, form, "--latent", "\(id):0.5", "--out", path(form)] + more)
    }
    #expect(try export("control-vector").code == 0)
    let file = try GGUFFile(path: path("control-vector"))
    #expect(try file.string("general.architecture") == "controlvector" && file.int("controlvector.layer_count") == 1)
    let tensor = try file.tensor(named: "direction.2")
    #expect(tensor.dimensions == [TinyModel.dModel] && file.tensors.count == 1)
    let values = tensor.withBytes { bytes in
      (0..<tensor.rows * tensor.columns).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(norm / (0.5 * (record.maxActivation ?? 0)) - 1) < 1e-5)

    #expect(try export("safetensors").code == 0)
    let card = try SafetensorsFile(path: path("safetensors"))
    #expect(try card.floats(named: "steer_vector") == values && card.metadata["layer"] == "2")

    #expect(try export("neuronpedia", ["--prompt", "Hi"]).code == 0)
    let request = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path("neuronpedia")))) as? [String: Any])
    let feature = try #require((request["features"] as? [[String: Any]])?.first)
    #expect(feature["index"] as? Int == id && feature["strength"] as? Double ?? 0 > 0)
    for form in ["control-vector", "safetensors", "neuronpedia"] {
      let before = try Data(contentsOf: URL(filePath: path(form)))
      let prompt = form == "neuronpedia" ? ["--prompt", "Ho"] : ["--decoder", "base"]
      try export(form, prompt).expectOneLine(
        saying: "\(path(form)) is there already; name another file, or give --force")
      #expect(try Data(contentsOf: URL(filePath: path(form))) == before)
      #expect(try export(form, prompt + ["--force"]).code == 0)
      #expect(try Data(contentsOf: URL(filePath: path(form))) != before)
    }
    try Program.run(["export", store, "neuronpedia", "--latent", "1", "--out", "x"]).expectOneLine(
      code: 2, saying: "--prompt is needed")
    try Program.run(["export", store, "control-vector", "--latent", "1:1:ablate", "--out", "x"]).expectOneLine(
      code: 2, saying: "only be added")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: build.folder.path).filter { $0.hasSuffix(".tmp") }.isEmpty)
  }
}

extension DoseResponse {
  /// The report with another token in one answer.
  fileprivate func changed(prompt: Int, arm: Int, token: Int) -> DoseResponse {
    var outcomes = outcomes
    outcomes[prompt].answers[arm].ids[token] = 7
    return DoseResponse(
      promptFile: promptFile, prompts: prompts, request: request, basis: basis, control: control, settings: settings,
      versions: versions, rows: rows, arms: arms, outcomes: outcomes)
  }
}
