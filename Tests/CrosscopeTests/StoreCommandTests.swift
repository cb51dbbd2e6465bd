// The subcommands that only need a store, run as a user runs them: arguments in, stdout, stderr and exit code out.
import Foundation
import Storage
import TestSupport
import Testing

@testable import Explorer
@testable import Remote
@testable import crosscope

@Suite struct StoreCommandTests {
  let folder: URL
  var store: String { folder.appendingPathComponent("t.crosscope").path }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("crosscope-commands-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let pair = ModelPair(
      base: "b", chat: "c", layer: 1, dModel: 4, nLatents: 3, vocabSize: 6,
      model: .init(path: "model.gguf", sha256: String(repeating: "0", count: 64)))
    let writer = try StoreWriter(replacing: store, pair: pair)
    let pieces: [[UInt8]] = [Array(" Nobel".utf8), Array("\n".utf8), [0xC3], [0xA9], Array("\u{1B}[31mred".utf8)]
    try writer.add(tokens: pieces.enumerated().map { TokenRecord(id: Int32($0), bytes: $1) })
    var latents = (0..<3).map { LatentRecord(id: $0, latentClass: .shared) }
    latents[0].nuError = 0.9
    latents[0].chatSpecificity = 2
    latents[2].nuError = 0.125
    latents[2].deltaNorm = 0.75
    latents[2].chatSpecificity = 1
    latents[2].latentClass = .chatOnly
    latents[1].dead = true
    try writer.add(latents: latents)
    try writer.add(sequences: [SequenceRecord(id: 0, tokenIDs: [0, 1, 2, 3, 4], corpus: "chat")])
    try writer.add(examples: [
      ExampleRecord(latent: 2, quantile: 4, rank: 0, sequence: 0, positions: [0, 4], values: [1.5, 3])
    ])
    try writer.add(logits: [
      LogitLensRecord(
        latent: 2, direction: .chat, promoted: [TokenScore(token: 0, value: 2.5)],
        suppressed: [TokenScore(token: 5, value: -1)])
    ])
    try writer.add(neighbours: [NeighbourRecord(latent: 2, kind: .twin, other: 0, cosine: 0.5)])
    try writer.finish()
  }

  private func delete() { try? FileManager.default.removeItem(at: folder) }

  private func run(_ arguments: String...) throws -> Program.Outcome { try Program.run(arguments) }
  private func run(_ arguments: [String]) throws -> Program.Outcome { try Program.run(arguments) }

  @Test func latentsAreListedMostChatSpecificFirst() throws {
    defer { delete() }
    let outcome = try run("latents", store, "--json")
    #expect(outcome.code == 0)
    #expect(outcome.error == "")
    let latents = try #require(try outcome.json()["latents"] as? [[String: Any]])
    #expect(latents.map { $0["id"] as? Int } == [2, 0, 1])
    #expect(latents[0]["nu_error"] as? Double == 0.125)
    #expect(latents[0]["class"] as? String == "chat-only")
    #expect(latents[1]["delta_norm"] is NSNull, "missing is null, not left out")
    #expect(latents[2]["dead"] as? Bool == true)
    let names = LatentColumn.allCases.map(\.rawValue) + ["dead", "class", "tags", "summary"]
    #expect(Set(latents[0].keys) == Set(names))
  }

  @Test func latentsAreSortedFilteredAndLimited() throws {
    defer { delete() }
    func ids(_ arguments: String...) throws -> [Int?] {
      let outcome = try run(["latents", store, "--json"] + arguments)
      return (try outcome.json()["latents"] as? [[String: Any]] ?? []).map { $0["id"] as? Int }
    }
    #expect(try ids("--sort", "nu-error", "--reverse") == [0, 2, 1])
    #expect(try ids("--sort", "nu_error") == [2, 0, 1])
    #expect(try ids("--sort", "class", "--then", "nu-error") == [2, 0, 1])
    #expect(try ids("--sort", "class", "--reverse", "--then", "nu-error") == [0, 1, 2])
    #expect(try run("latents", store, "--then", "nonsense").code == 2)
    #expect(try ids("--sort", "id", "--limit", "2") == [0, 1])
    #expect(try ids("--filter", "nu_error<0.2 or dead") == [2, 1])
    #expect(try ids("--filter", "\"nobel\"") == [2])
    #expect(try ids("--filter", "id:7") == [])
  }

  @Test func tablesAndCSVHaveARowALatent() throws {
    defer { delete() }
    let table = try run("latents", store)
    #expect(table.out.split(separator: "\n").count == 4)
    #expect(table.out.contains("chat_specificity"))
    let csv = try run("latents", store, "--csv").out.split(separator: "\n")
    #expect(csv.count == 4)
    #expect(csv.allSatisfy { $0.count { $0 == "," } == LatentColumn.allCases.count + 3 })
  }

  @Test func aLatentIsShownWithoutControlCharacters() throws {
    defer { delete() }
    let outcome = try run("show", store, "2")
    #expect(outcome.code == 0)
    #expect(outcome.out.contains("[ Nobel]↵é[["), "\(outcome.out)")
    #expect(!outcome.out.contains("\u{1B}"))
    #expect(outcome.out.contains("twin"))
  }

  @Test func aLatentIsShownAsJSON() throws {
    defer { delete() }
    let page = try run("show", store, "2", "--json").json()
    #expect((page["latent"] as? [String: Any])?["id"] as? Int == 2)
    #expect(page["note"] is NSNull)
    let example = try #require((page["examples"] as? [[String: Any]])?.first)
    #expect(example["token_ids"] as? [Int] == [0, 1, 2, 3, 4])
    #expect((example["tokens"] as? [String])?[4] == "\u{1B}[31mred")
    #expect(example["positions"] as? [Int] == [0, 4])
    #expect(example["max_activation"] as? Double == 3)
    #expect(example["peak"] as? Int == 4)
    let lens = try #require((page["logits"] as? [String: Any])?["chat"] as? [String: Any])
    #expect((lens["promoted"] as? [[String: Any]])?.first?["token"] as? String == " Nobel")
  }

  @Test func tagsAndNotesAreSavedByOneCommandAndListedByAnother() throws {
    defer { delete() }
    let edit = try run("tag", store, "0", "2", "--add", "refusal", "--note", "says no")
    #expect((edit.code, edit.out) == (0, ""))
    #expect(edit.error == "tag refusal on 2 latents, note on latent 0, note on latent 2\n")
    #expect(try run("tags", store).out == "latents  tag\n      2  refusal\n")
    let tags = try #require(try run("tags", store, "--json").json()["tags"] as? [[String: Any]])
    #expect(tags.first?["count"] as? Int == 2)
    #expect(try run("show", store, "0", "--json").json()["note"] as? String == "says no")
    #expect(try run("latents", store, "--filter", "tag:refusal", "--csv").out.split(separator: "\n").count == 3)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["t.crosscope"])
    #expect(try run("tag", store, "0", "2", "--remove", "refusal").code == 0)
    #expect(try run("tags", store).out == "latents  tag\n")
  }

  @Test func mistakesAreOneLineWithTheirExitCode() throws {
    defer { delete() }
    func failure(_ outcome: Program.Outcome, _ code: Int32, _ hint: String) {
      #expect(outcome.code == code, "\(outcome.error)")
      #expect(outcome.out == "")
      #expect(outcome.error.hasPrefix("crosscope: "), "\(outcome.error)")
      #expect(outcome.error.contains(hint), "\(outcome.error)")
      if code == 1 { #expect(outcome.error.count { $0 == "\n" } == 1) }
    }
    failure(try run("show", store, "3"), 1, "latents 0 to 2")
    failure(try run("show", folder.path, "3"), 1, "not a regular file")
    failure(try run("latents", store + "x"), 1, "no such file")
    failure(try run("latents", store, "--sort", "colour"), 2, "nu-error")
    failure(try run("latents", store, "--filter", "nu_error<"), 2, "character 10")
    failure(try run("latents", store, "--limit", "0"), 2, "at least 1")
    failure(try run("latents", store, "--json", "--csv"), 2, "exclude")
    failure(try run("show", store, "many"), 2, "many")
    failure(try run("tag", store, "1"), 2, "--add")
    failure(try run("tag", store, "9", "--add", "x"), 1, "no latent 9")
    failure(try run("tag", store, "1", "--add", "a\u{1B}b"), 1, "choose another name")
    failure(try run("frobnicate"), 2, "frobnicate")
    #expect(try run("--help").code == 0)
    #expect(try run("latents", "--help").out.contains("--filter"))
    #expect(try run("--version").code == 0)
  }

  @Test func checkSaysWhetherAStoreIsWhole() throws {
    defer { delete() }
    let whole = try run("check", store)
    #expect(whole.code == 0)
    #expect(whole.out.hasSuffix("t.crosscope: the store is whole\n"))
    #expect(whole.error.contains("model.gguf is not there"))
    try Data("other".utf8).write(to: folder.appendingPathComponent("model.gguf"))
    let changed = try run("check", store, "--json")
    #expect(changed.code == 1)
    let findings = try #require(try changed.json()["findings"] as? [[String: Any]])
    #expect(findings.count == 1)
    #expect((findings[0]["detail"] as? String)?.contains("model.gguf is not the file") == true)
  }
}
