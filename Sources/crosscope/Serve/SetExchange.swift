// POST /v1/steer/set: a set of prompts at several strengths, beside random latents. Owns: the request and the events of a
// stream. The result is the document of `crosscope steer --prompts --json`.

import Foundation
import Serving

/// A set of prompts answered at several strengths.
struct SetSweepRequest: Sendable {
  /// Its own prompt has no part in it.
  var run: SteeringRequest
  var prompts: [SetPrompt]
  /// What the report calls the set.
  var name: String
  /// They multiply those of the latents.
  var strengths = SteerSweep.setStrengths
  /// So many times the latents are replaced by random living ones.
  var random: Int
}

extension SetSweepRequest {
  /// A set in a file here.
  /// - Throws: as `SetPrompt.read`.
  init(_ request: SteeringRequest, _ choice: PromptSetChoice) throws {
    self.init(
      run: request, prompts: try SetPrompt.read(choice.path).spread(choice.most), name: choice.path,
      random: choice.random)
  }
}

/// What is asked of /v1/steer/set.
struct SetExchangeRequest: Decodable {
  var set: SetSweepRequest
  let isStreamed: Bool
  /// Whether the request leaves the number of tokens open.
  let isOpenEnded: Bool

  private static let (mostPrompts, mostRandom) = (10_000, 64)

  init(from decoder: any Decoder) throws {
    let own = ["prompts", "name", "strengths", "random", "stream"]
    let unused: Set = ["prompt", "turns", "samples", "watch"]
    let fields = try RequestFields(decoder, known: SteeringRequest.sampledNames.filter { !unused.contains($0) } + own)
    isStreamed = try fields.value("stream") ?? false
    let run: SteeringRequest
    (run, isOpenEnded) = try SteeringRequest.sampled(fields, prompt: "")
    set = SetSweepRequest(
      run: run, prompts: try fields.required("prompts"), name: try fields.value("name") ?? "prompts",
      strengths: try SweepRequest.strengths(fields, usual: SteerSweep.setStrengths),
      random: try fields.value("random", in: 0...Self.mostRandom) ?? 0)
    guard (1...Self.mostPrompts).contains(set.prompts.count) else {
      throw fields.invalid("prompts", "expected 1 to \(Self.mostPrompts), found \(set.prompts.count)")
    }
    guard !run.interventions.isEmpty else { throw fields.invalid("interventions", "expected at least one") }
    let streams = set.strengths.count * (1 + set.random) * (run.freezesAttention ? 2 : 1) + 1
    guard streams <= AnswerLimits.mostStreams else {
      throw fields.invalid("random", "expected at most \(AnswerLimits.mostStreams) answers a prompt, found \(streams)")
    }
  }
}

/// An event of a streamed set: one of these is there.
struct SetExchangeEvent: ExchangeEvent {
  var began: EngineIdentity?
  /// Prompts that are answered under all strengths.
  var progress: ExchangeProgress?
  /// The last event.
  var finished: DoseResponse?

  init(began: EngineIdentity) { self.began = began }

  init(_ event: SetSweepEvent) {
    switch event {
    case .progress(let done, let total): progress = ExchangeProgress(done: done, of: total)
    case .finished(let report): finished = report
    }
  }
}
