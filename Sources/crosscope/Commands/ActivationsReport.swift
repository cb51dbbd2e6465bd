// What `crosscope activations` reports: two tables for people, one JSON document with all that is in them for programs.
// Owns: the document's shape. Keys are the field's words in snake case, activations in the store's units, KL in nats.

import Diffing
import Foundation
import Inference
import Kernels
import Storage
import TUI

/// A traced text with what the store knows of its latents.
struct ActivationsReport {
  /// What is shown.
  struct Options {
    let filter: TraceFilter
    /// Only these latents; empty for all.
    let only: Set<Int32>
    /// Latents a token.
    let top: Int
    /// Latents of the text.
    let limit: Int
    let aggregate: TraceAggregate
    let template: Bool

    static let (usualTop, usualLimit) = (5, 20)

    /// What is nil is as usual.
    /// - Parameters:
    ///   - maxFrequency: usually all latents where some are asked for: who asks for a latent by its number wants to see
    ///     it however often it fires.
    init(
      only: Set<Int32>, top: Int?, limit: Int?, aggregate: TraceAggregate?, template: Bool?, chatSpecificOnly: Bool?,
      maxFrequency: Double?
    ) {
      (self.only, self.top, self.limit) = (only, top ?? Self.usualTop, limit ?? Self.usualLimit)
      (self.aggregate, self.template) = (aggregate ?? .max, template ?? false)
      filter = TraceFilter(
        maxFrequency: maxFrequency ?? (only.isEmpty ? TraceFilter.usualFrequency : 1),
        chatSpecificOnly: chatSpecificOnly ?? false)
    }
  }

  let options: Options
  let precision: Precision
  let tokens: [TokenActivations]
  private let texts: [String]
  private let names: [Int32: TokenRecord]
  private let latents: [Int32: LatentRecord]
  private let tags: [Int32: [String]]
  private let summaries: [Int32: String]

  /// Reads from the store what is to be said of the latents.
  /// - Parameter names: of all tokens that the text's tokens speak of.
  init(
    _ tokens: [TokenActivations], names: [Int32: TokenRecord], precision: Precision, options: Options, store: Store
  ) throws {
    (self.tokens, self.names, self.precision, self.options) = (tokens, names, precision, options)
    let ids = Set(tokens.flatMap { $0.activations.map { Int32($0.latent) } }).sorted()
    latents = Dictionary(try store.latents(ids: ids).map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })
    (tags, summaries) = (try store.tags(of: ids), try store.summaries(of: ids))
    texts = tokenTexts(tokens.map(\.id), names)
  }

  private func isShown(_ id: Int32) -> Bool {
    guard options.only.isEmpty || options.only.contains(id) else { return false }
    return latents[id].map(options.filter.passes) ?? false
  }

  private func shown(_ token: TokenActivations) -> [LatentActivation] {
    Array(token.activations.filter { isShown(Int32($0.latent)) }.prefix(options.top))
  }

  private var overall: [TracedLatent] {
    Array(
      tracedLatents(tokens, by: options.aggregate, template: options.template, where: isShown).prefix(options.limit))
  }

  /// A share of the latent's largest activation.
  private func share(_ value: Double, _ id: Int32) -> Double? {
    latents[id]?.maxActivation.flatMap { $0 > 0 ? value / $0 : nil }
  }
}

// MARK: For people

