// The vectors that latents and directions add, in files of other programs: llama.cpp's control vector, safetensors with a card,
// Neuronpedia's request. What a form cannot express, such as a change after block 0 in llama.cpp, is an error.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage

/// The vectors of some latents and directions in mode add, and where they come from.
struct SteeringVectors {
  /// The vector `[d]` of each block, by the block's number, ascending; at least one.
  let vectors: [(layer: Int, values: [Float])]
  let plan: SteeringPlan
  let stored: StoreCrosscoder
  private let maxima: [Int: Double]

  private var interventions: [Intervention] { plan.interventions }
  private var decoder: PairModel { plan.decoder }
  private var rawStrength: Bool { plan.unit == .norm }

  init(_ plan: SteeringPlan, stored: StoreCrosscoder, store: Store) throws {
    (self.plan, self.stored) = (plan, stored)
    let crosscoder = stored.crosscoder
    for item in plan.interventions where !(0..<crosscoder.nLatents).contains(item.latent) {
      throw DiffingError.settingInvalid(
        name: "latent", expected: "0…\(crosscoder.nLatents - 1)", found: "\(item.latent)")
    }
    let maxima = try stored.maxActivations(of: plan.interventions.map(\.latent), in: store)
    self.maxima = maxima
    let layers = plan.interventions.isEmpty ? [] : [stored.pair.layer]
    let blocks = Set(plan.directions.compactMap(\.known?.layer) + layers).sorted()
    vectors = try blocks.map { layer in
      var sum = [Float](repeating: 0, count: crosscoder.dModel)
      func add(_ vector: [Float]?) { if let vector { for index in sum.indices { sum[index] += vector[index] } } }
      if layer == stored.pair.layer {
        add(try crosscoder.addedVector(plan.interventions, plan, maxActivations: { maxima[$0] }))
      }
      add(plan.addedDirections(at: layer, width: crosscoder.dModel))
      return (layer, sum)
    }
  }

  func writeControlVector(to path: String, replacing: Bool, store: Store) throws {
    guard vectors[0].layer > 0 else {
      throw InputError.invalid(
        source: store.path, expected: "vectors after block 1 or later, where llama.cpp can add them",
        found: "one after block 0")
    }
    var writer = GGUFWriter(architecture: "controlvector")
    writer.set("controlvector.model_hint", .string(stored.pair.chat))
    writer.set("controlvector.layer_count", .uint32(UInt32(vectors.count)))
    for (key, value) in card { writer.set("crosscope.\(key)", .string(value)) }
    for (layer, values) in vectors { writer.add("direction.\(layer)", shape: [values.count], floats: values) }
    try writer.write(to: path, replacing: replacing)
  }

  func writeSafetensors(to path: String, replacing: Bool) throws {
    var writer = SafetensorsWriter(metadata: Dictionary(uniqueKeysWithValues: card))
    for (layer, values) in vectors {
      writer.add(vectors.count == 1 ? "steer_vector" : "layers.\(layer)", shape: [values.count], floats: values)
    }
    try writer.write(to: path, replacing: replacing)
  }

  /// The fields that describe the vectors and the models that they belong to.
  private var card: [(String, String)] {
    let pair = stored.pair
    let norms = vectors.map { $0.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot() }
    func list(_ values: [some CustomStringConvertible]) -> String { values.map(\.description).joined(separator: ", ") }
    return [
      ("format", "crosscope steering vector 1"), ("model", pair.chat), ("model_sha256", pair.model?.sha256 ?? ""),
      ("adapter_sha256", pair.adapter?.sha256 ?? ""), ("crosscoder_sha256", stored.sha256),
      ("layer", list(vectors.map(\.layer))), ("site", Site.residPost.rawValue), ("decoder", decoder.rawValue),
      ("interventions", storedJSON(interventions)), ("directions", storedJSON(plan.directions)),
      ("unit", (rawStrength ? StrengthUnit.norm : .maxActivation).rawValue), ("max_activations", storedJSON(maxima)),
      ("norm", list(norms)),
    ]
  }

  /// Neuronpedia adds strength · multiplier · v, where v is the row of the decoder.
  func neuronpediaRequest(prompt: String) -> String {
    struct Message: Encodable {
      var role = "user"
      let content: String
    }
    struct Feature: Encodable {
      let modelId, layer: String
      let index: Int
      let strength: Double
    }
    struct Request: Encodable {
      let defaultChatMessages, steeredChatMessages: [Message]
      let modelId: String
      let features: [Feature]
      var temperature = 0.0
      var n_tokens = 128
      var freq_penalty = 0.0
      var seed = 16
      var strength_multiplier = 1.0
      var steer_special_tokens = true
      var steer_method = "SIMPLE_ADDITIVE"
    }
    let crosscoder = stored.crosscoder
    let norms = decoder == .chat ? crosscoder.chatNorms : crosscoder.baseNorms
    let layer = "\(stored.pair.layer)-crosscope"
    return storedJSON(
      Request(
        defaultChatMessages: [Message(content: prompt)], steeredChatMessages: [Message(content: prompt)],
        modelId: stored.pair.chat,
        features: interventions.map {
          Feature(
            modelId: stored.pair.chat, layer: layer, index: $0.latent,
            strength: $0.strength * (rawStrength ? 1 : maxima[$0.latent] ?? 0) / norms[$0.latent])
        }))
  }
}
