// `crosscope experiments` prints the saved steering runs as a table, as JSON, or as Markdown.

import ArgumentParser
import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

struct Experiments: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the saved steering runs of a store, newest first, or write some out.")

  @Argument(help: .store, completion: .stores) var store: String
  @Argument(help: "Show only these experiments, by number.") var ids: [Int64] = []
  @Option(
    help: "Show only those with this text in prompt, answers or kind; \"latent 12\" finds those that steer with it.")
  var matching: String = ""
  @Flag(help: "Print one JSON document.") var json = false
  @Flag(help: "Print as Markdown: chats, settings, figures and whole answers.") var markdown = false

  func validate() throws {
    if json, markdown { throw ValidationError("--json and --markdown exclude each other") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    let matching = try store.experimentIDs(matching: matching)
    let chosen = ids.isEmpty ? matching : ids.filter { matching.contains($0) || self.matching.isEmpty }
    if json {
      try printJSON(["experiments": try store.experiments(ids: chosen).map(ExperimentJSON.init)])
      return
    }
    let runs = try store.experiments(ids: chosen).map(SavedRun.init)
    if markdown {
      writeOut(termSafeLines(runs.map(\.markdown).joined(separator: "\n")))
      return
    }
    var table = TextTable([
      .init(title: "#", isNumber: true), .init(title: "made"), .init(title: "kind"), .init(title: "latents"),
      .init(title: "KL", isNumber: true), .init(title: "settings"), .init(title: "prompt"),
    ])
    for run in runs {
      table.add([
        String(run.record.id), when(run.record.created), run.record.kind, run.interventionsText,
        run.klText, run.parametersText, truncated(run.promptOpening, to: 60),
      ])
    }
    writeOut(table.text)
  }
}
