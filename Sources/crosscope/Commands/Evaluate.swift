// `crosscope evaluate` prints the figures by which a dictionary is judged: cross-entropy with its reconstruction in the residual
// stream's place (`LossRecovery`), latents that are active at a token, dead latents and classes.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage

struct Evaluate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure how good a dictionary is: loss recovered in both models, L0, dead latents, classes.",
    discussion: """
      At the crosscoder's layer each model's residual stream is replaced by its reconstruction, and the rest of the model \
      is run: clean, reconstructed and zeroed are the next-token cross-entropies in nats, and loss recovered is \
      (zeroed − reconstructed) ÷ (zeroed − clean), 100 % where nothing is lost. Use texts that were not in the training \
      corpus. Intervals are 95 %, clustered by text.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help: ArgumentHelp(
      "File of texts or chats, one {\"text\"} or {\"messages\"} a line (default: heldout-chats.jsonl beside the store).",
      valueName: "file"))
  var texts: String?
  @Option(help: ArgumentHelp("At most this many texts, evenly from the file.", valueName: "texts")) var limit: Int?
  @Option(help: "Tokens at which a text is cut.") var maxTokens = 256
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Keep the losses in the store, whose first line shows them in the explorer.") var save = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    guard maxTokens > 1, limit ?? 1 > 0 else {
      throw ValidationError("counts are positive, and a text has at least two tokens")
    }
  }

  func run() async throws {
    let store = try Store(path: store, access: save ? .readWrite : .readOnly)
    let path = texts ?? StorePlace.heldOutChats(of: store.path)
    let read = try CorpusReader.readAll(path)
    let job = EvaluationJob(chats: read.chats, texts: read.texts, limit: limit, maxTokens: maxTokens)
    var progress: ProgressLine?
    let found = try await engine.laboratory(on: store, files, computing).outcome(of: job) { event in
      guard case .progress(let done, let total) = event else { return }
      if progress == nil { progress = ProgressLine("evaluate", total: total, unit: "texts") }
      progress?.update(done)
    } loading: {
      writeError("evaluate: " + $0)
    }
    let loss = ReconstructionLoss(
      found.texts, texts: URL(filePath: path).lastPathComponent, isHeldOut: true,
      source: try MappedFile(path: path).sha256(), precision: found.precision)
    if save { try store.setMeta(ReconstructionLoss.metaKey, loss.metaText()) }
    let report = try EvaluationReport(store: store, texts: path, found, loss)
    if json { try printJSON(report) } else { writeOut(report.text) }
  }
}
