import Foundation
import Testing

@testable import Storage

@Suite struct StoreWriterTests {
  private func bytes(_ path: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path)) }

  @Test func theSameContentMakesTheSameBytes() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 50, seed: 41)
    try content.write(to: folder.file("one.crosscope"))
    try content.write(to: folder.file("two.crosscope"))
    #expect(try bytes(folder.file("one.crosscope")) == bytes(folder.file("two.crosscope")))
    #expect(folder.names == ["one.crosscope", "two.crosscope"])
    #expect(try Store(path: folder.file("one.crosscope"), access: .readOnly).check() == [])
  }

  @Test func annotationsAreCarriedIntoARebuiltStore() throws {
    let folder = try TemporaryFolder()
    var content = Content(latents: 20, seed: 42)
    try content.write(to: folder.file())
    let carried: UserAnnotations
    do {
      let store = try Store(path: folder.file(), access: .readWrite)
      try store.annotate([1, 2], adding: ["refusal"], note: "says no to platypus")
      try store.save(
        ExperimentRecord(
          created: "2025", prompt: "p", kind: "steer", interventions: "[]", parameters: "{}", outputs: "{}",
          versions: "{}"))
      carried = try store.userAnnotations()
    }
    content.latents[0].maxActivation = 77
    try content.write(to: folder.file(), annotations: carried)
    let store = try Store(path: folder.file(), access: .readWrite)
    #expect(try store.latent(0).maxActivation == 77)
    #expect(try store.userAnnotations() == carried)
    #expect(try store.latentIDs(sortedBy: .id, matching: Filter("\"platypus\"")) == [1, 2])
    let encoded = try JSONEncoder().encode(carried)
    #expect(try JSONDecoder().decode(UserAnnotations.self, from: encoded) == carried)

    content.pair.crosscoder?.sha256 = String(repeating: "c", count: 64)
    #expect(
      storageError { try content.write(to: folder.file(), annotations: carried) }
        == .annotationsOfAnotherCrosscoder(path: StoreFile.absolute(folder.file())))
    #expect(try store.userAnnotations() == carried)
  }

  /// A disk that is full after any number of pages leaves the old store, and nothing beside it.
  @Test func aFailedWriteLeavesTheOldStore() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 40, seed: 43)
    try content.write(to: folder.file())
    let before = try bytes(folder.file())
    let other = Content(latents: 40, seed: 44)
    var pages = 1
    while true {
      let error = storageError { try other.write(to: folder.file(), maximumPages: pages) }
      #expect(folder.names == ["a.crosscope"])
      guard let error else { break }
      #expect(error == .diskFull(path: StoreFile.absolute(folder.file())), "with \(pages) pages")
      #expect(try bytes(folder.file()) == before)
      pages += 3
    }
    #expect(pages > 30, "the limit was in force")
    #expect(try bytes(folder.file()) != before)
  }

  @Test func anAbandonedWriterLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 10, seed: 45)
    do {
      let writer = try StoreWriter(replacing: folder.file(), pair: content.pair)
      try content.fill(writer)
      #expect(folder.names.contains(".a.crosscope.partial"))
    }
    #expect(folder.names == [])
  }

  @Test func whatAKilledBuildLeftIsOverwritten() throws {
    let folder = try TemporaryFolder()
    for name in [".a.crosscope.partial", ".a.crosscope.partial-journal", ".a.crosscope.partial-wal"] {
      try Data(repeating: 7, count: 5000).write(to: URL(fileURLWithPath: folder.file(name)))
    }
    try Content(latents: 10, seed: 46).write(to: folder.file())
    #expect(folder.names == ["a.crosscope"])
    #expect(try Store(path: folder.file(), access: .readOnly).check() == [])
  }

  @Test func twoBuildsOfOneStoreDoNotMix() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 10, seed: 47)
    let writer = try StoreWriter(replacing: folder.file(), pair: content.pair)
    guard case .busy? = storageError({ _ = try StoreWriter(replacing: folder.file(), pair: content.pair) }) else {
      Issue.record("a second writer was let in")
      return
    }
    try content.fill(writer)
    try writer.finish()
    #expect(try Store(path: folder.file(), access: .readOnly).latentCount() == 10)
  }

  @Test func otherFilesAreNotReplaced() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 10, seed: 49)
    try Data("my thesis".utf8).write(to: URL(fileURLWithPath: folder.file("thesis.txt")))
    let file = folder.file("thesis.txt")
    #expect(
      storageError { try content.write(to: file) } == .notSQLite(path: StoreFile.absolute(file)))
    #expect(storageError { try content.write(to: folder.path) } == .notAFile(path: StoreFile.absolute(folder.path)))
    #expect(
      storageError { try content.write(to: folder.file("none/a.crosscope")) } == .missing(path: folder.file("none")))
    #expect(try bytes(file) == Data("my thesis".utf8))
    try Data().write(to: URL(fileURLWithPath: folder.file("empty")))
    try content.write(to: folder.file("empty"))
  }

  @Test func badRecordsAreRefusedByTable() throws {
    let content = Content(latents: 10, seed: 50)
    func refused(_ table: String, _ add: (StoreWriter) throws -> Void) throws {
      let folder = try TemporaryFolder()
      let writer = try StoreWriter(replacing: folder.file(), pair: content.pair)
      try content.fill(writer)
      let error = storageError { try add(writer) }
      guard case .invalidRecord(table, _)? = error else {
        Issue.record("\(table): \(String(describing: error))")
        return
      }
      guard case .invalidRecord? = storageError({ try writer.finish() }) else {
        Issue.record("finished after a failure")
        return
      }
      #expect(folder.names == [])
    }
    var latent = LatentRecord(id: 0)
    try refused("latent") { try $0.add(latents: [latent]) }
    latent.id = 10
    try refused("latent") { try $0.add(latents: [latent]) }
    try refused("token") { try $0.add(tokens: [TokenRecord(id: 17, bytes: [])]) }
    try refused("sequence") { try $0.add(sequences: [SequenceRecord(id: 99, tokenIDs: [], corpus: "x")]) }
    try refused("sequence") { try $0.add(sequences: [SequenceRecord(id: 99, tokenIDs: [17], corpus: "x")]) }
    try refused("sequence") {
      try $0.add(sequences: [SequenceRecord(id: 99, tokenIDs: [1], corpus: "x", templateMask: [])])
    }
    func example(_ positions: [Int32], _ values: [Float], sequence: Int32 = 0, rank: Int = 900) -> ExampleRecord {
      ExampleRecord(latent: 1, quantile: 4, rank: rank, sequence: sequence, positions: positions, values: values)
    }
    let bad = [
      example([], []), example([1], [1, 2]), example([2, 1], [1, 1]), example([1, 1], [1, 1]), example([-1], [1]),
      example([12], [1]), example([1], [.nan]), example([1], [1], sequence: 999),
    ]
    for example in bad { try refused("example") { try $0.add(examples: [example]) } }
    try refused("neighbour") {
      try $0.add(neighbours: [NeighbourRecord(latent: 0, kind: .twin, other: 55, cosine: 1)])
    }
    try refused("logit") {
      try $0.add(logits: [
        LogitLensRecord(latent: 0, direction: .base, promoted: [TokenScore(token: 0, value: .infinity)], suppressed: [])
      ])
    }
    try refused("histogram") {
      try $0.add(histograms: [HistogramRecord(latent: 0, corpus: "x", low: 1, high: 0, counts: [])])
    }
  }

  /// The size that the shipped store may have: 4096 latents, a tenth of
  /// them dead, the others with 20 contexts each, over 1 M tokens in windows of 64.
  @Test func aStoreOfTheDemosSizeFitsIntoElevenMegabytes() throws {
    var random = SeededGenerator(51)
    let folder = try TemporaryFolder()
    let vocabulary = 49152
    func word() -> Int32 {
      // Near Zipf's law, where the k-th most frequent word has a probability of about 1/k; a little steeper, because
      // English of this length has fewer distinct words than the vocabulary has tokens.
      let (a, b) = (Double.random(in: 0..<1, using: &random), Double.random(in: 0..<1.5, using: &random))
      return Int32(exp(min(a, b) * log(Double(vocabulary))))
    }
    var content = Content(latents: 4096, sequences: 1, contexts: 0, seed: 51)
    content.pair.vocabSize = vocabulary
    content.tokens = (0..<vocabulary).map { id in
      TokenRecord(id: Int32(id), bytes: Array((" " + String(id &* 7919, radix: 26)).utf8))
    }
    for index in content.latents.indices {
      func value() -> Double { Double.random(in: 0..<1, using: &random) }
      content.latents[index].nuError = value()
      content.latents[index].nuReconstruction = value()
      content.latents[index].decNormBase = value()
      content.latents[index].betaErrorBase = value()
      content.latents[index].betaErrorChat = value()
      content.latents[index].betaReconstructionBase = value()
      content.latents[index].betaReconstructionChat = value()
      content.latents[index].meanActivation = value()
      content.latents[index].frequencyPlain = value()
      content.latents[index].frequencyChat = value()
    }
    content.sequences = (0..<16_000).map { id in
      SequenceRecord(id: Int32(id), tokenIDs: (0..<64).map { _ in word() }, corpus: "plain")
    }
    content.examples = (0..<4096 * 18).map { index in
      let positions = (0..<5).map { Int32($0 * 13 + index % 12) }
      return ExampleRecord(
        latent: index / 18, quantile: 4 - index % 18 / 4, rank: index % 4,
        sequence: Int32.random(in: 0..<16_000, using: &random), positions: positions,
        values: positions.map { _ in Float.random(in: 0...9, using: &random) })
    }
    content.logits = (0..<4096).flatMap { latent in
      LogitDirection.allCases.map { direction in
        let scores = (0..<8).map { TokenScore(token: Int32.random(in: 0..<49152, using: &random), value: Float($0)) }
        return LogitLensRecord(latent: latent, direction: direction, promoted: scores, suppressed: scores)
      }
    }
    content.neighbours = (5..<4096).flatMap { latent in
      (1...3).map { NeighbourRecord(latent: latent, kind: .chat, other: latent - $0, cosine: 0.51) }
    }
    try content.write(to: folder.file())
    let size = try bytes(folder.file()).count
    #expect(size <= 11_000_000, "\(size) bytes")
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(try store.page(of: 4095).contexts.count == 18)
  }
}
