// Dashboards of others as their own libraries wrote them: what they say is in the store, and Neuronpedia's export comes out of it
// as it went in. Damaged, wrong and hostile files are one line that names file and place, and leave the store as it was.

import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import Experiments
@testable import Pipeline
@testable import Reports

@Suite struct DashboardTests {
  private let folder = TemporaryFolder()
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures").path
  static let (whole, columns) = (
    fixtures + "/neuronpedia/tiny-base/1-example-res-20", fixtures + "/neuronpedia/public_columns/1-example-res-20"
  )
  private var store: String { folder.path + "/t.crosscope" }

  private func imported(_ path: String, layer: Int? = nil) throws -> Store {
    try DashboardImport(
      store: store, source: DashboardForms.opened(path), tokenizer: nil, baseName: nil, chatName: nil, layer: layer
    ).run()
    return try Store(path: store, access: .readWrite)
  }

  /// The lines of all files of a folder, by the file's name without .gz.
  private func lines(_ folder: String) throws -> [String: [String]] {
    var files: [String: [String]] = [:]
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
    for name in names where name.contains(".jsonl") {
      let reader = try LineReader(path: folder + "/" + name)
      var lines: [String] = []
      while let line = try reader.next() { lines.append(String(decoding: line, as: UTF8.self)) }
      if !lines.isEmpty { files[name.replacing(".gz", with: "")] = lines }
    }
    return files
  }

  @Test(arguments: [whole, columns]) func anExportComesOutAsItWentIn(path: String) throws {
    let store = try imported(path)
    #expect(try store.check() == [])
    let out = try NeuronpediaWriter(store: store, folder: folder.path + "/out") { _ in nil }.write()
    #expect(out == folder.path + "/out/tiny-base/1-example-res-20")
    #expect(try lines(out) == lines(path))
    let message = error { try NeuronpediaWriter(store: store, folder: folder.path + "/out") { _ in nil }.write() }
    #expect(message?.contains("there already") == true)
  }

  @Test(arguments: [whole, columns]) func everyNumberIsInTheStore(path: String) throws {
    let store = try imported(path)
    let pair = try store.modelPair()
    #expect((pair.chat, pair.base, pair.layer, pair.nLatents, pair.dModel) == ("tiny-base", "", 1, 20, 24))
    let reference = try SafetensorsFile(path: Self.fixtures + "/neuronpedia/reference.safetensors")
    let (maxima, shares) = (try reference.floats(named: "maxActApprox"), try reference.floats(named: "frac_nonzero"))
    let (owners, peaks) = (
      try reference.ints(named: "activation_feature"), try reference.floats(named: "activation_max")
    )
    let values = try reference.floats(named: "activation_values")
    let width = values.count / owners.count
    for latent in try store.latents(ids: 0..<20) {
      #expect(latent.maxActivation.map { Float($0) } == maxima[latent.id])
      #expect(latent.frequency.map { Float($0) } == shares[latent.id])
      #expect(abs((latent.decNormChat ?? 0) - 1) < 1e-5)
      let rows = owners.indices.filter { owners[$0] == latent.id && peaks[$0] > 0 }
      let contexts = try store.contexts(of: latent.id, limit: 1000)
      #expect(contexts.count == rows.count)
      // Both as lists of activations, whatever their order.
      var wanted = rows.map { Array(values[$0 * width..<($0 + 1) * width]) }
      for context in contexts {
        let at = wanted.firstIndex { row in
          zip(row, context.activations).allSatisfy { abs($0 - $1) <= context.maxActivation / 65000 }
        }
        if let at { wanted.remove(at: at) } else { Issue.record("no such context of latent \(latent.id)") }
      }
    }
    let page = try store.page(of: 0)
    #expect(page.explanations.map(\.text).sorted() == ["a second opinion", "numbers written as words"])
    #expect(page.logits.first?.promoted.count == 10)
    #expect(try store.storedDirection(named: "latent 3")?.vector.count == 24)
    #expect(try store.directions() == [], "lists have the directions that were made here")
  }

