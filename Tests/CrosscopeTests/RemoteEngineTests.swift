// What else is done over --engine is what is done beside the model: sweeps, activations along answers, traces of a text,
// causal checks, and the commands. Answers to something else are refused.

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

@Suite(.serialized) struct RemoteEngineTests {
  let build: TinyBuild
  let latents: [Int]
  let running: RunningService
  let engine: RemoteEngine

  init() throws {
    build = try TinyBuild()
    try build.run()
    latents = try build.livingLatents(2)
    try #require(latents.count == 2)
    running = try build.serve()
    engine = try running.engine(of: build.storePath)
  }

  private var address: String { "unix:\(running.socket)" }

  private var request: SteeringRequest {
    SteeringRequest(
      prompt: "Hi there", interventions: [.init(latent: latents[0], mode: .add, strength: 0.7)], maxTokens: 6,
      temperature: 1, seed: 5, samples: 2, watched: ["sun"])
  }

  private static let options = [
    "--prompt", "Hi there", "--max-tokens", "6", "--temperature", "1", "--seed", "5", "--samples", "2", "--watch",
    "sun",
  ]

  @Test func aSweepIsThatOfTheCommandAndItsControlHasOtherLatents() async throws {
    var (tokens, scored, documents, control): (Int, [Int], [SteeringDocument], SteeringDocument?) = (0, [], [], nil)
    for try await event in engine.sweep(request, true) {
      switch event {
      case .tokens(let count): tokens = max(tokens, count)
      case .scored(let done, let total):
        #expect(done < total)
        scored.append(done)
      case .finished(let document): documents.append(document)
      case .control(let document): control = document
      }
    }
    let local = try Program.run(
      ["steer", build.storePath, "--latent", "\(latents[0]):0.7", "--sweep", "-1:2:0.5", "--json"] + Self.options)
    #expect(documents == [try JSONDecoder().decode(SteeringDocument.self, from: Data(local.out.utf8))])
    #expect(tokens == 6 && scored.count > SteerSweep.strengths.count)
    let other = try #require(control)
    let store = try Store(path: build.storePath, access: .readOnly)
    let owner = ModelOwner(store: store, files: ModelLocations(), precision: .exact)
    let expected = try await self.control(of: request, owner)
    #expect(other.request.plan.interventions == expected)
    #expect(other.request.plan.interventions[0].latent != latents[0] && other.request.plan.unit == .norm)
    // Random latents push as far as the chosen one does.
    let sizes = zip(other.outputs.steered, documents[0].outputs.steered).map { ($0.relativeChange, $1.relativeChange) }
    for (found, expected) in sizes { #expect(abs((found ?? 0) - (expected ?? 1)) < 0.2 * (expected ?? 0) + 1e-9) }

    // The paths without a stream give the same documents.
    let fields: [String: Any] = [
      "prompt": "Hi there", "interventions": [["latent": latents[0], "strength": 0.7]], "max_tokens": 6,
      "temperature": 1, "seed": 5, "samples": 2, "watch": ["sun"], "strengths": SteerSweep.strengths,
    ]
    let whole = try running.post("/v1/steer/sweep", fields)
    #expect(try JSONDecoder().decode(SteeringDocument.self, from: Data(whole.body.utf8)) == documents[0])
    let both = try running.post("/v1/steer/sweep", fields.merging(["control": true]) { $1 })
    #expect(
      try JSONDecoder().decode([String: [SteeringDocument]].self, from: Data(both.body.utf8)) == [
        "runs": documents + [other]
      ])
  }

  /// Steering by the models here, computing as the service does.
  private func local() throws -> any Laboratory {
    let store = try Store(path: build.storePath, access: .readOnly)
    return ModelOwner(store: store, files: ModelLocations(), precision: .fast)
  }

  /// The random latents that stand for a sweep's own ones here.
  private func control(of request: SteeringRequest, _ owner: ModelOwner) async throws -> [Intervention]? {
    try await owner.outcome(of: SweepJob(request, withControl: true)).control?.request.plan.interventions
  }

  @Test func aRunTellsAllThreeAnswersAndTheirActivationsAsTheyCome() async throws {
    var request = request
    request.freezesAttention = true
    request.traced = latents
    func events(_ service: any Laboratory) async throws -> [SteeringEvent] {
      var events: [SteeringEvent] = []
      for try await event in service.run(request) {
        // What is measured has a speed, which is another each time.
        if case .finished(let document) = event {
          #expect(document.outputs.frozenAttention?.count == 1)
        } else {
          events.append(event)
        }
      }
      return events
    }
    let found = try await events(engine)
    #expect(try await found == events(local()))
    for arm in AnswerArm.allCases {
      let readings = found.count { if case .activations(_, arm, _) = $0 { true } else { false } }
      #expect(readings > 0, "\(arm)")
    }
  }

