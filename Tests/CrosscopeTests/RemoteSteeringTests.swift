// `crosscope explore --engine`: the explorer's steering by a service is what it is on its own models, other files and
// answers to something else are refused.

import Diffing
import Foundation
import Inference
import Serving
import Storage
import TestSupport
@testable import ExplorerTestSupport
import Testing

@testable import Experiments
@testable import Explorer
@testable import Remote
@testable import Reports
@testable import crosscope

@Suite(.serialized) struct RemoteSteeringTests {
  let build: TinyBuild
  let latent: Int

  init() throws {
    build = try TinyBuild()
    try build.run()
    latent = try #require(try build.livingLatents(1).first)
  }

  private func remote(_ service: RunningService) throws -> any Laboratory {
    try service.engine(of: build.storePath)
  }

  /// What a run says and comes to.
  private func outcome(
    _ request: SteeringRequest, _ service: any Laboratory
  ) async throws -> (baseline: [String], steered: [String], document: SteeringDocument) {
    var texts = [[String]](repeating: [String](repeating: "", count: request.sampling.samples), count: 2)
    var (isMeasured, document) = (false, SteeringDocument?.none)
    for try await event in service.run(request) {
      switch event {
      case .token(.baseline, let text, let sample): texts[0][sample] += text
      case .token(.steered, let text, let sample): texts[1][sample] += text
      case .token(.frozen, _, _), .activations: Issue.record("nobody asked for that")
      case .answered: isMeasured = true
      case .finished(let found): document = found
      }
    }
    #expect(isMeasured)
    return (texts[0], texts[1], try #require(document))
  }

  private var request: SteeringRequest {
    SteeringRequest(
      prompt: "Hi there", interventions: [.init(latent: latent, mode: .add, strength: 0.7)], maxTokens: 12,
      temperature: 1, seed: 5)
  }

  @Test func theExplorerSteersByAServiceAsOnItsOwnModels() async throws {
    let running = try build.serve()
    let remote = try remote(running)
    #expect(try await remote.load { _ in } == "tiny-chat at unix:\(running.socket)")
    var request = request
    (request.sampling.topP, request.sampling.frequencyPenalty, request.sampling.samples) = (0.9, 0.1, 2)
    (request.sampling.repetitionPenalty, request.sampling.penaltyWindow) = (3, 6)
    (request.plan.positions, request.plan.decoder, request.watched) = (.generated, .base, ["sun", "rain"])
    request.plan.conditions = [SteeringCondition(latent: latent, side: .below, value: 1000)]
    request.plan.interventions[0].conditions = [SteeringCondition(latent: latent, side: .below, value: 900)]
    let found = try await outcome(request, remote)
    // The reference is a process of its own: other tests switch this one's kernels.
    let local = try Program.run([
      "steer", build.storePath, "--latent", "\(latent):0.7:add@<900", "--prompt", "Hi there", "--max-tokens", "12",
      "--temperature", "1", "--seed", "5", "--top-p", "0.9", "--frequency-penalty", "0.1", "--samples", "2",
      "--repetition-penalty", "3", "--repetition-window", "6",
      "--positions", "generated", "--decoder", "base", "--watch", "sun", "--watch", "rain", "--when", "\(latent)<1000",
      "--json",
    ])
    let expected = try JSONDecoder().decode(SteeringDocument.self, from: Data(local.out.utf8))
    var document = found.document
    document.outputs.tokensPerSecond = nil
    #expect(document == expected && expected.request.sampling == request.sampling)
    #expect(SavedRun(expected.record()).parametersText.contains("repetition penalty 3 over 6 tokens"))
    #expect(found.baseline == expected.outputs.baseline.samples.map(\.text))
    #expect(found.steered == expected.outputs.steered[0].samples.map(\.text) && found.baseline != found.steered)

    // A chat of several turns is answered as the same chat by /v1/chat/completions; with no latent nothing is changed.
    request.turns = [.init(role: .user, content: "sun"), .init(role: .assistant, content: "rain")]
    (request.plan.interventions, request.sampling.samples) = ([], 1)
    let chat = try await outcome(request, remote)
    let messages = (request.turns + [.init(role: .user, content: request.prompt)]).map {
      ["role": $0.role.rawValue, "content": $0.content]
    }
    func completion(_ penalty: Double) throws -> String {
      let fields: [String: Any] = [
        "messages": messages, "max_tokens": 12, "temperature": 1, "seed": 5, "top_p": 0.9, "frequency_penalty": 0.1,
        "repetition_penalty": penalty, "repetition_window": 6,
      ]
      return try ServeCommandTests.content(running.post("/v1/chat/completions", fields).json())
    }
    #expect(chat.baseline == [try completion(3)] && chat.steered == chat.baseline)
    #expect(try completion(1) != chat.baseline[0], "the penalty changes this answer")
    #expect(chat.document.request.turns == request.turns && chat.baseline[0] != found.baseline[0])
  }

  @Test func theKnobFollowsAServicesModelAsARunDoes() async throws {
    let running = try build.serve()
    let remote = try remote(running)
    var request = request.withoutSampling
    request.turns = [.init(role: .user, content: "sun"), .init(role: .assistant, content: "rain")]
    var (tokens, text) = (NextTokens?.none, "")
    for try await event in remote.preview(request) {
      switch event {
      case .distribution(let found): tokens = found
      case .token(let piece): text += piece
      }
    }
    let found = try #require(tokens)
    #expect(found.likelySteered.count == NextTokens.count && found.likelySteered != found.likelyUnsteered)
    var run = request
    run.sampling.maxTokens = NextTokens.answerTokens
    let steered = try await outcome(run, remote)
    // A character that the last token leaves incomplete is a run's alone.
    let characters = steered.steered[0].prefix { $0 != "\u{FFFD}" }
    #expect(!text.isEmpty && text.prefix { $0 != "\u{FFFD}" } == characters, "\(steered.steered[0])")
    let first = try #require(steered.document.outputs.steered[0].first.kl?.first)
    #expect(first > 0 && abs(found.divergence - first) < 1e-6 + first / 1000)
    let whole = try running.post(
      "/v1/steer/preview",
      [
        "prompt": request.prompt, "interventions": [["latent": latent, "strength": 0.7]],
        "turns": request.turns.map { ["role": $0.role.rawValue, "content": $0.content] },
      ]
    ).json()
    #expect(whole["text"] as? String == text)
    let numbers = try #require(whole["next_tokens"] as? [String: Any])
    #expect((numbers["likely_steered"] as? [Any])?.count == NextTokens.count)
  }

  @Test func otherFilesAreRefused() async throws {
    let running = try build.serve()
    let remote = try remote(running)
    let right = try running.engine(of: build.storePath)
    var other = right.identity
    other.crosscoder_sha256 = String(repeating: "0", count: 64)
    let engine = RemoteEngine(client: right.client, identity: other)
    await #expect(throws: OtherEngine.self) { try await engine.outcome(of: SweepJob(request)) }
    await #expect(throws: OtherEngine.self) { try await engine.outcome(of: TextActivationsJob(.raw("a"))) }
    await #expect(throws: OtherEngine.self) { try await engine.load { _ in } }
    await #expect(throws: OtherEngine.self) { for try await _ in engine.run(request) {} }
    await #expect(throws: OtherEngine.self) { for try await _ in engine.preview(request) {} }
    #expect(running.stop(SIGTERM) == 0)
    await #expect(throws: ServiceError.self) { for try await _ in remote.run(request) {} }
  }

  private func answered(_ events: [SteeringEvent], _ request: SteeringRequest) async throws {
    try await LyingService.answer(events, as: build) { engine in
      for try await _ in engine.run(request) {}
    }
  }

  @Test func anAnswerToSomethingElseIsRefused() async throws {
    let request = request
    var document = ScriptedLaboratory.document(request)
    document.outputs.steered[0].samples[0].kl = document.outputs.baseline.first.ids.map { _ in 0.5 }
    let sound = document
    try await answered([.finished(sound)], request)
    func refused(_ events: [SteeringEvent], _ line: Int = #line) async {
      await #expect(throws: ServiceError.self, "\(line)") { try await answered(events, request) }
    }
    await refused([])
    await refused([.baseline("a", sample: 1), .finished(sound)])
    await refused([.steered("a", sample: -1), .finished(sound)])
    await refused([SteeringEvent](repeating: .baseline("a"), count: 25) + [.finished(sound)])
    await refused([.finished(sound), .finished(sound)])
    func changed(_ change: (inout SteeringDocument) -> Void) async {
      var other = sound
      change(&other)
      #expect(other != sound)
      await refused([.finished(other)])
    }
    await changed { $0.request.prompt = "b" }
    await changed { $0.request.sampling.seed = 6 }
    await changed { $0.request.plan.interventions = [] }
    await changed { $0.outputs.steered = [] }
    await changed { $0.outputs.steered[0].samples[0].firstDifference = -1 }
    await changed { $0.outputs.steered[0].samples[0].kl = [] }
    await changed { $0.outputs.baseline.samples[0].ids = [Int32](repeating: 1, count: 13) }
  }
}
