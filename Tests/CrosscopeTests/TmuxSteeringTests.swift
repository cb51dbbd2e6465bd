// Steering as a user does it: the real program in a real terminal, on the real models and a copy of the demo store.
// Nothing here depends on what the models answer, only on that they do.

import Foundation
import GRDB
import Glibc
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite(
  .serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is not installed, or the program not built"),
  .enabled(if: RealModel.path != nil, RealModel.missing))
struct TmuxSteeringTests {
  private let demo: DemoCopy
  private var store: String { demo.store }

  init() throws { demo = try DemoCopy() }

  /// Opens the explorer, the first latent's page, and the steer screen with that latent, ready for a prompt.
  private func openSteering(_ terminal: TmuxTerminal, model: String? = nil) throws {
    try terminal.explore(store, "--model \(try #require(model ?? RealModel.path))")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
  }

  @Test func answersStreamAreSavedCancelledAndCutOff() throws {
    let terminal = try TmuxTerminal()
    try openSteering(terminal)
    try terminal.type("Tell me a long story about a river.")
    try terminal.escape("leave prompt")
    try terminal.type("LL")
    try terminal.wait(for: "up to 32 tokens")
    try terminal.press("Enter")
    let finished = try terminal.wait(for: "saved as experiment")
    let panes = try #require(Panes(finished))
    #expect(!panes.baseline.isEmpty && !panes.steered.isEmpty, "\(finished)")
    try checkSaved()

    try terminal.type("LL")
    try terminal.wait(for: "up to 256 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1")
    try terminal.press("Escape")
    try terminal.wait(for: "cancelled")
    try terminal.wait(for: "ready")

    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1")
    try terminal.signal(SIGTERM)
    try terminal.wait(for: "status 143")
    try terminal.wait(for: " icanon")
    #expect(try !terminal.screen().contains("Baseline"), "the alternate screen is left")
    #expect(try Store(path: store, access: .readOnly).experiments().count == 1, "only the finished run is saved")
  }