  @Test func aSetOfPromptsIsAnsweredAsHere() async throws {
    let path = build.folder.path + "/set.jsonl"
    try Data("{\"prompt\":\"sun\",\"kind\":\"a\"}\n{\"prompt\":\"rain\"}\n{\"prompt\":\"Hi\"}\n".utf8)
      .write(to: URL(filePath: path))
    var request = request
    request.sampling.samples = 1
    let choice = PromptSetChoice(path: path, most: 2, random: 1)
    func events(_ service: any Laboratory) async throws -> [PromptSetEvent] {
      var events: [PromptSetEvent] = []
      for try await event in try service.sweepSet(request, choice) { events.append(event) }
      return events
    }
    let found = try await events(engine)
    #expect(try await found == events(local()))
    #expect(found.dropLast() == [.progress(done: 0, of: 2), .progress(done: 1, of: 2)])
    guard case .finished(let report) = try #require(found.last) else { throw CancellationError() }
    let fields: [String: Any] = [
      "prompts": [["prompt": "sun", "kind": "a"], ["prompt": "rain"]], "name": path, "random": 1, "max_tokens": 6,
      "temperature": 1, "seed": 5, "interventions": [["latent": latents[0], "strength": 0.7]],
    ]
    let whole = try running.post("/v1/steer/set", fields)
    #expect(try JSONDecoder().decode(DoseResponse.self, from: Data(whole.body.utf8)) == report)
    let none = try running.post("/v1/steer/set", fields.merging(["prompts": []]) { $1 })
    #expect(try none.error() == (400, "prompts", nil))
  }

  @Test func activationsAlongAnswersAreThoseOfTheSameTokens() async throws {
    let messages = [["role": "user", "content": "sun rain"]]
    let events = try running.events("/v1/activations", ["messages": messages, "stream": true])
    let prompt = try events.compactMap { $0["tokens"] as? [[String: Any]] }.joined().map {
      try #require($0["id"] as? Int)
    }
    let answers: [[Int32]] = [[5, 9, 30, 7], [12, 40]]
    var run = request
    run.prompt = "sun rain"
    let latents = try build.livingLatents(12)
    let trace = try await engine.outcome(
      of: AnswerActivationsJob(prompt: run.prompt, baseline: answers[0], steered: answers[1], latents: latents))
    for (answer, found) in zip(answers, [trace.baseline, trace.steered]) {
      let document = try running.post(
        "/v1/activations", ["tokens": prompt + answer.map { Int($0) }, "top": 1000, "max_frequency": 1]
      ).json()
      let tokens = try #require(document["tokens"] as? [[String: Any]]).suffix(answer.count)
      for (index, latent) in latents.enumerated() {
        let expected = tokens.map { token in
          let all = token["activations"] as? [[String: Any]] ?? []
          return all.first { $0["latent"] as? Int == Int(latent) }?["activation"] as? Double ?? 0
        }
        #expect(zip(found[index], expected).allSatisfy { abs($0 - $1) < 1e-4 }, "\(latent)")
        #expect(found[index].count == answer.count)
      }
      #expect(found.contains { $0.contains { $0 > 0 } })
    }
  }

  /// A text's tokens as the command has them, all latents with them.
  private func traced(_ arguments: [String]) throws -> [TokenActivations] {
    struct Document: Decodable { let tokens: [ActivationsDocument.Token] }
    let local = try Program.run(
      ["activations", build.storePath, "--top", "1000", "--max-frequency", "1", "--json"] + arguments)
    return try JSONDecoder().decode(Document.self, from: Data(local.out.utf8)).tokens.map { TokenActivations($0) }
  }

