// This job tests which latents make base's residual stream act like chat's: it measures every arm's divergence from chat, chat
// by chat (POST /v1/causal; the figures behind `crosscope causal`). The method is in ActivationPatching. The client chooses the
// latents of the arms and forms ratios and intervals of the divergences.

import Diffing
import Inference
import Kernels
import Storage

/// Measures arms on chats.
package struct LatentPatchingJob: Job {
  package var arms: [PatchingArm]
  /// Chats without an assistant's answer within `maxTokens` are left out.
  package var chats: [[ChatMessage]]
  /// The name of the chats in errors.
  package var name: String
  /// The largest number of measured chats, spread evenly over those with an answer; nil measures all.
  package var limit: Int?
  /// A chat is cut to this many tokens.
  package var maxTokens: Int

  package init(arms: [PatchingArm], chats: [[ChatMessage]], name: String, limit: Int?, maxTokens: Int) {
    (self.arms, self.chats, self.name, self.limit, self.maxTokens) = (arms, chats, name, limit, maxTokens)
  }

  package static let path = "/v1/causal"
  package static let fieldNames = ["arms", "chats", "name", "limit", "max_tokens"]
  package var textField: String { "chats" }
  package var latentsField: String { "arms" }

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    let chats: [[MessageFields]] = try fields.required("chats")
    self.init(
      arms: try fields.required("arms"), chats: chats.map { $0.map(\.message) },
      name: try fields.value("name") ?? "chats", limit: try fields.value("limit", in: 1...Int(Int32.max)),
      maxTokens: try fields.value("max_tokens", in: 2...Int(Int32.max)) ?? 512)
    guard !chats.isEmpty else { throw fields.invalid("chats", "expected at least one") }
    // One more stream is the chat model itself.
    guard (1..<AnswerLimits.mostStreams).contains(arms.count) else {
      throw fields.invalid("arms", "expected 1 to \(AnswerLimits.mostStreams - 1), found \(arms.count)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(arms, "arms")
    try fields.write(chats, "chats")
    try fields.write(name, "name")
    if let limit { try fields.write(limit, "limit") }
    try fields.write(maxTokens, "max_tokens")
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    _ = try limits.length(maxTokens, isOpenEnded: false)
    for case .latents(let chosen) in arms { try store.check(chosen, field: "arms") }
  }

  package func begin(on models: LoadedModels) throws -> LatentPatchingSteps { try LatentPatchingSteps(self, models) }

  package func answer(from identity: EngineIdentity) -> LatentPatchingAnswer {
    LatentPatchingAnswer(self, layer: identity.layer)
  }
}

/// In a request an arm is its name or the list of its latents.
extension PatchingArm: Codable {
  private static let named: [String: PatchingArm] = [
    "none": .none, "all": .all, "error": .error, "template": .template,
  ]

  public init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let latents = try? value.decode([Int].self) {
      self = .latents(Set(latents))
      return
    }
    guard let name = try? value.decode(String.self), let arm = Self.named[name] else {
      throw JSONFieldError.invalid("arms", "expected none, all, error, template or a list of latents in each")
    }
    self = arm
  }

  public func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .none: try value.encode("none")
    case .all: try value.encode("all")
    case .error: try value.encode("error")
    case .template: try value.encode("template")
    case .latents(let chosen): try value.encode(chosen.sorted())
    }
  }
}

/// An event of the measurement.
package enum LatentPatchingEvent: Sendable, Equatable {
  /// The numbers of measured chats' tokens and of all chats' tokens.
  case progress(done: Int, of: Int)
  /// The divergences of the next chat.
  case measured(ChatDivergence)
  /// The number of measured chats, and the block `layer` after which base was patched.
  case finished(chats: Int, layer: Int, Precision)
}

extension LatentPatchingEvent: Codable {
  private enum Key: CodingKey { case progress, measured, finished }

  private struct End: Codable {
    var chats, layer: Int
    var precision: Precision
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let progress = try fields.decodeIfPresent(JobProgress.self, forKey: .progress) {
      self = .progress(done: progress.done, of: progress.of)
    } else if let chat = try fields.decodeIfPresent(ChatDivergence.self, forKey: .measured) {
      self = .measured(chat)
    } else {
      let end = try fields.decode(End.self, forKey: .finished)
      self = .finished(chats: end.chats, layer: end.layer, end.precision)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .progress(let done, let total): try fields.encode(JobProgress(done: done, of: total), forKey: .progress)
    case .measured(let chat): try fields.encode(chat, forKey: .measured)
    case .finished(let chats, let layer, let precision):
      try fields.encode(End(chats: chats, layer: layer, precision: precision), forKey: .finished)
    }
  }
}

