// `crosscope evidence` on the tiny pair: every section has its figures and controls, finished sections are kept over a broken
// run, and a plan that cannot be obeyed is refused by name.

import Foundation
import Storage
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Explorer
@testable import crosscope

@Suite struct EvidenceCommandTests {
  private let build: TinyBuild
  private var folder: String { build.folder.path }

  init() throws {
    build = try TinyBuild()
    try build.run()
    try #"""
    {"behaviours": [{"name": "speaks", "about": "It says anything.", "expressions": ["\\S"]},
                    {"name": "never", "about": "It says what is never said.", "expressions": ["zzzzzzzz"]}]}
    """#.write(toFile: folder + "/behaviours.json", atomically: true, encoding: .utf8)
    let prompts = ["why rain", "love and code", "seven stone", "cat river"].enumerated().map { index, text in
      #"{"kind": "\#(index % 2 == 0 ? "even" : "odd")", "prompt": "\#(text)"}"#
    }
    let chats = ["night", "paper"].map {
      #"{"messages": [{"role": "user", "content": "\#($0)"}, {"role": "assistant", "content": "sun and rain"}]}"#
    }
    try prompts.joined(separator: "\n").write(toFile: folder + "/prompts.jsonl", atomically: true, encoding: .utf8)
    try chats.joined(separator: "\n").write(toFile: folder + "/chats.jsonl", atomically: true, encoding: .utf8)
    try write(plan)
  }

  private let plan = """
    {"behaviours": "behaviours.json", "max_tokens": 4, "perplexity": 1000000, "seed": 1,
     "shown": [{"name": "said", "behaviour": "speaks", "prompts": "prompts.jsonl"},
               {"name": "unsaid", "behaviour": "never", "without": true, "prompts": "prompts.jsonl", "kinds": ["even"]}],
     "added": [{"name": "add", "behaviour": "never", "latents": 2, "strengths": [0.01, 0.02], "choose": "prompts.jsonl",
                "prompts": "prompts.jsonl", "kinds": ["odd"], "random": 2}],
     "removed": [{"name": "remove", "behaviour": "speaks", "filter": "chat_specificity<=6", "latents": [1, 2], "prompts": "prompts.jsonl"}],
     "triggers": {"latents": 8, "kinds": ["even", "odd"], "choose": ["prompts.jsonl"], "prompts": ["prompts.jsonl"]},
     "causal": {"chats": "chats.jsonl", "latents": 2, "random": 2}}
    """

  private func write(_ plan: String) throws {
    try plan.write(toFile: folder + "/plan.json", atomically: true, encoding: .utf8)
  }

  private func evidence(_ more: String...) throws -> Program.Outcome {
    try Program.run(["evidence", build.storePath, "--plan", folder + "/plan.json"] + more)
  }

  @Test func everySectionHasFiguresAndControls() throws {
    let out = folder + "/evidence.json"
    let run = try evidence("--out", out, "--json")
    #expect(run.code == 0, "\(run.error)")
    let report = try JSONDecoder().decode(EvidenceReport.self, from: Data(run.out.utf8))
    #expect(try JSONDecoder().decode(EvidenceReport.self, from: Data(contentsOf: URL(filePath: out))) == report)
    #expect(!FileManager.default.fileExists(atPath: out + ".parts"), "the parts of a whole report are not needed")
    #expect(report.shown.map(\.prompts) == [4, 2])
    #expect(report.shown[1].base.value == 1 && report.shown[1].chat.value == 1, "nobody says what is never said")
    let added = try #require(report.added.first)
    #expect(added.prompts == 2 && added.draws == 2 && added.steered.rate.value == 0 && added.random.rate.low == 0)
    #expect(added.chosenAmong.count == 2 && added.chosenAmong[0].latent == added.latent)
    let removed = try #require(report.removed.first)
    #expect(removed.arms.map(\.kind) == ["unsteered", "base", "latents", "random", "latents", "random"])
    #expect(removed.arms.map(\.latents) == [0, 0, 1, 1, 2, 2])
    #expect(try #require(removed.arms[0].klToBase).value > 0)
    // Streams of one batch may differ in their last bits.
    #expect(try abs(#require(removed.arms[1].klToBase).value) < 1e-6, "base does not differ from itself")
    #expect(removed.arms.dropFirst(2).allSatisfy { $0.closed != nil })
    let triggers = try #require(report.triggers)
    #expect(triggers.prompts == ["even": 2, "odd": 2] && triggers.rows.map(\.kind) == ["even", "odd"])
    // Chosen and measured on the same prompts, both kinds against each other.
    for (index, row) in triggers.rows.enumerated() {
      #expect(row.auc[index] == row.chosenAUC && row.auc[0] + row.auc[1] == 1)
    }
    let causal = try #require(report.causal)
    #expect(causal.chats == 2 && causal.top != nil && causal.random != nil && causal.topHalf != nil)
    let tables = try evidence("--markdown")
    #expect(
      tables.code == 0 && tables.out.contains("| add") == false && tables.out.contains("| never | \(added.latent) |"))
  }

  @Test func aSectionWithoutCoherentLatentSaysSoAndTheOthersGoOn() throws {
    try write(plan.replacing("\"perplexity\": 1000000", with: "\"perplexity\": 1.000001"))
    let run = try evidence("--json")
    #expect(run.code == 0, "\(run.error)")
    let report = try JSONDecoder().decode(EvidenceReport.self, from: Data(run.out.utf8))
    #expect(report.added.isEmpty && report.removed.count == 1 && report.causal != nil)
    #expect(report.incoherent == [.init(name: "add", behaviour: "never", latents: 2)])
    #expect(report.text.contains("none of 2"))
  }

  @Test func triggersAreKeptAsColumnsThatPlansOrderBy() throws {
    let triggers = ["triggers", build.storePath, "--prompts", folder + "/prompts.jsonl"]
    let run = try Program.run(
      triggers + ["--group", "all=even,odd", "--limit", "2", "--save", "--least", "0", "--json"])
    #expect(run.code == 0, "\(run.error)")
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(
      try Set(store.metricNames()).isSuperset(of: [
        "auc_even", "auc_odd", "auc_all", "carried_even", "carried_odd", "carried_all",
      ]))
    // Of two kinds, what tells the one tells the other less.
    let sorted = try store.latentIDs(
      sortedBy: .metric("auc_even"), ascending: false, matching: Filter("auc_even>0.5", metrics: store.metricNames()))
    #expect(
      !sorted.isEmpty && run.out.contains("\"latent\" : \(sorted[0])") || run.out.contains("\"latent\":\(sorted[0])"))
    // Saving again replaces.
    #expect(try Program.run(triggers + ["--save"]).code == 0)
    #expect(try Program.run(triggers + ["--kind", "none"]).error.contains("prompts of the kinds none"))
    #expect(try Program.run(["check", build.storePath]).code == 0)

    try write(
      plan.replacing(#""filter": "chat_specificity<=6""#, with: #""order": "auc_even""#)
        .replacing(
          #""latents": 2, "strengths": [0.01, 0.02]"#,
          with: #""latents": 20, "screen": 1, "positions": ["last", "template"], "strengths": [0.01]"#))
    let report = try JSONDecoder().decode(EvidenceReport.self, from: Data(evidence("--json").out.utf8))
    let added = try #require(report.added.first)
    #expect([.last, .template].contains(added.positions) && added.chosenAmong.count == 6)
  }

  @Test func aBrokenRunResumesAtItsSection() throws {
    let out = folder + "/evidence.json"
    try write(plan.replacing(#""kinds": ["odd"]"#, with: #""kinds": ["none"]"#))
    let broken = try evidence("--out", out)
    #expect(broken.code == 1 && broken.error.contains("prompts of the kind none"), "\(broken.error)")
    let part = out + ".parts/said.json"
    var kept = try String(contentsOfFile: part, encoding: .utf8)
    #expect(!FileManager.default.fileExists(atPath: out))
    // What is kept is used: another name in the kept section comes back in the report.
    kept = kept.replacing(#""name":"said""#, with: #""name":"kept""#)
    try kept.write(toFile: part, atomically: true, encoding: .utf8)
    // Another filter in another section decides nothing here.
    try write(plan.replacing("chat_specificity<=6", with: "chat_specificity<=7"))
    let run = try evidence("--out", out, "--json")
    let report = try JSONDecoder().decode(EvidenceReport.self, from: Data(run.out.utf8))
    #expect(report.shown.map(\.name) == ["kept", "unsaid"])
  }

  @Test func aSectionOfOtherPromptsIsMeasuredAgain() throws {
    let out = folder + "/evidence.json"
    try write(plan.replacing(#""kinds": ["odd"]"#, with: #""kinds": ["none"]"#))
    _ = try evidence("--out", out)
    let part = out + ".parts/said.json"
    let kept = try String(contentsOfFile: part, encoding: .utf8)
      .replacing(#""name":"said""#, with: #""name":"kept""#)
    try kept.write(toFile: part, atomically: true, encoding: .utf8)
    let prompts = try String(contentsOfFile: folder + "/prompts.jsonl", encoding: .utf8)
    try (prompts + "\n" + #"{"kind": "odd", "prompt": "sun"}"#)
      .write(toFile: folder + "/prompts.jsonl", atomically: true, encoding: .utf8)
    try write(plan)
    let report = try JSONDecoder().decode(EvidenceReport.self, from: Data(evidence("--out", out, "--json").out.utf8))
    #expect(report.shown[0].name == "said" && report.shown[0].prompts == 5)
  }

  @Test func plansThatCannotBeObeyedAreRefused() throws {
    for (from, to, hint) in [
      (#""behaviour": "speaks""#, #""behaviour": "sings""#, "sings"), (#""seed": 1"#, #""sed": 1"#, "sed"),
      (#""strengths": [0.01, 0.02]"#, #""strengths": []"#, "strengths"),
      (#""latents": [1, 2]"#, #""latents": [0]"#, "latents"),
      (#""name": "add""#, #""name": "said""#, "one name"),
    ] {
      try write(plan.replacing(from, with: to))
      try evidence().expectOneLine(saying: hint)
    }
  }
}
