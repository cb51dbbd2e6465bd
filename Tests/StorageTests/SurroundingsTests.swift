// Latents that fire together, and contexts in which one is silent.

import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct SurroundingsTests {
  private static func store(_ content: Content, in folder: TemporaryFolder) throws -> Store {
    try content.write(to: folder.file())
    return try Store(path: folder.file(), access: .readOnly)
  }

  /// Counted over all pairs of examples, token by token.
  private static func naive(_ content: Content, _ latent: Int) -> [CoFiringRecord] {
    func tokens(_ id: Int, in sequences: Set<Int32>) -> Set<[Int32]> {
      Set(
        content.examples.filter { $0.latent == id && sequences.contains($0.sequence) }
          .flatMap { example in example.positions.map { [example.sequence, $0] } })
    }
    let sequences = Set(content.examples.filter { $0.latent == latent }.map(\.sequence))
    let own = tokens(latent, in: sequences)
    var records: [CoFiringRecord] = []
    for other in content.latents.map(\.id) where other != latent {
      let theirs = tokens(other, in: sequences)
      let both = own.filter { theirs.contains($0) }.count
      guard both > 0 else { continue }
      records.append(
        CoFiringRecord(
          latent: latent, other: other, contexts: Set(theirs.map { $0[0] }).count, both: both,
          either: own.union(theirs).count))
    }
    return records.sorted { ($1.share, $1.both, $0.other) < ($0.share, $0.both, $1.other) }
  }

  @Test(arguments: [UInt64(1), 2, 3]) func coFiringIsWhatCountingEveryPairGives(seed: UInt64) throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 25, sequences: 20, window: 8, seed: seed)
    let store = try Self.store(content, in: folder)
    var found = 0
    for latent in content.latents {
      let expected = Self.naive(content, latent.id)
      #expect(try store.coFiring(with: latent.id, limit: 100) == expected)
      #expect(try store.coFiring(with: latent.id, limit: 3) == Array(expected.prefix(3)))
      found += expected.count
      #expect(latent.dead == expected.isEmpty || expected.isEmpty)
    }
    #expect(found > 100)
  }

  @Test func aStoreWithoutTheIndexIsReadAndGetsItWhenItIsOpenedForWriting() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 12, seed: 9)
    try content.write(to: folder.file())
    let queue = try DatabaseQueue(path: folder.file())
    try queue.write { db in
      try db.execute(
        sql: """
          DROP INDEX example_sequence; DELETE FROM grdb_migrations WHERE identifier = 'examples-by-sequence';
          \(TemporaryFolder.withoutSessions)
          """)
    }
    try queue.close()
    let before = try Data(contentsOf: URL(filePath: folder.file()))
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(try store.coFiring(with: 0) == nil && store.check().isEmpty)
    store.close()
    #expect(try Data(contentsOf: URL(filePath: folder.file())) == before)
    let writable = try Store(path: folder.file(), access: .readWrite)
    for latent in content.latents {
      #expect(try writable.coFiring(with: latent.id, limit: 100) == Self.naive(content, latent.id))
    }
  }

  @Test func contrastIsOfOtherTextsOfTheSameCorpora() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 25, sequences: 60, window: 6, contexts: 3, seed: 5)
    let store = try Self.store(content, in: folder)
    var (near, others) = (0, 0)
    for latent in content.latents {
      let contrast = try store.contrast(to: latent.id)
      #expect(contrast == (try store.contrast(to: latent.id)))
      let own = content.examples.filter { $0.latent == latent.id }
      let corpora = Set(own.map { content.sequences[Int($0.sequence)].corpus })
      for context in contrast.contexts {
        #expect(!own.contains { $0.sequence == context.sequence.id } && corpora.contains(context.sequence.corpus))
        #expect(!context.isSilent, "the histograms say more than the contexts")
        #expect(context.sequence.tokenIDs.indices.contains(context.focus))
        guard let similar = context.similar else {
          others += 1
          continue
        }
        near += 1
        #expect(content.neighbours.contains { $0.latent == latent.id && $0.other == similar })
        #expect(content.examples.contains { $0.latent == similar && $0.sequence == context.sequence.id })
      }
      #expect(Set(contrast.contexts.map(\.sequence.id)).count == contrast.contexts.count)
      #expect(Set(contrast.contexts.flatMap(\.sequence.tokenIDs)) == Set(contrast.tokens.keys))
    }
    #expect(near > 5 && others > 20)
  }

  /// Silence is proven where the histogram has no more tokens than the contexts, and no pair of tokens is the same.
  @Test func silenceIsSaidOnlyWhereItIsProven() throws {
    let folder = try TemporaryFolder()
    var content = Content(latents: 1, sequences: 4, window: 4, contexts: 1, seed: 1)
    content.latents = [LatentRecord(id: 0)]
    content.latents[0].maxActivation = 2
    content.neighbours = []
    content.sequences = [
      SequenceRecord(id: 0, tokenIDs: [1, 2, 3, 4], corpus: "chat", templateMask: [true, true, false, false]),
      SequenceRecord(id: 1, tokenIDs: [5, 6, 7, 8], corpus: "chat"),
      SequenceRecord(id: 2, tokenIDs: [1, 2, 9, 9], corpus: "chat", templateMask: [true, true, false, false]),
      SequenceRecord(id: 3, tokenIDs: [9, 3, 4, 9], corpus: "chat"),
    ]
    content.examples = [
      ExampleRecord(latent: 0, quantile: 4, rank: 0, sequence: 0, positions: [1, 3], values: Content.storable([1, 2]))
    ]
    content.histograms = [HistogramRecord(latent: 0, corpus: "chat", low: 1, high: 2, counts: [1, 1])]
    let proven = try Self.store(content, in: folder).contrast(to: 0).contexts
    #expect(Dictionary(uniqueKeysWithValues: proven.map { ($0.sequence.id, $0.isSilent) }) == [1: true, 2: false])
    content.histograms = [HistogramRecord(latent: 0, corpus: "chat", low: 1, high: 2, counts: [2, 1])]
    let unproven = try Self.store(content, in: folder).contrast(to: 0).contexts
    #expect(unproven.map(\.isSilent) == [false, false])
  }
}
