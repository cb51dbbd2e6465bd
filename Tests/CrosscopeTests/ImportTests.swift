// `crosscope import`, run as a user runs it, on files that the authors' own library made: every number of the table and
// every context of the database is in the store; mistakes are one line, and leave what was there.
import Foundation
import GRDB
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import Remote
@testable import Reports
@testable import crosscope

@Suite struct ImportTests {
  private let folder: URL
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "DiffingTests/Fixtures")
  private var store: String { folder.appending(path: "t.crosscope").path }
  private static let l1 = fixtures.appending(path: "l1").path
  private static let (examples, table) = (l1 + "/examples.db", l1 + "/feature_df.csv")

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "crosscope-import-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func delete() { try? FileManager.default.removeItem(at: folder) }

  private func run(_ arguments: String...) throws -> Program.Outcome {
    try Program.run(["import", store, "--crosscoder", Self.l1] + arguments)
  }

  @Test func everyNumberOfTheTableIsInTheStore() throws {
    defer { delete() }
    let outcome = try run("--examples", Self.examples, "--latents", Self.table)
    #expect(outcome.code == 0, "\(outcome.error)")
    #expect(outcome.error.contains("no tokenizer"))
    let opened = try Store(path: store, access: .readOnly)
    let pair = try opened.modelPair()
    #expect((pair.chat, pair.base, pair.layer) == ("google/gemma-2-2b-it", "google/gemma-2-2b", 13))
    let lines = try String(contentsOfFile: Self.table, encoding: .utf8).split(separator: "\n")
    let header = lines[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    for line in lines.dropFirst() {
      let cells = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      let latent = try opened.latent(try #require(Int(cells[0])))
      func number(_ name: String) -> Double? { header.firstIndex(of: name).flatMap { Double(cells[$0]) } }
      #expect(latent.deltaNorm == number("dec_norm_diff").map { 1 - $0 })
      #expect(latent.decNormBase == number("dec_base_norm"))
      #expect(latent.decNormChat == number("dec_instruct_norm"))
      #expect(latent.maxActivation == number("max_act_train"))
      #expect(latent.frequency == number("freq"))
      #expect(latent.templateShare == number("lmsys_ctrl_%"))
      #expect(latent.metrics["lmsys_ctrl_%"] == number("lmsys_ctrl_%"))
      #expect(latent.dead == (cells[header.firstIndex(of: "dead") ?? 0] == "True"))
      #expect(latent.latentClass.rawValue == cells[1].lowercased().replacing(" ", with: "-"))
    }
    #expect(try Program.run(["check", store]).code == 0)
    let sorted = try Program.run(["latents", store, "--sort", "lmsys_ctrl_%", "--json", "--limit", "2"]).json()
    let first = try #require((sorted["latents"] as? [[String: Any]])?.first?["metrics"] as? [String: Double])
    let largest = lines.dropFirst().compactMap { $0.split(separator: ",").last.flatMap { Double($0) } }.max()
    #expect(abs((first["lmsys_ctrl_%"] ?? 0) - (largest ?? 1)) < 1e-12)
    #expect(try Program.run(["latents", store, "--filter", "[lmsys_ctrl_%]>2", "--csv"]).out.count { $0 == "\n" } == 1)
    try Program.run(["latents", store, "--sort", "colour"]).expectOneLine(code: 2, saying: "lmsys_ctrl_%")
  }

  @Test func contextsAreThoseOfTheDatabase() throws {
    defer { delete() }
    #expect(try run("--examples", Self.examples).code == 0)
    let opened = try Store(path: store, access: .readOnly)
    var configuration = Configuration()
    configuration.readonly = true
    let rows = try DatabaseQueue(path: Self.examples, configuration: configuration).read {
      try Row.fetchAll(
        $0,
        sql: """
          SELECT q.feature_idx, q.quantile_idx, q.activation, q.sequence_idx, a.positions, a.activation_values, s.token_ids
          FROM quantile_examples q JOIN activation_details a USING (feature_idx, sequence_idx)
          JOIN sequences s ON s.sequence_idx = q.sequence_idx
          """)
    }
    func list<Number: BitwiseCopyable>(_ row: Row, _ index: Int) -> [Number] {
      let data: Data = row[index]
      return data.withUnsafeBytes { Array($0.bindMemory(to: Number.self)) }
    }
    var found = 0
    for latent in 0..<96 {
      let contexts = try opened.contexts(of: latent, limit: 1000)
      for context in contexts {
        guard let row = rows.first(where: { $0[0] == latent && $0[3] == context.sequence.id }) else {
          Issue.record("no such example")
          continue
        }
        found += 1
        let quantile: Int = row[1]
        let activation: Double = row[2]
        #expect(context.example.quantile == quantile)
        #expect(Double(context.maxActivation) == activation)
        #expect(context.sequence.tokenIDs == list(row, 6) as [Int32])
        let pairs = zip(list(row, 4) as [Int32], list(row, 5) as [Float]).sorted { $0.0 < $1.0 }
        #expect(context.example.positions == pairs.map(\.0))
        let close = zip(context.example.values, pairs).allSatisfy {
          abs($0 - $1.1) <= context.maxActivation / 65000
        }
        #expect(close)
      }
      let strongest = contexts.map(\.maxActivation).max().map(Double.init)
      #expect(try opened.latent(latent).maxActivation == strongest)
    }
    #expect(found == rows.count)
  }

  @Test func anotherImportKeepsTagsAndAFailedOneChangesNothing() throws {
    defer { delete() }
    #expect(try run("--latents", Self.table).code == 0)
    #expect(try Program.run(["tag", store, "3", "--add", "mine"]).code == 0)
    let before = try Data(contentsOf: URL(filePath: store))
    let broken = folder.appending(path: "examples.db")
    try Data(contentsOf: URL(filePath: Self.examples)).write(to: broken)
    let queue = try DatabaseQueue(path: broken.path)
    try queue.write { try $0.execute(sql: "UPDATE activation_details SET positions = x'01' WHERE feature_idx = 90") }
    try queue.close()
    let failed = try run("--examples", broken.path)
    #expect(failed.code == 1)
    #expect(failed.error.contains("latent 90") && failed.error.contains("1 bytes"), "\(failed.error)")
    #expect(try Data(contentsOf: URL(filePath: store)) == before)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["examples.db", "t.crosscope"])
    #expect(try run("--examples", Self.examples).code == 0)
    #expect(try Store(path: store, access: .readOnly).tags(of: [3]) == [3: ["mine"]])
  }

  @Test func exchangedModelsAreWarnedOf() throws {
    defer { delete() }
    let exchanged = folder.appending(path: "exchanged.csv")
    let text = try String(contentsOfFile: Self.table, encoding: .utf8)
      .replacing("dec_base_norm,dec_instruct_norm", with: "dec_instruct_norm,dec_base_norm")
    try text.write(to: exchanged, atomically: true, encoding: .utf8)
    #expect(try run("--latents", exchanged.path).error.contains("base and chat are exchanged"))
    #expect(try !run("--latents", Self.table).error.contains("warning"))
  }

  @Test(arguments: [
    (",freq\n200,0.5\n", "line 2"), (",freq\n1,0.5\n1,0.5\n", "latent 1 again"), (",freq\n1,1.5\n", "freq within"),
    (",tag\n1,Blue\n", "Blue"), (",freq,freq\n1,0,0\n", "twice"), ("tag,freq\nx,1\n", "first column"),
    (",freq\n1,0.5\n2,x\n", "line 3"), (",freq\n1,\"0.5\n", "line 2"), (",freq\n1,x\n2,0.5\n", "line 2"),
    (",freq\n1,-\n2,y\n3,0.5\n", "\"-\""),
    (",caf\u{E9},cafe\u{301}\n1,0.5,0.75\n", "look different"),
  ]) func aBadTableIsNamed(table: String, hint: String) throws {
    defer { delete() }
    let path = folder.appending(path: "t.csv")
    try table.write(to: path, atomically: true, encoding: .utf8)
    let outcome = try run("--latents", path.path)
    #expect(outcome.code == 1)
    let last = outcome.error.split(separator: "\n").last ?? ""
    #expect(last.hasPrefix("crosscope: ") && last.contains(hint), "\(outcome.error)")
    #expect(!FileManager.default.fileExists(atPath: store))
  }

  @Test func emptyCellsAreMissingAndUnknownColumnsAreKept() throws {
    defer { delete() }
    let path = folder.appending(path: "t.csv")
    let text = ",beta_ratio_error,base uselessness score,note,beta_reconstruction_base,beta_reconstruction_chat\r\n"
    try (text + "4,,0.25,word,1,4\r\n5,-0.5,,,,\r\n6,inf,1e-3,\"a, b\",,\r\n").write(
      to: path, atomically: true, encoding: .utf8)
    let outcome = try run("--latents", path.path)
    #expect(outcome.code == 0 && outcome.error.contains("left out: note") && outcome.error.contains("1 infinite"))
    let latents = try Store(path: store, access: .readOnly).latents(ids: [4, 5, 6, 7])
    #expect(latents.map(\.nuError) == [nil, -0.5, nil, nil])
    #expect(latents.map(\.nuReconstruction) == [0.25, nil, nil, nil])
    #expect(latents.map { $0.metrics["base uselessness score"] } == [0.25, nil, 1e-3, nil])
    #expect(latents.allSatisfy { $0.deltaNorm != nil }, "geometry is the crosscoder's where the table says nothing")
    #expect(try Program.run(["show", store, "4"]).out.contains("base uselessness score"))
  }

  /// As pandas reads them; each kind of missing cell leaves what the crosscoder says.
  @Test func missingAndBooleanCellsHaveAllTheirSpellings() throws {
    defer { delete() }
    let path = folder.appending(path: "t.csv")
    let missing = LatentTable.missing.sorted()
    var text = ",beta_ratio_error,dead\n"
    for (latent, cell) in missing.enumerated() { text += "\(latent),\"\(cell)\",\n" }
    let flags = ["True", "TRUE", "true", " True ", "1", "False", "FALSE", "false", "0", "0.0"]
    for (place, flag) in flags.enumerated() { text += "\(missing.count + place), -0.25 ,\(flag)\n" }
    try text.write(to: path, atomically: true, encoding: .utf8)
    let outcome = try run("--latents", path.path)
    #expect(outcome.code == 0, "\(outcome.error)")
    let all = try Store(path: store, access: .readOnly).latents(ids: (0..<missing.count + flags.count))
    #expect(all.prefix(missing.count).allSatisfy { $0.nuError == nil && !$0.dead })
    #expect(all.dropFirst(missing.count).map(\.nuError) == flags.map { _ in -0.25 })
    #expect(all.dropFirst(missing.count).map(\.dead) == flags.indices.map { $0 < 5 })
  }

  @Test func theLayerMustBeSaidAndAgree() throws {
    defer { delete() }
    #expect(try run("--layer", "14").error.contains("expected 13"))
    let weights = Self.fixtures.appending(path: "connor/cc_weights.pt")
    let alone = folder.appending(path: "cc_weights.pt")
    try FileManager.default.copyItem(at: weights, to: alone)
    try Program.run(["import", store, "--crosscoder", alone.path]).expectOneLine(saying: "--layer")
    #expect(try Program.run(["import", store, "--crosscoder", alone.path, "--layer", "13"]).code == 0)
  }

  @Test func steeringSaysWhatIsMissing() throws {
    defer { delete() }
    #expect(try run().code == 0)
    try Program.run(["steer", store, "--latent", "1", "--prompt", "x"]).expectOneLine(saying: "give --model")
  }

  @Test(arguments: [
    ("google/gemma-2-2b-it-google/gemma-2-2b", "google/gemma-2-2b-it", "google/gemma-2-2b"),
    (
      "meta-llama/Llama-3.2-1B-Instruct-meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct",
      "meta-llama/Llama-3.2-1B"
    ),
    ("gemma-2-2b-it-gemma-2-2b", "gemma-2-2b-it", "gemma-2-2b"),
  ]) func namesAreTakenApart(text: String, chat: String, base: String) throws {
    let names = try #require(ImportNames.split(text))
    #expect(names.chat == chat)
    #expect(names.base == base)
  }
}
