import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct LatentQueryTests {
  /// Every order and direction, with and without a filter: by key, by ids and by sorting in memory are one list.
  @Test(arguments: [1, 2, 7, 50])
  func pagesEqualSortingInMemory(limit: Int) throws {
    let folder = try TemporaryFolder()
    let content = Content(latents: 90, seed: 21)
    try content.write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    let metric = "base uselessness score"
    #expect(try store.metricNames() == [metric])
    for sort in LatentSort.allCases + [.metric(metric)] {
      for ascending in [true, false] {
        for text in ["", "nu_error<0.5 or dead"] {
          let filter = try Filter(text)
          let expected = content.latents
            .filter { text.isEmpty || $0.dead || ($0.nuError.map { $0 < 0.5 } ?? false) }
            .sorted { precedes($0, $1, sort, ascending) }
          var paged: [LatentRecord] = []
          while true {
            let page = try store.latents(
              sortedBy: sort, ascending: ascending, matching: filter,
              after: paged.last.map { LatentKey($0, in: sort) }, limit: limit)
            paged += page
            if page.count < limit { break }
          }
          #expect(paged == expected, "\(sort) \(ascending) \(text)")
          let ids = try store.latentIDs(sortedBy: sort, ascending: ascending, matching: filter)
          #expect(ids == expected.map(\.id))
          #expect(try store.latents(ids: ids.prefix(limit)) == Array(expected.prefix(limit)))
        }
      }
    }
  }

  private func precedes(_ a: LatentRecord, _ b: LatentRecord, _ sort: LatentSort, _ ascending: Bool) -> Bool {
    switch (a[sort], b[sort]) {
    case (nil, .some): return false
    case (.some, nil): return true
    case (let x?, let y?) where x != y: return ascending ? x < y : x > y
    default: return ascending ? a.id < b.id : a.id > b.id
    }
  }

  @Test func everyOrderIsServedByAnIndex() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 90, seed: 22).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    for sort in LatentSort.allCases + [.metric("base uselessness score")] {
      for part in try store.read({ try store.parts(of: sort, ascending: false, in: $0) }) {
        let start = part.start(after: LatentKey(LatentRecord(id: 3), in: .id)) ?? .always
        let plan = try store.read { db in
          try Row.fetchAll(
            db,
            sql: """
              EXPLAIN QUERY PLAN SELECT * FROM \(part.tables) WHERE \(part.condition.sql) AND \(start.sql)
              ORDER BY \(part.order) LIMIT 10
              """, arguments: StatementArguments(part.condition.arguments + start.arguments)
          ).map { String(describing: $0) }.joined()
        }
        #expect(!plan.contains("TEMP B-TREE"), "\(sort): \(plan)")
        #expect(plan.contains("USING"), "\(sort): \(plan)")
      }
    }
  }

  @Test func unknownLatentIsNamedWithTheRange() throws {
    let folder = try TemporaryFolder()
    try Content(latents: 5, seed: 1).write(to: folder.file())
    let store = try Store(path: folder.file(), access: .readOnly)
    #expect(storageError { _ = try store.latent(5) } == .noSuchLatent(id: 5, count: 5))
    #expect(storageError { _ = try store.page(of: -1) } == .noSuchLatent(id: -1, count: 5))
    #expect(StorageError.noSuchLatent(id: 5, count: 5).description == "no latent 5; this store has latents 0 to 4")
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
