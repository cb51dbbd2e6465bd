// The page of a latent that is stronger in base says by base's direction what chat still has of it.

import ExplorerTestSupport
import Storage
import TUI
import TestSupport
import Testing

@testable import Explorer

@Suite struct BaseProbeLinesTests {
  @Test func aPageShowsTheRatiosOfTheBaseProbe() async throws {
    let sample = try SampleStore()
    let store = try sample.open()
    let first = try #require(store.latentIDs(matching: Filter("")).first)
    let plain = try await ExplorerDriver(store, size: Size(columns: 100, rows: 40))
    var without = plain
    await without.press("enter")
    #expect(!without.text.contains("base's:"))
    try store.save(metrics: [
      (LatentMetric.nuErrorProbeBase, [(first, 0.07)]), (LatentMetric.nuReconstructionProbeBase, [(first, 0.8)]),
    ])
    var driver = try await ExplorerDriver(store, size: Size(columns: 100, rows: 40))
    await driver.press("enter")
    let lines = driver.text.split(separator: "\n")
    #expect(lines.contains { $0.contains("ν^ε") && $0.contains("0.07") && $0.contains("base's: gone from chat") })
    #expect(lines.contains { $0.contains("ν^r") && $0.contains("0.80") && $0.contains("base's: others carry it") })
  }
}