  @Test func aTextIsTracedAsByTheCommand() async throws {
    func found(_ source: PromptSource, _ answer: Int = 0) async throws -> [TokenActivations] {
      var (tokens, isFinished) = ([TokenActivations](), false)
      for try await event in engine.events(of: TextActivationsJob(source, answerTokens: answer)) {
        switch event {
        case .tokens(let more, let names, _):
          tokens += more
          for id in more.flatMap({ [$0.id] + ($0.base + $0.chat).map(\.id) }) { #expect(names[id]?.id == id) }
        case .finished(let seconds, _):
          isFinished = true
          #expect(seconds > 0)
        }
      }
      #expect(isFinished)
      return tokens
    }
    let raw = try await found(.raw("sun and rain"))
    #expect(try raw == traced(["--prompt", "sun and rain", "--raw"]) && raw.contains { !$0.activations.isEmpty })
    let chat = PromptSource.chat([.init(role: .user, content: "sun")])
    let answered = try await found(chat, 5)
    #expect(try answered == traced(["--prompt", "sun", "--generate", "5"]))
    let again = try await found(.tokens(raw.map(\.id), templateMask: raw.map(\.isTemplate)))
    #expect(again == raw)
    let whole = try running.post("/v1/activations", ["messages": [["role": "user", "content": "sun"]], "generate": 5])
    let local = try Program.run(["activations", build.storePath, "--prompt", "sun", "--generate", "5", "--json"])
    #expect(whole.body == local.out)
  }

  @Test func aLatentIsCheckedAsByTheCommand() async throws {
    var (progress, report) = ([Int](), CausalCheckReport?.none)
    let size = CausalCheckSize(random: 2, prompts: 2, contexts: 2, tokens: 4)
    _ = try await engine.outcome(of: CausalCheckJob(latents[0], size: size)) { event in
      switch event {
      case .progress(let done, let total):
        #expect(total == 4)
        progress.append(done)
      case .finished(let found): report = found
      }
    }
    let options = ["--random", "2", "--prompts", "2", "--contexts", "2", "--max-tokens", "4", "--json"]
    let local = try Program.run(["causal-check", build.storePath, "\(latents[0])"] + options)
    #expect(report == (try JSONDecoder().decode(CausalCheckReport.self, from: Data(local.out.utf8))))
    #expect(progress == [1, 2, 3])
    let remote = try Program.run(["causal-check", build.storePath, "\(latents[0])", "--engine", address] + options)
    #expect(remote.out == local.out && remote.code == 0, "\(remote.error)")
    let whole = try running.post(
      "/v1/causal-check", ["latent": latents[0], "random": 2, "prompts": 2, "contexts": 2, "max_tokens": 4])
    #expect(whole.body == local.out)
    #expect(try running.post("/v1/causal-check", ["latent": 99999]).error().1 == "latent")
  }

  @Test func theCommandsPrintAndSaveWhatTheyDoOnTheirOwnModels() throws {
    let pair = ["--latent", "\(latents[0]):0.7", "--latent", "\(latents[1]):-1:difference@>0.1"]
    let steer = ["steer", build.storePath] + pair + Self.options + ["--when", "\(latents[1])<1000"]
    for more in [[], ["--json"], ["--sweep", "0:1:0.5", "--frozen-attention", "--prompt", "sun", "--json"]] {
      let local = try Program.run(steer + more)
      let remote = try Program.run(steer + more + ["--engine", address])
      #expect(remote.out == local.out && remote.code == 0 && !local.out.isEmpty, "\(more): \(remote.error)")
    }
    let swapped = ["steer", build.storePath, "--swap-base", "--prompt", "sun", "--max-tokens", "4", "--json"]
    #expect(try Program.run(swapped + ["--engine", address]).out == Program.run(swapped).out)
    let saved = try Program.run(steer + ["--save", "--engine", address])
    #expect(saved.error.contains("saved as experiment 1") && saved.code == 0)
    let rerun = try Program.run(["rerun", build.storePath, "1"])
    #expect(rerun.code == 0, "\(rerun.error)")
    let activations = ["activations", build.storePath, "--prompt", "sun", "--generate", "4"]
    for more in [[], ["--json", "--top", "3", "--chat-only"]] {
      let remote = try Program.run(activations + more + ["--engine", address])
      #expect(try remote.out == Program.run(activations + more).out && remote.code == 0, "\(remote.error)")
    }
    let again = try Program.run(["rerun", build.storePath, "1", "--json"])
    #expect(try Program.run(["rerun", build.storePath, "1", "--json", "--engine", address]).out == again.out)
    for more in [["--model", "x"], ["--precision", "exact"], ["--threads", "1"]] {
      try Program.run(steer + more + ["--engine", address]).expectOneLine(code: 2, saying: "leave --model and the like")
    }
    #expect(running.stop(SIGTERM) == 0)
    try Program.run(steer + ["--engine", address]).expectOneLine(saying: "check that a service runs")
  }

  @Test func aSetIsRunGoneOnWithAndMadeAgainByTheService() throws {
    let path = build.folder.path + "/set.jsonl"
    let lines = ["sun", "rain", "stone", "cat"].map { "{\"prompt\":\"\($0)\"}\n" }
    try lines.joined().write(toFile: path, atomically: true, encoding: .utf8)
    let set = [
      "steer", build.storePath, "--latent", "\(latents[0]):0.7", "--prompts", path, "--random", "1", "--max-tokens",
      "4",
      "--json",
    ]
    let local = try Program.run(set)
    let out = build.folder.path + "/report.json"
    let remote = try Program.run(set + ["--engine", address, "--out", out, "--save"])
    #expect(remote.out == local.out && remote.code == 0 && !local.out.isEmpty, "\(remote.error)")
    // A run that was killed after two prompts goes on with the third.
    let report = try JSONDecoder().decode(DoseResponse.self, from: Data(local.out.utf8))
    let finished = report.outcomes.prefix(2).map { storedJSON($0) + "\n" }.joined()
    try finished.write(toFile: out + ".partial.jsonl", atomically: true, encoding: .utf8)
    let goneOn = try Program.run(set + ["--engine", address, "--out", out, "--force"])
    #expect(goneOn.out == local.out && goneOn.error.contains("2 of 4 prompts are there already"), "\(goneOn.error)")
    let again = try Program.run(["rerun", build.storePath, "1", "--engine", address])
    #expect(again.code == 0 && again.out.contains("12 of 12 answers match"), "\(again)")
    let check = ["--random", "1", "--prompts", "2", "--contexts", "1", "--max-tokens", "4", "--save"]
    #expect(try Program.run(["causal-check", build.storePath, "\(latents[0])"] + check).code == 0)
    let checked = try Program.run(["rerun", build.storePath, "2", "--engine", address])
    #expect(checked.code == 0 && checked.out.contains("answers match"), "\(checked)")
    // What a calibration refuses, it refuses there as here: the tiny model's own answers are no text.
    let calibrate = ["calibrate", build.storePath, "--latents", "2", "--max-tokens", "4"]
    try Program.run(calibrate + ["--engine", address]).expectOneLine(saying: "do not go in circles")
  }

  @Test func whatIsNotUnderstoodIsRefusedByName() throws {
    func refusal(_ path: String, _ fields: [String: Any]) throws -> String? {
      let (status, param, _) = try running.post(path, fields).error()
      #expect(status == 400, "\(path) \(fields)")
      return param
    }
    let steered: [String: Any] = ["prompt": "a", "interventions": [["latent": latents[0]]]]
    for (more, param) in [
      (["strengths": [Double]()], "strengths"), (["strengths": [Double](repeating: 1, count: 33)], "strengths"),
      (["strengths": [0.5], "interventions": [Any]()], "strengths"),
      (["samples": 16, "strengths": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]], "samples"), (["force": 1], "force"),
    ] as [([String: Any], String)] {
      #expect(try refusal("/v1/steer/sweep", steered.merging(more) { $1 }) == param)
    }
    let difference = steered.merging(["interventions": [["latent": latents[0], "mode": "ablate"]], "control": true]) {
      $1
    }
    #expect(try refusal("/v1/steer/sweep", difference) == nil)
    let answers: [String: Any] = ["prompt": "a", "baseline": [1], "steered": [2], "latents": [latents[0]]]
    #expect(try refusal("/v1/steer/activations", answers.merging(["latents": [99999]]) { $1 }) == "latents")
    #expect(try refusal("/v1/steer/activations", answers.merging(["latents": [Int]()]) { $1 }) == "latents")
    #expect(try refusal("/v1/steer/activations", answers.merging(["steered": [99_999_999]]) { $1 }) == nil)
    for (fields, param) in [
      ([:], "text"), (["text": "a", "tokens": [1]], "text"),
      (["tokens": [1], "template_mask": [Bool]()], "template_mask"),
      (["messages": [Any]()], "messages"), (["text": "a", "stream": true, "top": 1], "top"),
      (["text": "a", "generate": 5000], "generate"), (["text": "a", "latents": [99999]], "latents"),
      (["text": String(repeating: "sun rain ", count: 500)], "text"),
      (["messages": [["role": "assistant", "content": "a"]], "generate": 1], "generate"),
    ] as [([String: Any], String)] {
      #expect(try refusal("/v1/activations", fields) == param, "\(fields)")
    }
    #expect(try refusal("/v1/causal-check", ["latent": latents[0], "random": 65]) == "random")
    #expect(try refusal("/v1/causal-check", ["latent": latents[0], "random": 1, "control": [Int.max]]) == "latent")
    #expect(try refusal("/v1/causal-check", ["latent": latents[0], "control": [1]]) == "control")
    let set: [String: Any] = ["prompts": [["prompt": "a"]], "interventions": [["latent": latents[0]]]]
    for (more, param) in [
      (["draws": [[Int.max]]], "interventions"), (["draws": [[1, 2]]], "draws"), (["skip": "a"], "skip"),
      (["samples": 2], "samples"),
    ] as [([String: Any], String)] {
      #expect(try refusal("/v1/steer/set", set.merging(more) { $1 }) == param, "\(more)")
    }
    #expect(try refusal("/v1/calibrate", ["prompts": [String]()]) == "prompts")
    #expect(try refusal("/v1/calibrate", ["prompts": ["a"], "latents": 1]) == "latents")
  }

