// A dictionary of chat − base on its whole way: built, scored, indexed, filtered, steered with, evaluated, imported again.

import ExplorerTestSupport
import Foundation
import Storage
import TUI
import TestSupport
import Testing

@testable import Diffing
@testable import Experiments
@testable import Explorer
@testable import Pipeline
@testable import crosscope

@Suite struct DifferenceDictionaryTests {
  private func built() throws -> TinyBuild {
    let build = try TinyBuild()
    try build.write { $0.replacing(#""k": 4"#, with: #""k": 4, "method": "sae-difference""#) }
    try build.runAnew()
    return build
  }

  private func strongest(_ build: TinyBuild) throws -> LatentRecord {
    let store = try Store(path: build.storePath, access: .readOnly)
    return try #require(store.latents(ids: 0..<64).max { ($0.frequency ?? 0) < ($1.frequency ?? 0) })
  }

  @Test func aStoreHasItsScoresAndContexts() throws {
    let build = try built()
    let store = try Store(path: build.storePath, access: .readOnly)
    #expect(try store.check().isEmpty)
    let latents = try store.latents(ids: 0..<64)
    #expect(Set(latents.compactMap(\.chatSpecificity)) == Set(1...64))
    let living = latents.filter { !$0.dead }
    #expect(living.count > 4)
    for latent in latents {
      #expect(
        latent.decNormBase == nil && latent.deltaNorm == nil && latent.nuError == nil && latent.nuReconstruction == nil)
      let ratio = latent.metrics[LatentMetric.nuActivation]
      #expect((ratio == nil) == latent.dead)
      guard let base = latent.betaActivationBase, let chat = latent.betaActivationChat, let ratio else { continue }
      #expect(abs(ratio - base / chat) <= 1e-9 * max(1, abs(ratio)))
    }
    // Those that fired often enough, and in chat's direction, come by the size of their ratio, the smallest first.
    let tokens = Double(try ScoreFile.read(build.folder.path + "/work/scores.json").tokens)
    let scored = living.filter { latent in
      (latent.betaActivationChat ?? 0) > 0 && abs(latent.metrics[LatentMetric.nuActivation] ?? .infinity) <= 2
        && (latent.frequency ?? 0) * tokens > 19.5
    }
    func size(_ latent: LatentRecord) -> Double { abs(latent.metrics[LatentMetric.nuActivation] ?? .infinity) }
    let order = scored.sorted { ($0.chatSpecificity ?? 0) < ($1.chatSpecificity ?? 0) }
    #expect(order.count > 2 && order.map(\.id) == scored.sorted { size($0) < size($1) }.map(\.id))
    #expect(order.map(\.chatSpecificity) == (1...order.count).map { $0 })
    let found = try store.latentIDs(matching: Filter(argument: "nu_activation<0.5", of: store))
    #expect(Set(found) == Set(latents.filter { ($0.metrics[LatentMetric.nuActivation] ?? 1) < 0.5 }.map(\.id)))

    // The activation of the best context is what the models give for that text again.
    let latent = try strongest(build)
    let page = try store.page(of: latent.id)
    #expect(page.logits.map(\.direction) == [.chat] && page.neighbours.allSatisfy { $0.kind == .chat })
    let context = try SteeringContext.load(store: store)
    #expect(context.crosscoder.target == .difference && context.crosscoder.readsBase)
    let best = try #require(page.contexts.max { $0.maxActivation < $1.maxActivation })
    let activations = try Harvester(engine: context.engine, layer: context.pair.layer)
      .activations(of: [best.sequence.tokenIDs])[0]
    let codes = try context.crosscoder.encode(activations)
    let value = codes.entries(of: best.peak).first { codes.latents[$0] == latent.id }.map { codes.values[$0] }
    #expect(abs((value ?? 0) - best.maxActivation) <= 0.05 * best.maxActivation)
    let shown = try Program.run(["show", build.storePath, "\(latent.id)"])
    #expect(shown.code == 0 && shown.out.contains("nu_activation"), "\(shown.out) \(shown.error)")
    let scores = try ScoreFile.read(build.folder.path + "/work/scores.json")
    #expect(scores.fve_base == nil && scores.variance?.keys.sorted() == ["difference"])
    #expect((scores.variance?["difference"]?.explained ?? 0) > 0.1)
  }

  @Test func theExplorerShowsItsRatio() async throws {
    let build = try built()
    let store = try Store(path: build.storePath, access: .readOnly)
    var driver = try await ExplorerDriver(store, size: Size(columns: 120, rows: 40))
    #expect(driver.text.contains("nu_activ") && !driver.text.contains("ν^ε"), "\(driver.text)")
    await driver.press("enter")
    for word in ["β base", "β chat", "ratio"] { #expect(driver.text.contains(word), "\(driver.text)") }
    #expect(!driver.text.contains("this store has none"))
  }

  @Test func itsLatentsSteer() throws {
    let build = try built()
    let latent = try strongest(build).id
    func steer(_ plan: String) throws -> Program.Outcome {
      try Program.run([
        "steer", build.storePath, "--latent", "\(latent):\(plan)", "--prompt", "sun", "--max-tokens", "5", "--json",
      ])
    }
    func ids(_ plan: String) throws -> (baseline: [Int], steered: [Int]) {
      let outcome = try steer(plan)
      #expect(outcome.code == 0, "\(outcome.error)")
      let json = try outcome.json()
      let steered = try #require(json["steered"] as? [[String: Any]])
      return (
        try #require((json["baseline"] as? [String: Any])?["ids"] as? [Int]), try #require(steered[0]["ids"] as? [Int])
      )
    }
    let added = try ids("40:add")
    #expect(added.baseline != added.steered)
    let idle = try ids("0:ablate")
    #expect(idle.baseline == idle.steered)
    let (ablated, held, patched) = (try ids("1:ablate"), try ids("0:clamp"), try ids("-1:difference"))
    #expect(ablated.steered == held.steered && ablated.steered == patched.steered, "three names of one change")
    try steer("1:project").expectOneLine(saying: "use mode ablate")
  }

  @Test func itIsEvaluatedAndImported() throws {
    let build = try built()
    let texts = build.folder.path + "/held.jsonl"
    try #"{"text": "rain river stone and paper"}"#.write(toFile: texts, atomically: true, encoding: .utf8)
    let outcome = try Program.run(["evaluate", build.storePath, "--texts", texts, "--json"])
    #expect(outcome.code == 0, "\(outcome.error)")
    let report = try outcome.json()
    #expect(report["base"] == nil && report["chat"] is [String: Any])
    let imported = build.folder.path + "/imported.crosscope"
    let again = try Program.run([
      "import", imported, "--crosscoder", build.folder.path + "/crosscoder", "--model",
      build.folder.path + "/tiny.gguf",
    ])
    #expect(again.code == 0, "\(again.error)")
    let store = try Store(path: imported, access: .readOnly)
    #expect(try store.modelPair().base == "tiny" && store.page(of: 0).logits.count == 1)
    let arguments = [
      "steer", imported, "--latent", "0", "--prompt", "sun", "--max-tokens", "3", "--mode", "ablate", "--json",
    ]
    try Program.run(arguments).expectOneLine(saying: "--base-model or --adapter")
    let steered = try Program.run(arguments + ["--adapter", build.folder.path + "/adapter"])
    #expect(steered.code == 0, "\(steered.error)")
  }
}
