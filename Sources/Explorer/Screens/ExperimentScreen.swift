// Shows one experiment with baseline and steered answers side by side, or two with those of both. ExperimentLines makes the
// lines.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

enum ExperimentScreen {
  static let definition = ScreenDefinition(
    title: { state in
      let ids = state.experiment.runs.map(\.name)
      return ids.count == 2 ? "Experiments \(ids[0]) and \(ids[1])" : "Experiment \(ids.first ?? "")"
    },
    bindings: [
      Binding(["r"], .runAgain, "run again", "put it on the steer screen and run it", unavailable: isTwo),
      Binding(["e"], .export, "export", "write it, or the comparison, to a file, as Markdown or JSON"),
      Binding(["b"], .otherAnswer, "answers", "go to the answers, then to the next sample's or run's"),
      Binding(
        ["w"], .nextAnswer, "next answer", "show the next steered answer of a sweep, or prompt of a set",
        unavailable: { $0.experiment.answers > 1 ? nil : "there is only one steered answer" }),
      Binding(["}", "tab"], .nextSection, nil, "go to the next part of the page"),
      Binding(["{", "shift-tab"], .previousSection, nil, "go to the part before it"),
      Binding(
        ["l", "right", "]"], .nextExperiment, "older", "show the next experiment of the list", unavailable: isTwo),
      Binding(
        ["h", "left", "["], .previousExperiment, "newer", "show the experiment before it in the list",
        unavailable: isTwo),
    ] + GeneralBindings.moving,
    perform: perform,
    mouse: { mouse, state in
      if let lines = PageScroll.lines(mouse) { scroll(lines, &state) }
      return []
    },
    appear: { state in
      scroll(0, &state)
      return []
    },
    draw: draw, copy: copy,
    open: { _, state in state.show(state.experiment.runs.isEmpty ? .experiments : .experiment) })

  @Sendable private static func isTwo(_ state: ExplorerState) -> String? {
    state.experiment.runs.count == 2 ? "open one of the two first: Esc, then Enter on it" : nil
  }

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    if let lines = PageScroll.lines(action, page: max(1, state.body.rows - 2)) { scroll(lines, &state) }
    switch action {
    case .nextSection, .previousSection, .otherAnswer: goToPart(action, &state)
    case .nextAnswer:
      state.experiment.answer = (state.experiment.answer + 1) % max(1, state.experiment.answers)
      state.experiment.lay()
      scroll(0, &state)
    default: break
    }
    guard let run = state.experiment.runs.first else { return [] }
    switch action {
    case .runAgain: return ExperimentsState.runAgain(run, &state)
    case .export:
      let runs = state.experiment.runs
      state.openExport(
        runs.count == 2
          ? .comparison(runs[0], runs[1]) : run.record.id < 0 ? .unsaved(run) : .experiment(run.record.id))
    case .nextExperiment: return step(1, from: run.record.id, &state)
    case .previousExperiment: return step(-1, from: run.record.id, &state)
    default: break
    }
    return []
  }

  /// Scrolls so that a part begins at the top. The answers are the parts that are no headings.
  private static func goToPart(_ action: Action, _ state: inout ExplorerState) {
    let layout = ExperimentLayout(state)
    let top = state.experiment.top
    var starts = ExperimentLines.starts(layout.lines)
    if action == .otherAnswer { starts = starts.filter { layout.lines[$0].heading == nil } }
    let target =
      switch action {
      case .previousSection: starts.last { $0 < top } ?? 0
      // The last part may not reach the top; from there the answers begin again.
      case .otherAnswer: (top >= layout.linesBelow ? nil : starts.first { $0 > top }) ?? starts.first ?? top
      default: starts.first { $0 > top } ?? top
      }
    scroll(target - top, &state)
  }

  private static func step(_ step: Int, from id: Int64, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.experiments.ids, let index = ids.firstIndex(of: id), ids.indices.contains(index + step)
    else {
      state.tell(step > 0 ? "this is the oldest experiment of the list" : "this is the newest experiment of the list")
      return []
    }
    return ExperimentsState.select(index + step, &state) + ExperimentsState.open([ids[index + step]], &state)
  }

  private static func scroll(_ step: Int, _ state: inout ExplorerState) {
    let most = ExperimentLayout(state).linesBelow
    state.experiment.top = min(max(0, state.experiment.top + step), most)
  }

  @Sendable static func draw(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = ExperimentLayout(state)
    canvas.put(layout.lines, from: state.experiment.top, in: layout.rect)
    return nil
  }

  /// The chosen steered answer with all its samples, or all of the experiment or the comparison.
  @Sendable static func copy(_ state: ExplorerState, _ whole: Bool) -> CopiedText? {
    let runs = state.experiment.runs
    if whole, runs.count == 2 {
      return CopiedText(
        what: "the comparison of \(runs[0].name) and \(runs[1].name)",
        text: SavedRun.markdown(comparing: runs[0], runs[1]))
    }
    guard let run = runs.first else { return nil }
    let answers = run.namedAnswers.filter { $0.name != "baseline" }
    guard !whole, runs.count == 1, answers.indices.contains(state.experiment.answer) else {
      return run.copied(whole: whole)
    }
    let (name, answer) = answers[state.experiment.answer]
    return CopiedText(
      what: "the answer \(name) of experiment \(run.name)",
      text: answer.samples.map(\.text).joined(separator: "\n\n"))
  }
}
