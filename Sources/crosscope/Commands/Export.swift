// `crosscope export` writes for other programs what the store has: vectors that latents or directions add (SteeringVectors), the
// whole dictionary (Export+Dictionary), dashboards, a table or a page (Export+Store). No model is loaded. Files appear whole or
// not at all.

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
    case safetensors, neuronpedia
    case neuronpediaExport = "neuronpedia-export"
    case latentTable = "latent-table"
    case html, crosscoder, saelens
    case dictionaryLearning = "dictionary-learning"

    /// What is written.
    enum Subject { case vectors, store, dictionary }

    var subject: Subject {
      switch self {
      case .controlVector, .safetensors, .neuronpedia: .vectors
      case .neuronpediaExport, .latentTable, .html: .store
      case .crosscoder, .saelens, .dictionaryLearning: .dictionary
      }
    }
  }

  static let configuration = CommandConfiguration(
    abstract: "Write vectors, the whole dictionary, dashboards, a table or a page, for other programs and reports.",
    discussion: """
      control-vector: a GGUF file for llama.cpp's --control-vector. The crosscoder's layer L (the output of block L, from \
      0) is direction.L: llama.cpp adds it to the output of its block L.
      safetensors: steer_vector [d], to be added to the output of block L, with a card in the metadata; with directions of \
      other blocks, layers.N [d] for each block N.
      neuronpedia: the body of a request to /api/steer-chat; strengths are those of unnormalised decoder rows.
      neuronpedia-export: the whole store in Neuronpedia's upload form, a new folder MODEL/SOURCE/{features,activations,\
      explanations}/batch-N.jsonl.gz; what was imported from there comes out as it was.
      latent-table: all latents as CSV, in the columns of the table that was imported, else of latent_df.csv.
      html: --latents 12,34 as one page for a report, which needs no network.
      saelens, dictionary-learning: the folder of a dictionary of one model as SAELens (cfg.json, sae_weights.safetensors) or \
      dictionary_learning (config.json, ae.pt) reads it. crosscoder: the hub's folder of a crosscoder of two models. For \
      these, --out is a folder, and a dictionary's own folder may stand in the place of the store.
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
  @Option(help: "The file to write; for a dictionary its folder, for neuronpedia-export a new one.") var out: String
  @OptionGroup var said: DictionaryOptions
  @OptionGroup var output: OutputFileOptions

  func validate() throws {
    guard (latents != nil) == (form == .html) else {
      throw ValidationError("--latents is needed for html, and changes nothing elsewhere")
    }
    guard form.subject == .vectors else {
      guard latent.isEmpty, direction.isEmpty, decoder == .chat, !rawStrength, prompt == nil else {
        throw ValidationError(
          "--latent, --direction, --decoder, --raw-strength and --prompt belong to vectors, not to \(form.rawValue)")
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
    guard said.choice() == DictionaryChoice() || form.subject == .dictionary && !store.hasSuffix(".crosscope") else {
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
    guard form.subject != .dictionary else {
      try writeDictionary()
      return writeError("\(out) is written")
    }
    let store = try Store(path: store, access: .readOnly)
    guard form.subject == .vectors else { return try writeStore(store) }
    let stored = try StoreCrosscoder(store, mayBeMissing: true)
    let plan = try store.lookingUp(
      SteeringPlan(
        interventions: latent.map { Intervention(latent: $0.id, mode: .add, strength: $0.strength) },
        directions: try store.steered(direction), decoder: decoder, unit: rawStrength ? .norm : .maxActivation))
    let vector = try SteeringVectors(plan, stored: stored, store: store)
    switch form {
    case .controlVector: try vector.writeControlVector(to: out, replacing: output.force, store: store)
    case .safetensors: try vector.writeSafetensors(to: out, replacing: output.force)
    case .neuronpedia:
      try output.write(vector.neuronpediaRequest(prompt: prompt ?? "") + "\n", to: out)
    case .crosscoder, .saelens, .dictionaryLearning, .neuronpediaExport, .latentTable, .html: break
    }
    writeError("\(out) is written")
  }
}
