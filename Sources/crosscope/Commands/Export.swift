// `crosscope export` writes steering in mode add as files for other programs: llama.cpp's control vector, a safetensors vector
// with its card, Neuronpedia's request; directions of the store too, each after its own block; and whole dictionaries in the
// forms of SAELens, dictionary_learning and the hub. What a form cannot express, such as a change after block 0 in
// llama.cpp, is an error. No model is loaded. Files appear whole or not at all.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage

struct Export: ParsableCommand {
  enum Form: String, CaseIterable, ExpressibleByArgument {
    case controlVector = "control-vector"
    case safetensors, neuronpedia, crosscoder, saelens
    case dictionaryLearning = "dictionary-learning"
    case neuronpediaExport = "neuronpedia-export"
    case latentTable = "latent-table"
    case html

    /// Whether the whole dictionary is written, into a folder.
    var isDictionary: Bool { [.crosscoder, .saelens, .dictionaryLearning].contains(self) }

    /// Whether it writes what the store holds, neither a vector nor the dictionary.
    var isOfStore: Bool { [.neuronpediaExport, .latentTable, .html].contains(self) }
  }

  static let configuration = CommandConfiguration(
    abstract:
      "Write for other programs: vectors of latents or directions, the dictionary, dashboards, a table, a page.",
    discussion: """
      control-vector: a GGUF file for llama.cpp's --control-vector. The crosscoder's layer L (the output of block L, from \
      0) is direction.L: llama.cpp adds it to the output of its block L.
      safetensors: steer_vector [d], to be added to the output of block L, with a card in the metadata; with directions of \
      other blocks, layers.N [d] for each block N.
      neuronpedia: the body of a request to /api/steer-chat; strengths are those of unnormalised decoder rows.
      saelens, dictionary-learning: the folder of a dictionary of one model as SAELens (cfg.json, sae_weights.safetensors) or \
      dictionary_learning (config.json, ae.pt) reads it. crosscoder: the hub's folder of a crosscoder of two models. For \
      these, --out is a folder, and a dictionary's own folder may stand in the place of the store.
      neuronpedia-export: the whole store in Neuronpedia's upload form, a new folder MODEL/SOURCE/{features,activations,\
      explanations}/batch-N.jsonl.gz; what was imported from there comes out as it was.
      latent-table: all latents as CSV, in the columns of the table that was imported, else of latent_df.csv.
      html: --latents 12,34 as one page for a report, which needs no network.
      Experiments go out by `experiments --json` and `--markdown`.
      """)

