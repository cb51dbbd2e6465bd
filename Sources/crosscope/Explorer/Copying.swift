// What `y` and `Y` copy on each screen. Owns: the texts. Refuses: clipboards; Clipboard.swift and the terminal have them.

import Experiments
import Reports
import Storage
import TUI

/// Text for the clipboard, and what it is in a few words.
struct CopiedText: Sendable, Equatable {
  var what: String
  var text: String
}

extension ExplorerState {
  /// Copies what is selected, or all that is shown of it.
  func copied(whole: Bool) -> [Effect]? {
    screen.definition.copy(self, whole).map { [.copy($0)] }
  }
}

extension ScreenDefinition {
  /// Ids of latents, or their rows as a table with tabs.
  @Sendable static func copyLatents(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let ids = state.targets
    guard let first = ids.first else { return nil }
    let what = ids.count == 1 ? "latent \(first)" : "\(ids.count) latents"
    guard whole else { return CopiedText(what: "the id of \(what)", text: ids.map(String.init).joined(separator: " ")) }
    func value(_ number: Double?) -> String { number.map { "\($0)" } ?? "" }
    let head = "id\tclass\tdelta_norm\tnu_error\tnu_reconstruction\tmax_activation\tfrequency\ttags\tsummary"
    let rows = ids.map { id -> String in
      guard let row = state.latents.rows[id] else { return "\(id)" }
      let latent = row.latent
      let numbers = [
        latent.deltaNorm, latent.nuError, latent.nuReconstruction, latent.maxActivation, latent.frequency,
      ].map(value)
      let words = [row.tags.joined(separator: ", "), row.summary ?? ""].map {
        $0.filter { $0 != "\t" && !$0.isNewline }
      }
      return (["\(id)", latent.latentClass.rawValue] + numbers + words).joined(separator: "\t")
    }
    return CopiedText(what: "the row of \(what)", text: ([head] + rows).joined(separator: "\n") + "\n")
  }

  /// The selected context's text or neighbour's id, or the page as it reads.
  @Sendable static func copyLatent(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    guard let id = state.latent.id, let page = state.pages[id] else { return nil }
    if whole {
      let layout = LatentPageLayout(page, state)
      let lines = (layout.aside + layout.scrolled).map { line in
        line.heading.map { [$0.title, $0.note].filter { !$0.isEmpty }.joined(separator: ": ") }
          ?? line.spans.map(\.text).joined()
      }
      return CopiedText(what: "the page of latent \(id)", text: lines.joined(separator: "\n") + "\n")
    }
    let index = state.latent.selected
    if page.contexts.indices.contains(index) {
      return CopiedText(
        what: "the text of context \(index + 1)",
        text: tokenTexts(page.contexts[index].sequence.tokenIDs, page.tokens).joined())
    }
    let neighbours = page.neighboursByKind
    let neighbour = index - page.contexts.count
    let copied = neighbours.indices.contains(neighbour) ? neighbours[neighbour].other : id
    return CopiedText(what: "the id of latent \(copied)", text: "\(copied)")
  }

  /// The steered answer, or the prompt as long as there is none; or prompt, latents and both answers.
  @Sendable static func copySteer(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let steer = state.steer
    guard let run = steer.run else {
      return steer.prompt.isEmpty ? nil : CopiedText(what: "the prompt", text: steer.prompt.text)
    }
    guard whole else {
      if steer.focus == .prompt { return CopiedText(what: "the prompt", text: steer.prompt.text) }
      return CopiedText(what: "the steered answer", text: run.steered.joined())
    }
    return CopiedText(
      what: "prompt and answers",
      text: """
        Prompt: \(run.request.prompt)
        Latents: \(run.request.steeringText)
        Baseline: \(run.baseline.joined())
        Steered: \(run.steered.joined())

        """ + (run.request.freezesAttention ? "Attention frozen: \(run.frozen.joined())\n" : ""))
  }

  /// The selected latent's id, or the ids of its whole cell.
  @Sendable static func copyMap(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let ids = whole ? state.map.latentsHere : state.map.selectedID.map { [$0] } ?? []
    guard let first = ids.first else { return nil }
    let what = ids.count == 1 ? "the id of latent \(first)" : "the ids of \(ids.count) latents"
    return CopiedText(what: what, text: ids.map(String.init).joined(separator: " "))
  }

  /// The selected experiment's prompt, or all of it as Markdown.
  @Sendable static func copyExperiments(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    state.experiments.selectedID.flatMap { state.experiments.run($0) }.map { copy($0, whole) }
  }

  /// The steered answer that is looked at, with all its samples, or all of the experiment or the comparison.
  @Sendable static func copyExperiment(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let runs = state.experiment.runs
    if whole, runs.count == 2 {
      return CopiedText(
        what: "the comparison of \(runs[0].name) and \(runs[1].name)",
        text: SavedRun.markdown(comparing: runs[0], runs[1]))
    }
    guard let run = runs.first else { return nil }
    let answers = run.namedAnswers.filter { $0.name != "baseline" }
    guard !whole, runs.count == 1, answers.indices.contains(state.experiment.answer) else { return copy(run, whole) }
    let (name, answer) = answers[state.experiment.answer]
    return CopiedText(
      what: "the answer \(name) of experiment \(run.name)",
      text: answer.samples.map(\.text).joined(separator: "\n\n"))
  }

  /// The steered answer at the strength under the cursor, or everything that the sweep came to as Markdown.
  @Sendable static func copySweep(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    guard let sweep = state.steer.sweep else { return nil }
    if whole {
      guard let record = sweep.report?.record() ?? sweep.document?.record() else { return nil }
      return CopiedText(what: "the sweep", text: SavedRun(record).markdown)
    }
    guard let page = sweep.answers() else { return nil }
    return CopiedText(what: "the answers at ×\(compact(page.strength))", text: page.steered)
  }

  private static func copy(_ run: SavedRun, _ whole: Bool) -> CopiedText {
    whole
      ? CopiedText(what: "experiment \(run.name)", text: run.markdown)
      : CopiedText(what: "the prompt of experiment \(run.name)", text: run.record.prompt)
  }
}
