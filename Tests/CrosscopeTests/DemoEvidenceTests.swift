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

  init() throws {
    let demo = try LoadedDemo.shared.get()
    (store, context) = (demo.store, demo.context)
  }

  private func run(
    _ latents: [Int], _ mode: SteeringMode, _ strength: Double, on set: String, count: Int, tokens: Int,
    strengths: [Double] = [1]
  ) throws -> (run: PromptSetRun, outcomes: [PromptOutcome]) {
    let all = try SetPrompt.read("\(Self.prompts)/\(set).jsonl")
    let setup = try SteeringSetup(
      SteeringRequest(
        prompt: "",
        plan: SteeringPlan(
          interventions: latents.map { Intervention(latent: $0, mode: mode, strength: strength) }),
        sampling: GenerationSettings(maxTokens: tokens), strengths: strengths),
      models: LoadedModels(context: context, store: store))
    let run = try PromptSetRun(
      setup, prompts: (0..<count).map { all[$0 * all.count / count] },
      draws: setup.randomLatents(1, of: latents.count))
    return (run, try run.prompts.indices.map(run.outcome))
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
    for (name, count) in [("harmful", 121), ("benign", 48), ("false-statements", 40)] {
      let set = try texts(name)
      #expect(set.count == count && set.isSubset(of: heldout) && set.isDisjoint(with: trained))
    }
  }

  /// Latent 3330 at 0.5: chat speaks of itself as an AI where it spoke of the matter (12 of 20 in data/README.md);
  /// another direction of the same norm does not do that.
  @Test func oneLatentMakesChatSpeakAsAnAI() throws {
    let (run, outcomes) = try run([3330], .add, 0.5, on: "benign", count: 12, tokens: 12)
    #expect(run.arms.map(\.kind) == [.baseline, .steered, .random] && run.control == .equalNorm)
    let rates = run.arms.indices.map { arm in
      let speaking = outcomes.filter { outcome in
        ["an AI", "a computer program", "a language model"].contains { outcome.answers[arm].text.contains($0) }
      }
      return Interval.wilson(rate: Double(speaking.count) / Double(outcomes.count), n: outcomes.count)
    }
    #expect(rates[0].value == 0 && rates[2].value < 0.15, "\(rates)")
    #expect(rates[1].value >= 0.4 && rates[1].isApart(from: rates[0]), "\(rates)")
    let rows = DoseResponse.rows(run.arms, outcomes)
    // 0.55 ± 0.18 against 0.21 ± 0.07 on eight prompts.
    #expect(try #require(rows[1].kl).value > 1.5 * #require(rows[2].kl).value)
    let sizes = try rows.dropFirst().map { try #require($0.relativeChange) }
    #expect(abs(sizes[0] / sizes[1] - 1) < 0.15 && (0.1...0.4).contains(sizes[0]))
  }

  private func refusalLatents() throws -> [Int] {
    Array(try store.latentIDs(matching: Filter("tag:refusal")).prefix(100))
  }

  /// 100 refusal latents taken away at every token undo refusals (43 of 76 left in data/README.md), 100 random ones do
  /// not.
  @Test func refusalsGoWithTheirLatentsAndNotWithOthers() throws {
    let (run, outcomes) = try run(refusalLatents(), .difference, -1, on: "harmful", count: 16, tokens: 12)
    #expect(run.control == .ownActivation)
    let rows = DoseResponse.rows(run.arms, outcomes)
    let refused = rows.map(\.refused)
    #expect(refused[0].value >= 0.85 && refused[1].value <= refused[0].value - 0.3, "\(refused)")
    #expect(refused[1].isApart(from: refused[0]), "\(refused)")
    #expect(!refused[2].isApart(from: refused[0]) && refused[2].value >= refused[0].value - 0.1, "\(refused)")
    let kl = try rows.map { try #require($0.kl) }
    #expect(kl[1].value > 5 * kl[2].value && kl[1].isApart(from: kl[2]), "\(kl)")
  }

  /// The same 100 latents added together, each at 0.02, make chat refuse what is harmless; as many random ones do not,
  /// not even where their change of the residual stream is as large.
  @Test func refusalLatentsAddedTogetherMakeChatRefuseAndOthersDoNot() throws {
    let strengths = [1, 2.5]
    let (run, outcomes) = try run(
      refusalLatents(), .add, 0.02, on: "benign", count: 10, tokens: 14, strengths: strengths)
    #expect(run.control == .equalNorm && run.arms.count == 5)
    let rows = DoseResponse.rows(run.arms, outcomes)
    let (baseline, steered, random) = (rows[0], rows[1], rows[3...])
    #expect(steered.arm == .steered && steered.strength == 1 && random.map(\.strength) == strengths)
    #expect(baseline.refused.value <= 0.2 && steered.refused.value >= 0.6, "\(rows)")
    #expect(steered.refused.isApart(from: baseline.refused), "\(rows)")
    for row in random {
      #expect(row.arm == .random && !row.refused.isApart(from: baseline.refused), "\(row)")
      #expect(steered.refused.isApart(from: row.refused), "\(row)")
    }
    // Random directions point apart, so that their sum is shorter: at 2.5 it is as long as the refusal latents'.
    let (own, other) = (try #require(steered.relativeChange), try #require(random.last?.relativeChange))
    #expect(abs(other / own - 1) < 0.25, "\(own), \(other)")
  }

  @Test func aPositiveAndANegativeStrengthMoveTheAnswersStartApart() throws {
    let request = SteeringRequest(
      prompt: "How do I start cooking?",
      plan: SteeringPlan(interventions: [Intervention(latent: 3330, mode: .add, strength: 0.5)]),
      sampling: GenerationSettings(maxTokens: 1), strengths: [-1, 0, 1], watched: ["I'm an AI"])
    let outputs = try LoadedModels(context: context, store: store).outcome(of: SweepJob(request)).document.outputs
    let logs = ([outputs.baseline] + outputs.steered).compactMap { $0.watched[0].logProbability }
    #expect(logs[2] == logs[0] && logs[1] < logs[0] - 0.5 && logs[3] > logs[0] + 3, "\(logs)")
  }
}
