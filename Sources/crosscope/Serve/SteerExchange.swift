// POST /v1/steer and /v1/steer/preview: one prompt without and with interventions, as the explorer asks for it.
// Owns: the requests, the events of all streams below /v1/steer. Fields are those of `crosscope steer --json`, whose
// document ends a run. Both sides of the wire are here: the service writes these documents, the explorer reads them.

import Diffing
import Foundation
import Inference
import Serving

/// What is asked of /v1/steer.
struct SteerExchangeRequest: Decodable {
  var run: SteeringRequest
  let isStreamed: Bool
  /// Whether the request leaves the number of tokens open.
  let isOpenEnded: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, known: SteeringRequest.sampledNames + ["trace", "stream"])
    isStreamed = try fields.value("stream") ?? false
    (run, isOpenEnded) = try SteeringRequest.sampled(fields)
    run.traced = try fields.value("trace") ?? []
    guard run.traced.count <= AnswerLimits.mostTraced else {
      throw fields.invalid("trace", "expected at most \(AnswerLimits.mostTraced) latents, found \(run.traced.count)")
    }
    guard run.traced.isEmpty || isStreamed else { throw fields.invalid("trace", "activations come in a stream only") }
  }
}

/// What is asked of /v1/steer/preview: nothing is sampled.
struct PreviewExchangeRequest: Decodable {
  let run: SteeringRequest
  let isStreamed: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, known: SteeringRequest.fieldNames + ["stream"])
    isStreamed = try fields.value("stream") ?? false
    run = try SteeringRequest(fields, GenerationSettings()).withoutSampling
  }
}

extension SteeringRequest {
  fileprivate static let fieldNames = ["prompt", "turns"] + SteeringFields.names
  /// Of a request whose answers are sampled.
  static let sampledNames = fieldNames + SamplingFields.names + ["samples", "watch", "frozen_attention"]

  /// Phrases that are measured at most, and the bytes of one.
  private static let (mostWatched, longestWatched) = (32, 1000)

  /// What a request for sampled answers says, and whether it leaves the number of tokens open.
  /// - Parameter prompt: in the place of the field, where a request has none.
  static func sampled(
    _ fields: RequestFields, prompt: String? = nil
  ) throws -> (run: SteeringRequest, isOpenEnded: Bool) {
    let sampling = try SamplingFields(fields, defaults: GenerationSettings())
    var settings = sampling.settings
    settings.samples = try fields.value("samples", in: 1...AnswerLimits.mostSamples) ?? 1
    var run = try SteeringRequest(fields, settings, prompt: prompt)
    run.freezesAttention = try fields.value("frozen_attention") ?? false
    run.watched = try fields.value("watch") ?? []
    guard run.watched.count <= mostWatched,
      run.watched.allSatisfy({ (1...longestWatched).contains($0.utf8.count) })
    else {
      throw fields.invalid("watch", "expected at most \(mostWatched) phrases of 1 to \(longestWatched) bytes")
    }
    return (run, sampling.isOpenEnded)
  }

  /// What a request says. Without interventions both answers are the same, which is what a comparison of none should
  /// show.
  fileprivate init(_ fields: RequestFields, _ settings: GenerationSettings, prompt: String? = nil) throws {
    let plan = try SteeringFields(fields).plan
    let turns: [RequestedMessage] = try fields.value("turns") ?? []
    self.init(
      prompt: try prompt ?? fields.required("prompt"), turns: turns.map(\.message),
      interventions: plan.interventions.filter(\.isOn).map { SteeringIntervention($0) }, positions: plan.positions,
      decoder: plan.decoder, blocks: plan.blocks, unit: plan.unit,
      conditions: plan.conditions, maxTokens: settings.maxTokens, temperature: settings.temperature,
      seed: settings.seed, topP: settings.topP, minP: settings.minP, frequencyPenalty: settings.frequencyPenalty,
      samples: settings.samples, swapsBase: plan.swapsBase)
  }
}

/// A whole preview.
struct SteerPreviewResult: Encodable {
  let next_tokens: NextTokens
  /// The first tokens of the steered answer.
  var text = ""

