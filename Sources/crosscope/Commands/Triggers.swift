// `crosscope triggers` says which latents tell which kind of prompts apart before the answer begins, and keeps the figures in the
// store, where the table of latents shows, sorts and filters them.

import ArgumentParser
import Experiments
import Inference
import Pipeline
import Reports
import Storage

struct Triggers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say which latents fire on which kind of prompts before the answer begins.",
    discussion: """
      Each latent's largest activation over the last message and the opening of the answer is compared between the prompts of \
      one kind and all others. The figure is the area under the curve: 1 where the latent fires harder on every prompt of \
      its kind than on any other, 0.5 where it says nothing. --save keeps the areas of at least --least as columns \
      auc_KIND, and as columns carried_KIND the share of the difference between the models, before the answer begins, \
      that a latent carries. The explorer's table shows both, and latents are sorted and filtered by them: \
      latents --sort auc_KIND.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help:
      "A file of prompts, one JSON object a line with \"prompt\" or \"messages\", and \"kind\"; may be given several times.",
    completion: .file())
  var prompts: [String]
  @Option(help: ArgumentHelp("Compare only this kind; may be given several times.", valueName: "name")) var kind:
    [String] = []
  @Option(
    help: ArgumentHelp(
      "Several kinds as one, such as refusal=malicious,private; may be given several times.", valueName: "name=kinds"))
  var group: [KindGroup] = []
  @Option(help: ArgumentHelp("Only latents that fulfil this condition (see latents --help).", valueName: "expr"))
  var filter = "not dead"
  @Option(help: ArgumentHelp("The latents to print for each kind.", valueName: "n")) var limit = 3
  @Flag(help: "Keep the figures of these latents in the store, in place of earlier ones of the same kinds.") var save =
    false
  @Option(help: ArgumentHelp("The smallest area that --save keeps.", valueName: "x")) var least = 0.7
  @Option(help: ArgumentHelp("The smallest share that --save keeps.", valueName: "x")) var leastCarried = 0.001
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var form: ReportFormOptions

  func validate() throws {
    try engine.exclude(files, computing)
    guard (0...1).contains(least) else { throw ValidationError("--least is a figure from 0 to 1") }
    guard limit >= 1 else { throw ValidationError("--limit must be at least 1") }
  }

  func run() async throws {
    let store = try Store(path: store, access: save ? .readWrite : .readOnly)
    let set = try prompts.flatMap { try SetPrompt.read($0) }
    let known = Set(set.compactMap(\.kind))
    let wanted = kind + group.flatMap(\.kinds)
    guard !known.isEmpty, wanted.allSatisfy(known.contains) else {
      throw InputError.invalid(
        source: prompts.joined(separator: ", "),
        expected: wanted.isEmpty ? "prompts with a \"kind\"" : "prompts of the kinds \(wanted.joined(separator: ", "))",
        found: known.isEmpty ? "no kinds" : known.sorted().joined(separator: ", "))
    }
    let latents = try store.latentIDs(
      sortedBy: .chatSpecificity, matching: Filter(filter, metrics: try store.metricNames()))
    guard !latents.isEmpty else {
      throw InputError.invalid(source: "--filter", expected: "a condition that some latent fulfils", found: filter)
    }
    var progress = ProgressLine("triggers", total: set.count, unit: "prompts")
    let job = PromptActivationsJob(prompts: set, latents: latents)
    let found = try await engine.laboratory(on: store, files, computing).outcome(of: job) { event in
      if case .progress(let done, _) = event { progress.update(done) }
    }
    let scores = TriggerScores(
      prompts: set, latents: latents, findings: found, kinds: kind.isEmpty ? nil : kind,
      groups: Dictionary(group.map { ($0.name, $0.kinds) }, uniquingKeysWith: +))
    if save {
      try store.save(
        metrics: scores.kinds.enumerated().flatMap { index, kind in
          func values(_ all: [Double], least: Double) -> [(latent: Int, value: Double)] {
            zip(latents, all).filter { $0.1 >= least }.map { (latent: $0, value: $1) }
          }
          return [
            (TriggerScores.metric(of: kind), values(scores.auc[index], least: least)),
            (TriggerScores.carriedMetric(of: kind), values(scores.carried[index], least: leastCarried)),
          ]
        })
    }
    let document = TriggersDocument(scores, limit: limit)
    try form.write(document, text: document.text, markdown: document.markdown)
  }
}

/// A name for several kinds of prompts, as an argument.
struct KindGroup: ExpressibleByArgument {
  let name: String
  let kinds: [String]

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    name = String(parts[0])
    kinds = parts[1].split(separator: ",").map(String.init)
    guard !kinds.isEmpty else { return nil }
  }
}
