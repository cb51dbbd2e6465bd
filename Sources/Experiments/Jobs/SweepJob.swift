// This job answers one prompt at several strengths in one batch and, if asked for, once more with random latents (POST
// /v1/steer/sweep). Its document is what `crosscope steer --sweep --json` prints.

import Diffing
import Foundation
import Inference
import Storage

/// Answers a prompt at several strengths.
package struct SweepJob: Job {
  package var request: SteeringRequest
  /// Whether a control with random latents of the same norm follows.
  package var withControl: Bool

  /// - Parameter withControl: whether a control with random latents of the same norm follows.
  package init(_ request: SteeringRequest, withControl: Bool = false) {
    (self.request, self.withControl) = (request, withControl)
  }

  package static let path = "/v1/steer/sweep"
  package static let fieldNames = SteeringRequest.sampledFields + ["strengths", "control"]

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    request = try SteeringRequest(sampled: fields)
    try request.readStrengths(fields, usual: [1])
    withControl = try fields.value("control") ?? false
    guard request.strengths == [1] || request.plan.hasStrengths else {
      throw fields.invalid("strengths", "they change nothing without interventions, directions or an amplification")
    }
    guard request.streams <= AnswerLimits.mostStreams else {
      throw fields.invalid(
        "samples", "expected at most \(AnswerLimits.mostStreams) answers in all, found \(request.streams)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try request.writePrompt(to: &fields)
    try request.writeSampling(to: &fields)
    try fields.write(request.strengths, "strengths")
    try fields.write(withControl, "control")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws { try request.limit(to: limits) }
  package func begin(on models: LoadedModels) throws -> SweepSteps { try SweepSteps(self, models) }
  package func answer(from identity: EngineIdentity) -> SweepAnswer { SweepAnswer(job: self) }
}

/// An event of a sweep.
package enum SweepEvent: Sendable, Equatable {
  /// The number of tokens that each answer has so far.
  case tokens(Int)
  /// All answers have ended. The numbers are those of scored texts and of all texts.
  case scored(Int, of: Int)
  case finished(SteeringDocument)
  /// The sweep with random latents instead of the chosen ones.
  case control(SteeringDocument)
}

extension SweepEvent: Codable {
  private enum Key: CodingKey { case tokens, scored, finished, control }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let count = try fields.decodeIfPresent(Int.self, forKey: .tokens) {
      self = .tokens(count)
    } else if let scored = try fields.decodeIfPresent(JobProgress.self, forKey: .scored) {
      self = .scored(scored.done, of: scored.of)
    } else if let document = try fields.decodeIfPresent(SteeringDocument.self, forKey: .finished) {
      self = .finished(document)
    } else {
      self = .control(try fields.decode(SteeringDocument.self, forKey: .control))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .tokens(let count): try fields.encode(count, forKey: .tokens)
    case .scored(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .scored)
    case .finished(let document): try fields.encode(document, forKey: .finished)
    case .control(let document): try fields.encode(document, forKey: .control)
    }
  }
}

/// A sweep in progress: the run, then its control.
package struct SweepSteps: TaskSteps {
  private let models: LoadedModels
  private var setup: SteeringSetup
  private var run: SteeringRun
  private var control: SteeringRequest?
  private var isControl = false
  private var tokens = 0

  fileprivate init(_ job: SweepJob, _ models: LoadedModels) throws {
    self.models = models
    setup = try SteeringSetup(job.request, models: models)
    // An impossible control is refused before anything is computed.
    control = job.withControl ? try setup.control() : nil
    run = try setup.begin()
  }

  package mutating func step(_ tell: (SweepEvent) -> Void) throws -> Bool {
    guard run.isFinished else {
      _ = try run.step()
      tokens += 1
      tell(.tokens(tokens))
      return true
    }
    let document = try setup.document(of: run) { tell(.scored($0, of: $1)) }
    tell(isControl ? .control(document) : .finished(document))
    guard let next = control else { return false }
    (control, isControl, tokens) = (nil, true, 0)
    setup = try SteeringSetup(next, models: models)
    run = try setup.begin()
    return true
  }
}

/// The documents of a sweep.
package struct SweepAnswer: JobAnswer {
  /// The sweep, and its control if there is one.
  package struct Outcome: Encodable, Sendable {
    package let document: SteeringDocument
    package let control: SteeringDocument?

    private enum Key: CodingKey { case runs }

    package func encode(to encoder: any Encoder) throws {
      guard let control else { return try document.encode(to: encoder) }
      var fields = encoder.container(keyedBy: Key.self)
      try fields.encode([document, control], forKey: .runs)
    }
  }

  fileprivate let job: SweepJob
  private var document: SteeringDocument?
  private var control: SteeringDocument?

  fileprivate init(job: SweepJob) { self.job = job }

  package var outcome: Outcome? {
    guard let document, (control != nil) == job.withControl else { return nil }
    return Outcome(document: document, control: control)
  }

  package mutating func take(_ event: SweepEvent) throws(UnexpectedAnswer) {
    switch event {
    case .tokens, .scored: break
    case .finished(let found):
      guard document == nil, found.answers(job.request) else {
        throw UnexpectedAnswer("an answer to something else")
      }
      document = found
    case .control(let found):
      guard job.withControl, document != nil, control == nil, found.isControl(of: job.request) else {
        throw UnexpectedAnswer("an answer to something else")
      }
      control = found
    }
  }
}

extension SteeringDocument {
  /// Whether it is this sweep with other latents and with lengths as strengths.
  fileprivate func isControl(of sweep: SteeringRequest) -> Bool {
    var asked = sweep
    (asked.plan.unit, asked.freezesAttention) = (.norm, false)
    let (found, own) = (request.plan.interventions, asked.plan.interventions)
    guard found.count == own.count,
      zip(found, own).allSatisfy({ $0.mode == .add && $0.isOn && $0.conditions == $1.conditions })
    else { return false }
    asked.plan.interventions = found
    return answers(asked)
  }
}
