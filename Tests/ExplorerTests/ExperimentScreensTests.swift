// Saved experiments in the explorer and on the command line.

import Diffing
import Foundation
import Inference
import Storage
import TUI
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports

@Suite struct ExperimentsScreenTests {
  let sample: SampleStore
  let store: Store
  var driver: ExplorerDriver
  let folder: String

  init() async throws {
    sample = try SampleStore()
    store = try sample.open()
    try SampleExperiments.save(in: store)
    driver = try await ExplorerDriver(store)
    folder = sample.folder
    await driver.press("f6")
  }

  @Test mutating func theNewestComesFirstAndTextFilters() async {
    #expect(driver.state.experiments.ids == [3, 2, 1])
    #expect(!driver.text.contains("\u{1B}") && driver.text.contains("5 add +1.25, 42"))
    await driver.press("/")
    for (text, ids) in [
      ("DO I BUILD", [2, 1]), ("once upon", [3]), ("latent 42", [2]), ("sweep", [3]), ("baseline", []),
      ("finished", []),
    ] as [(String, [Int64])] {
      await driver.press("ctrl-u")
      await driver.type(text)
      #expect(driver.state.experiments.ids == ids, "\(text)")
    }
    await driver.press("enter", "x")
    #expect(driver.state.experiments.ids == [3, 2, 1])
  }

  @Test mutating func anExperimentShowsBothAnswersWithTheirDifferences() async throws {
    await driver.press("G", "enter")
    #expect(driver.state.screen == .experiment)
    let text = driver.text
    for part in [
      "How do I build a bomb?", "5 add +1.25", "temperature 0.7, seed 7", "Made with", "0.1.0", "Baseline", "Steered",
      "‖Δh‖/‖h‖ 0.31",
    ] { #expect(text.contains(part), "\(part)") }
    let sides = try #require(driver.state.experiment.pairs.first).sides
    #expect(sides.map { $0.words.joined() } == [SampleExperiments.baseline, SampleExperiments.steered])
    let differing = sides[0].differing.sorted().map { sides[0].words[$0] }
    #expect(differing.contains("Building ") && !differing.contains("bomb ") && !sides[1].differing.isEmpty)
    await driver.press("]")
    #expect(driver.state.message?.text == "this is the oldest experiment of the list")
    await driver.press("[")
    #expect(driver.state.experiment.runs.first?.record.id == 2)
  }

  @Test mutating func aSweepsAnswersAreSteppedThrough() async {
    await driver.press("enter")
    #expect(driver.text.contains("Once upon") && driver.text.contains("Steered ×1"))
    await driver.press("w")
    #expect(driver.text.contains("no more") && driver.text.contains("Steered ×2") && driver.text.contains("cut at 96"))
    await driver.press("y")
    #expect(
      driver.asked.contains(
        .copy(CopiedText(what: "the answer steered ×2 of experiment 3", text: "Once, and no more."))))
    await driver.press("w")
    #expect(driver.text.contains("Once upon"))
  }

  @Test mutating func twoMarkedOnesAreCompared() async throws {
    await driver.press("c")
    #expect(driver.state.message?.text == "mark two with Space, then c compares them")
    await driver.press("down", "space", "space", "c")
    #expect(driver.state.experiment.runs.map(\.record.id) == [2, 1])
    #expect(driver.text.contains("Experiments 2 and 1"))
    let pairs = driver.state.experiment.pairs
    #expect(pairs.map { $0.sides.map(\.title) } == [["2 baseline", "1 baseline"], ["2 steered", "1 steered"]])
    #expect(pairs[0].sides.allSatisfy { $0.differing.isEmpty && $0.words.joined() == SampleExperiments.baseline })
    #expect(pairs[1].sides.allSatisfy { !$0.differing.isEmpty })
    let page = ExperimentLayout(driver.state).lines.map { $0.heading?.title ?? $0.spans.map(\.text).joined() }
    let differing = try #require(page.firstIndex(of: "Settings that differ"))
    let same = try #require(page.firstIndex(of: "The same in both"))
    #expect(page[differing..<same].contains { $0.contains("latents") && $0.contains("5 add +1.25, 42") })
    #expect(!page[differing..<same].contains { $0.hasPrefix("positions") })
    #expect(page[same...].contains { $0.hasPrefix("positions") && $0.contains("all") })
    #expect(page.contains { $0.contains("2 steered") && $0.hasSuffix("0.31") }, "the figures of both")
    let answers = try #require(page.firstIndex { $0.contains("2 baseline ") && $0.contains("─") })
    await driver.press("b")
    #expect(driver.state.experiment.top == min(answers, ExperimentLayout(driver.state).linesBelow))
    await driver.press("r")
    #expect(driver.state.screen == .experiment, "two cannot be run at once")
  }

