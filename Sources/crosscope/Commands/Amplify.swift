// `crosscope amplify` says which blocks carry what fine-tuning changed: it takes the change of one block at a time out, or
// amplifies it, and counts behaviours in the answers to a set of prompts.

import ArgumentParser
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage

struct Amplify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the blocks whose change by fine-tuning carries a behaviour.",
    discussion: """
      Every prompt is answered by chat, by base, and by chat with the weights W of base + L (W − W of base) in one block at a \
      time. L is --factor: 0 takes a block's change out, 2 doubles it. A behaviour that goes when a block's change is taken \
      out is carried by it, as far as no other block makes up for it. With an adapter only the blocks that it changes are \
      tried. All answers to a prompt are decoded together. steer --amplify amplifies several blocks at once, and logits.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help: ArgumentHelp(
      "The prompts: one JSON object a line with \"prompt\" and perhaps \"kind\".", valueName: "file"),
    completion: .file())
  var prompts: String
  @Option(parsing: .upToNextOption, help: "Take only prompts of these kinds.") var kind: [String] = []
  @Option(help: "Take at most this many prompts, evenly from the file.") var limit: Int?
  @Option(
    parsing: .unconditional, help: ArgumentHelp("How many times the change of a block counts.", valueName: "L"))
  var factor: Double = 0
  @Flag(help: "Try attention and MLP of each block on their own.") var modules = false
  @OptionGroup(title: "Behaviours") var counted: BehaviourOptions
  @OptionGroup var sampling: SamplingOptions
  @Option(help: ArgumentHelp("The file for the report as JSON, with all answers.", valueName: "file")) var out: String?
  @OptionGroup var output: OutputFileOptions
  @Flag(help: "Draw bars in ASCII.") var ascii = false
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var form: ReportFormOptions

  func validate() throws {
    try engine.exclude(files, computing)
    guard abs(factor) <= Amplification.largest, factor != 1 else {
      throw ValidationError("--factor: expected -1000 to 1000 and not 1, which is chat")
    }
    guard sampling.samples == 1 else { throw ValidationError("--samples: a prompt is answered once in each arm") }
    guard counted.coherent == nil else { throw ValidationError("--coherent chooses among strengths; there are none") }
    guard limit ?? 1 > 0 else { throw ValidationError("--limit must be 1 or more") }
    guard out != nil || !output.force else { throw ValidationError("--force changes nothing without --out") }
  }

  func run() async throws {
    let store = try Store(path: store, access: .readOnly)
    try out.map(output.check)
    let counter = try counted.counter("amplify")
    let set = try SetPrompt.read(prompts, kinds: kind.isEmpty ? nil : kind)
    let job = BlockSweepJob(
      prompts: set.spread(limit ?? set.count), name: prompts, factor: factor, splitsModules: modules,
      sampling: sampling.settings)
    var progress = ProgressLine("amplify", total: job.prompts.count, unit: "prompts")
    let answered = try await engine.laboratory(on: store, files, computing).outcome(of: job) { event in
      if case .progress(let done, _) = event { progress.update(done) }
    }
    let (report, judgeFailure) = await counter.counting(answered)
    if let out { try output.write(storedJSON(report) + "\n", to: out) }
    try form.write(report, text: report.text(asciiOnly: ascii), markdown: report.markdown)
    if let judgeFailure { throw judgeFailure }
  }
}
