// This job previews steering: how it changes the distribution of the token after a prompt, and then the first tokens of the
// steered answer (POST /v1/steer/preview). Nothing is sampled.

import Diffing
import Inference

/// Previews a request.
package struct PreviewJob: Job {
  package var request: SteeringRequest

  package init(_ request: SteeringRequest) { self.request = request.withoutSampling }

  package static let isPreview = true
  package static let path = "/v1/steer/preview"
  package static let fieldNames = SteeringRequest.promptFields

  package init(_ fields: JSONFields, isStreamed: Bool) throws { self.init(try SteeringRequest(fields)) }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try request.writePrompt(to: &fields)
  }

  package func begin(on models: LoadedModels) throws -> PreviewSteps { try PreviewSteps(request, models) }
  package func answer(from identity: EngineIdentity) -> PreviewAnswer { PreviewAnswer() }
}

/// The effect of steering on the token after the prompt.
package struct NextTokens: Sendable, Equatable, Codable {
  /// A token's text and its probability on both sides.
  package struct Token: Sendable, Equatable, Codable {
    package var text: String
    package var unsteered: Double
    package var steered: Double

    package init(text: String, unsteered: Double, steered: Double) {
      (self.text, self.unsteered, self.steered) = (text, unsteered, steered)
    }
  }

  /// The likeliest tokens of each side, the likeliest first.
  package var likelyUnsteered: [Token]
  package var likelySteered: [Token]
  /// KL(unsteered ‖ steered) in nats.
  package var divergence: Double
  /// Mean ‖Δh‖ ÷ ‖h‖ over the prompt's steered positions.
  package var relativeChange: Double?

  private enum CodingKeys: String, CodingKey {
    case likelyUnsteered = "likely_unsteered"
    case likelySteered = "likely_steered"
    case divergence = "kl"
    case relativeChange = "relative_change"
  }

  package init(likelyUnsteered: [Token], likelySteered: [Token], divergence: Double, relativeChange: Double? = nil) {
    (self.likelyUnsteered, self.likelySteered) = (likelyUnsteered, likelySteered)
    (self.divergence, self.relativeChange) = (divergence, relativeChange)
  }

  /// How many tokens each side lists.
  package static let count = 8
  /// How many tokens of the steered answer follow.
  package static let answerTokens = 8

  fileprivate var isSound: Bool {
    [likelyUnsteered, likelySteered].allSatisfy { list in
      list.count <= Self.count
        && list.allSatisfy { (0...1).contains($0.unsteered) && (0...1).contains($0.steered) }
    }
  }
}

/// An event of a preview: first the distribution, then the first tokens of the steered answer.
package enum PreviewEvent: Sendable, Equatable {
  case distribution(NextTokens)
  case token(String)
}

extension PreviewEvent: Codable {
  private enum Key: CodingKey { case next_tokens, token }

  /// The JSON form of a token, the same as that of a run.
  private struct Token: Codable {
    var stream = AnswerArm.steered
    var sample = 0
    let text: String
  }

  package init(from decoder: any Decoder) throws {
    let fields = try decoder.container(keyedBy: Key.self)
    if let tokens = try fields.decodeIfPresent(NextTokens.self, forKey: .next_tokens) {
      self = .distribution(tokens)
    } else {
      self = .token(try fields.decode(Token.self, forKey: .token).text)
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .distribution(let tokens): try fields.encode(tokens, forKey: .next_tokens)
    case .token(let text): try fields.encode(Token(text: text), forKey: .token)
    }
  }
}

/// A preview in progress. Blocks up to the crosscoder's are computed once for each prompt.
package struct PreviewSteps: TaskSteps {
  private let preview: SteeringPreview
  private let tokenizer: Tokenizer
  private var text: GeneratedText
  private var hasToldDistribution = false
  private var tokens = 0

  fileprivate init(_ request: SteeringRequest, _ models: LoadedModels) throws {
    let setup = try SteeringSetup(request, models: models)
    tokenizer = models.context.engine.tokenizer
    text = GeneratedText(tokenizer: tokenizer)
    preview = try SteeringPreview(
      engine: models.context.engine, crosscoder: models.context.crosscoder,
      unsteered: models.unsteered.read(setup.rendered(), models), plan: setup.plans[0], prefixes: models.prefixes,
      maxActivations: { setup.basis.maxActivations[$0] })
  }

  package mutating func step(_ tell: (PreviewEvent) -> Void) throws -> Bool {
    guard hasToldDistribution else {
      hasToldDistribution = true
      tell(.distribution(try distribution()))
      return true
    }
    guard tokens < NextTokens.answerTokens, let id = try preview.next() else { return false }
    tokens += 1
    let piece = text.append(id)
    if !piece.isEmpty { tell(.token(piece)) }
    return true
  }

  private func distribution() throws -> NextTokens {
    let shift = try preview.shift(count: NextTokens.count)
    func named(_ tokens: [NextTokenShift.Token]) -> [NextTokens.Token] {
      tokens.map {
        NextTokens.Token(text: tokenizer.decode([$0.id]), unsteered: $0.unsteered, steered: $0.steered)
      }
    }
    return NextTokens(
      likelyUnsteered: named(shift.likelyUnsteered), likelySteered: named(shift.likelySteered),
      divergence: shift.divergence, relativeChange: shift.size.relative)
  }
}

/// A whole preview.
package struct PreviewAnswer: JobAnswer {
  package struct Outcome: Encodable, Sendable {
    package let next_tokens: NextTokens
    /// The first tokens of the steered answer.
    package var text = ""
  }

  package private(set) var outcome: Outcome?
  private var tokens = 0

  package mutating func take(_ event: PreviewEvent) throws(UnexpectedAnswer) {
    switch event {
    case .distribution(let found):
      guard found.isSound else { throw UnexpectedAnswer("probabilities beyond 0 to 1") }
      outcome = Outcome(next_tokens: found)
    case .token(let text):
      tokens += 1
      guard outcome != nil, tokens <= NextTokens.answerTokens else {
        throw UnexpectedAnswer("more tokens than were asked for")
      }
      outcome?.text += text
    }
  }
}
