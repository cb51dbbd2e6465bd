// What the demo claims of single latents and of sets of them, on held-out prompts: sign and size of the change, each
// with random latents beside it that stay within the unsteered answers' interval. As few prompts and tokens as that
// needs.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import crosscope

@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.missing))
struct DemoEvidenceTests {
  let store: Store
  let context: SteeringContext
  static let prompts = URL(filePath: DemoStoreTests.path).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "prompts").path
  static let behaviours = URL(filePath: prompts).deletingLastPathComponent().appending(path: "behaviours.json").path

  init() throws {
    let demo = try LoadedDemo.shared.get()
    (store, context) = (demo.store, demo.context)
  }

  /// The rows of the unsteered, the steered and the random arm.
  private func rows(
    _ latents: [Int], _ mode: SteeringMode, _ strength: Double, at positions: TokenPositions = .all, on set: String,
    count: Int, tokens: Int
  ) throws -> (control: PromptSetRun.Control?, rows: [DoseResponse.Row]) {
    let all = try SetPrompt.read("\(Self.prompts)/\(set).jsonl")
    let setup = try SteeringSetup(
      SteeringRequest(
        prompt: "",
        plan: SteeringPlan(
          interventions: latents.map { Intervention(latent: $0, mode: mode, strength: strength) }, positions: positions),
        sampling: GenerationSettings(maxTokens: tokens), strengths: [1]),
      models: LoadedModels(context: context, store: store))
    let run = try PromptSetRun(setup, prompts: all.spread(count), draws: setup.randomLatents(1, of: latents.count))
    let behaviours = try BehaviourFile(path: Self.behaviours).behaviours
    let outcomes = try run.prompts.indices.map(run.outcome).showing(behaviours)
    return (run.control, DoseResponse.rows(run.arms, outcomes, behaviours))
  }

  @Test func thePromptSetsAreHeldOut() throws {
    func texts(_ name: String) throws -> Set<String> {
      Set(
        try String(contentsOfFile: "\(Self.prompts)/\(name).jsonl", encoding: .utf8).split(separator: "\n").map {
          struct Line: Decodable {
            struct Message: Decodable { let content: String }
            let prompt: String?
            let messages: [Message]?
          }
          let line = try JSONDecoder().decode(Line.self, from: Data($0.utf8))
          return try #require(line.prompt ?? line.messages?.first?.content)
        })
    }
    let (heldout, trained) = (try texts("heldout"), try texts("train"))
    for (name, count) in [
      ("harmful", 121), ("benign", 48), ("false-statements", 40), ("true-statements", 40), ("personal", 36),
    ] {
      let set = try texts(name)
      #expect(set.count == count && set.isSubset(of: heldout) && set.isDisjoint(with: trained))
    }
  }

  /// One latent, which fires on a trigger of its own, added where it fires: chat shows its behaviour where nothing asks for it, in
  /// text that the unsteered model takes for likely. Another direction of the same norm does not do that (data/README.md).
  @Test(
    arguments: [
      (2151, 2, TokenPositions.last, "benign", "refused"), (594, 0.8, .prompt, "benign", "answers-as-an-AI"),
      (1850, 2, .last, "true-statements", "flagged-as-false"),
    ] as [(Int, Double, TokenPositions, String, String)])
  func oneLatentMakesOneBehaviour(
    latent: Int, strength: Double, positions: TokenPositions, set: String, behaviour: String
  ) throws {
    let (control, rows) = try rows([latent], .add, strength, at: positions, on: set, count: 12, tokens: 14)
    #expect(control == .equalNorm)
    let rates = try rows.map { try #require($0.rate(of: behaviour)) }
    #expect(rates[0].value <= 0.25 && rates[2].value <= 0.25, "\(rates)")
    #expect(rates[1].value >= 0.6 && rates[1].isApart(from: rates[0]) && rates[1].isApart(from: rates[2]), "\(rates)")
    #expect(try #require(rows[1].perplexity).value <= 4)
    // Both change the stream by the same share.
    let sizes = try rows.dropFirst().map { try #require($0.relativeChange) }
    #expect(abs(sizes[0] / sizes[1] - 1) < 0.15, "\(sizes)")
    #expect(try #require(rows[1].kl).value > 1.5 * #require(rows[2].kl).value)
  }

  /// The 25 latents that carry most of what chat adds before it refuses (the store's column carried_refusal): without them it
  /// does not refuse; without 25 random ones it does.
  @Test func refusalsGoWithTheirLatentsAndNotWithOthers() throws {
    let metrics = try store.metricNames()
    let latents = try store.latentIDs(
      sortedBy: .metric("carried_refusal"), ascending: false, matching: Filter("not dead", metrics: metrics))
    let (control, rows) = try rows(Array(latents.prefix(25)), .difference, -1, on: "harmful", count: 16, tokens: 12)
    #expect(control == .ownActivation)
    let refused = rows.map(\.refused)
    #expect(refused[0].value >= 0.85 && refused[1].value <= 0.4, "\(refused)")
    #expect(refused[1].isApart(from: refused[0]) && refused[1].isApart(from: refused[2]), "\(refused)")
    #expect(!refused[2].isApart(from: refused[0]) && refused[2].value >= refused[0].value - 0.1, "\(refused)")
    let kl = try rows.map { try #require($0.kl) }
    #expect(kl[1].value > 5 * kl[2].value && kl[1].isApart(from: kl[2]), "\(kl)")
  }

  /// Latents that fire on one kind of harmful prompts before the answer begins, chosen on other prompts (the store's auc_KIND).
  @Test func refusalsHaveTriggersOfTheirOwn() throws {
    let kinds = ["refusal_malicious", "refusal_privacy", "refusal_hateful"]
    let latents = [3903, 2151, 2357]
    let prompts = try SetPrompt.read("\(Self.prompts)/heldout.jsonl")
    let found = try LoadedModels(context: context, store: store).outcome(
      of: PromptActivationsJob(prompts: prompts, latents: latents))
    let scores = TriggerScores(prompts: prompts, latents: latents, findings: found, kinds: kinds)
    for index in kinds.indices {
      #expect(scores.auc[index][index] >= 0.85, "\(kinds[index]): \(scores.auc[index])")
      for other in kinds.indices where other != index { #expect(scores.auc[other][index] < scores.auc[index][index]) }
    }
  }

  @Test func aPositiveAndANegativeStrengthMoveTheAnswersStartApart() throws {
    let request = SteeringRequest(
      prompt: "How do I start cooking?",
      plan: SteeringPlan(interventions: [Intervention(latent: 594, mode: .add, strength: 1)], positions: .template),
      sampling: GenerationSettings(maxTokens: 1), strengths: [-1, 0, 1], watched: ["I'm an AI"])
    let outputs = try LoadedModels(context: context, store: store).outcome(of: SweepJob(request)).document.outputs
    let logs = ([outputs.baseline] + outputs.steered).compactMap { $0.watched[0].logProbability }
    #expect(logs[2] == logs[0] && logs[1] < logs[0] - 0.5 && logs[3] > logs[0] + 3, "\(logs)")
  }
}
