// `crosscope calibrate` finds the strength of mode add from which answers of a pair stop being text. The store keeps it for the
// steer screen's first strength and its warnings. The method is in Calibration.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage

struct Calibrate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the strength from which steered answers stop being text, and keep it in the store.",
    discussion: """
      The most chat-specific latents and as many random ones are added to neutral prompts, at strengths from 0.25 on, until \
      the answers are certainly broken. An answer counts as broken at a perplexity of \
      \(Int(exp(Calibration.ceiling).rounded())) under the unsteered model, about that of ordinary text, or where \
      \(Int(Calibration.mostRepetition * 100)) % of its 4-grams occurred before, as much more or less as it is further away. \
      The limit is where the mean over latents comes there. Its 95 % interval is over latents. The steer screen starts \
      latents below it and warns from it on.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(help: "The number of latents to try; half are the most chat-specific, half are drawn at random.")
  var latents = 16
  @Option(help: "File of prompts: one JSON object a line, its text under \"prompt\" (default: 8 neutral ones).")
  var prompts: String?
  @Option(help: "The most tokens of an answer.") var maxTokens = 32
  @Option(help: "The seed of the draw.") var seed: UInt64 = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    guard latents > 1, maxTokens > 3 else {
      throw ValidationError("--latents must be at least 2 and --max-tokens at least 4")
    }
  }

  func run() async throws {
    let store = try Store(path: store, access: .readWrite)
    let laboratory = try engine.laboratory(on: store, files, computing)
    let prompts = try prompts.map { try SetPrompt.read($0).map(\.prompt) } ?? Array(neutralPrompts.prefix(8))
    var line: ProgressLine?
    let report = try await laboratory.outcome(
      of: CalibrationJob(prompts: prompts, latents: latents, maxTokens: maxTokens, seed: seed)
    ) { event in
      guard case .progress(let from, let to, let done, let total) = event else { return }
      if done == 0 {
        let span = [from, to].map(shortNumber).joined(separator: " to ")
        line = ProgressLine("calibrate, strengths \(span)", total: total, unit: "answers")
      } else {
        line?.update(done)
      }
    }
    try store.setMeta(Store.coherenceLimit, "\(report.coherence_limit.value)")
    store.close()
    if json { try printJSON(report) } else { writeOut(text(report)) }
  }

  private func text(_ report: CalibrationReport) -> String {
    var table = TextTable([
      .init(title: "strength", isNumber: true), .init(title: "perplexity"), .init(title: "repeated, %"),
      .init(title: "broken"),
    ])
    for point in report.curve {
      table.add([
        String(format: "%.2f", point.strength), point.perplexity?.text(1) ?? "-",
        point.repetition?.text(0, times: 100) ?? "-",
        point.broken?.text(2) ?? "-",
      ])
    }
    return table.text
      + "\(report.latents.count) latents, \(report.prompts) prompts; 95 % intervals over latents\n"
      + "coherence limit \(report.coherence_limit.text(2)), kept in \(store)\n"
  }
}
