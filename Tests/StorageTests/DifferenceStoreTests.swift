// What two models differ in is kept by a store that has no latents, and stays when the store gets a crosscoder.

import Foundation
import Testing

@testable import Storage

@Suite struct DifferenceStoreTests {
  private let path = NSTemporaryDirectory() + "differences-\(UUID()).crosscope"

  private func pair(latents: Int, model: String = "aa") -> ModelPair {
    ModelPair(
      base: "base", chat: "chat", layer: 1, dModel: 3, nLatents: latents, vocabSize: 2,
      model: .init(path: "m.gguf", sha256: model))
  }

  private func write(_ pair: ModelPair) throws {
    let writer = try StoreWriter(replacing: path, pair: pair)
    try writer.add(tokens: [])
    if pair.nLatents > 0 {
      try writer.add(latents: (0..<pair.nLatents).map { LatentRecord(id: $0, dead: false, latentClass: .other) })
    }
    try writer.finish()
  }

  private let direction = DirectionRecord(
    name: "δ 1 plain 2", layer: 1, unit: 4.5, source: "mean difference", vector: [1, -2, 0.25])

  @Test func aStoreWithoutLatentsKeepsThemAndGetsACrosscoderLater() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(pair(latents: 0))
    do {
      let store = try Store(path: path, access: .readWrite)
      #expect(try store.differences().isEmpty && store.directions().isEmpty)
      try store.save(differences: ["setup": "{}", "orders": "[]"], directions: [direction])
      // Again, in place of the first.
      try store.save(differences: ["setup": "{}"], directions: [direction])
      #expect(try store.differences() == ["setup": "{}"])
      #expect(try store.directions().map(\.vector) == [direction.vector])
    }
    try write(pair(latents: 2))
    let store = try Store(path: path, access: .readWrite)
    #expect(try store.latentCount() == 2)
    #expect(try store.differences() == ["setup": "{}"])
    #expect(try store.directions().map(\.name) == [direction.name])
    #expect(try store.deleteDirection(named: direction.name) && !store.deleteDirection(named: direction.name))
  }

  @Test func anotherPairBringsNothingAlong() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(pair(latents: 0))
    do { try Store(path: path, access: .readWrite).save(differences: ["setup": "{}"], directions: [direction]) }
    try write(pair(latents: 0, model: "bb"))
    #expect(try Store(path: path, access: .readOnly).differences().isEmpty)
  }

  @Test func openingReadsTheStoreThatTookThePlace() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(pair(latents: 1))
    var attempts = 0
    let (store, latents) = try Store.opened(path: path, access: .readOnly) { store in
      attempts += 1
      if attempts == 1 { try write(pair(latents: 3)) }
      return try store.latentCount()
    }
    #expect(attempts == 2 && latents == 3)
    #expect(try store.latentCount() == 3)
  }

  @Test func whatIsNoDirectionIsRefused() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    try write(pair(latents: 0))
    let store = try Store(path: path, access: .readWrite)
    for (name, unit, vector) in [("", 1.0, [1 as Float]), ("a", 0, [1]), ("a", 1, [0, 0]), ("a", 1, [.nan])] {
      #expect(throws: StorageError.self) {
        try store.save(directions: [DirectionRecord(name: name, layer: 0, unit: unit, source: "test", vector: vector)])
      }
    }
    #expect(try store.directions().isEmpty)
  }
}