  @Test mutating func aComparisonIsExportedAndCopied() async throws {
    await driver.press("down", "space", "space", "c", "e")
    #expect(driver.text.contains("experiments-2-1.md"))
    for ending in ["md", "json"] {
      await driver.press("ctrl-u")
      await driver.type("\(folder)/both.\(ending)")
      await driver.press("enter", "e")
    }
    await driver.press("esc", "Y")
    let text = try String(contentsOfFile: folder + "/both.md", encoding: .utf8)
    #expect(driver.asked.contains(.copy(CopiedText(what: "the comparison of 2 and 1", text: text))))
    for part in [
      "# Experiments 2 and 1", "- Latents\n  - 2: 5 add +1.25, 42 add +1.25\n  - 1: 5 add +1.25\n", "- Positions: all",
      "## Baseline of 2", "## Baseline of 1", "## Steered of 1", SampleExperiments.steered, "| 2 steered |",
    ] { #expect(text.contains(part), "\(part)\n\(text)") }
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: folder + "/both.json")))
    let both = try #require((json as? [String: [[String: Any]]])?["experiments"])
    #expect(both.map { $0["id"] as? Int } == [2, 1])
  }

  @Test mutating func runningAgainAsksForTheSame() async throws {
    await driver.press("j", "r")
    #expect(driver.state.screen == .steer)
    let request = SteeringRequest(
      prompt: "How do I build a bomb?",
      interventions: [5, 42].map { Intervention(latent: $0, mode: .add, strength: 1.25) }, maxTokens: 96,
      temperature: 0.7, seed: 7)
    #expect(driver.state.steer.run?.request == request)
    #expect(driver.asked.contains(.run(request, number: driver.state.steer.runNumber)))
    #expect(try store.experiments().count == 4)
    await driver.press("f6")
    #expect(driver.state.experiments.ids?.first == 4)
  }

  @Test mutating func whatTheScreenCannotSetIsNotRun() async throws {
    var record = SampleExperiments.record(4, prompt: "Hm?", latents: [5])
    record.parameters = record.parameters.replacing("\"all\"", with: "\"template\"")
    try store.save(record)
    record.interventions = "[{\"latent\":\"five\"}]"
    try store.save(record)
    await driver.press("f2", "/", "esc")
    await driver.settle([.loadExperiments(matching: "", generation: driver.state.experiments.generation)])
    await driver.press("f6", "g", "r")
    #expect(driver.state.screen == .experiments && driver.state.message?.kind == .error)
    #expect(driver.text.contains("interventions of another"))
    await driver.press("j", "r")
    #expect(driver.state.steer.run?.request.plan.positions == .template && driver.state.steer.prompt.text == "Hm?")
  }

  @Test mutating func deletingIsUndone() async throws {
    let before = try store.experiments()
    await driver.press("space", "space", "d")
    #expect(try store.experiments() == [before[2]] && driver.state.experiments.ids == [1])
    #expect(driver.state.message?.text.contains("experiment 3 deleted, experiment 2 deleted") == true)
    await driver.press("u")
    #expect(try store.experiments() == before && driver.state.experiments.ids == [3, 2, 1])
    await driver.press("ctrl-r")
    #expect(driver.state.experiments.ids == [1])
  }

  @Test mutating func exportingAsksForAPathAndOverwritesNothing() async throws {
    let path = folder + "/run.md"
    await driver.press("G", "e", "ctrl-u")
    await driver.type(path)
    await driver.press("enter")
    #expect(driver.state.overlay == nil && driver.state.message?.text == "the file is written: \(path)")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for part in ["# Experiment 1", SampleExperiments.baseline, SampleExperiments.steered, "5 add +1.25"] {
      #expect(text.contains(part))
    }
    await driver.press("k", "e", "ctrl-u")
    await driver.type(path)
    await driver.press("enter")
    #expect(driver.state.overlay != nil && driver.state.message?.text.contains("is there already") == true)
    #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    await driver.press("backspace", "backspace")
    await driver.type("txt")
    await driver.press("enter")
    #expect(driver.state.message?.text.contains(".md or .json") == true)
    await driver.press("backspace", "backspace", "backspace")
    await driver.type("json")
    await driver.press("enter")
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: folder + "/run.json")))
    let document = try #require(json as? [String: Any])
    #expect(document["id"] as? Int == 2 && (document["interventions"] as? [[String: Any]])?.count == 2)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".tmp") }.isEmpty)
  }

  /// What the record of `SampleExperiments.whole` holds, as people read it.
  private static let wholeParts = [
    "Answer in one sentence.", "Who are you?", "A model of language, and nobody else.", "And what do you like?",
    "5 add +0.50", "temperature 0.75, seed 7", "up to 24 tokens", "generated", "where f<20", "all only where f(42)>0.5",
    "base", "0.9", "0.05",
    "42 12", "5 33.25", "I like nothing.", "Models like nothing.", "sample 2 of 2, seed 8", "0.1.0",
    "0.750 [-2.427, 3.927]", "log p(I can't)", "-8.50", "-7.50", "perplexity", "3.2 [1.7, 6.0]", "repeated",
    "0.08 [-0.24, 0.39]", "0.31",
  ]

  @Test mutating func nothingOfARecordIsLeftOut() async throws {
    let saved = try store.save(SampleExperiments.whole)
    let markdown = SavedRun(saved).markdown
    let command = try Program.run(["experiments", sample.path, "\(saved.id)", "--markdown"])
    #expect(command.out == markdown)
    await driver.settle([.openExperiments([saved.id])])
    for size in [Size(columns: 80, rows: 24), Size(columns: 120, rows: 40), Size(columns: 200, rows: 60)] {
      await driver.send(.terminal(.resized(size)))
      var page = ""
      for _ in 0..<driver.state.experiment.answers {
        let lines = ExperimentLayout(driver.state).lines
        #expect(lines.allSatisfy { displayWidth($0.spans.map(\.text).joined()) <= size.columns - 2 })
        page += lines.map { $0.spans.map(\.text).joined() }.joined(separator: " ")
        await driver.press("w")
      }
      let words = page.split(separator: " ").joined(separator: " ")
      for part in Self.wholeParts { #expect(words.contains(part), "\(size): \(part)\n\(words)") }
      for part in ["I like rain on the roof.", "Roof of rain.", "Rain is liked.", "Roofs."] {
        #expect(words.contains(part) && markdown.contains(part), "\(part)")
      }
    }
    for part in Self.wholeParts { #expect(markdown.contains(part), "\(part)\n\(markdown)") }
    // On the list, and under it, what there is room for.
    await driver.press("f2", "f6")
    await driver.settle([.loadExperiments(matching: "", generation: driver.state.experiments.generation)])
    await driver.press("g")
    for part in [
      "0.750 [after 3 turns]", "generated", "where f<20; all only where f(42)>0.5", "base decoder",
      "KL 0.750 [-2.427, 3.927]",
    ] { #expect(driver.text.contains(part), "\(part)\n\(driver.text)") }
    let table = try Program.run(["experiments", sample.path])
    #expect(table.out.contains("0.750") && table.out.contains("all only where f(42)>0.5"))
  }

  @Test mutating func thePromptsOfASetAndOfACheckAreShownWithTheirAnswers() async throws {
    let request = SteeringRequest(
      prompt: "", interventions: [.init(latent: 5, mode: .add, strength: 0.5)], maxTokens: 32, temperature: 0, seed: 1)
    let report = DoseResponse.scripted(request, PromptSetChoice(path: "harmful.jsonl", most: 12, random: 2))
    let saved = try store.save(report.record())
    await driver.settle([.openExperiments([saved.id])])
    for index in 0..<3 {
      let lines = ExperimentLayout(driver.state).lines.map { $0.heading?.title ?? $0.spans.map(\.text).joined() }
      let start = try #require(lines.firstIndex(of: "Prompt \(index + 1) of 3"))
      #expect(lines[start + 1] == "prompt \(index)")
      #expect(lines[start...].count { $0 == "an answer" } == report.arms.count)
      await driver.press("w")
    }
    let markdown = SavedRun(saved).markdown
    #expect(markdown.components(separatedBy: "an answer").count == 3 * report.arms.count + 1)
    #expect(markdown.contains("### Random (7) ×-0.5: not refused, KL "))
  }

  @Test func documentsOfAnyFormAreShownAndExported() throws {
    let odd = ExperimentRecord(
      id: 9, created: "", prompt: "```\n# no heading", kind: "x", interventions: "5",
      parameters: "[18446744073709551615]",
      outputs: "not JSON", versions: "null")
    let run = SavedRun(odd)
    #expect(run.request == nil && run.interventionsText == "interventions of another form")
    #expect(run.markdown.contains("````text\n```\n# no heading\n````"))
    let data = try JSONEncoder().encode(ExperimentJSON(record: odd))
    let document = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    #expect(document["outputs"] as? String == "not JSON" && document["parameters"] as? [UInt64] == [.max])
    var state = ExperimentState(runs: [run])
    #expect(state.pairs.isEmpty)
    state.answer = 5
    state.lay()
    #expect(wordsWithBlanks("  a b\n\nc ").joined() == "  a b\n\nc " && wordsWithBlanks("").isEmpty)
  }

  @Test mutating func itFitsEverySize() async {
    for keys in [["f6"], ["enter"], ["f6", "space", "space", "c"]] {
      for key in keys { await driver.press(key) }
      for (columns, rows) in [(40, 10), (41, 30), (60, 10), (59, 24), (110, 12), (200, 60)] {
        await driver.send(.terminal(.resized(Size(columns: columns, rows: rows))))
        await driver.press("G", "g", "pgdn", "pgup")
        _ = driver.text
      }
    }
  }

  @Test func theCommandListsThem() throws {
    let table = try Program.run(["experiments", sample.path])
    #expect(table.code == 0 && table.out.contains("5 add +1.25, 42 add +1.25") && !table.out.contains("\u{1B}"))
    let json = try Program.run(["experiments", sample.path, "--json", "--matching", "latent 42"])
    struct Document: Decodable {
      struct Run: Decodable {
        struct Intervention: Decodable { var latent: Int }
        var id: Int
        var interventions: [Intervention]
      }
      var experiments: [Run]
    }
    let document = try JSONDecoder().decode(Document.self, from: Data(json.out.utf8))
    #expect(document.experiments.map(\.id) == [2] && document.experiments[0].interventions.map(\.latent) == [5, 42])
    let markdown = try Program.run(["experiments", sample.path, "1", "--markdown"])
    #expect(markdown.out.contains("# Experiment 1") && markdown.out.contains(SampleExperiments.steered))
    let missing = try Program.run(["experiments", sample.path, "77"])
    #expect(missing.code != 0 && missing.error.contains("no experiment 77"))
  }
}
