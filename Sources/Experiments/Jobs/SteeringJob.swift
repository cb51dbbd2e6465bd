// This job answers one prompt without and with steering, token by token (POST /v1/steer). Its document is what `crosscope steer
// --json` prints.

import Diffing
import Foundation
import Inference
import Storage

/// Answers a prompt without and with steering.
package struct SteeringJob: Job {
  package var request: SteeringRequest

  package init(_ request: SteeringRequest) { self.request = request }

  package static let path = "/v1/steer"
  package static let fieldNames = SteeringRequest.sampledFields + ["trace"]

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    request = try SteeringRequest(sampled: fields)
    request.traced = try fields.value("trace") ?? []
    guard request.traced.count <= AnswerLimits.mostTraced else {
      throw fields.invalid(
        "trace", "expected at most \(AnswerLimits.mostTraced) latents, found \(request.traced.count)")
    }
    guard request.traced.isEmpty || isStreamed else {
      throw fields.invalid("trace", "activations come in a stream only; ask for one")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try request.writePrompt(to: &fields)
    try request.writeSampling(to: &fields)
    try fields.write(request.traced, "trace")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    try request.limit(to: limits)
    try store.check(request.traced, field: "trace")
  }

  package func begin(on models: LoadedModels) throws -> SteeringSteps { try SteeringSteps(request, models) }
  package func answer(from identity: EngineIdentity) -> SteeringAnswer { SteeringAnswer(request) }
}

/// One of the answers that a run decodes side by side.
package enum AnswerArm: String, Sendable, CaseIterable, Codable {
  case baseline, steered
  /// The steered answer with the baseline's attention weights.
  case frozen
}

/// An event of a run.
package enum SteeringEvent: Sendable, Equatable {
  /// The next token of an answer as the characters that it completes, which may be none.
  case token(AnswerArm, String, sample: Int = 0)
  /// Scaled activations of the traced latents at the next token of an answer that has no activations yet.
  case activations([Double], AnswerArm, sample: Int = 0)
  /// All answers have ended, and their measurement begins.
  case answered
  case finished(SteeringDocument)
}

extension SteeringEvent: Codable {
  private enum Key: CodingKey { case token, traced, answered, finished }

  private struct Token: Codable {
    let stream: AnswerArm
    let sample: Int
    let text: String
  }

  private struct Reading: Codable {
    let stream: AnswerArm
    let sample: Int
    let values: [Double]
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let token = try fields.decodeIfPresent(Token.self, forKey: .token) {
      self = .token(token.stream, token.text, sample: token.sample)
    } else if let reading = try fields.decodeIfPresent(Reading.self, forKey: .traced) {
      self = .activations(reading.values, reading.stream, sample: reading.sample)
    } else if let document = try fields.decodeIfPresent(SteeringDocument.self, forKey: .finished) {
      self = .finished(document)
    } else {
      guard try fields.decode(Bool.self, forKey: .answered) else { throw UnexpectedAnswer() }
      self = .answered
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .token(let arm, let text, let sample):
      try fields.encode(Token(stream: arm, sample: sample, text: text), forKey: .token)
    case .activations(let values, let arm, let sample):
      try fields.encode(Reading(stream: arm, sample: sample, values: values), forKey: .traced)
    case .answered: try fields.encode(true, forKey: .answered)
    case .finished(let document): try fields.encode(document, forKey: .finished)
    }
  }
}