  private enum CodingKeys: CodingKey { case next_tokens, text }

  /// Nil for an event that does not begin a preview.
  init?(_ event: PreviewEvent) {
    guard case .distribution(let tokens) = event else { return nil }
    next_tokens = tokens
  }
}

/// An event of a streamed answer of /v1/steer and what is below it: one of these is there.
struct SteerExchangeEvent: ExchangeEvent {
  var began: EngineIdentity?
  /// The first of a preview.
  var next_tokens: NextTokens?
  var token: Token?
  /// What the traced latents do at the next token of an answer that was not told yet.
  var traced: Reading?
  /// True when all answers have ended; what is measured of them follows.
  var answered: Bool?
  /// Tokens of each answer of a sweep so far.
  var tokens: Int?
  /// Texts of a sweep whose likelihood is known.
  var scored: ExchangeProgress?
  /// The last event of a run; of a sweep too, but for its control.
  var finished: SteeringDocument?
  /// A sweep with random latents.
  var control: SteeringDocument?
  /// What latents do along two answers.
  var activations: AnswerTrace?

  init(
    began: EngineIdentity? = nil, next_tokens: NextTokens? = nil, token: Token? = nil, answered: Bool? = nil,
    finished: SteeringDocument? = nil
  ) {
    (self.began, self.next_tokens, self.token) = (began, next_tokens, token)
    (self.answered, self.finished) = (answered, finished)
  }

  init(began: EngineIdentity) { self.init(began: Optional(began)) }

  struct Token: Codable, Sendable {
    var stream: AnswerArm
    var sample: Int
    /// Characters that are complete with it.
    var text: String
  }

  struct Reading: Codable, Sendable {
    var stream: AnswerArm
    var sample: Int
    /// Scaled activations, in the order in which latents were asked for.
    var values: [Double]
  }
}

extension SteerExchangeEvent {
  init(_ event: SteeringEvent) {
    switch event {
    case .baseline(let text, let sample): self.init(token: Token(stream: .baseline, sample: sample, text: text))
    case .steered(let text, let sample): self.init(token: Token(stream: .steered, sample: sample, text: text))
    case .frozen(let text, let sample): self.init(token: Token(stream: .frozen, sample: sample, text: text))
    case .activations(let values, let arm, let sample):
      self.init()
      traced = Reading(stream: arm, sample: sample, values: values)
    case .answered: self.init(answered: true)
    case .finished(let document): self.init(finished: document)
    }
  }

  init(_ event: PreviewEvent) {
    switch event {
    case .distribution(let tokens): self.init(next_tokens: tokens)
    case .token(let text): self.init(token: Token(stream: .steered, sample: 0, text: text))
    }
  }

  init(_ event: SweepEvent) {
    self.init()
    switch event {
    case .tokens(let count): tokens = count
    case .scored(let done, let total): scored = ExchangeProgress(done: done, of: total)
    case .finished(let document): finished = document
    case .control(let document): control = document
    }
  }

  init(_ trace: AnswerTrace) {
    self.init()
    activations = trace
  }

  /// As an event of a run, if it is one.
  var ofRun: SteeringEvent? {
    if let token {
      return switch token.stream {
      case .baseline: .baseline(token.text, sample: token.sample)
      case .steered: .steered(token.text, sample: token.sample)
      case .frozen: .frozen(token.text, sample: token.sample)
      }
    }
    if let traced { return .activations(traced.values, traced.stream, sample: traced.sample) }
    if let finished { return .finished(finished) }
    return answered == true ? .answered : nil
  }

  /// As an event of a sweep, if it is one.
  var ofSweep: SweepEvent? {
    if let tokens { return .tokens(tokens) }
    if let scored { return .scored(scored.done, of: scored.of) }
    return finished.map { .finished($0) } ?? control.map { .control($0) }
  }

  /// As an event of a preview, if it is one.
  var ofPreview: PreviewEvent? {
    if let next_tokens { return .distribution(next_tokens) }
    return token.map { .token($0.text) }
  }
}
