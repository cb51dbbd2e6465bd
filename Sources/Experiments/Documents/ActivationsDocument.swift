// The document of `crosscope activations --json`: a text token by token with its latents, then the latents of the whole text.
// Keys are the field's words in snake case, activations are in the store's units, KL is in nats.

import Diffing
import Inference
import Kernels
import Storage

/// A text's activations with what the store knows of its latents.
package struct ActivationsDocument: Encodable {
  package struct Activation: Codable {
    package let latent: Int
    package let activation: Float
    /// A share of the latent's largest activation.
    package let share: Double?
  }

  package struct Candidate: Codable {
    let token_id: Int32
    let token: String
    let probability: Double
  }

  package struct Token: Codable {
    package let position: Int
    package let id: Int32
    package let text: String
    package let template: Bool
    package let left_out: Bool
    package let activations: [Activation]
    let base: [Candidate]?
    let chat: [Candidate]
    package let kl_chat_base: Double?
    let kl_base_chat: Double?
  }

  package struct Latent: Encodable {
    package let latent: LatentJSON
    package let max: Float
    package let share: Double?
    package let peak: Int
    package let mean: Double
    package let tokens: Int

    private enum CodingKeys: String, CodingKey {
      case max = "text_max"
      case share = "text_share"
      case peak = "text_peak"
      case mean = "text_mean"
      case tokens = "text_tokens"
    }

    package func encode(to encoder: any Encoder) throws {
      try latent.encode(to: encoder)
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(max, forKey: .max)
      try fields.encode(share, forKey: .share)
      try fields.encode(peak, forKey: .peak)
      try fields.encode(mean, forKey: .mean)
      try fields.encode(tokens, forKey: .tokens)
    }
  }

  let precision: Precision
  let aggregate: String
  let max_frequency: Double?
  let chat_specific_only: Bool
  let template: Bool
  package let tokens: [Token]
  package let latents: [Latent]
}

extension ActivationsDocument {
  /// The options that choose what the document shows.
  package struct Options: Sendable, Equatable {
    let filter: ActivationFilter
    /// If this is not empty, only these latents are shown.
    let only: Set<Int>
    /// How many latents are shown for each token.
    let top: Int
    /// How many latents are shown for the whole text.
    let limit: Int
    let aggregate: ActivationAggregate
    let template: Bool

    package static let (usualTop, usualLimit) = (5, 20)

    /// A nil option keeps its default.
    /// - Parameters:
    ///   - maxFrequency: the default is no limit if `only` names latents: a latent that was asked for is shown however often
    ///     it fires.
    package init(
      only: Set<Int> = [], top: Int? = nil, limit: Int? = nil, aggregate: ActivationAggregate? = nil,
      template: Bool? = nil, chatSpecificOnly: Bool? = nil, maxFrequency: Double? = nil
    ) {
      (self.only, self.top, self.limit) = (only, top ?? Self.usualTop, limit ?? Self.usualLimit)
      (self.aggregate, self.template) = (aggregate ?? .max, template ?? false)
      filter = ActivationFilter(
        maxFrequency: maxFrequency ?? (only.isEmpty ? ActivationFilter.usualFrequency : 1),
        chatSpecificOnly: chatSpecificOnly ?? false)
    }
  }

  /// Reads what the document says about the latents from the store.
  package init(_ found: TextReading, options: Options, store: Store) throws {
    let ids = Set(found.tokens.flatMap { $0.activations.map(\.latent) }).sorted()
    let records = Dictionary(try store.latents(ids: ids).map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
    let (tags, summaries) = (try store.tags(of: ids), try store.summaries(of: ids))
    func isShown(_ id: Int) -> Bool {
      guard options.only.isEmpty || options.only.contains(id) else { return false }
      return records[id].map(options.filter.passes) ?? false
    }
    func share(_ value: Float, _ id: Int) -> Double? {
      records[id]?.maxActivation.flatMap { $0 > 0 ? Double(value) / $0 : nil }
    }
    (precision, aggregate) = (found.precision, options.aggregate.rawValue)
    (max_frequency, chat_specific_only) = (options.filter.maxFrequency, options.filter.chatSpecificOnly)
    template = options.template
    tokens = found.tokens.enumerated().map { position, token in
      let shown = token.activations.filter { isShown($0.latent) }.prefix(options.top)
      return Token(
        token, position: position, names: found.names,
        activations: shown.map {
          Activation(latent: $0.latent, activation: $0.value, share: share($0.value, $0.latent))
        })
    }
    let overall = latentsOverText(
      found.tokens, by: options.aggregate, template: options.template, where: isShown
    ).prefix(options.limit)
    latents = overall.compactMap { latent in
      records[latent.latent].map { record in
        Latent(
          latent: LatentJSON(latent: record, tags: tags[record.id] ?? [], summary: summaries[record.id]),
          max: latent.max, share: share(latent.max, record.id), peak: latent.peak, mean: latent.mean,
          tokens: latent.tokens)
      }
    }
  }
}

extension ActivationsDocument.Token {
  /// A token with the activations that the options let through.
  init(
    _ token: TokenActivations, position: Int, names: [Int32: TokenRecord], activations: [ActivationsDocument.Activation]
  ) {
    func candidates(_ list: [TokenProbability]) -> [ActivationsDocument.Candidate] {
      list.map { .init(token_id: $0.id, token: names[$0.id]?.text ?? "", probability: $0.probability) }
    }
    self.init(
      position: position, id: token.id, text: names[token.id]?.text ?? "", template: token.isTemplate,
      left_out: token.isLeftOut, activations: activations, base: token.base.isEmpty ? nil : candidates(token.base),
      chat: candidates(token.chat), kl_chat_base: token.klChatBase, kl_base_chat: token.klBaseChat)
  }
}

extension TokenActivations {
  /// A token as a job's events have it.
  init(_ token: ActivationsDocument.Token) {
    func candidates(_ list: [ActivationsDocument.Candidate]?) -> [TokenProbability] {
      (list ?? []).map { TokenProbability(id: $0.token_id, probability: $0.probability) }
    }
    self.init(
      id: token.id, isTemplate: token.template, isLeftOut: token.left_out,
      activations: token.activations.map { LatentActivation(latent: $0.latent, value: $0.activation) },
      base: candidates(token.base), chat: candidates(token.chat), klChatBase: token.kl_chat_base,
      klBaseChat: token.kl_base_chat)
  }
}
