// `crosscope evidence` measures what a plan asks for (`EvidencePlan`) and prints its tables. The report appears whole or not at
// all; finished sections are kept in a folder beside it until then.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

struct Evidence: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure what single latents do, by a plan: added, taken away, as triggers, with controls and intervals.",
    discussion: """
      A plan is a JSON file (data/evidence-plan.json is one). Its sections: shown, how often both models show a behaviour; \
      added, one latent chosen on prompts of its own and then added to others; removed, the differences of several latents \
      taken away; triggers, which latents tell kinds of prompts apart before the answer; causal, how much of the divergence \
      between the models sets of latents close. A killed run resumes at the section where it was.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(help: "The plan: a JSON file.") var plan: String
  @Option(help: "Where the report goes, as JSON; finished sections are kept in FILE.parts until it is whole.")
  var out: String?
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @OptionGroup var output: OutputFileOptions
  @OptionGroup var form: ReportFormOptions

  func validate() throws {
    try engine.exclude(files, computing)
  }

  func run() async throws {
    let store = try Store(path: store, access: .readOnly)
    try out.map(output.check)
    let plan = try EvidencePlan.read(plan)
    let folder =
      out.map { $0 + ".parts" } ?? FileManager.default.temporaryDirectory.path + "/crosscope-evidence-\(getpid())"
    defer { if out == nil { try? FileManager.default.removeItem(atPath: folder) } }
    var line: (section: String, progress: ProgressLine)?
    let run = try EvidenceRun(
      plan, behaviours: try BehaviourFile(path: plan.behaviours).behaviours, store: store,
      laboratory: try engine.laboratory(on: store, files, computing), folder: folder,
      readChats: CorpusReader.readChats
    ) { section, done, total, unit in
      if line?.section != section {
        line = (section, ProgressLine("evidence, \(termSafe(section))", total: total, unit: unit))
      }
      line?.progress.update(done)
    }
    let report = try await run.report()
    if let out {
      try output.write(storedJSON(report) + "\n", to: out)
      try? FileManager.default.removeItem(atPath: folder)
    }
    try form.write(report, text: report.text, markdown: report.markdown)
  }
}
