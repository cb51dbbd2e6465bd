// Metrics that are saved in a finished store, while others read it.

import Testing

@testable import Storage

@Suite struct SavedMetricTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aReplacedMetricKeepsItsNameForThoseWhoReadTheStore() throws {
    let path = folder.file()
    let writer = try StoreWriter(
      replacing: path, pair: ModelPair(base: "a", chat: "b", layer: 0, dModel: 4, nLatents: 3, vocabSize: 2))
    try writer.add(latents: (0..<3).map { LatentRecord(id: $0, latentClass: .other) })
    try writer.add(metric: "first", values: [(latent: 0, value: 1), (latent: 1, value: 1)])
    try writer.add(metric: "second", values: [(latent: 0, value: 2)])
    try writer.finish()
    let reader = try Store(path: path, access: .readOnly)
    #expect(try reader.latents(ids: [0])[0].metrics == ["first": 1, "second": 2])

    let other = try Store(path: path, access: .readWrite)
    try other.save(metrics: [
      ("second", [(latent: 0, value: 20)]), ("third", [(latent: 0, value: 30)]), ("first", [(latent: 0, value: 10)]),
    ])
    #expect(try reader.latents(ids: [0])[0].metrics == ["first": 10, "second": 20])
    #expect(try reader.latents(ids: [1])[0].metrics == [:], "what is not among the new values is gone")
    #expect(try other.metricNames() == ["first", "second", "third"])
    #expect(try Store(path: path, access: .readOnly).latents(ids: [0])[0].metrics["third"] == 30)
  }

  @Test func whatCannotBeSavedChangesNothing() throws {
    let path = folder.file()
    let writer = try StoreWriter(
      replacing: path, pair: ModelPair(base: "a", chat: "b", layer: 0, dModel: 4, nLatents: 1, vocabSize: 2))
    try writer.add(latents: [LatentRecord(id: 0, latentClass: .other)])
    try writer.add(metric: "known", values: [(latent: 0, value: 1)])
    try writer.finish()
    let store = try Store(path: path, access: .readWrite)
    for values in [[(latent: 0, value: Double.nan)], [(latent: 7, value: 1)]] {
      #expect(throws: StorageError.self) { try store.save(metrics: [("known", values)]) }
    }
    #expect(throws: StorageError.self) { try store.save(metrics: [("", [(latent: 0, value: 1)])]) }
    #expect(try store.latents(ids: [0])[0].metrics == ["known": 1])
  }
}
