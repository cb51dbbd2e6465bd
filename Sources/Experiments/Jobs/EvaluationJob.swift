// This job measures how good the store's dictionary is on texts: what its reconstruction costs each model in cross-entropy, and
// how many latents are active (POST /v1/evaluation; the figures behind `crosscope evaluate`). The method is in LossRecovery.

import Diffing
import Inference
import Kernels
import Storage

/// Measures the dictionary on chats and plain texts.
package struct EvaluationJob: Job {
  package var chats: [[ChatMessage]]
  package var texts: [String]
  /// The largest number of measured texts, spread evenly over all; nil measures all.
  package var limit: Int?
  /// A text is cut to this many tokens.
  package var maxTokens: Int

  package init(chats: [[ChatMessage]], texts: [String], limit: Int?, maxTokens: Int) {
    (self.chats, self.texts, self.limit, self.maxTokens) = (chats, texts, limit, maxTokens)
  }

  package static let path = "/v1/evaluation"
  package static let fieldNames = ["chats", "texts", "limit", "max_tokens"]
  package var textField: String { chats.isEmpty ? "texts" : "chats" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    let chats: [[MessageFields]] = try fields.value("chats") ?? []
    self.init(
      chats: chats.map { $0.map(\.message) }, texts: try fields.value("texts") ?? [],
      limit: try fields.value("limit", in: 1...Int(Int32.max)),
      maxTokens: try fields.value("max_tokens", in: 2...Int(Int32.max)) ?? 256)
    guard !chats.isEmpty || !texts.isEmpty else { throw fields.invalid("texts", "expected at least one text or chat") }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(chats, "chats")
    try fields.write(texts, "texts")
    if let limit { try fields.write(limit, "limit") }
    try fields.write(maxTokens, "max_tokens")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    _ = try limits.length(maxTokens, isOpenEnded: false)
  }

  package func begin(on models: LoadedModels) throws -> EvaluationSteps { try EvaluationSteps(self, models) }

  package func answer(from identity: EngineIdentity) -> EvaluationAnswer { EvaluationAnswer(self) }
}

/// An event of the evaluation.
package enum EvaluationEvent: Sendable, Equatable {
  /// The numbers of measured texts and of all texts.
  case progress(done: Int, of: Int)
  /// The losses of the next text.
  case measured(TextLosses)
  case finished(Precision)
}

extension EvaluationEvent: Codable {
  private enum Key: CodingKey { case progress, measured, finished }
  private struct End: Codable { var precision: Precision }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else if let losses = try fields.decodeIfPresent(TextLosses.self, forKey: .measured) {
      self = .measured(losses)
    } else {
      self = .finished(try fields.decode(End.self, forKey: .finished).precision)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .measured(let losses): try fields.encode(losses, forKey: .measured)
    case .finished(let precision): try fields.encode(End(precision: precision), forKey: .finished)
    }
  }
}

/// Texts in progress. One step is a text.
package struct EvaluationSteps: TaskSteps {
  private let test: LossRecovery
  private let texts: [[Int32]]
  private let precision: Precision
  private var next = 0

  fileprivate init(_ job: EvaluationJob, _ models: LoadedModels) throws {
    let context = models.context
    try context.requireActivations(store: models.store)
    let engine = context.engine
    let all = try engine.tokens(chats: job.chats, texts: job.texts, limit: job.maxTokens)
    guard !all.isEmpty else {
      throw InputError.invalid(source: "texts", expected: "a text of at least two tokens", found: "none")
    }
    texts = all.spread(job.limit ?? all.count)
    precision = engine.model.precision
    test = try LossRecovery(engine: engine, crosscoder: context.crosscoder, layer: context.pair.layer)
  }

  package mutating func step(_ tell: (EvaluationEvent) -> Void) throws -> Bool {
    if next == 0 { tell(.progress(done: 0, of: texts.count)) }
    tell(.measured(try test.measure(texts[next])))
    next += 1
    tell(.progress(done: next, of: texts.count))
    guard next == texts.count else { return true }
    tell(.finished(precision))
    return false
  }
}

/// The losses of all texts.
package struct Evaluation: Encodable, Sendable, Equatable {
  package var texts: [TextLosses]
  package var precision: Precision
}

/// The losses, which are accepted if there are no more texts than were sent.
package struct EvaluationAnswer: JobAnswer {
  private let most: Int
  private var texts: [TextLosses] = []
  package private(set) var outcome: Evaluation?

  fileprivate init(_ job: EvaluationJob) {
    most = min(job.limit ?? .max, job.chats.count + job.texts.count)
  }

  package mutating func take(_ event: EvaluationEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    switch event {
    case .progress: break
    case .measured(let losses):
      guard texts.count < most, losses.predictions > 0 else { throw UnexpectedAnswer("losses of something else") }
      texts.append(losses)
    case .finished(let precision):
      guard !texts.isEmpty else { throw UnexpectedAnswer("no losses") }
      outcome = Evaluation(texts: texts, precision: precision)
    }
  }
}
