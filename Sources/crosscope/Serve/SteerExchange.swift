// POST /v1/steer and /v1/steer/preview: one prompt without and with interventions, as the explorer asks for it.
// Owns: the requests, the events of a streamed answer. Fields are those of `crosscope steer --json`, whose document ends
// a run. Both sides of the wire are here: the service writes these documents, the explorer reads them.

import Diffing
import Foundation
import Inference
import Serving
import Storage

/// What is asked of /v1/steer.
struct SteerExchangeRequest: Decodable {
  var run: SteeringRequest
  let isStreamed: Bool
  /// Whether the request leaves the number of tokens open.
  let isOpenEnded: Bool

  /// Phrases that are measured at most, and the bytes of one.
  private static let (mostWatched, longestWatched) = (32, 1000)

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(
      decoder, known: SteeringRequest.fieldNames + SamplingFields.names + ["samples", "watch", "stream"])
    isStreamed = try fields.value("stream") ?? false
    let sampling = try SamplingFields(fields, defaults: GenerationSettings())
    isOpenEnded = sampling.isOpenEnded
    var settings = sampling.settings
    settings.samples = try fields.value("samples", in: 1...AnswerLimits.mostSamples) ?? 1
    run = try SteeringRequest(fields, settings)
    run.watched = try fields.value("watch") ?? []
    guard run.watched.count <= Self.mostWatched,
      run.watched.allSatisfy({ (1...Self.longestWatched).contains($0.utf8.count) })
    else {
      throw fields.invalid(
        "watch", "expected at most \(Self.mostWatched) phrases of 1 to \(Self.longestWatched) bytes")
    }
  }
}

/// What is asked of /v1/steer/preview: nothing is sampled.
struct PreviewExchangeRequest: Decodable {
  let run: SteeringRequest
  let isStreamed: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, known: SteeringRequest.fieldNames + ["stream"])
    isStreamed = try fields.value("stream") ?? false
    run = try SteeringRequest(fields, GenerationSettings()).withoutSampling
  }
}

extension SteeringRequest {
  fileprivate static let fieldNames = ["prompt", "turns"] + SteeringFields.names

  /// What a request says. Without interventions both answers are the same, which is what a comparison of none should
  /// show.
  fileprivate init(_ fields: RequestFields, _ settings: GenerationSettings) throws {
    let plan = try SteeringFields(fields).plan
    let turns: [RequestedMessage] = try fields.value("turns") ?? []
    self.init(
      prompt: try fields.required("prompt"), turns: turns.map(\.message),
      interventions: plan.interventions.filter(\.isOn).map {
        SteeringIntervention(latent: Int32(clamping: $0.latent), mode: $0.mode, strength: $0.strength)
      }, positions: plan.positions, decoder: plan.decoder, blocks: plan.blocks, unit: plan.unit,
      conditions: plan.conditions, maxTokens: settings.maxTokens, temperature: settings.temperature,
      seed: settings.seed, topP: settings.topP, minP: settings.minP, frequencyPenalty: settings.frequencyPenalty,
      samples: settings.samples, swapsBase: plan.swapsBase)
  }
}

/// A whole preview.
struct SteerPreviewResult: Encodable {
  let next_tokens: NextTokens
  /// The first tokens of the steered answer.
  var text = ""

  private enum CodingKeys: CodingKey { case next_tokens, text }

  /// Nil for an event that does not begin a preview.
  init?(_ event: PreviewEvent) {
    guard case .distribution(let tokens) = event else { return nil }
    next_tokens = tokens
  }
}

/// An event of a streamed answer: one of these is there.
struct SteerExchangeEvent: Codable {
  /// The first event: what answers.
  var began: EngineIdentity?
  /// The first of a preview.
  var next_tokens: NextTokens?
  var token: Token?
  /// True when all answers have ended; what is measured of them follows.
  var answered: Bool?
  /// The last event of a run.
  var finished: SteeringDocument?

  struct Token: Codable {
    enum Stream: String, Codable { case baseline, steered }
    var stream: Stream
    var sample: Int
    /// Characters that are complete with it.
    var text: String
  }
}

extension SteerExchangeEvent {
  init(_ event: SteeringEvent) {
    switch event {
    case .baseline(let text, let sample): self.init(token: Token(stream: .baseline, sample: sample, text: text))
    case .steered(let text, let sample): self.init(token: Token(stream: .steered, sample: sample, text: text))
    // Nothing that a service can be asked for.
    case .frozen, .activations: self.init()
    case .answered: self.init(answered: true)
    case .finished(let document): self.init(finished: document)
    }
  }

  init(_ event: PreviewEvent) {
    switch event {
    case .distribution(let tokens): self.init(next_tokens: tokens)
    case .token(let text): self.init(token: Token(stream: .steered, sample: 0, text: text))
    }
  }

  /// As an event of a run, if it is one.
  var ofRun: SteeringEvent? {
    if let token {
      let (text, sample) = (token.text, token.sample)
      return token.stream == .baseline ? .baseline(text, sample: sample) : .steered(text, sample: sample)
    }
    if let finished { return .finished(finished) }
    return answered == true ? .answered : nil
  }

  /// As an event of a preview, if it is one.
  var ofPreview: PreviewEvent? {
    if let next_tokens { return .distribution(next_tokens) }
    return token.map { .token($0.text) }
  }
}

/// The files behind a service or a store, which must be the same on both sides of the wire.
struct EngineIdentity: Codable, Equatable {
  var layer: Int
  var n_latents: Int
  var model_sha256: String?
  var adapter_sha256: String?
  var base_model_sha256: String?
  var crosscoder_sha256: String?
}

extension EngineIdentity {
  init(_ pair: ModelPair) {
    self.init(
      layer: pair.layer, n_latents: pair.nLatents, model_sha256: pair.model?.sha256,
      adapter_sha256: pair.adapter?.sha256, base_model_sha256: pair.baseModel?.sha256,
      crosscoder_sha256: pair.crosscoder?.sha256)
  }

  /// What differs from another one, in words; nil where nothing does.
  func difference(from other: EngineIdentity) -> String? {
    let parts: [(String, Bool)] = [
      ("layer", layer == other.layer), ("number of latents", n_latents == other.n_latents),
      ("model", model_sha256 == other.model_sha256), ("adapter", adapter_sha256 == other.adapter_sha256),
      ("base model", base_model_sha256 == other.base_model_sha256),
      ("crosscoder", crosscoder_sha256 == other.crosscoder_sha256),
    ]
    let names = parts.filter { !$0.1 }.map(\.0)
    return names.isEmpty ? nil : names.joined(separator: ", ")
  }
}