  @Argument(
    help: ArgumentHelp("The store, or for whole dictionaries their own folder or file.", valueName: "store"),
    completion: .stores) var store: String
  @Argument(help: ArgumentHelp("What to write.", valueName: "form")) var form: Form
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A latent to add, with its strength in units of its largest activation (default 1).", valueName: "id[:strength]"),
    transform: LatentStrength.init)
  var latent: [LatentStrength] = []
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A direction of the store to add, with its strength in its own units (default 1); a family's name means all of it.",
      valueName: "name[:strength]"), transform: DirectionStrength.init)
  var direction: [DirectionStrength] = []
  @Option(help: "The decoder whose directions are used.") var decoder: PairModel = .chat
  @Flag(help: "Take strengths as ‖Δh‖ itself, not as multiples of the largest activation.") var rawStrength = false
  @Option(help: "What the user says (neuronpedia).") var prompt: String?
  @Option(help: ArgumentHelp("The latents of the page (html).", valueName: "id,…")) var latents: LatentNumbers?
  @Option(help: "The file to write, or the folder of a dictionary or of neuronpedia-export.") var out: String
  @OptionGroup var said: DictionaryOptions
  @OptionGroup var output: OutputFileOptions

  func validate() throws {
    guard (latents != nil) == (form == .html) else {
      throw ValidationError("--latents is needed for html, and changes nothing elsewhere")
    }
    guard !form.isOfStore, !form.isDictionary else {
      guard latent.isEmpty, direction.isEmpty, decoder == .chat, !rawStrength, prompt == nil else {
        throw ValidationError(
          "--latent, --direction, --decoder, --raw-strength and --prompt belong to vectors; \(form.rawValue) is the whole "
            + (form.isDictionary ? "dictionary" : "store"))
      }
      guard form.isDictionary || said.choice() == DictionaryChoice() else {
        throw ValidationError(
          "--reads and --base-head say what a dictionary's own folder leaves open; a store knows it")
      }
      return
    }
    guard !latent.isEmpty || !direction.isEmpty else { throw ValidationError("--latent or --direction is needed") }
    guard direction.allSatisfy({ $0.mode == .add }) else {
      throw ValidationError("--direction: a vector can only be added; project reads each token")
    }
    guard direction.isEmpty || form != .neuronpedia else {
      throw ValidationError("--direction: Neuronpedia's request names latents alone")
    }
    guard said.choice() == DictionaryChoice() || form.isDictionary && !store.hasSuffix(".crosscope") else {
      throw ValidationError("--reads and --base-head say what a dictionary's own folder leaves open; a store knows it")
    }
    guard latent.allSatisfy({ ($0.mode ?? .add) == .add }) else {
      throw ValidationError("--latent: a vector can only be added; other modes read activations at each token")
    }
    guard latent.allSatisfy(\.conditions.isEmpty) else {
      throw ValidationError("--latent: a vector is added to every token; conditions (@) are for steer")
    }
    guard (prompt != nil) == (form == .neuronpedia) else {
      throw ValidationError("--prompt is needed for neuronpedia, and changes nothing elsewhere")
    }
  }

  func run() throws {
    try output.check(out)
    guard !form.isDictionary else {
      try writeDictionary()
      return writeError("\(out) is written")
    }
    let store = try Store(path: store, access: .readOnly)
    guard !form.isOfStore else { return try writeStore(store) }
    let stored = try StoreCrosscoder(store, mayBeMissing: true)
    let plan = try store.lookingUp(
      SteeringPlan(
        interventions: latent.map { Intervention(latent: $0.id, mode: .add, strength: $0.strength) },
        directions: try store.steered(direction), decoder: decoder, unit: rawStrength ? .norm : .maxActivation))
    let vector = try SteeringVectors(plan, stored: stored, store: store)
    switch form {
    case .controlVector: try vector.writeControlVector(to: out, replacing: output.force, store: store)
    case .safetensors: try vector.writeSafetensors(to: out, replacing: output.force)
    case .crosscoder, .saelens, .dictionaryLearning: break
    case .neuronpedia:
      try output.write(vector.neuronpediaRequest(prompt: prompt ?? "") + "\n", to: out)
    case .neuronpediaExport, .latentTable, .html: break
    }
    writeError("\(out) is written")
  }
}

extension Export {
  private func writeDictionary() throws {
    let dictionary: Crosscoder
    var (model, isOfBase) = ("", false)
    if store.hasSuffix(".crosscope") {
      let opened = try Store(path: store, access: .readOnly)
      let stored = try StoreCrosscoder.stored(in: opened)
      dictionary = stored.crosscoder
      model = dictionary.target == .chat ? stored.pair.chat : "\(stored.pair.chat)-\(stored.pair.base)"
    } else {
      let file = try CrosscoderFile(path: store, choice: said.choice())
      try file.requirePlace()
      dictionary = try file.crosscoder()
      (model, isOfBase) = (file.modelName ?? file.card.modelName ?? "", file.target == .base)
    }
    switch form {
    case .saelens: try dictionary.foldingNormaliser().saveSAELens(folder: out, modelName: model)
    case .dictionaryLearning:
      try dictionary.foldingNormaliser().saveDictionaryLearning(folder: out, modelName: model, isOfBase: isOfBase)
    default: try dictionary.save(folder: out)
    }
  }
}

/// The vectors of some latents and directions in mode add, and where they come from.
private struct SteeringVectors {
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
