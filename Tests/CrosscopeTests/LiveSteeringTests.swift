// The explorer's steering on real, tiny models: what streams is what is saved, token for token; activations told along
// the way are those of a trace afterwards; sets of prompts are answered, and cancelled between two tokens.

import Diffing
import Foundation
import Inference
import Storage
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Reports
@testable import crosscope

@Suite(.serialized) struct LiveSteeringTests {
  let build: TinyBuild
  let latents: [Int]
  let store: Store
  let owner: ModelOwner
  var service: any Laboratory { owner }

  init() throws {
    build = try TinyBuild()
    try build.run()
    latents = try build.livingLatents(3)
    store = try Store(path: build.storePath, access: .readWrite)
    owner = ModelOwner(store: store, files: ModelLocations(), precision: .exact)
  }

  private func request(_ mode: SteeringMode = .add) -> SteeringRequest {
    SteeringRequest(
      prompt: "Hi there", interventions: [.init(latent: latents[0], mode: mode, strength: 0.7)], maxTokens: 12,
      temperature: 1, seed: 5, samples: 2, watched: ["no"], freezesAttention: true)
  }

  /// Everything that a run tells.
  private func events(_ request: SteeringRequest) async throws -> [SteeringEvent] {
    var events: [SteeringEvent] = []
    for try await event in service.run(request) { events.append(event) }
    return events
  }

  @Test func streamedIsWhole() async throws {
    var texts: [AnswerArm: [String]] = [:]
    for arm in AnswerArm.allCases { texts[arm] = ["", ""] }
    var document: SteeringDocument?
    for event in try await events(request()) {
      switch event {
      case .token(let arm, let text, let sample): texts[arm]?[sample] += text
      case .activations: Issue.record("nothing is read along the way")
      case .answered: break
      case .finished(let found): document = found
      }
    }
    let outputs = try #require(document).outputs
    #expect(texts[.baseline] == outputs.baseline.samples.map(\.text))
    #expect(texts[.steered] == outputs.steered[0].samples.map(\.text))
    #expect(texts[.frozen] == outputs.frozenAttention?[0].samples.map(\.text))
    #expect(texts[.steered] != texts[.baseline], "it steers")
    // The command line answers in one go.
    let context = try SteeringContext.load(store: store, precision: .exact)
    let whole = try LoadedModels(context: context, store: store).outcome(of: SweepJob(request())).document
    var streamed = outputs
    streamed.tokensPerSecond = nil
    #expect(whole.outputs == streamed)
  }

  @Test(arguments: [SteeringMode.add, .difference])
  func activationsToldAlongTheWayAreThoseOfATrace(mode: SteeringMode) async throws {
    var request = request(mode)
    request.traced = latents
    var run = SteerRun(request: request, latentsRead: request.traced)
    for event in try await events(request) {
      switch event {
      case .token(let arm, let text, let sample): run.samples[sample].append(text, arm)
      case .activations(let values, let arm, let sample):
        run.samples[sample].activations[arm, default: []].append(values)
      case .answered: #expect(run.hasToldAll, "before anything is measured")
      case .finished(let document): run.finish(document)
      }
    }
    var plain = request
    plain.traced = []
    let untraced = try await events(plain)
    guard case .finished(let document)? = untraced.last else { throw CocoaError(.coderValueNotFound) }
    #expect(
      run.document?.outputs.steered[0].samples.map(\.ids) == document.outputs.steered[0].samples.map(\.ids),
      "reading along changes no token")
    var on = 0
    for sample in 0..<2 {
      run.shown = sample
      let (baseline, steered) = try #require(run.measured)
      let trace = try await service.outcome(
        of: AnswerActivationsJob(
          prompt: request.prompt, baseline: baseline.ids, steered: steered.ids, frozen: run.measuredFrozen?.ids,
          latents: request.traced))
      #expect(run.hasToldAll)
      for arm in AnswerArm.allCases {
        for (told, read) in zip(run.told[arm], trace[arm]) {
          #expect(told.count == read.count)
          for (a, b) in zip(told, read) { #expect(abs(a - b) <= 1e-4 * max(1, abs(b))) }
          on += read.filter { $0 > 0 }.count
        }
      }
    }
    #expect(on > 0, "they are not all silent")
  }

  private func prompts(_ count: Int) throws -> String {
    let path = build.folder.path + "/set.jsonl"
    let lines = (0..<count).map { "{\"prompt\":\"sun \($0)\"}" }
    try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  private var single: SteeringRequest {
    var request = request()
    (request.sampling.samples, request.sampling.temperature, request.freezesAttention) = (1, 0, false)
    return request
  }

  @Test func aSetGivesTheFiguresOfTheCommandLine() async throws {
    let path = try prompts(5)
    var (progress, report) = ([Int](), DoseResponse?.none)
    for try await event in try service.sweepSet(single, PromptSetChoice(path: path, most: 3, random: 2)) {
      switch event {
      case .progress(let done, let total):
        progress.append(done)
        #expect(total == 3)
      case .finished(let found): report = found
      case .settings, .outcome: Issue.record("nobody asked for that")
      }
    }
    let found = try #require(report)
    #expect(
      progress == [0, 1, 2] && found.prompts == 3 && found.outcomes.map(\.prompt) == ["sun 0", "sun 1", "sun 3"])
    #expect(
      found.rows.map(\.arm) == [.baseline] + [EvidenceArm.Kind](repeating: .steered, count: 6)
        + [EvidenceArm.Kind](repeating: .random, count: 6))
    let run = try Program.run([
      "steer", build.storePath, "--prompts", path, "--limit", "3", "--latent", "\(latents[0]):0.7", "--sweep",
      "-1:2:0.5", "--random", "2", "--max-tokens", "12", "--seed", "5", "--precision", "exact", "--json",
    ])
    let command = try JSONDecoder().decode(DoseResponse.self, from: Data(run.out.utf8))
    for row in found.rows where row.arm != .random {
      #expect(command.rows.contains { $0.arm == row.arm && $0.strength == row.strength && $0.refused == row.refused })
    }
    let saved = try store.save(found.record())
    #expect(SavedRun(saved).set == found, "nothing is lost in the store")
  }

  @Test func aSetIsCancelledAndRefusedWhereItMeansNothing() async throws {
    let path = try prompts(40)
    var request = single
    request.sampling.maxTokens = 200
    let (service, choice) = (service, PromptSetChoice(path: path, most: 40, random: 1))
    let task = Task { [request] in
      var progress = 0
      for try await _ in try service.sweepSet(request, choice) { progress += 1 }
      return progress
    }
    task.cancel()
    let progress = (try? await task.value) ?? 0
    #expect(progress < 40)
    request.sampling.samples = 2
    await #expect(throws: InputError.self) { for try await _ in try service.sweepSet(request, choice) {} }
    request.sampling.samples = 1
    await #expect(throws: (any Error).self) {
      for try await _ in try service.sweepSet(request, PromptSetChoice(path: path + "x", most: 4, random: 0)) {}
    }
    // The owner is free for the next one.
    request.sampling.maxTokens = 2
    var last: PromptSetEvent?
    for try await event in try service.sweepSet(request, PromptSetChoice(path: path, most: 1, random: 0)) {
      last = event
    }
    guard case .finished? = last else { throw CocoaError(.coderValueNotFound) }
  }
}
