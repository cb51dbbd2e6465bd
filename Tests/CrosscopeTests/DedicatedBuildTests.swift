// A build whose latents partly belong to one model: what is dedicated stays so, and the base probe scores base's latents.

import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Pipeline
@testable import crosscope

@Suite struct DedicatedBuildTests {
  private static func dedicated(_ text: String, share: String = "0.1") -> String {
    text.replacing(#""latents": 64,"#, with: #""method": "dedicated", "latents": 64, "dedicated_share": \#(share),"#)
  }

  @Test func dedicatedLatentsStayWithTheirModel() throws {
    let build = try TinyBuild()
    try build.write { Self.dedicated($0) }
    try build.run()
    let crosscoder = try Crosscoder.load(folder: build.folder.path + "/crosscoder")
    #expect(crosscoder.card.dedicated == DedicatedLatents(base: 6, chat: 6))
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.check().isEmpty)
    let latents = try store.latents(ids: 0..<64)
    for latent in latents {
      switch latent.id {
      case 52..<58: #expect(latent.deltaNorm == 0 && latent.latentClass == .baseOnly)
      case 58..<64: #expect(latent.deltaNorm == 1 && latent.latentClass == .chatOnly)
      default: #expect((0.001...0.999).contains(latent.deltaNorm ?? -1))
      }
      // The base probe scores living latents that are stronger in base.
      let isScored = latent.metrics[LatentMetric.nuErrorProbeBase] != nil
      #expect(isScored == (!latent.dead && (latent.deltaNorm ?? 1) < 0.5), "latent \(latent.id)")
    }
    #expect(latents.contains { $0.metrics[LatentMetric.nuErrorProbeBase] != nil }, "the seed is meant to give some")
    let found = try store.latentIDs(matching: Filter(argument: "nu_error_probe_base<0.5", of: store))
    #expect(Set(found) == Set(latents.filter { ($0.metrics[LatentMetric.nuErrorProbeBase] ?? 1) < 0.5 }.map(\.id)))
  }

  @Test func aShareOutOfRangeIsRefusedByName() throws {
    let build = try TinyBuild()
    for share in ["0.6", "-0.1"] {
      try build.write { Self.dedicated($0, share: share) }
      #expect { try build.run() } throws: { "\($0)".contains("training.dedicated_share") }
    }
    try build.write { $0.replacing(#""latents": 64,"#, with: #""latents": 64, "dedicated_share": 0.1,"#) }
    #expect { try build.run() } throws: { "\($0)".contains("training.dedicated_share") }
  }

  @Test func theScaleCommandLooksForBasesDirections() throws {
    let build = try TinyBuild()
    try build.run()
    let crosscoder = build.folder.path + "/crosscoder"
    let activations = build.folder.path + "/x.safetensors"
    var writer = SafetensorsWriter()
    let d = try Crosscoder.load(folder: crosscoder).dModel
    var generator = SeededGenerator(3)
    writer.add(
      "x", shape: [40, 2, d], floats: (0..<80 * d).map { _ in Float.random(in: -3...3, using: &generator) })
    try writer.write(to: activations)
    let arguments = ["scale", "--crosscoder", crosscoder, "--activations", activations, "--json"]
    let (plain, probed) = (try Program.run(arguments).json(), try Program.run(arguments + ["--base-probe"]).json())
    let rows = try [plain, probed].map { try #require($0["latents"] as? [[String: Any]]) }
    let added = Set(rows[1][0].keys).subtracting(rows[0][0].keys)
    #expect(added.count == 8 && added.allSatisfy { $0.hasSuffix("_probe_base") })
    let scored = try #require(rows[1].first { $0["beta_error_base_probe_base"] is Double })
    let (base, chat) = (
      try #require(scored["beta_error_base_probe_base"] as? Double),
      try #require(scored["beta_error_chat_probe_base"] as? Double)
    )
    #expect(abs(try #require(scored["nu_error_probe_base"] as? Double) - chat / base) < 1e-9 * abs(chat / base))
  }
}