extension ActivationsReport {
  var text: String {
    var table = TextTable([
      .init(title: "#", isNumber: true), .init(title: "token"), .init(title: "KL", isNumber: true),
      .init(title: "latents: activation, share of the latent's largest"),
    ])
    for (position, token) in tokens.enumerated() {
      let list = shown(token).map { activation in
        let id = Int32(activation.latent)
        let share = share(Double(activation.value), id).map { " \(fixed($0 * 100, 0))%" } ?? ""
        return "\(id): \(fixed(Double(activation.value), 1))\(share)"
      }
      table.add([
        "\(position)", "\"\(texts[position])\"", token.klChatBase.map { fixed($0, 3) } ?? "-",
        token.isLeftOut ? "left out" : list.joined(separator: "  "),
      ])
    }
    var result = table.text
    let overall = overall
    guard !overall.isEmpty else { return result + "\nno latent passes the filters\n" }
    var second = TextTable([
      .init(title: "latent", isNumber: true), .init(title: "max", isNumber: true),
      .init(title: "share", isNumber: true), .init(title: "at"), .init(title: "mean", isNumber: true),
      .init(title: "tokens", isNumber: true), .init(title: "freq", isNumber: true), .init(title: "class"),
      .init(title: "tags, tokens"),
    ])
    for latent in overall {
      let record = latents[latent.latent]
      let about = (tags[latent.latent] ?? []) + [summaries[latent.latent]].compactMap { $0 }
      second.add([
        "\(latent.latent)", fixed(Double(latent.max), 1),
        share(Double(latent.max), latent.latent).map { fixed($0 * 100, 0) + "%" } ?? "-",
        "\(latent.peak) \"\(texts[latent.peak])\"", fixed(latent.mean, 2), "\(latent.tokens)",
        percent(record?.frequency), record?.latentClass.rawValue ?? "",
        truncated(about.joined(separator: ", "), to: 60),
      ])
    }
    result += "\n" + second.text
    return result
  }
}

// MARK: For programs

extension ActivationsReport {
  struct Document: Encodable {
    struct Activation: Codable {
      let latent: Int32
      let activation: Float
      /// Of the latent's largest activation.
      let share: Double?
    }

    struct Candidate: Codable {
      let token_id: Int32
      let token: String
      let probability: Double
    }

    struct Token: Codable {
      let position: Int
      let id: Int32
      let text: String
      let template: Bool
      let left_out: Bool
      let activations: [Activation]
      let base: [Candidate]?
      let chat: [Candidate]
      let kl_chat_base: Double?
      let kl_base_chat: Double?
    }

    struct Latent: Encodable {
      let latent: LatentJSON
      let max: Float
      let share: Double?
      let peak: Int
      let mean: Double
      let tokens: Int

      private enum CodingKeys: String, CodingKey {
        case max = "text_max"
        case share = "text_share"
        case peak = "text_peak"
        case mean = "text_mean"
        case tokens = "text_tokens"
      }

      func encode(to encoder: any Encoder) throws {
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
    let tokens: [Token]
    let latents: [Latent]
  }

  var document: Document {
    Document(
      precision: precision, aggregate: options.aggregate.rawValue, max_frequency: options.filter.maxFrequency,
      chat_specific_only: options.filter.chatSpecificOnly, template: options.template,
      tokens: tokens.indices.map(token),
      latents: overall.compactMap { latent in
        latents[latent.latent].map { record in
          Document.Latent(
            latent: LatentJSON(latent: record, tags: tags[record.id] ?? [], summary: summaries[record.id]),
            max: latent.max, share: share(Double(latent.max), record.id), peak: latent.peak, mean: latent.mean,
            tokens: latent.tokens)
        }
      })
  }

  private func token(_ position: Int) -> Document.Token {
    let token = tokens[position]
    return Document.Token(
      token, position: position, names: names,
      activations: shown(token).map {
        .init(
          latent: Int32($0.latent), activation: $0.value, share: share(Double($0.value), Int32($0.latent)))
      })
  }
}

extension ActivationsReport.Document.Token {
  /// A traced token with those of its activations that are to be shown.
  init(
    _ token: TokenActivations, position: Int, names: [Int32: TokenRecord],
    activations: [ActivationsReport.Document.Activation]
  ) {
    func candidates(_ list: [TokenProbability]) -> [ActivationsReport.Document.Candidate] {
      list.map { .init(token_id: $0.id, token: names[$0.id]?.text ?? "", probability: $0.probability) }
    }
    self.init(
      position: position, id: token.id, text: names[token.id]?.text ?? "", template: token.isTemplate,
      left_out: token.isLeftOut, activations: activations, base: token.base.isEmpty ? nil : candidates(token.base),
      chat: candidates(token.chat), kl_chat_base: token.klChatBase, kl_base_chat: token.klBaseChat)
  }
}