  @Test func answersToSomethingElseAreRefused() async throws {
    var request = request
    request.sampling.maxTokens = 12
    let run = request
    func refused<Event: Encodable & Sendable>(
      _ events: [Event], _ line: Int = #line, _ ask: (RemoteEngine) async throws -> Void
    ) async {
      await #expect(throws: ServiceError.self, "\(line)") { try await LyingService.answer(events, as: build, ask) }
    }
    func sweep(_ strengths: [Double], withControl: Bool = true) -> SweepJob {
      var job = SweepJob(run, withControl: withControl)
      job.request.strengths = strengths
      return job
    }
    let asked = sweep([0.5, 1])
    var document = ScriptedLaboratory.document(asked.request)
    for (arm, sample) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
      document.outputs.steered[arm].samples[sample].kl = document.outputs.baseline.first.ids.map { _ in 0.5 }
    }
    var control = document
    control.request.plan.unit = .norm
    control.request.plan.interventions[0].latent += 1
    let found = document
    let right: [SweepEvent] = [.tokens(1), .finished(found), .control(control)]
    try await LyingService.answer(right, as: build) { _ = try await $0.outcome(of: asked) }
    await refused([SweepEvent.finished(found)]) { _ = try await $0.outcome(of: asked) }
    await refused([SweepEvent.control(control), .finished(found)]) { _ = try await $0.outcome(of: asked) }
    await refused([SweepEvent.finished(found), .control(found)]) { _ = try await $0.outcome(of: asked) }
    await refused(right) { _ = try await $0.outcome(of: sweep([0.5, 2])) }
    await refused(right) { _ = try await $0.outcome(of: sweep([0.5, 1], withControl: false)) }

