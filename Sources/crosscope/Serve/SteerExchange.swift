// POST /v1/steer: one prompt answered without and with interventions in one batch, as the explorer asks for it.
// Owns: the request, the events of a streamed answer, the whole document. Fields are those of `crosscope steer --json`.
// Both sides of the wire are here: the service writes these documents, the explorer reads them.

import Diffing
import Foundation
import Inference
import Serving
import Storage

/// What is asked.
struct SteerExchangeRequest: Decodable {
  var answer: AnswerRequest
  let isStreamed: Bool

  private static let names = ["prompt", "stream"] + SamplingFields.names + SteeringFields.names

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, known: Self.names)
    let prompt: String = try fields.required("prompt")
    isStreamed = try fields.value("stream") ?? false
    let sampling = try SamplingFields(fields, defaults: GenerationSettings())
    // Without interventions both answers are the same, which is what a comparison of none should show.
    answer = AnswerRequest(
      messages: [ChatMessage(role: .user, content: prompt)], plan: try SteeringFields(fields).plan,
      settings: sampling.settings, fitsContext: sampling.isOpenEnded, comparesBaseline: true)
  }
}

/// What a run came to; the last event of a stream, or the whole answer.
struct SteerExchangeResult: Codable, Equatable {
  var baseline: AnswerSummary
  var steered: AnswerSummary
  var layer: Int
  var decoder: PairModel
  var tokens_per_second: Double?
  var versions: [String: String]
}

/// An event of a streamed answer: one of the three is there.
struct SteerExchangeEvent: Codable {
  /// The first event: what answers.
  var began: Began?
  var token: Token?
  var finished: SteerExchangeResult?

  struct Began: Codable {
    var prompt_tokens: Int
    var identity: EngineIdentity
  }

  struct Token: Codable {
    enum Stream: String, Codable { case baseline, steered }
    var stream: Stream
    var id: Int32
    /// Characters that are complete with it.
    var text: String
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
