// A text traced on the models of a store, and after it, where asked for, the chat model's answer as it is generated.
// Owns: the order of the passes; each `step` is one pass over the text or one token of the answer, so that cancelling
// costs at most that. One owner at a time.

import Diffing
import Inference
import Storage

/// The trace of one text.
final class TraceRun {
  private let context: SteeringContext
  private let trace: TextActivations
  private let text: RenderedChat
  private let answerTokens: Int
  private var sampler = Sampler.greedy
  private var answered = 0
  private var isFinished = false

  /// Nothing is computed before the first step.
  /// - Parameter answerTokens: the most tokens of an answer, the likeliest one each time; 0 for none.
  /// - Throws: `DiffingError` for a text that does not fit the model together with its answer.
  init(context: SteeringContext, text: RenderedChat, answerTokens: Int = 0) throws {
    self.context = context
    trace = try TextActivations(engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer)
    (self.text, self.answerTokens) = (text, answerTokens)
    try trace.checkRoom(for: text.ids.count + answerTokens)
  }

  /// The next tokens, their activations in the store's units; nil when the text and its answer have ended.
  func step() throws -> [TokenActivations]? {
    guard !isFinished else { return nil }
    if trace.count < text.ids.count {
      let part = trace.count..<min(text.ids.count, trace.count + trace.tokensPerPass)
      return inStoreUnits(try trace.append(Array(text.ids[part]), templateMask: Array(text.templateMask[part])))
    }
    guard answered < answerTokens else {
      isFinished = true
      return nil
    }
    answered += 1
    let id = try sampler.next(trace.chatLogits)
    isFinished = context.engine.tokenizer.endOfTurnIDs.contains(id)
    return inStoreUnits(try trace.append([id], templateMask: [isFinished]))
  }

  private func inStoreUnits(_ tokens: [TokenActivations]) -> [TokenActivations] {
    tokens.map { token in
      var token = token
      for index in token.activations.indices {
        let activation = token.activations[index]
        token.activations[index].value = context.inStoreUnits(activation.value, of: activation.latent)
      }
      return token
    }
  }
}

extension SteeringContext {
  /// Whether what a trace needs is there: a crosscoder's codes are read from both models.
  var isTraceable: Bool { crosscoder.soleModel != nil || engine.isPair }

  /// - Throws: `CommandError.notSaid` where one model is all there is.
  func requireTraceable(store: Store) throws(CommandError) {
    if !isTraceable { try requireBase(store: store) }
  }
}

extension TokenActivations {
  /// The ids of all tokens that a trace's entry names.
  fileprivate var namedTokens: [Int32] { [id] + (base + chat).map(\.id) }
}

extension Tokenizer {
  /// All tokens that a trace speaks of.
  func names(of tokens: [TokenActivations]) -> [Int32: TokenRecord] {
    let ids = Set(tokens.flatMap(\.namedTokens))
    return Dictionary(ids.map { ($0, record($0)) }, uniquingKeysWith: { a, _ in a })
  }
}