/// A run in progress.
package struct SteeringSteps: TaskSteps {
  private let setup: SteeringSetup
  private let run: SteeringRun
  private var texts: [GeneratedText]
  private let traced: [Int]
  /// For each stream, the number of tokens whose activations were reported.
  private var told: [Int]
  private var hasReadLastTokens = false
  private var isAnswered = false
  private var start: ContinuousClock.Instant?
  private var tokens = 0
  private var seconds = 0.0

  fileprivate init(_ request: SteeringRequest, _ models: LoadedModels) throws {
    setup = try SteeringSetup(request, models: models)
    // The run works without base, and without codes of single latents; reading the activations afterwards then fails with an error that says why.
    let context = models.context
    traced = context.readsActivations && context.crosscoder.hasCodesOfLatents ? request.traced : []
    run = try setup.begin(reading: traced)
    let streams = request.sampling.samples * run.arms
    texts = [GeneratedText](
      repeating: GeneratedText(tokenizer: models.context.engine.tokenizer), count: streams)
    told = [Int](repeating: 0, count: streams)
  }

  package mutating func step(_ tell: (SteeringEvent) -> Void) throws -> Bool {
    guard !isAnswered else {
      var document = try setup.document(of: run)
      document.outputs.tokensPerSecond = seconds > 0 ? Double(tokens) / seconds : nil
      tell(.finished(document))
      return false
    }
    start = start ?? .now
    if !run.isFinished {
      for token in try run.step() {
        var text = texts[token.stream].append(token.id)
        if token.isLast { text += texts[token.stream].finish() }
        let (sample, arm) = token.stream.quotientAndRemainder(dividingBy: run.arms)
        tell(.token(AnswerArm.allCases[arm], text, sample: sample))
      }
      tokens += 1
    } else {
      // After the last token there may be one more step that only reads activations.
      hasReadLastTokens = true
      try run.readLastTokens()
    }
    tellActivations(tell)
    isAnswered = run.isFinished && (traced.isEmpty || hasReadLastTokens)
    if isAnswered {
      seconds = start.map { (.now - $0).seconds } ?? 0
      tell(.answered)
    }
    return true
  }

  /// Reports the activations that were read since the last report, in the store's units.
  private mutating func tellActivations(_ tell: (SteeringEvent) -> Void) {
    guard !traced.isEmpty else { return }
    for stream in told.indices {
      let read = run.activations(stream)
      let (sample, arm) = stream.quotientAndRemainder(dividingBy: run.arms)
      for token in read.dropFirst(told[stream]) {
        let values = zip(traced, token).map { Double(setup.models.context.inStoreUnits($1, of: $0)) }
        tell(.activations(values, AnswerArm.allCases[arm], sample: sample))
      }
      told[stream] = read.count
    }
  }
}

/// The document of a run, which is accepted if its events answer the request.
package struct SteeringAnswer: JobAnswer {
  private let request: SteeringRequest
  private var (tokens, readings) = (0, 0)
  package private(set) var outcome: SteeringDocument?

  fileprivate init(_ request: SteeringRequest) { self.request = request }

  /// The largest number of tokens that all answers have together.
  private var mostTokens: Int {
    let (most, overflows) = request.streams.multipliedReportingOverflow(by: request.sampling.maxTokens)
    return overflows ? .max : most
  }

  package mutating func take(_ event: SteeringEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    let samples = 0..<request.sampling.samples
    switch event {
    case .token(_, _, let sample):
      tokens += 1
      guard samples.contains(sample), tokens <= mostTokens else {
        throw UnexpectedAnswer("more tokens than were asked for")
      }
    case .activations(let values, _, let sample):
      readings += 1
      guard samples.contains(sample), values.count == request.traced.count, readings <= mostTokens else {
        throw UnexpectedAnswer("activations of something else")
      }
    case .answered: break
    case .finished(let document):
      guard document.answers(request) else { throw UnexpectedAnswer("an answer to something else") }
      outcome = document
    }
  }
}

extension SteeringDocument {
  /// Whether the document has this request and a figure for each of its tokens. What only the service knows is not
  /// compared.
  func answers(_ request: SteeringRequest) -> Bool {
    var asked = request.recorded
    // If no stream is changed, a request does not contain the settings of steering.
    if !asked.plan.changesStream {
      asked.plan = SteeringPlan(interventions: [], amplification: asked.plan.amplification)
    }
    var own = self.request
    for index in own.plan.directions.indices where asked.plan.directions.indices.contains(index) {
      // What a name stands for is the service's to say, unless the request says it.
      if asked.plan.directions[index].sha256 == nil { own.plan.directions[index].sha256 = nil }
    }
    guard own == asked else { return false }
    return ([outputs.baseline] + outputs.steered + (outputs.frozenAttention ?? [])).allSatisfy { answer in
      answer.samples.count == asked.sampling.samples && answer.watched.map(\.text) == asked.watched
        && zip(answer.samples, outputs.baseline.samples).allSatisfy { $0.isSound(baseline: $1, asked) }
    } && outputs.frozenAttention.map { $0.map(\.strength) == outputs.steered.map(\.strength) } ?? true
      && outputs.baseline.strength == nil
  }
}

extension SteeringDocument.Sample {
  fileprivate func isSound(baseline: SteeringDocument.Sample, _ request: SteeringRequest) -> Bool {
    ids.count <= request.sampling.maxTokens && logProbabilities?.count == ids.count
      && kl.map { $0.count == baseline.ids.count } != false
      && firstDifference.map { (0...max(ids.count, baseline.ids.count)).contains($0) } != false
  }
}
