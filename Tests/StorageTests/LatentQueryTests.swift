import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct LatentQueryTests {
  private static let metric = "base uselessness score"

  /// A store with tags and notes here and there, and what its orders compare.
  private struct Sample {
    let folder: TemporaryFolder
    let content: Content
    let store: Store
    var tags: [Int: Int] = [:]
    var notes: Set<Int> = []

    init(seed: UInt64) throws {
      folder = try TemporaryFolder()
      content = Content(latents: 90, seed: seed)
      try content.write(to: folder.file())
      store = try Store(path: folder.file(), access: .readWrite)
      for latent in content.latents where latent.id % 3 == 0 {
        let names = latent.id % 2 == 0 ? ["a", "b"] : ["a"]
        try store.annotate([latent.id], adding: names)
        tags[latent.id] = names.count
        if latent.id % 5 == 0 {
          try store.annotate([latent.id], note: "seen")
          notes.insert(latent.id)
        }
      }
    }

    func value(_ latent: LatentRecord, _ sort: LatentSort) -> Double? {
      switch sort {
      case .column, .metric: latent[sort]
      case .latentClass: LatentClass.allCases.firstIndex(of: latent.latentClass).map(Double.init)
      case .tags: Double(tags[latent.id] ?? 0)
      case .note: notes.contains(latent.id) ? 1 : 0
      }
    }

    func precedes(_ a: LatentRecord, _ b: LatentRecord, _ orders: [LatentOrder]) -> Bool {
      for order in orders {
        switch (value(a, order.sort), value(b, order.sort)) {
        case (nil, .some): return false
        case (.some, nil): return true
        case (let x?, let y?) where x != y: return order.ascending ? x < y : x > y
        default: continue
        }
      }
      return orders.last?.ascending == true ? a.id < b.id : a.id > b.id
    }
  }

  /// Every order and direction, with and without a filter, is what sorting all rows in memory gives.
  @Test func listsEqualSortingInMemory() throws {
    let sample = try Sample(seed: 21)
    #expect(try sample.store.metricNames() == [Self.metric])
    for sort in LatentSort.everywhere + [.metric(Self.metric)] {
      for ascending in [true, false] {
        for text in ["", "nu_error<0.5 or dead"] {
          let order = LatentOrder(sort, ascending: ascending)
          let expected = sample.content.latents
            .filter { text.isEmpty || $0.dead || ($0.nuError.map { $0 < 0.5 } ?? false) }
            .sorted { sample.precedes($0, $1, [order]) }
          let list = try sample.store.latentList(by: order, matching: Filter(text))
          #expect(list.ids == expected.map(\.id), "\(sort) \(ascending) \(text)")
          #expect(list.values == expected.compactMap { sample.value($0, sort) }, "\(sort) \(ascending) \(text)")
          let ids = try sample.store.latentIDs(sortedBy: sort, ascending: ascending, matching: Filter(text))
          #expect(ids == list.ids)
          #expect(try sample.store.latents(ids: ids) == expected)
        }
      }
    }
  }

  /// Every pair of keys in every direction.
  @Test func aSecondKeyOrdersWhatTheFirstLeavesEqual() throws {
    let sample = try Sample(seed: 24)
    let sorts = LatentSort.everywhere + [.metric(Self.metric)]
    for first in sorts {
      for second in sorts {
        for (up, down) in [(true, false), (false, true)] {
          let orders = [LatentOrder(first, ascending: up), LatentOrder(second, ascending: down)]
          // A key that is the first again, or below the id, decides nothing.
          let told = first == second || first == .id ? [orders[0]] : orders
          let expected = sample.content.latents.sorted { sample.precedes($0, $1, told) }.map(\.id)
          let ids = try sample.store.latentIDs(sortedBy: first, ascending: up, then: orders[1])
          #expect(ids == expected, "\(first) \(up), \(second) \(down)")
        }
      }
    }
  }

  @Test func classesAreCountedUnderTheFilter() throws {
    let sample = try Sample(seed: 25)
    for text in ["", "nu_error<0.5", "tag:a", "\"nobel\""] {
      let filter = try Filter(text)
      let counts = try sample.store.classCounts(matching: filter)
      for latentClass in LatentClass.allCases {
        let ids = try sample.store.latentIDs(matching: filter.narrowed(to: latentClass))
        #expect(ids.count == counts[latentClass] ?? 0)
        #expect(try sample.store.latents(ids: ids).allSatisfy { $0.latentClass == latentClass })
      }
      #expect(counts.values.reduce(0, +) == (try sample.store.latentCount(matching: filter)))
    }
  }

  @Test func usualOrdersAreServedByAnIndex() throws {
    let sample = try Sample(seed: 22)
    for sort in LatentSort.indexed + [.metric(Self.metric)] {
      for part in try sample.store.read({ try sample.store.parts(of: LatentOrder(sort, ascending: false), in: $0) }) {
        let plan = try sample.store.read { db in
          try Row.fetchAll(
            db,
            sql: """
              EXPLAIN QUERY PLAN SELECT * FROM \(part.tables) WHERE \(part.condition.sql)
              ORDER BY \(part.order.sql) LIMIT 10
              """, arguments: StatementArguments(part.condition.arguments + part.order.arguments)
          ).map { String(describing: $0) }.joined()
        }
        #expect(!plan.contains("TEMP B-TREE"), "\(sort): \(plan)")
      }
    }
  }

  @Test func textIsFoundThroughAnIndexOfTheContexts() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 90, seed: 26).write(to: folder.file())
    let queue = try DatabaseQueue(path: folder.file())
    func plan() throws -> String {
      try queue.read { db in
        try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN SELECT DISTINCT latent FROM example WHERE sequence IN (1, 2)")
          .map { String(describing: $0) }.joined()
      }
    }
    func found() throws -> [[Int]] {
      let store = try Store(path: folder.file(), access: .readOnly)
      return try ["nobel", "nobel prize", "refuse"].map { try store.latentIDs(matching: Filter("\"\($0)\"")) }
    }
    let before = try found()
    try queue.write { try $0.execute(sql: "DROP INDEX example_sequence") }
    #expect(try !plan().contains("example_sequence") && found() == before)
    try queue.write { try $0.execute(sql: Schema.contextIndex) }
    #expect(try plan().contains("example_sequence") && found() == before)
  }

  @Test func aWordOfMostLatentsIsFoundLikeARareOne() throws {
    let sample = try Sample(seed: 27)
    let pages = try sample.store.latentIDs(sortedBy: .id).map { try sample.store.page(of: $0) }
    var shares: [Int] = []
    for word in ["the", "re", "nobel prize", "given to", "sorry cannot"] {
      let pattern = TextPattern(word)
      let expected = pages.filter { page in
        page.contexts.contains { context in
          let bytes = context.sequence.tokenIDs.flatMap { id in
            page.tokens[id].map { $0.isSpecial ? [] : $0.bytes } ?? []
          }
          return pattern.isFound(inFolded: TextPattern.fold(bytes))
        }
      }.map(\.latent.id)
      // Twice: what was found is kept.
      for _ in 0..<2 {
        #expect(try sample.store.latentIDs(sortedBy: .id, matching: Filter("\"\(word)\"")) == expected, "\(word)")
      }
      shares.append(100 * expected.count / pages.count)
    }
    #expect(shares.contains { $0 > 50 } && shares.contains { 0 < $0 && $0 < 50 }, "\(shares)")
  }

  @Test func aCancelledTasksQueryEnds() async throws {
    let sample = try Sample(seed: 28)
    let store = sample.store
    let reading = Task.detached {
      storageError {
        _ = try store.read { db in
          try Int.fetchOne(
            db,
            sql: """
              WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) SELECT count(*) FROM n
              """)
        }
      }
    }
    reading.cancel()
    #expect(await reading.value == .cancelled(path: store.path))
    #expect(try !store.latentIDs().isEmpty, "the connection is as good as new")
  }

  @Test func unknownLatentIsNamedWithTheRange() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 5, seed: 1).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(storageError { _ = try store.latent(5) } == .noSuchLatent(id: 5, count: 5))
    #expect(storageError { _ = try store.page(of: -1) } == .noSuchLatent(id: -1, count: 5))
    #expect(
      StorageError.noSuchLatent(id: 5, count: 5).description == "there is no latent 5; this store has latents 0 to 4")
  }

  @Test func aPageHoldsWhatWasWritten() throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 30, seed: 23)
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(try store.modelPair() == content.pair)
    #expect(try store.meta() == ["corpus": "made up"])
    for latent in content.latents {
      let page = try store.page(of: latent.id)
      #expect(page.latent == latent)
      let examples = content.examples.filter { $0.latent == latent.id }
        .sorted { ($1.quantile, $0.rank) < ($0.quantile, $1.rank) }
      #expect(page.contexts.map(\.example) == examples)
      for context in page.contexts {
        #expect(context.sequence == content.sequences[Int(context.example.sequence)])
        #expect(context.maxActivation == context.example.values.max())
        #expect(context.activations[context.peak] == context.maxActivation)
        #expect(context.activations.filter { $0 != 0 }.count == context.example.positions.count)
      }
      #expect(page.histograms == content.histograms.filter { $0.latent == latent.id })
      #expect(Set(page.logits.map(\.direction)) == Set(LogitDirection.allCases))
      #expect(page.logits.allSatisfy { content.logits.contains($0) })
      #expect(page.neighbours == content.neighbours.filter { $0.latent == latent.id })
      #expect(page.explanations == content.explanations.filter { $0.latent == latent.id })
      #expect(page.tokens.values.allSatisfy { content.tokens[Int($0.id)] == $0 })
      for id in page.contexts.flatMap(\.sequence.tokenIDs) { #expect(page.tokens[id] != nil) }
    }
    #expect(try store.contexts(of: content.examples[0].latent, quantile: 4).allSatisfy { $0.example.quantile == 4 })
    #expect(try store.sequence(3) == content.sequences[3])
    #expect(try store.tokens([1, 99]).keys.sorted() == [1])
  }
}
