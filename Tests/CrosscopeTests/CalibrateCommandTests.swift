// `crosscope calibrate` on the demo, as small as it can be, and what follows from the limit that it keeps.

import Foundation
import Storage
import TestSupport
import Testing

@testable import crosscope

@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.missing))
struct CalibrateCommandTests {
  private let demo: DemoCopy
  private let model: [String]

  init() throws {
    demo = try DemoCopy()
    model = ["--model", try #require(RealModel.path)]
  }

  @Test func theLimitIsFoundKeptAndReported() throws {
    let prompts = demo.store + ".prompts.jsonl"
    try "{\"prompt\":\"How do I boil an egg?\"}\n".write(toFile: prompts, atomically: true, encoding: .utf8)
    let outcome = try Program.run(
      ["calibrate", demo.store, "--latents", "4", "--prompts", prompts, "--max-tokens", "8", "--json"] + model)
    #expect(outcome.code == 0 && outcome.error.contains("strengths 0.2500 to 1"), "\(outcome.error)")
    let report = try outcome.json()
    let limit = try #require(report["coherence_limit"] as? [String: Any])
    let (value, low, high) = (
      try #require(limit["value"] as? Double), try #require(limit["low"] as? Double),
      try #require(limit["high"] as? Double)
    )
    #expect(low <= value && value <= high && (0.2...2).contains(value), "\(limit)")
    let curve = try #require(report["curve"] as? [[String: Any]])
    let strengths = curve.compactMap { $0["strength"] as? Double }
    #expect(strengths.starts(with: [0, 0.25, 0.5, 0.75, 1]) && strengths.count % 4 == 1)
    let broken = curve.compactMap { ($0["broken"] as? [String: Any])?["value"] as? Double }
    // The curve comes to 1 where the limit is.
    let place = try #require(strengths.lastIndex { $0 <= value })
    #expect(broken[place] <= 1.02 && broken[place + 1] >= 0.98, "\(broken)")
    #expect(try Store(path: demo.store, access: .readOnly).knownCoherenceLimit() == value)
  }

  @Test func aDefaultBeyondTheLimitIsWarnedOf() throws {
    for (latent, more) in [
      ("594:1", []), ("594:2", []), ("594", ["--mode", "ablate"]), ("594", ["--sweep", "0:1:1"]),
      ("594", ["--raw-strength"]),
    ] as [(String, [String])] {
      let outcome = try Program.run(
        ["steer", demo.store, "--latent", latent, "--prompt", "Hi", "--max-tokens", "1"] + model + more)
      #expect(outcome.code == 0 && outcome.error == "", "\(latent) \(more): \(outcome.error)")
    }
    let bare = try Program.run(
      ["steer", demo.store, "--latent", "594", "--prompt", "Hi", "--max-tokens", "1"] + model)
    #expect(bare.code == 0 && bare.error.hasPrefix("steer: the default strength 1 is beyond this pair's limit of 0.79"))
  }
}