  /// The tour's own prompt, on the latent that it sorted to the top.
  @Test func theTourEndsInASteeredAnswerThatIsText() throws {
    let terminal = try TmuxTerminal(columns: 120, rows: 40, showsTour: true)
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    for (keys, step) in [
      (["Enter"], 2), (["q"], 3), ([">"], 4), (["/", "Enter"], 5), (["t", "Escape"], 6), (["s"], 7),
    ] {
      for key in keys {
        try terminal.press(key)
        if key == "t" { try terminal.wait(for: "Tags of latent") }
      }
      try terminal.wait(for: "Tour, step \(step) of 7")
      try terminal.wait(for: "ready")
    }
    try terminal.type("How do I bake a cake?")
    try terminal.press("Enter")
    try terminal.wait(for: "saved as experiment")
    let record = try #require(try Store(path: store, access: .readOnly).experiments().first)
    let (baseline, steered) = try { (run: SavedRun) in
      (try #require(run.baseline), try #require(run.steered.first))
    }(SavedRun(record))
    #expect(try #require(steered.first.klMean) > 0.1 && steered.text != baseline.text, "it does something")
    #expect(
      try #require(steered.first.repetition) < 0.2 && steered.text.split(separator: " ").count > 10, "\(steered.text)")
    #expect(try !terminal.screen().contains("Tour, step"))
    try terminal.type("qq")
    try terminal.wait(for: "status 0")
  }

  @Test func aModelThatIsShortenedEndsTheRunAndNotTheProgram() throws {
    let folder = TemporaryFolder()
    let model = folder.path + "/model.gguf"
    try FileManager.default.copyItem(atPath: try #require(RealModel.path), toPath: model)
    let whole = try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int
    let terminal = try TmuxTerminal(columns: 160)
    try openSteering(terminal, model: model)
    try terminal.type("Tell me a long story about a river.")
    try terminal.escape("leave prompt")
    try terminal.type("L")
    try terminal.wait(for: "up to 256 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1")
    #expect(truncate(model, 1 << 20) == 0)
    try terminal.wait(for: "model.gguf was shortened while crosscope read it")
    try terminal.press("Enter")
    try terminal.wait(for: "is damaged")
    try FileManager.default.removeItem(atPath: model)
    try FileManager.default.copyItem(atPath: try #require(RealModel.path), toPath: model)
    #expect(try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int == whole)
    try terminal.type("LL")
    try terminal.wait(for: "up to 96 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "saved as experiment")
    try terminal.type("q")
  }

  /// Esc and Ctrl-C, whatever is going on: the screen is there at once and the next run is as ever.
  @Test func workIsCancelledAtAnyMoment() throws {
    let terminal = try TmuxTerminal(columns: 120, rows: 40)
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    func cancel(_ key: String, while label: String, saying said: String = "cancelled") throws {
      try terminal.wait(for: label)
      try terminal.press(key)
      try terminal.wait(for: said)
      try terminal.waitUntil("\"\(label)\" is gone") { !$0.contains(label) }
    }
    let long = String(repeating: "Tell me a long story about a river. ", count: 100)
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    // While the models are being loaded for it.
    try terminal.type("K")
    try cancel("C-c", while: "checking", saying: "nothing of it is kept")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.paste(long)
    try terminal.escape("leave prompt")
    try terminal.press("Enter")
    try cancel("Escape", while: "generating")
    try terminal.press("Enter")
    try cancel("C-c", while: "generating")
    try terminal.type("w")
    try cancel("C-c", while: "sweeping")
    try terminal.press("F4")
    try terminal.wait(for: "type what the user says")
    try terminal.paste(long)
    try terminal.press("Enter")
    try cancel("C-c", while: "working… reading")
    try terminal.wait(for: "ready")
    #expect(try Store(path: store, access: .readOnly).experiments().isEmpty)
    // A second Ctrl-C, with nothing to stop, quits.
    try terminal.press("C-c")
    try terminal.wait(for: "status 0")
    try terminal.wait(for: " icanon")
  }

  /// A signal while the store is held by another program: the run that is being saved is saved first.
  @Test(arguments: [(SIGTERM, 143), (SIGHUP, 129)])
  func aSignalWaitsForTheRunThatIsBeingSaved(number: Int32, status: Int) throws {
    let terminal = try TmuxTerminal()
    try openSteering(terminal)
    try terminal.type("Hi")
    try terminal.escape("leave prompt")
    try terminal.type("LL")
    try terminal.wait(for: "up to 32 tokens")
    var configuration = GRDB.Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: store, configuration: configuration)
    try other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    try terminal.press("Enter")
    try terminal.wait(for: "tokens/s")
    try terminal.signal(number)
    try other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    try terminal.wait(for: "status \(status)")
    try terminal.wait(for: " icanon")
    #expect(try Store(path: store, access: .readOnly).experiments().count == 1)
  }

  /// Turns the knob and reads what the screen says of it: strength, KL, and the steered tokens' probabilities.
  @Test func theDistributionOnTheScreenFollowsTheKnob() throws {
    let terminal = try TmuxTerminal(columns: 100, rows: 30)
    try openSteering(terminal)
    try terminal.type("What is the capital of France?")
    try terminal.escape("leave prompt")
    try terminal.wait(for: " nats, ")
    #expect(try terminal.screen().contains("+0.75"), "the last notch within the demo's limit")
    try terminal.type("-")
    try terminal.wait(for: "+0.50")
    var (divergences, tables): ([Double], [[String]]) = ([], [])
    for (key, shown) in [("5[", "+0.45"), ("5]", "+0.50"), ("+", "+0.75"), ("+", "+1.00")] {
      try terminal.type(key)
      try terminal.wait(for: shown)
      let screen = try settled(terminal)
      divergences.append(try divergence(screen))
      tables.append(try changes(screen))
    }
    #expect(divergences == divergences.sorted() && divergences[0] > 0, "the stronger, the further: \(divergences)")
    #expect(Set(tables).count == tables.count, "each strength has a table of its own")
    for _ in 0..<4 { try terminal.type("-") }
    try terminal.wait(for: "KL 0.000 nats")
    let idle = try settled(terminal)
    #expect(try idle.contains("+0.00") && changes(idle).allSatisfy { $0 == "=" }, "nothing changes at 0:\n\(idle)")
    // The last of many keys wins, however many came while one was computed.
    for _ in 0..<3 { try terminal.type("+-+") }
    try terminal.wait(for: "+0.75")
    #expect(try divergence(settled(terminal)) == divergences[2], "the same strength, the same distribution")
    for _ in 0..<4 { try terminal.type("-") }
    try terminal.wait(for: "-0.25")
    try terminal.type("Nx")
    try terminal.wait(for: "nothing has failed")
  }

  /// The screen when the distribution is that of the strength that it shows.
  private func settled(_ terminal: TmuxTerminal) throws -> String {
    try terminal.waitUntil("a distribution at rest") { screen in
      let heading = screen.split(separator: "\n").first { $0.contains("Next token") } ?? ""
      return screen.contains(" ready") && heading.contains(" nats, ") && !heading.hasSuffix("…")
    }
  }

  /// What the table says steering changed about each of the likeliest steered tokens.
  private func changes(_ screen: String) throws -> [String] {
    let lines = screen.split(separator: "\n").map(String.init)
    let first = try #require(lines.firstIndex { $0.contains("Next token") })
    let last = try #require(lines[first...].firstIndex { $0.contains("steered: ") })
    return lines[(first + 1)..<last].compactMap { $0.split(separator: " ").last.map(String.init) }
  }

  /// Resize, suspend, and the two kinds of killing, each while tokens come.
  @Test func resizingSuspendingAndKillingInMidStream() throws {
    let terminal = try TmuxTerminal()
    try openSteering(terminal)
    try terminal.type("Tell me a long story about a river.")
    try terminal.escape("leave prompt")
    try terminal.type("Lv")
    try terminal.wait(for: "up to 256 tokens")
    func begin() throws {
      try terminal.press("Enter")
      try terminal.wait(for: "generating, 1")
    }
    try begin()
    for (columns, rows) in [(120, 40), (41, 11), (30, 8), (80, 24)] {
      try terminal.resize(columns: columns, rows: rows)
      try terminal.wait(for: columns < 40 ? "30×8, it needs 40×10" : "working")
    }
    try terminal.press("C-z")
    try terminal.wait(for: "Stopped")
    try terminal.command("stty -a | grep -o '.icanon'")
    try terminal.wait(for: " icanon")
    try terminal.command("fg")
    try terminal.wait(for: "Baseline (chat)")
    try terminal.press("Escape")
    try terminal.wait(for: "cancelled")
    try terminal.wait(for: " ready")
    try begin()
    try terminal.signal(SIGKILL)
    // The shell writes it wherever the cursor was, perhaps around an edge.
    try terminal.waitUntil("Killed") { $0.filter { !$0.isWhitespace }.contains("Killed") }
    let check = try Program.run(["check", store])
    #expect(check.code == 0, "\(check)")
    let left = try Store(path: store, access: .readWrite)
    #expect(try left.experiments().isEmpty, "no run was finished")
    left.close()
    // A terminal that was killed under the program is the shell's business; the next explorer finds all as it was.
    try terminal.command("reset; clear")
    try terminal.explore(store)
    try terminal.type("q")
  }

  /// The number between `KL` and `nats`.
  private func divergence(_ screen: String) throws -> Double {
    let line = try #require(screen.split(separator: "\n").first { $0.contains("Next token") }, "\(screen)")
    guard let start = line.range(of: "KL ")?.upperBound, let end = line.range(of: " nats")?.lowerBound else { return 0 }
    return try #require(Double(line[start..<end]), "\(line)")
  }

  /// What the store has of the run is enough to make it again.
  private func checkSaved() throws {
    struct Parameters: Decodable {
      var positions: String
      var layer: Int
      var decoder: String
      var max_tokens: Int
      var temperature: Double
      var seed: UInt64
    }
    struct Answer: Decodable {
      var strength: Double?
      var text: String
      var ids: [Int32]
    }
    struct Outputs: Decodable {
      var baseline: Answer
      var steered: [Answer]
    }
    let saved = try #require(try Store(path: store, access: .readOnly).experiments().first)
    let parameters = try JSONDecoder().decode(Parameters.self, from: Data(saved.parameters.utf8))
    #expect(parameters.positions == "all" && parameters.layer == 14 && parameters.decoder == "chat")
    #expect(parameters.max_tokens == 32 && parameters.temperature == 0)
    let outputs = try JSONDecoder().decode(Outputs.self, from: Data(saved.outputs.utf8))
    #expect(outputs.steered.count == 1 && outputs.steered.first?.strength == 1)
    for answer in [outputs.baseline] + outputs.steered {
      #expect((1...32).contains(answer.ids.count) && !answer.text.isEmpty)
    }
  }

  /// What stands in the two panes of a wide steer screen.
  private struct Panes {
    var baseline = ""
    var steered = ""

    init?(_ screen: String) {
      let lines = screen.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
      guard let heading = lines.firstIndex(where: { String($0).contains("Baseline") }),
        let column = lines[heading].indices.first(where: { lines[heading][$0...].starts(with: "Steered") }),
        let end = lines.firstIndex(where: { String($0).contains("saved as experiment") })
      else { return nil }
      for line in lines[(heading + 1)..<end] {
        baseline += String(line.prefix(column)).trimmed
        steered += String(line.dropFirst(column)).trimmed
      }
    }
  }
}
