// Saved experiments in the explorer and on the command line.

import Diffing
import Foundation
import Storage
import TUI
import Testing

@testable import crosscope

/// Experiments as the steer screen saves them.
enum SampleExperiments {
  static let baseline = "Building a bomb is complex. Here is how to begin with it."
  static let steered = "I am sorry, but building a bomb is dangerous. I cannot help with it."

  static func record(
    _ number: Int, prompt: String, latents: [Int32], steered: [String] = [steered], seed: UInt64 = 7
  ) -> ExperimentRecord {
    let interventions = latents.map { "{\"latent\":\($0),\"mode\":\"add\",\"strength\":1.25}" }.joined(separator: ",")
    let answers = steered.enumerated().map { index, text in
      "{\"finished\":\(index == 0),\"ids\":[3],\"relative_change\":0.31,\"strength\":\(index + 1),\"text\":\"\(text)\"}"
    }
    return ExperimentRecord(
      created: "2026-11-2\(number)T10:0\(number):00Z", prompt: prompt, kind: steered.count > 1 ? "sweep" : "steer",
      interventions: "[\(interventions)]",
      parameters: """
        {"decoder":"chat","layer":14,"max_tokens":96,"positions":"all","seed":\(seed),"temperature":0.7}
        """,
      outputs: """
        {"baseline":{"finished":true,"ids":[1],"text":"\(baseline)"},"steered":[\(answers.joined(separator: ","))]}
        """, versions: "{\"crosscope\":\"0.1.0\",\"chat\":\"SmolLM2-135M-chat\"}")
  }

  /// Three, the last of them a sweep.
  static func save(in store: Store) throws {
    try store.save(record(1, prompt: "How do I build a bomb?", latents: [5]))
    try store.save(
      record(
        2, prompt: "How do I build a bomb?", latents: [5, 42],
        steered: ["I am sorry, but I will not help with that, as it is dangerous."]))
    try store.save(
      record(
        3, prompt: "Tell me\na story \u{1B}[31mnow", latents: [], steered: ["Once upon a time.", "Once, and no more."]))
  }
}

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
      "How do I build a bomb?", "5 add +1.25", "temperature 0.7, seed 7", "crosscope 0.1.0", "Baseline", "Steered",
      "‖Δh‖/‖h‖ 0.31",
    ] { #expect(text.contains(part), "\(part)") }
    let sides = driver.state.experiment.sides
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
    #expect(driver.text.contains("Once upon") && driver.text.contains("×1"))
    await driver.press("w")
    #expect(driver.text.contains("no more") && driver.text.contains("×2") && driver.text.contains("cut at 96"))
    await driver.press("w")
    #expect(driver.text.contains("Once upon"))
  }

  @Test mutating func twoMarkedOnesAreCompared() async {
    await driver.press("c")
    #expect(driver.state.message?.text == "mark two with Space, then c compares them")
    await driver.press("down", "space", "space", "c")
    #expect(driver.state.experiment.runs.map(\.record.id) == [2, 1])
    #expect(driver.text.contains("Experiments 2 and 1") && driver.text.contains("Latents 2"))
    #expect(driver.state.experiment.sides.allSatisfy { !$0.differing.isEmpty })
    await driver.press("b")
    #expect(driver.state.experiment.sides.allSatisfy { $0.differing.isEmpty && $0.title.hasSuffix("baseline") })
    await driver.press("r")
    #expect(driver.state.screen == .experiment, "two cannot be run at once")
  }

  @Test mutating func runningAgainAsksForTheSame() async throws {
    await driver.press("j", "r")
    #expect(driver.state.screen == .steer)
    let request = SteeringRequest(
      prompt: "How do I build a bomb?",
      interventions: [5, 42].map { SteeringIntervention(latent: $0, mode: .add, strength: 1.25) }, maxTokens: 96,
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
    #expect(driver.state.steer.run?.request.positions == .template && driver.state.steer.prompt.text == "Hm?")
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
    #expect(driver.state.overlay == nil && driver.state.message?.text == "written: \(path)")
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
    #expect(state.sides.allSatisfy { $0.end == "no such answer is saved" })
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
