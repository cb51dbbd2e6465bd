// `crosscope import` makes a store from a published crosscoder, its examples and its table of latents. The options and their
// meaning are here; the work is in Pipeline's ImportRun.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Kernels
import Pipeline
import Reports

struct Import: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make a store from published files: a crosscoder, examples, a table of latents, dashboards.",
    discussion: """
      Crosscoders: folders as on the hub, training checkpoints (model_final.pt), the earlier replication (cc_weights.pt) \
      and OpenMOSS's. SAEs become one-model dictionaries: those of crosscope train, SAELens, dictionary_learning, Gemma \
      Scope, eai-sparsify, OpenMOSS and Llama Scope; transcoders of an MLP as well, whose directions are added where the MLP \
      writes. The files say which form they have; docs/formats.md lists what of each is read. \
      Examples: examples.db in either published schema. Latents: feature_df.csv; its columns become the store's where \
      they mean the same (delta_norm is 1 − dec_norm_diff), and all others are kept as metrics under their own names:
        crosscope latents gemma.crosscope --sort lmsys_freq --filter '[base uselessness score] > 0.5'
      Dashboards make a store by themselves, or beside their crosscoder: Neuronpedia's export (the folder of a source, with features/, \
      activations/ and explanations/), SAEDashboard's batch-N.json, delphi's cache of latents with its explanations. The \
      files themselves show which it is. An import of them that was killed resumes, and the lines of Neuronpedia's \
      export are kept, so that crosscope export writes them again:
        crosscope import gemma.crosscope gemma-2-2b/20-gemmascope-res-16k
      Layer and names come from trainer_config.json or cfg.json where they are there. The store appears whole or not at \
      all; one that it replaces hands over its tags, notes and runs if it had the same crosscoder.
      """)

  @Argument(
    help: ArgumentHelp("The store to write, a .crosscope file.", valueName: "store"), completion: .stores) var store:
    String
  @Argument(
    help: ArgumentHelp(
      "Dashboards of others, by their folder or file; without --crosscoder they make a store by themselves.",
      valueName: "dashboards"))
  var dashboards: String?
  @Option(help: ArgumentHelp("The crosscoder's folder, or its file of tensors.", valueName: "dir|file"))
  var crosscoder: String?
  @Option(help: ArgumentHelp("The published examples.", valueName: "examples.db")) var examples: String?
  @Option(help: ArgumentHelp("The published table of latents.", valueName: "feature_df.csv")) var latents: String?
  @Option(
    help: ArgumentHelp(
      "The tokenizer, with which contexts show text: tokenizer.json, a folder with one, or a GGUF file.",
      valueName: "path"))
  var tokenizer: String?
  @Option(help: ArgumentHelp("The name of the base model.", valueName: "name")) var baseName: String?
  @Option(help: ArgumentHelp("The name of the chat model.", valueName: "name")) var chatName: String?
  @Option(help: ArgumentHelp("The block whose output the crosscoder reads, counted from 0.", valueName: "n"))
  var layer: Int?
  @Option(
    help: ArgumentHelp(
      "The chat model to steer, recorded in the store; also adds the logit lens, and its tokenizer if none is given.",
      valueName: "gguf|dir"))
  var model: String?
  @Option(
    help: ArgumentHelp(
      "The mean norms of the two models' residual streams, for a crosscoder whose inputs are scaled by them.",
      valueName: "base,chat"), transform: MeanNorms.init)
  var meanNorms: MeanNorms?
  @OptionGroup var dictionary: DictionaryOptions
  @OptionGroup var computing: ComputeOptions

  func validate() throws {
    if let layer, layer < 0 { throw ValidationError("--layer must not be negative") }
    guard crosscoder != nil || dashboards != nil else {
      throw ValidationError("--crosscoder or the path of dashboards is needed")
    }
    guard crosscoder != nil || (examples == nil && latents == nil && model == nil && meanNorms == nil) else {
      throw ValidationError("--examples, --latents, --model and --mean-norms need --crosscoder")
    }
    guard dashboards == nil || examples == nil else {
      throw ValidationError("contexts come from --examples or from dashboards, not from both")
    }
  }

  func run() throws {
    let source = try dashboards.map { try DashboardForms.opened($0) }
    if crosscoder == nil, let source {
      return try DashboardImport(
        store: store, source: source, tokenizer: tokenizer, baseName: baseName,
        chatName: chatName, layer: layer
      ).run()
    }
    guard let crosscoder else { return }
    try ImportRun(
      store: store, crosscoder: crosscoder, examples: examples, table: latents, dashboards: source,
      tokenizer: tokenizer,
      baseName: baseName, chatName: chatName, layer: layer, model: model, meanNorms: meanNorms?.values,
      choice: dictionary.choice(layer: layer),
      precision: computing.precision ?? .fast
    ).run()
  }
}

/// The option's value `BASE,CHAT`.
struct MeanNorms: Equatable {
  let values: [Double]

  /// - Throws: `ValidationError` saying what is expected.
  init(_ argument: String) throws {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count == 2, let base = parts[0], let chat = parts[1], base > 0, chat > 0, base.isFinite, chat.isFinite
    else { throw ValidationError("\(quoted(argument)): two positive numbers are expected, as in 174.1,196.5") }
    values = [base, chat]
  }
}
