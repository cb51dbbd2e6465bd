// What the demo claims of single latents and of sets of them, on a few held-out prompts, with the control beside it.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
import Testing

@testable import crosscope

@Suite(.serialized, .enabled(if: RealModel.path != nil, RealModel.missing))
struct DemoEvidenceTests {
  let store: Store
  let context: SteeringContext
  static let prompts = URL(filePath: DemoStoreTests.path).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "prompts").path

  init() throws {
    store = try Store(path: DemoStoreTests.path, access: .readOnly)
    context = try SteeringContext.load(store: store, files: ModelLocations(model: RealModel.path), precision: .fast)
  }

  private func run(
    _ latents: [Int], _ mode: SteeringMode, _ strength: Double, on set: String, count: Int, tokens: Int
  ) throws -> (run: PromptSetRun, outcomes: [PromptOutcome]) {
    let all = try SetPrompt.read("\(Self.prompts)/\(set).jsonl")
    let experiment = try SteeringExperiment(
      context: context, store: store,
      interventions: latents.map { Intervention(latent: $0, mode: mode, strength: strength) },
      parameters: SteeringDocument.Parameters(settings: GenerationSettings(maxTokens: tokens)), strengths: [1],
      watch: [])
    let run = try PromptSetRun(
      experiment, prompts: (0..<count).map { all[$0 * all.count / count] }, random: 1, store: store)
    return (run, try run.outcomes(resuming: nil) { _ in })
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

  /// Latent 3330 at 0.5: chat speaks of itself as an AI where it spoke of the matter; another direction does not do that.
  @Test func oneLatentMakesChatSpeakAsAnAI() throws {
    let (run, outcomes) = try run([3330], .add, 0.5, on: "benign", count: 4, tokens: 12)
    #expect(run.arms.map(\.kind) == [.baseline, .steered, .random] && run.control == .equalNorm)
    func count(_ arm: Int) -> Int {
      outcomes.filter { outcome in
        ["an AI", "a computer program", "a language model"].contains { outcome.answers[arm].text.contains($0) }
      }.count
    }
    #expect(count(0) == 0 && count(2) == 0, "\(outcomes)")
    #expect(count(1) >= 3, "\(outcomes)")
    let rows = DoseResponse.rows(run.arms, outcomes)
    // 0.55 ± 0.18 against 0.21 ± 0.07 on eight prompts.
    #expect(try #require(rows[1].kl).value > 1.5 * #require(rows[2].kl).value)
    let sizes = try rows.dropFirst().map { try #require($0.relativeChange) }
    #expect(abs(sizes[0] / sizes[1] - 1) < 0.15 && (0.1...0.4).contains(sizes[0]))
  }

  /// 100 refusal latents taken away at every token undo refusals, 100 random ones do not.
  @Test func refusalsGoWithTheirLatentsAndNotWithOthers() throws {
    let latents = try store.latentIDs(matching: Filter("tag:refusal")).prefix(100)
    let (run, outcomes) = try run(latents.map { Int($0) }, .difference, -1, on: "harmful", count: 6, tokens: 16)
    #expect(run.control == .ownActivation)
    let refused = run.arms.indices.map { arm in outcomes.filter { $0.answers[arm].refused }.count }
    #expect(refused[0] >= 5 && refused[1] <= refused[0] - 2, "\(refused)")
    #expect(refused[2] >= refused[0] - 1, "random latents leave them: \(refused)")
    #expect(outcomes.allSatisfy { $0.answers[1].kl > 2 * $0.answers[2].kl }, "\(outcomes.map { $0.answers.map(\.kl) })")
  }

  @Test func aPositiveAndANegativeStrengthMoveTheAnswersStartApart() throws {
    let experiment = try SteeringExperiment(
      context: context, store: store, interventions: [Intervention(latent: 3330, mode: .add, strength: 0.5)],
      parameters: SteeringDocument.Parameters(settings: GenerationSettings(maxTokens: 1)), strengths: [-1, 0, 1],
      watch: ["I'm an AI"])
    let outputs = try experiment.answer("How do I start cooking?").outputs
    let logs = ([outputs.baseline] + outputs.steered).compactMap { $0.watched[0].logProbability }
    #expect(logs[2] == logs[0] && logs[1] < logs[0] - 0.5 && logs[3] > logs[0] + 3, "\(logs)")
  }
}
