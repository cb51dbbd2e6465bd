// Steering as a user does it: the real program in a real terminal, on the real models and a copy of the demo store.
// Nothing here depends on what the models answer, only on that they do.

import Foundation
import GRDB
import Glibc
import Storage
import TestSupport
import Testing

@testable import crosscope

@Suite(
  .serialized, .enabled(if: TmuxTerminal.isAvailable, "tmux is not installed, or the program not built"),
  .enabled(if: RealModel.path != nil, RealModel.missing))
struct TmuxSteeringTests {
  /// Loading and checking the models takes a while on a busy machine.
  private static let patience = 40 * TmuxTerminal.looks
  private let demo: DemoCopy
  private var store: String { demo.store }

  init() throws { demo = try DemoCopy() }

  @Test func answersStreamAreSavedCancelledAndCutOff() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.type("Tell me a long story about a river.")
    try terminal.escape("leave prompt")
    try terminal.type("LL")
    try terminal.wait(for: "up to 32 tokens")
    try terminal.press("Enter")
    let finished = try terminal.wait(for: "saved as experiment", looks: Self.patience)
    let panes = try #require(Panes(finished))
    #expect(!panes.baseline.isEmpty && !panes.steered.isEmpty, "\(finished)")
    try checkSaved()

    try terminal.type("LL")
    try terminal.wait(for: "up to 256 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1", looks: Self.patience)
    try terminal.press("Escape")
    try terminal.wait(for: "cancelled", looks: Self.patience)
    try terminal.wait(for: "ready", looks: Self.patience)

    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1", looks: Self.patience)
    try terminal.signal(SIGTERM)
    try terminal.wait(for: "status 143", looks: Self.patience)
    try terminal.wait(for: " icanon")
    #expect(try !terminal.screen().contains("Baseline"), "the alternate screen is left")
    #expect(try Store(path: store, access: .readOnly).experiments().count == 1, "only the finished run is saved")
  }

  @Test func aModelThatIsShortenedEndsTheRunAndNotTheProgram() throws {
    let folder = TemporaryFolder()
    let model = folder.path + "/model.gguf"
    try FileManager.default.copyItem(atPath: try #require(RealModel.path), toPath: model)
    let whole = try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int
    let terminal = try TmuxTerminal(columns: 160)
    try terminal.explore(store, "--model \(model)")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.type("Tell me a long story about a river.")
    try terminal.escape("leave prompt")
    try terminal.type("L")
    try terminal.wait(for: "up to 256 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "generating, 1", looks: Self.patience)
    #expect(truncate(model, 1 << 20) == 0)
    try terminal.wait(for: "model.gguf was shortened while crosscope read it", looks: Self.patience)
    try terminal.press("Enter")
    try terminal.wait(for: "is damaged", looks: Self.patience)
    try FileManager.default.removeItem(atPath: model)
    try FileManager.default.copyItem(atPath: try #require(RealModel.path), toPath: model)
    #expect(try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int == whole)
    try terminal.type("LL")
    try terminal.wait(for: "up to 96 tokens")
    try terminal.press("Enter")
    try terminal.wait(for: "saved as experiment", looks: Self.patience)
    try terminal.type("q")
  }

  /// Esc and Ctrl-C, whatever is going on: the screen is there at once and the next run is as ever.
  @Test func workIsCancelledAtAnyMoment() throws {
    let terminal = try TmuxTerminal(columns: 120, rows: 40)
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    func cancel(_ key: String, while label: String, saying said: String = "cancelled") throws {
      try terminal.wait(for: label)
      let start = ContinuousClock.now
      try terminal.press(key)
      try terminal.wait(for: said)
      while try terminal.screen().contains(label), ContinuousClock.now - start < .seconds(60) {}
      #expect(ContinuousClock.now - start < .seconds(10), "\(label) ends")
    }
    let long = String(repeating: "Tell me a long story about a river. ", count: 100)
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    // While the models are being loaded for it.
    try terminal.type("K")
    try cancel("C-c", while: "checking", saying: "nothing of the check is kept")
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
    try cancel("C-c", while: "tracing")
    try terminal.wait(for: "ready", looks: 4 * TmuxTerminal.looks)
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
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.type("Hi")
    try terminal.escape("leave prompt")
    try terminal.type("LL")
    try terminal.wait(for: "up to 32 tokens")
    var configuration = GRDB.Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: store, configuration: configuration)
    try other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    try terminal.press("Enter")
    try terminal.wait(for: "tokens/s", looks: 4 * TmuxTerminal.looks)
    try terminal.signal(number)
    try other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    try terminal.wait(for: "status \(status)")
    try terminal.wait(for: " icanon")
    #expect(try Store(path: store, access: .readOnly).experiments().count == 1)
  }

  @Test func theKnobMovesTheNextTokensDistribution() throws {
    let terminal = try TmuxTerminal()
    try terminal.explore(store, "--model \(try #require(RealModel.path))")
    try terminal.press("Enter")
    try terminal.wait(for: "Logit lens")
    try terminal.type("s")
    try terminal.wait(for: "type a prompt")
    try terminal.type("What is the capital of France?")
    try terminal.escape("leave prompt")
    let strong = try divergence(terminal.wait(for: " nats, ", looks: Self.patience))
    #expect(strong > 0, "strength 1 changes what comes next")
    for _ in 0..<4 { try terminal.type("-") }
    try terminal.wait(for: "KL 0.000 nats", looks: Self.patience)
    #expect(try terminal.wait(for: "+0.00").contains("0.00 "))
    try terminal.type("]")
    try terminal.wait(for: "+0.05")
    try terminal.type("++")
    // The last one wins, however many keys came while one was computed.
    var weak = 0.0
    for _ in 0..<Self.patience where weak == 0 { weak = try divergence(terminal.screen()) }
    #expect(weak > 0 && weak < strong)
    try terminal.wait(for: "ready", looks: Self.patience)
    for _ in 0..<4 { try terminal.type("-") }
    try terminal.wait(for: "-0.45")
    try terminal.type("Nx")
    try terminal.wait(for: "nothing has failed")
    try terminal.wait(for: " nats, ", looks: Self.patience)
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
