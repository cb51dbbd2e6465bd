// This job reads the activations of latents along two answers (POST /v1/steer/activations). The answers are given as tokens,
// since a text can have several tokenizations. Activations do not depend on steering, since they are read before the change.

import Diffing
import Inference
import Storage

/// Reads the activations of latents at each token of answers.
package struct AnswerActivationsJob: Job {
  package var prompt: String
  /// The turns before the prompt.
  package var turns: [ChatMessage]
  package var baseline: [Int32]
  package var steered: [Int32]
  package var frozen: [Int32]?
  package var latents: [Int]

  package init(
    prompt: String, turns: [ChatMessage] = [], baseline: [Int32], steered: [Int32], frozen: [Int32]? = nil,
    latents: [Int]
  ) {
    (self.prompt, self.turns, self.latents) = (prompt, turns, latents)
    (self.baseline, self.steered, self.frozen) = (baseline, steered, frozen)
  }

  package static let path = "/v1/steer/activations"
  package static let fieldNames = ["prompt", "turns", "baseline", "steered", "frozen", "latents"]

  package init(_ fields: JSONFields, isStreamed: Bool) throws {
    let turns: [MessageFields] = try fields.value("turns") ?? []
    self.init(
      prompt: try fields.required("prompt"), turns: turns.map(\.message), baseline: try fields.required("baseline"),
      steered: try fields.required("steered"), frozen: try fields.value("frozen"),
      latents: try fields.required("latents"))
    guard (1...AnswerLimits.mostTraced).contains(latents.count) else {
      throw fields.invalid("latents", "expected 1 to \(AnswerLimits.mostTraced), found \(latents.count)")
    }
  }

  package mutating func limit(to limits: AnswerLimits, store: Store) throws {
    try store.check(latents, field: "latents")
  }

  package func begin(on models: LoadedModels) throws -> AnswerActivationsSteps {
    try AnswerActivationsSteps(self, models)
  }

  package func answer(from identity: EngineIdentity) -> AnswerActivationsAnswer { AnswerActivationsAnswer(self) }
}

/// Scaled activations at each token of the answers, in the store's units, one row for each latent in the order of the
/// request. The value is 0 where a code means nothing.
package struct AnswerActivations: Sendable, Equatable, Codable {
  package var baseline: [[Double]]
  package var steered: [[Double]]
  /// Empty if there is no answer with frozen attention.
  package var frozen: [[Double]] = []

  package init(baseline: [[Double]], steered: [[Double]], frozen: [[Double]] = []) {
    (self.baseline, self.steered, self.frozen) = (baseline, steered, frozen)
  }

  package subscript(arm: AnswerArm) -> [[Double]] {
    switch arm {
    case .baseline: baseline
    case .steered: steered
    case .frozen: frozen
    }
  }
}

/// The only event: everything was read.
package struct AnswerActivationsEvent: Sendable, Equatable, Codable {
  package let activations: AnswerActivations

  package init(activations: AnswerActivations) { self.activations = activations }
}

/// The reading, which is a single step.
package struct AnswerActivationsSteps: TaskSteps {
  private let job: AnswerActivationsJob
  private let models: LoadedModels
  private let prompt: RenderedChat

  fileprivate init(_ job: AnswerActivationsJob, _ models: LoadedModels) throws {
    (self.job, self.models) = (job, models)
    try models.context.requireActivations(store: models.store)
    prompt = try models.context.engine.encodeChat(
      job.turns + [ChatMessage(role: .user, content: job.prompt)], addGenerationPrompt: true)
  }

  package mutating func step(_ tell: (AnswerActivationsEvent) -> Void) throws -> Bool {
    tell(
      AnswerActivationsEvent(
        activations: AnswerActivations(
          baseline: try activations(job.baseline), steered: try activations(job.steered),
          frozen: try job.frozen.map(activations) ?? [])))
    return false
  }

  private func activations(_ answer: [Int32]) throws -> [[Double]] {
    let context = models.context
    let trace = try TextActivations(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, candidates: 1)
    let mask = prompt.templateMask + [Bool](repeating: false, count: answer.count)
    let tokens = try trace.append(prompt.ids + answer, templateMask: mask).suffix(answer.count)
    return job.latents.map { latent in
      tokens.map { token in
        let value = token.activations.first { $0.latent == latent }?.value ?? 0
        return Double(context.inStoreUnits(value, of: latent))
      }
    }
  }
}

/// The answer, which is accepted if it has an activation for each latent and token.
package struct AnswerActivationsAnswer: JobAnswer {
  private let job: AnswerActivationsJob
  package private(set) var outcome: AnswerActivations?

  fileprivate init(_ job: AnswerActivationsJob) { self.job = job }

  package mutating func take(_ event: AnswerActivationsEvent) throws(UnexpectedAnswer) {
    let found = event.activations
    let arms =
      [(found.baseline, job.baseline), (found.steered, job.steered)] + (job.frozen.map { [(found.frozen, $0)] } ?? [])
    guard
      arms.allSatisfy({ values, answer in
        values.count == job.latents.count && values.allSatisfy { $0.count == answer.count }
      })
    else { throw UnexpectedAnswer() }
    outcome = found
  }
}
