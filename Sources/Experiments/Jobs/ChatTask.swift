// The task of a chat completion. It runs a steering run, cuts the answers at their stop texts and computes only what was asked
// for: the baseline of a steered answer, for instance, is left out.

import Diffing
import Inference
import Storage

/// The chats to answer and the settings of the answers.
package struct ChatTask: ModelTask {
  package var messages: [ChatMessage]
  /// The steering plan, or nil for the unsteered model. Conditions are in the store's units.
  package var plan: SteeringPlan?
  /// The settings of the answers. If `fitsContext` is set, the limit of tokens is lowered to what the context holds.
  package var settings: GenerationSettings
  package var fitsContext = false
  /// An answer ends before the first of these texts.
  package var stop: [String] = []
  package var recordsLogProbabilities = false
  /// How many likely alternatives each token is reported with.
  package var likeliest = 0

  package init(messages: [ChatMessage], plan: SteeringPlan?, settings: GenerationSettings) {
    (self.messages, self.plan, self.settings) = (messages, plan, settings)
  }

  package func begin(on models: LoadedModels) throws -> ChatSteps { try ChatSteps(self, models) }
}

/// An event while chats are answered.
package enum ChatEvent: Sendable {
  /// The prompt was read; from now on the request cannot be refused.
  case began
  case token(AnswerToken)
  case finished(ChatSummary, tokensPerSecond: Double?)
}

/// The result of all answers of a chat.
package struct ChatSummary: Sendable {
  package let answers: [AnswerSummary]
  package let promptTokens: Int
  package let layer: Int
  package let versions: [String: String]
}

/// What one token adds to one of the answers, which are counted from 0.
package struct AnswerToken: Sendable {
  package enum Ending: String, Sendable, Codable { case stop, length }

  package let answer: Int
  /// The characters that now certainly belong to the answer.
  package let text: String
  /// The tokens of these characters, if log-probabilities were asked for. The token that ends a turn is not among them.
  package let tokens: [Logged]
  /// How the answer ended, if it did.
  package let ending: Ending?

  /// A token of an answer's text.
  package struct Logged: Sendable {
    /// The bytes of the token, which may be a part of a character. If a stop text cuts the token, only the bytes before
    /// it.
    package var bytes: [UInt8]
    /// The log-probability in nats, before temperature and other settings.
    package let logProbability: Double
    /// The likeliest tokens at this position, the likeliest first, as many as were asked for.
    package let likeliest: [Candidate]
  }

  /// A token that the model could have chosen.
  package struct Candidate: Sendable {
    package let bytes: [UInt8]
    /// The log-probability in nats, before temperature and other settings.
    package let logProbability: Double
  }
}

/// The result of one answer.
package struct AnswerSummary: Sendable, Equatable {
  /// The tokens, including the end of the turn.
  package var ids: [Int32]
  /// ‖Δh‖ ÷ ‖h‖ over the steered tokens; nil if nothing was steered.
  package var relativeChange: Double?
}

/// Answers in progress. One step is a token of every answer that has not ended.
package struct ChatSteps: TaskSteps {
  private let models: LoadedModels
  private let promptTokens: Int
  private let run: SteeringRun
  private let tokenizer: Tokenizer
  private let recordsLogProbabilities: Bool
  /// For each answer, its stream in the run.
  private let streams: [Int]
  private var texts: [StoppedText]
  private var endings: [AnswerToken.Ending?]
  /// The time of the first tokens, and the number of steps since then.
  private var began: ContinuousClock.Instant?
  private var steps = 0

  fileprivate init(_ task: ChatTask, _ models: LoadedModels) throws {
    self.models = models
    let (context, engine) = (models.context, models.context.engine)
    let prompt = try engine.encodeChat(task.messages, addGenerationPrompt: true)
    var settings = task.settings
    if task.fitsContext {
      settings.maxTokens = min(
        settings.maxTokens, max(1, engine.model.configuration.contextLength - prompt.ids.count))
    }
    if let plan = task.plan { try context.requireBase(for: plan, store: models.store) }
    let plans = try task.plan.map { [context.inResidualUnits(try models.store.lookingUp($0))] } ?? []
    let largest = try context.maxActivations(of: plans.flatMap(\.interventions).map(\.latent), in: models.store)
    run = try SteeringRun(
      engine: engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt, plans: plans,
      settings: settings, prefixes: models.prefixes, recordsLogProbabilities: task.recordsLogProbabilities,
      recordedLikeliest: task.likeliest, maxActivations: { largest[$0] })
    (promptTokens, tokenizer) = (prompt.ids.count, engine.tokenizer)
    recordsLogProbabilities = task.recordsLogProbabilities
    let arms = run.arms
    let all = 0..<settings.samples * arms
    streams = all.filter { $0 % arms == arms - 1 }
    for stream in all where !streams.contains(stream) { run.end(stream) }
    texts = streams.map { _ in StoppedText(tokenizer: engine.tokenizer, stop: task.stop) }
    endings = streams.map { _ in nil }
  }

  package mutating func step(_ tell: (ChatEvent) -> Void) throws -> Bool {
    let tokens = try next()
    if began == nil {
      began = .now
      tell(.began)
    } else {
      steps += 1
    }
    for token in tokens ?? [] { tell(.token(token)) }
    guard tokens == nil else { return true }
    let seconds = began.map { (.now - $0).seconds } ?? 0
    let summary = ChatSummary(
      answers: summaries, promptTokens: promptTokens, layer: models.context.pair.layer,
      versions: models.context.versions)
    tell(.finished(summary, tokensPerSecond: seconds > 0 && steps > 1 ? Double(steps - 1) / seconds : nil))
    return false
  }

  /// One token of every answer that has not ended; nil when all have ended.
  private mutating func next() throws(InferenceError) -> [AnswerToken]? {
    guard !run.isFinished else { return nil }
    var tokens: [AnswerToken] = []
    for token in try run.step() {
      guard let answer = streams.firstIndex(of: token.stream) else { continue }
      let isEndOfTurn = tokenizer.endOfTurnIDs.contains(token.id)
      var certain = texts[answer].append(token.id, isEndOfTurn ? nil : logged(token.id, stream: token.stream))
      if texts[answer].isStopped {
        run.end(token.stream)
        endings[answer] = .stop
      } else if token.isLast {
        let rest = texts[answer].finish()
        certain = (certain.text + rest.text, certain.tokens + rest.tokens)
        endings[answer] = isEndOfTurn || texts[answer].isStopped ? .stop : .length
      }
      tokens.append(
        AnswerToken(answer: answer, text: certain.text, tokens: certain.tokens, ending: endings[answer]))
    }
    return tokens
  }

  private func logged(_ id: Int32, stream: Int) -> AnswerToken.Logged? {
    guard recordsLogProbabilities, let value = run.logProbabilities(stream).last else { return nil }
    return AnswerToken.Logged(
      bytes: tokenizer.bytes(of: id), logProbability: value,
      likeliest: (run.likeliest(stream).last ?? []).map {
        .init(bytes: tokenizer.bytes(of: $0.id), logProbability: $0.value)
      })
  }

  /// The results of the answers.
  private var summaries: [AnswerSummary] {
    streams.indices.map { answer in
      let (sample, arm) = streams[answer].quotientAndRemainder(dividingBy: run.arms)
      return AnswerSummary(
        ids: run.produced(streams[answer]),
        relativeChange: arm == 0 ? nil : run.size(ofPlan: arm - 1, sample: sample).relative)
    }
  }
}