  /// What steering needs, without a crosscoder: the latent's direction, with the norm of its largest activation.
  @Test func aLatentWithAVectorIsADirection() throws {
    let store = try imported(Self.whole)
    let stored = try StoreCrosscoder(store, mayBeMissing: true)
    #expect((stored.crosscoder.nLatents, stored.crosscoder.dModel) == (0, 24))
    let record = try #require(try store.storedDirection(named: "latent 3"))
    let latent = try store.latent(3)
    #expect(abs(record.unit - (latent.maxActivation ?? 0) * (latent.decNormChat ?? 0)) < 1e-9)
    #expect(record.layer == 1)
    _ = try record.known()
  }

  @Test func whatIsAddedLaterIsExportedToo() throws {
    let store = try imported(Self.whole)
    try store.save(explanations: [ExplanationRecord(latent: 2, source: "me", text: "made here")])
    let out = try NeuronpediaWriter(store: store, folder: folder.path + "/out") { _ in nil }.write()
    var files = try lines(out)
    let added = files.removeValue(forKey: "explanations/batch-2.jsonl")
    #expect(try files == lines(Self.whole))
    #expect(
      added?.count == 1 && added?[0].contains("made here") == true && added?[0].contains("\"index\":\"2\"") == true)
  }

  /// A store that no import made is written and read again.
  @Test func aStoreOfOurOwnComesBack() throws {
    let sample = try SampleStore()
    let store = try sample.open()
    let out = try NeuronpediaWriter(store: store, folder: folder.path + "/out") { _ in [1, 2] }.write()
    let again = try imported(out)
    for id in [0, 7, 59] {
      let (a, b) = (try store.page(of: id), try again.page(of: id))
      #expect(a.latent.maxActivation ?? 0 == b.latent.maxActivation)
      #expect(a.latent.frequency == b.latent.frequency)
      #expect(Set(a.contexts.map(\.maxActivation)) == Set(b.contexts.map(\.maxActivation)))
      #expect(Set(a.explanations.map(\.text)) == Set(b.explanations.map(\.text)))
    }
  }

  // MARK: Killed and failed imports

  /// The files of an export, with a look at each unit that is read.
  private struct Watched: DashboardSource {
    static let form = NeuronpediaExport.form
    static func opened(_ path: String) throws -> (any DashboardSource)? { nil }
    let inner: any DashboardSource
    let look: @Sendable (DashboardFile, DashboardUnit) throws -> Void
    var path: String { inner.path }
    var names: DashboardNames { inner.names }
    var files: [DashboardFile] { inner.files }

    func read(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws {
      try inner.read(file, after: done) { unit in
        try look(file, unit)
        try take(unit)
      }
    }
  }

  private struct Killed: Error {}

  @Test(arguments: ["features/batch-0.jsonl 4", "activations/batch-0.jsonl 57", "activations/batch-1.jsonl 99"])
  func aKilledImportGoesOn(at place: String) throws {
    let source = try DashboardForms.opened(Self.whole)
    func run(_ source: any DashboardSource, to store: String) throws {
      var job = DashboardImport(
        store: store, source: source, tokenizer: nil, baseName: nil, chatName: nil, layer: nil)
      job.batchUnits = 10
      try job.run()
    }
    try run(source, to: folder.path + "/whole.crosscope")
    // What a killed program leaves is the unfinished file.
    let (partial, kept) = (folder.path + "/.t.crosscope.partial", folder.path + "/kept")
    #expect(throws: Killed.self) {
      try run(
        Watched(inner: source) { file, unit in
          guard "\(file.name) \(unit.number)" == place else { return }
          try FileManager.default.copyItem(atPath: partial, toPath: kept)
          throw Killed()
        }, to: store)
    }
    #expect(folder.names.sorted() == ["kept", "whole.crosscope"], "a failed import leaves nothing")
    try FileManager.default.moveItem(atPath: kept, toPath: partial)
    let read = Counter()
    try run(Watched(inner: source, look: { _, _ in read.add() }), to: store)
    let total = try lines(Self.whole).values.reduce(0) { $0 + $1.count }
    #expect(read.count < total, "what was in the store is not read again")
    let (a, b) = (
      try Store(path: store, access: .readOnly), try Store(path: folder.path + "/whole.crosscope", access: .readOnly)
    )
    #expect(try a.check() == [])
    for latent in 0..<20 { #expect(try a.page(of: latent) == b.page(of: latent)) }
    #expect(try a.modelPair() == b.modelPair() && a.meta() == b.meta())
    let (one, other) = (folder.path + "/one", folder.path + "/other")
    let written = try [(a, one), (b, other)].map { try NeuronpediaWriter(store: $0, folder: $1) { _ in nil }.write() }
    #expect(try lines(written[0]) == lines(Self.whole))
  }

  @Test func anotherImportKeepsTags() throws {
    try imported(Self.whole).annotate([3], adding: ["mine"])
    let again = try imported(Self.columns)
    #expect(try again.tags(of: [3]) == [3: ["mine"]])
    #expect(try again.page(of: 0).explanations.count == 2, "explanations of files come from the files")
    again.close()
    _ = try imported(Self.fixtures + "/saedashboard/batch-0.json", layer: 1)
    #expect(try Store(path: store, access: .readOnly).tags(of: [3]) == [3: ["mine"]], "it is the same dictionary")
  }

  // MARK: Bad files

  private func error(_ body: () throws -> some Any) -> String? {
    do {
      _ = try body()
      return nil
    } catch let error { return "\(error)" }
  }

  /// A copy of the export with plain files, one of which is changed.
  private func changed(_ name: String, _ change: ([String]) -> [String]) throws -> String {
    let copy = folder.path + "/copy"
    try? FileManager.default.removeItem(atPath: copy)
    for (file, lines) in try lines(Self.whole) {
      let path = URL(filePath: copy + "/" + file)
      try FileManager.default.createDirectory(at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
      let written = file == name ? change(lines) : lines
      try (written.joined(separator: "\n") + "\n").write(to: path, atomically: true, encoding: .utf8)
    }
    return copy
  }

  private struct BadLine: CustomTestStringConvertible, Sendable {
    let file: String
    let from: String
    let to: String
    let hint: String
    var testDescription: String { "\(file): \(to)" }
  }

  private static let badLines = [
    BadLine(file: "features/batch-0.jsonl", from: "\"index\":0", to: "\"index\":-1", hint: "another value at index"),
    BadLine(file: "features/batch-0.jsonl", from: "\"index\":0,", to: "", hint: "no \"index\""),
    BadLine(file: "features/batch-0.jsonl", from: "\"index\":0", to: "\"index\":\"zero\"", hint: "index"),
    BadLine(file: "features/batch-0.jsonl", from: "\"index\":0", to: "\"index\":1", hint: "each latent once"),
    BadLine(file: "features/batch-0.jsonl", from: "\"maxActApprox\":11.1822", to: "\"maxActApprox\":NaN", hint: "JSON"),
    BadLine(
      file: "features/batch-0.jsonl", from: "\"maxActApprox\":11.1822", to: "\"maxActApprox\":-1", hint: "0 or more"),
    BadLine(
      file: "features/batch-0.jsonl", from: "\"maxActApprox\":11.1822", to: "\"maxActApprox\":\"x\"",
      hint: "maxActApprox"),
    BadLine(
      file: "features/batch-0.jsonl", from: "\"frac_nonzero\":0.10952", to: "\"frac_nonzero\":1.5", hint: "from 0 to 1"),
    BadLine(file: "features/batch-0.jsonl", from: "\"vector\":[", to: "\"vector\":[1e39,", hint: "vector"),
    BadLine(
      file: "features/batch-0.jsonl", from: "\"pos_values\":[", to: "\"pos_values\":[1,", hint: "as many pos_values"),
    BadLine(
      file: "features/batch-0.jsonl", from: "\"modelId\":\"tiny-base\"", to: "\"modelId\":\"o\\u001b[2Jther\"",
      hint: "modelId"),
    BadLine(file: "features/batch-1.jsonl", from: "hook_resid_post", to: "hook_resid_pre", hint: "hookName"),
    BadLine(file: "features/batch-1.jsonl", from: "\"vector\":[", to: "\"vector\":[1,", hint: "a vector of 24"),
    BadLine(file: "activations/batch-0.jsonl", from: "\"index\":0", to: "\"index\":777", hint: "latent 777"),
    BadLine(
      file: "activations/batch-0.jsonl", from: "\"values\":[", to: "\"values\":[1,", hint: "as many values as tokens"),
    BadLine(file: "activations/batch-0.jsonl", from: "\"values\":[0.0", to: "\"values\":[null", hint: "values"),
    BadLine(file: "activations/batch-0.jsonl", from: "\"values\":[0.0", to: "\"values\":[Infinity", hint: "JSON"),
    BadLine(file: "activations/batch-0.jsonl", from: "\"tokens\":[\"S\"", to: "\"tokens\":[7", hint: "tokens"),
    BadLine(
      file: "activations/batch-0.jsonl", from: "\"layer\":\"1-example-res-20\"", to: "\"layer\":\"2-other\"",
      hint: "2-other"),
    BadLine(
      file: "explanations/batch-0.jsonl", from: "\"index\": \"0\"", to: "\"index\": \"99999999999999999999\"",
      hint: "index"),
    BadLine(file: "explanations/batch-0.jsonl", from: "\"index\": \"0\"", to: "\"index\": [0]", hint: "index"),
  ]

  @Test(arguments: badLines) private func aBadLineIsNamed(bad: BadLine) throws {
    let before = try Data(contentsOf: URL(filePath: imported(Self.whole).path))
    let copy = try changed(bad.file) { lines in
      #expect(lines[0].contains(bad.from))
      return [lines[0].replacing(bad.from, with: bad.to)] + lines.dropFirst()
    }
    let message = try #require(error { try imported(copy) })
    #expect(message.contains(bad.hint) && message.contains(bad.file + " line "), "\(message)")
    #expect(!message.contains("\n"))
    #expect(try Data(contentsOf: URL(filePath: store)) == before)
    #expect(folder.names.sorted() == ["copy", "t.crosscope"])
  }

  @Test(arguments: ["activations/batch-1.jsonl", "explanations/batch-0.jsonl"])
  func anIdThatComesTwiceIsNamedWithBothPlaces(file: String) throws {
    let copy = try changed(file) { $0 + [$0[1]] }
    let message = try #require(error { try imported(copy) })
    let count = try lines(Self.whole)[file]?.count ?? 0
    #expect(message.contains("\(file) line \(count + 1): expected each id once"), "\(message)")
    #expect(message.contains("\(file) line 2;"), "\(message)")
    #expect(folder.names == ["copy"])
  }

  @Test func marksAndLineEndsOfWindowsAreNoPartOfALine() throws {
    let copy = try changed("activations/batch-0.jsonl") { lines in
      ["\u{FEFF}" + lines[0] + "\r", "\r"] + lines.dropFirst().map { $0 + "\r" }
    }
    let count = try imported(copy).contexts(of: 0).count
    #expect(try imported(Self.whole).contexts(of: 0).count == count && count > 0)
  }

  /// Wherever a file is cut, what is read before the cut is what the whole file says.
  @Test(arguments: ["features/batch-0.jsonl.gz", "activations/batch-1.jsonl.gz", "explanations/batch-1.jsonl.gz"])
  func aFileThatIsCutShortIsNamed(name: String) throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.whole + "/" + name))
    let source = try NeuronpediaExport(folder: Self.whole)
    var file = try #require(source.files.first { $0.path.hasSuffix(name) })
    var all: [DashboardRecord] = []
    try source.read(file, after: 0) { all += $0.records }
    for length in stride(from: 1, to: bytes.count, by: 97) {
      file.path = try folder.file("cut.jsonl.gz", Array(bytes.prefix(length)))
      var some: [DashboardRecord] = []
      let message = try #require(error { try source.read(file, after: 0) { some += $0.records } })
      #expect(message.contains("cut.jsonl.gz") && message.contains("line ") && !message.contains("\n"), "\(message)")
      #expect(some.elementsEqual(all.prefix(some.count), by: ==))
    }
  }

  @Test func aPlainFileThatIsCutShortIsNamedUnlessALineEndsThere() throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.columns + "/activations/batch-1.jsonl"))
    let source = try NeuronpediaExport(folder: Self.columns)
    var file = try #require(source.files.first { $0.path.hasSuffix("activations/batch-1.jsonl") })
    for length in stride(from: 1, to: bytes.count, by: 97) {
      file.path = try folder.file("cut.jsonl", Array(bytes.prefix(length)))
      let message = error { try source.read(file, after: 0) { _ in } }
      let isWhole = bytes[length] == UInt8(ascii: "\n") || bytes[length - 1] == UInt8(ascii: "\n")
      #expect((message == nil) == isWhole)
      if let message { #expect(message.contains("cut.jsonl line ") && !message.contains("\n"), "\(message)") }
    }
  }

  @Test func packedFilesThatUnpackToTooMuchAreRefused() throws {
    // A line without an end, and lines without content.
    var limits = LineReader.Limits()
    (limits.line, limits.free) = (1 << 20, 4 << 20)
    for (byte, hint) in [(UInt8(ascii: " "), "at most 1048576 bytes"), (UInt8(ascii: "\n"), "for a packed one")] {
      let packed = try Deflater.gzip([UInt8](repeating: byte, count: 8 << 20))
      let reader = try LineReader(path: try folder.file("bomb.gz", packed), limits: limits)
      let message = try #require(error { while try reader.next() != nil {} })
      #expect(message.contains("bomb.gz") && message.contains("line "), "\(message)")
      #expect(message.contains(hint), "\(message)")
    }
  }

  // MARK: SAEDashboard and delphi

  @Test func featuresOfSAEDashboardAreLatents() throws {
    let store = try imported(Self.fixtures + "/saedashboard", layer: 1)
    let reference = try SafetensorsFile(path: Self.fixtures + "/saedashboard/reference.safetensors")
    let (maxima, shares) = (
      try reference.floats(named: "max_activation"), try reference.floats(named: "frac_nonzero")
    )
    for latent in try store.latents(ids: 0..<20) {
      #expect(abs(Float(latent.maxActivation ?? 0) - maxima[latent.id]) < 1e-4)
      #expect(abs(Float(latent.frequency ?? 0) - shares[latent.id]) < 1e-5)
    }
    #expect(try store.modelPair().dModel == 24)
    #expect(try store.contexts(of: 0)[0].sequence.corpus == "synthetic/texts")
  }

  @Test func aBatchOfSAEDashboardThatIsCutShortIsNamed() throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.fixtures + "/saedashboard/batch-0.json"))
    for length in stride(from: 1, to: bytes.count, by: 97) {
      let path = try folder.file("batch-0.json", Array(bytes.prefix(length)))
      let message = try #require(error { try DashboardForms.opened(path) })
      #expect(message.contains("batch-0.json") && !message.contains("\n"), "\(message)")
    }
  }

  @Test(arguments: ["delphi", "delphi/latents/layers.1", "delphi/unsplit/layers.1.safetensors"])
  func latentsOfDelphisCacheHaveItsFigures(path: String) throws {
    let store = try imported(Self.fixtures + "/" + path)
    let reference = try SafetensorsFile(path: Self.fixtures + "/delphi/reference.safetensors")
    let (all, counts) = (try reference.floats(named: "activations"), try reference.ints(named: "firing_counts"))
    let tokens = try reference.ints(named: "tokens")
    #expect(counts.count == 48 && tokens.count * 48 == all.count)
    for latent in try store.latents(ids: 0..<48) {
      let own = tokens.indices.map { all[$0 * 48 + latent.id] }
      let largest = own.max() ?? 0
      #expect(abs(Float(latent.maxActivation ?? -1) - largest) <= largest / 1000)
      #expect(latent.frequency == Double(own.count { $0 > 1e-5 }) / Double(own.count))
      for context in try store.contexts(of: latent.id, limit: 100) {
        // The context is one of the cache's sequences, with its activations.
        let ids = context.sequence.tokenIDs.map(Int.init)
        let found = stride(from: 0, to: tokens.count, by: 16).contains { start in
          guard Array(tokens[start..<start + 16]) == ids else { return false }
          return zip(own[start..<start + 16], context.activations).allSatisfy { (wanted: Float, value: Float) in
            abs(max(wanted, 0) - value) <= largest / 1000
          }
        }
        #expect(found)
      }
    }
    let told = try store.page(of: 0).explanations.map(\.text)
    #expect(told == ["numbers"])
  }

  @Test func tokensOfDelphisCacheHaveTheTokenizersText() throws {
    let tokenizer = Self.fixtures + "/toolkit/max_act_store_dense/tokenizer.json"
    try DashboardImport(
      store: store, source: DashboardForms.opened(Self.fixtures + "/delphi"), tokenizer: tokenizer, baseName: nil,
      chatName: nil, layer: nil
    ).run()
    let opened = try Store(path: store, access: .readOnly)
    #expect(try opened.check() == [])
    let page = try opened.page(of: 0)
    let ids = Set(page.contexts.flatMap(\.sequence.tokenIDs))
    // The cache's texts are random numbers, some of which the tokenizer does not have.
    #expect(ids.isSuperset(of: page.tokens.keys) && page.tokens.count > ids.count / 2)
    #expect(try opened.modelPair().tokenizer != nil)
  }

  @Test func aCacheOfDelphiThatIsCutShortIsNamed() throws {
    let bytes = try Data(contentsOf: URL(filePath: Self.fixtures + "/delphi/latents/layers.1/0_15.safetensors"))
    for length in stride(from: 1, to: bytes.count, by: 97) {
      let path = try folder.file("0_15.safetensors", Array(bytes.prefix(length)))
      let message = try #require(error { try DelphiSplit(path: path, latents: 0...15) })
      #expect(message.contains("0_15.safetensors") && !message.contains("\n"), "\(message)")
    }
    // Every byte of the numbers may be another one.
    var changed = Array(bytes)
    for at in stride(from: 400, to: changed.count, by: 97) {
      changed[at] ^= 0xFF
      let path = try folder.file("0_15.safetensors", changed)
      if let message = error({ try DelphiSplit(path: path, latents: 0...15).records(3) }) {
        #expect(message.contains("0_15.safetensors") && !message.contains("\n"), "\(message)")
      }
      changed[at] ^= 0xFF
    }
  }

  @Test func otherFilesAreNoDashboards() throws {
    let message = try #require(error { try DashboardForms.opened(folder.path) })
    #expect(message.contains("Neuronpedia") && message.contains("SAEDashboard") && message.contains("delphi"))
  }
}

/// A number that rises.
private final class Counter: @unchecked Sendable {
  // One thread uses it: imports read their files on the thread that called them.
  private(set) var count = 0
  func add() { count += 1 }
}
