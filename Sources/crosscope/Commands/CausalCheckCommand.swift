// `crosscope causal-check` compares one latent's effects with those of random latents. The method is in CausalCheckJob.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Pipeline
import Reports
import Storage

struct CausalCheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "causal-check",
    abstract: "Check what one latent does, added and taken away, against random latents that fire as often.",
    discussion: """
      The latent is added at 0.5 and 1 to 20 neutral prompts, beside other latents' directions of the same norm. Its \
      chat − base difference is taken away on its own top contexts, beside other latents' differences. Intervals are 95 %.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Argument(help: "The latent's number.") var latent: Int
  @Option(help: "The number of random latents.") var random = 8
  @Option(help: "The number of neutral prompts, at most 20.") var prompts = 20
  @Option(help: "Contexts.") var contexts = 10
  @Option(help: "The most tokens of an answer, and of a context after its peak.") var maxTokens = 24
  @Option(
    help: ArgumentHelp(
      "Also add this direction of the store, with the same norm of the change.", valueName: "name"))
  var against: String?
  @OptionGroup(title: "Behaviours") var counted: BehaviourOptions
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Keep the result in the store as an experiment.") var save = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    let (mostRandom, mostPrompts) = (CausalCheckSize.mostRandom, neutralPrompts.count)
    guard (1...mostRandom).contains(random), (1...mostPrompts).contains(prompts), contexts > 0, maxTokens > 0 else {
      throw ValidationError(
        "counts must be 1 or more; --random is at most \(mostRandom) and --prompts at most \(mostPrompts)")
    }
  }

  func run() async throws {
    let store = try Store(path: store, access: save ? .readWrite : .readOnly)
    let counter = try counted.counter("causal-check")
    let (report, judgeFailure) = await counter.counting(try await report(store))
    if json { try printJSON(report) } else { writeOut(report.text) }
    if save {
      writeError("the check is saved as experiment \(try store.save(report.record()).id)")
      store.close()
    }
    if let judgeFailure { throw judgeFailure }
  }

  private func report(_ store: Store) async throws -> CausalCheckReport {
    let size = CausalCheckSize(random: random, prompts: prompts, contexts: contexts, tokens: maxTokens)
    let against = try against.map { SteeredDirection(name: try store.direction(named: $0).name) }
    let job = CausalCheckJob(latent, size: size, against: against)
    var progress: ProgressLine?
    return try await engine.laboratory(on: store, files, computing).outcome(of: job) {
      switch $0 {
      case .progress(let done, let total):
        if progress == nil { progress = ProgressLine("causal-check", total: total, unit: "texts") }
        progress?.update(done)
      case .finished: progress?.finish()
      }
    }
  }
}