/// Chats in progress. One step is a chat.
package struct LatentPatchingSteps: TaskSteps {
  private let test: ActivationPatching
  private let chats: [RenderedChat]
  private let ending: LatentPatchingEvent
  private let total: Int
  private var (next, done) = (0, 0)

  /// - Throws: `InputError.invalid` if the template refuses a chat, or if no chat has an answer;
  ///   `InputError.notSaid` without base; `DiffingError.settingInvalid` for an unknown latent.
  fileprivate init(_ job: LatentPatchingJob, _ models: LoadedModels) throws {
    let context = models.context
    try context.requireBase(store: models.store)
    chats = try job.answered(by: context.engine)
    test = try ActivationPatching(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, arms: job.arms)
    ending = .finished(chats: chats.count, layer: context.pair.layer, context.engine.model.precision)
    total = chats.reduce(0) { $0 + $1.ids.count }
  }

  package mutating func step(_ tell: (LatentPatchingEvent) -> Void) throws -> Bool {
    if next == 0 { tell(.progress(done: 0, of: total)) }
    tell(.measured(try test.measure(chats[next])))
    done += chats[next].ids.count
    next += 1
    tell(.progress(done: done, of: total))
    guard next == chats.count else { return true }
    tell(ending)
    return false
  }
}

extension LatentPatchingJob {
  /// The tokens of the chats that have an answer, at most `limit` of them.
  fileprivate func answered(by engine: Engine) throws -> [RenderedChat] {
    let answered = try chats.enumerated().map { index, messages in
      do {
        return try engine.encodeChat(messages, addGenerationPrompt: false).prefix(maxTokens)
      } catch InferenceError.settingInvalid(let setting, let expected, let found) {
        // The template refused the chat.
        throw InputError.invalid(
          source: "\(name) chat \(index + 1)", expected: "\(setting) \(expected)", found: found)
      }
    }.filter { !PatchingScope.response.positions(in: $0).isEmpty }
    guard !answered.isEmpty else {
      throw InputError.invalid(
        source: name, expected: "chats with an assistant's answer within \(maxTokens) tokens", found: "none")
    }
    return answered.spread(limit ?? answered.count)
  }
}

/// The result for all chats.
package struct PatchingDivergences: Encodable, Sendable, Equatable {
  /// The divergences of every measured chat, with a value for each arm.
  package var chats: [ChatDivergence]
  package var layer: Int
  package var precision: Precision
}

/// The divergences, which are accepted if there are as many chats as were measured, each with all requested arms.
package struct LatentPatchingAnswer: JobAnswer {
  private let arms: Int
  /// At most this many chats can have an answer.
  private let mostChats: Int
  private let layer: Int
  private var chats: [ChatDivergence] = []
  package private(set) var outcome: PatchingDivergences?

  fileprivate init(_ job: LatentPatchingJob, layer: Int) {
    (arms, self.layer) = (job.arms.count, layer)
    mostChats = min(job.limit ?? .max, job.chats.count { $0.contains { $0.role == .assistant } })
  }

  package mutating func take(_ event: LatentPatchingEvent) throws(UnexpectedAnswer) {
    guard outcome == nil else { throw UnexpectedAnswer() }
    switch event {
    case .progress: break
    case .measured(let chat):
      guard chats.count < mostChats, isSound(chat) else { throw UnexpectedAnswer("divergences of something else") }
      chats.append(chat)
    case .finished(let count, let layer, let precision):
      guard count == chats.count, count > 0, layer == self.layer else {
        throw UnexpectedAnswer("divergences of something else")
      }
      outcome = PatchingDivergences(chats: chats, layer: layer, precision: precision)
    }
  }

  private func isSound(_ chat: ChatDivergence) -> Bool {
    chat.tokens[.response] ?? 0 > 0
      && PatchingScope.allCases.allSatisfy { scope in
        let sums = chat.sums[scope] ?? []
        return chat.tokens[scope] ?? -1 >= 0 && sums.count == arms && sums.allSatisfy { $0 >= 0 }
      }
  }
}