    func part(_ token: TokenActivations, at position: Int = 0) -> [TextActivationsEvent] {
      [.tokens([token], names: [:], from: position), .finished(seconds: 1, .fast)]
    }
    let text = TextActivationsJob(.raw("a"))
    let token = TokenActivations(id: 1, activations: [LatentActivation(latent: 3, value: 1)])
    try await LyingService.answer(part(token), as: build) { _ = try await $0.outcome(of: text) }
    await refused(part(token, at: 1)) { _ = try await $0.outcome(of: text) }
    await refused(Array(part(token).prefix(1))) { _ = try await $0.outcome(of: text) }
    for wrong in [
      TokenActivations(id: 1, activations: [LatentActivation(latent: 64, value: 1)]),
      TokenActivations(id: 1, activations: [LatentActivation(latent: 3, value: -1)]),
      TokenActivations(id: 1, chat: [TokenProbability(id: 1, probability: 1.5)]),
    ] {
      await refused(part(wrong)) { _ = try await $0.outcome(of: text) }
    }

    let answers = AnswerActivationsJob(prompt: run.prompt, baseline: [1, 2], steered: [3], latents: [5])
    let trace = AnswerActivations(baseline: [[0, 1]], steered: [[2]])
    try await LyingService.answer([AnswerActivationsEvent(activations: trace)], as: build) {
      _ = try await $0.outcome(of: answers)
    }
    let short = AnswerActivations(baseline: [[0]], steered: [[2]])
    await refused([AnswerActivationsEvent(activations: short)]) { _ = try await $0.outcome(of: answers) }

    func check(_ latent: Int) -> CausalCheckJob { CausalCheckJob(latent, size: .interactive) }
    let report = CausalCheckEvent.finished(.scripted(5))
    try await LyingService.answer([report], as: build) { _ = try await $0.outcome(of: check(5)) }
    await refused([report]) { _ = try await $0.outcome(of: check(6)) }
    await refused([CausalCheckEvent]()) { _ = try await $0.outcome(of: check(5)) }
  }
}
