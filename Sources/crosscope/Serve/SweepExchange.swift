// POST /v1/steer/sweep and /v1/steer/activations: a prompt at several strengths, and what latents do along two answers.
// Owns: the requests. Their events are SteerExchangeEvent's, a sweep's document is that of `crosscope steer --json`.

import Diffing
import Foundation
import Inference
import Serving

/// A prompt answered at several strengths, all in one batch.
struct SweepRequest: Sendable, Equatable {
  var run: SteeringRequest
  /// They multiply those of the latents.
  var strengths = SteerSweep.strengths
  /// Once more with random latents of the same norm.
  var withControl = false

  /// Strengths at most, as on the command line.
  private static let mostStrengths = 32

  /// What a request says of them.
  static func strengths(_ fields: RequestFields, usual: [Double]) throws -> [Double] {
    let strengths: [Double] = try fields.value("strengths") ?? usual
    guard (1...mostStrengths).contains(strengths.count), strengths.allSatisfy(\.isFinite) else {
      throw fields.invalid("strengths", "expected 1 to \(mostStrengths) numbers")
    }
    return strengths
  }
}

/// What is asked of /v1/steer/sweep.
struct SweepExchangeRequest: Decodable {
  var sweep: SweepRequest
  let isStreamed: Bool
  /// Whether the request leaves the number of tokens open.
  let isOpenEnded: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(
      decoder, known: SteeringRequest.sampledNames + ["strengths", "control", "stream"])
    isStreamed = try fields.value("stream") ?? false
    let run: SteeringRequest
    (run, isOpenEnded) = try SteeringRequest.sampled(fields)
    sweep = SweepRequest(
      run: run, strengths: try SweepRequest.strengths(fields, usual: [1]),
      withControl: try fields.value("control") ?? false)
    guard sweep.strengths == [1] || !run.interventions.isEmpty else {
      throw fields.invalid("strengths", "they change nothing without interventions")
    }
    guard sweep.streams <= AnswerLimits.mostStreams else {
      throw fields.invalid(
        "samples", "expected at most \(AnswerLimits.mostStreams) answers in all, found \(sweep.streams)")
    }
  }
}

extension SweepRequest {
  /// Answers that are decoded together.
  fileprivate var streams: Int { run.samples * (1 + strengths.count * (run.freezesAttention ? 2 : 1)) }
}

/// What is asked of /v1/steer/activations. The answers are tokens, since a text is not always one way of tokens.
struct AnswerTraceExchangeRequest: Decodable {
  let trace: AnswerTraceRequest
  let isStreamed: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(
      decoder, known: ["prompt", "turns", "baseline", "steered", "frozen", "latents", "stream"])
    isStreamed = try fields.value("stream") ?? false
    let turns: [RequestedMessage] = try fields.value("turns") ?? []
    let run = SteeringRequest(
      prompt: try fields.required("prompt"), turns: turns.map(\.message), interventions: [], maxTokens: 0,
      temperature: 0, seed: 0)
    trace = AnswerTraceRequest(
      run: run, baseline: try fields.required("baseline"), steered: try fields.required("steered"),
      frozen: try fields.value("frozen"), latents: try fields.required("latents"))
    guard (1...AnswerLimits.mostTraced).contains(trace.latents.count) else {
      throw fields.invalid("latents", "expected 1 to \(AnswerLimits.mostTraced), found \(trace.latents.count)")
    }
  }
}
