// Makes the lines of an experiment's page, or of two compared: prompt, settings, figures, answers side by side, and versions.
// Everything in the record is shown, also texts that are too long to compare.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// Makes the lines.
struct ExperimentLines {
  private let state: ExplorerState
  private let width: Int
  private let runs: [SavedRun]

  private static let gap = 3
  private static let labelWidth = 10
  /// In fewer columns the answers stand one above the other.
  private static let narrowest = 60

  init(_ state: ExplorerState, width: Int) {
    (self.state, self.width, runs) = (state, max(20, width), state.experiment.runs)
  }

  /// The whole page. Answers come before figures, since most are short; long parts that are seldom read come last.
  var lines: [PageLine] {
    if runs.count == 2 {
      let difference = RunDifference(runs[0], runs[1])
      return differing(difference) + runs.flatMap(check) + answers
        + figures(RunFigures(comparing: runs[0], runs[1])) + common(difference)
    }
    guard let run = runs.first else { return [] }
    return facts(run) + check(run) + answers + figures(run.figures, note: figuresNote(run)) + coherent(run)
      + charts(run) + outcome(run) + wholeChat(run) + madeWith(run)
  }

  /// The lines that begin a part of the page.
  static func starts(_ lines: [PageLine]) -> [Int] { lines.indices.filter { lines[$0].opensPart } }

  // MARK: What was asked

  private func fact(_ name: String, _ text: String) -> [PageLine] {
    let shown = state.asciiOnly ? plainNorms(text) : text
    return PageLine.named(name, shown, label: Self.labelWidth, width: width)
  }

  /// The turns of the chat, with the prompt at the end.
  private func chat(_ run: SavedRun) -> [[PageLine]] {
    run.turns.map { fact($0.role.capitalizedFirst, $0.text) } + [fact("Prompt", run.record.prompt)]
  }

  /// How many lines of a text stand above the answers; the whole text is below them.
  private static let mostLines = 3

  private func facts(_ run: SavedRun) -> [PageLine] {
    chat(run).flatMap { lines -> [PageLine] in
      guard lines.count > Self.mostLines, let last = lines.prefix(Self.mostLines).last else { return lines }
      let text = last.spans.dropFirst().map(\.text).joined()
      let cut =
        truncated(text, to: width - Self.labelWidth - 2) + (displayWidth(text) + 2 > width - Self.labelWidth ? "" : "…")
      return lines.prefix(Self.mostLines - 1) + fact("", cut)
    }
      + fact("Latents", run.interventionsText) + fact("Settings", run.parametersText)
      + fact("Made", "\(when(run.record.created)) \(run.record.kind)")
  }

  /// The whole chat, if some of it is too long to stand above the answers.
  private func wholeChat(_ run: SavedRun) -> [PageLine] {
    let chat = chat(run)
    return chat.contains { $0.count > Self.mostLines } ? [.heading("All that was said")] + chat.flatMap { $0 } : []
  }

  private func madeWith(_ run: SavedRun) -> [PageLine] {
    let all = run.scales + run.versions.map { RunSetting($0.name, $0.version) }
    guard !all.isEmpty else { return [] }
    let label = min(width / 3, (all.map { displayWidth($0.name) }.max() ?? 0) + 2)
    return [.heading("Made with")] + all.flatMap { PageLine.named($0.name, $0.value, label: label, width: width) }
  }

  private static let settingWidth = 16

  /// The settings in which two runs differ, side by side.
  private func differing(_ difference: RunDifference) -> [PageLine] {
    let column = (width - Self.settingWidth - Self.gap) / 2
    func cell(_ text: String, _ style: Style = .plain) -> [FlowLine] {
      flowLines([FlowToken(text, style: style)], width: max(8, column))
    }
    func row(_ name: String, _ first: [FlowLine], _ second: [FlowLine]) -> [PageLine] {
      let names = flowLines([FlowToken(name, style: .muted)], width: Self.settingWidth - 1)
      let values = PageLine.beside(first, second, column: column, gap: Self.gap).map(\.spans)
      return PageLine.beside(names, values, column: Self.settingWidth - 1, gap: 1)
    }
    let title = row("", cell(runs[0].name, Style(.base, .bold)), cell(runs[1].name, Style(.chat, .bold)))
    let none = PageLine([FlowSpan(text: "none", style: .muted)])
    return [.heading("Settings that differ")]
      + (difference.differing.isEmpty
        ? [none] : title + difference.differing.flatMap { row($0.name, cell($0.first), cell($0.second)) })
  }

  private func common(_ difference: RunDifference) -> [PageLine] {
    guard !difference.common.isEmpty else { return [] }
    return [.heading("The same in both")]
      + difference.common.flatMap { PageLine.named($0.name, $0.value, label: Self.settingWidth, width: width) }
  }

  // MARK: Figures

  private func figuresNote(_ run: SavedRun) -> String {
    let samples = run.namedAnswers.map(\.answer.samples.count).max() ?? 0
    if let set = run.set { return "\(set.prompts) prompts, 95 % over prompts" }
    return samples > 1 ? "\(samples) samples, 95 % over samples" : ""
  }

  private func figures(_ figures: RunFigures, note: String = "") -> [PageLine] {
    guard !figures.isEmpty else { return [] }
    return [.heading("Figures", note: note)] + figures.lines(width: width).map(plain)
  }

  /// The best coherent strengths; those of a check stand with its effects.
  private func coherent(_ run: SavedRun) -> [PageLine] {
    guard let coherent = run.coherent, run.check == nil else { return [] }
    return [.heading("Coherent strengths", note: "perplexity at most \(compact(coherent.perplexity))")]
      + coherent.sentences.flatMap { flowLines([FlowToken($0)], width: width).map { PageLine($0) } }
  }

  private func charts(_ run: SavedRun) -> [PageLine] {
    guard let set = run.set else { return [] }
    let charts = set.charts(asciiOnly: state.asciiOnly).split(separator: "\n", omittingEmptySubsequences: false)
    return charts.map { plain(String($0)) } + fact("", set.note)
  }

  private func check(_ run: SavedRun) -> [PageLine] {
    guard let check = run.check else { return [] }
    return [.heading("Effects")] + check.flow(width: width).map { PageLine($0) }
  }

  private func plain(_ text: String) -> PageLine {
    PageLine([FlowSpan(text: state.asciiOnly ? plainNorms(text) : text, style: .plain)])
  }

  // MARK: Answers

  private var answers: [PageLine] {
    state.experiment.pairs.flatMap { pair in
      let isWide = width >= Self.narrowest
      let column = isWide ? (width - Self.gap) / 2 : width
      let sides = pair.sides.enumerated().map { index, side -> (title: FlowLine, body: [FlowLine]) in
        let style = Style(index == 0 ? .base : .chat, .bold)
        let text = SteerLayout.lines(
          ShownAnswer(tokens: side.words, note: side.end), side.differing, width: column, state)
        let (title, below) = ruled(side.title, side.note, style, column)
        return (title, below + text)
      }
      var lines =
        isWide
        ? PageLine.beside([sides[0].title], [sides[1].title], column: column, gap: Self.gap)
          + PageLine.beside(sides[0].body, sides[1].body, column: column, gap: Self.gap)
        : sides.flatMap { [PageLine($0.title)] + $0.body.map { PageLine($0) } }
      lines[0].opensPart = true
      return lines
    }
  }

  /// A title on a rule of its own width, with a note; a note that is too long for it stands below.
  private func ruled(_ title: String, _ note: String, _ style: Style, _ width: Int) -> (FlowLine, below: [FlowLine]) {
    let note = state.asciiOnly ? plainNorms(note) : note
    let title = truncated(title, to: width)
    let fits = displayWidth(title) + displayWidth(note) + 4 <= width
    let shown = fits && !note.isEmpty ? " " + note : ""
    let rule = max(0, width - displayWidth(title) - displayWidth(shown) - 1)
    let line = [
      FlowSpan(text: title, style: style), FlowSpan(text: shown, style: .muted),
      FlowSpan(text: " " + String(repeating: "─", count: rule), style: .muted),
    ]
    return (line, fits ? [] : flowLines([FlowToken(note, style: .muted)], width: width))
  }

  /// One prompt of a set or a check with its answers in all arms.
  private func outcome(_ run: SavedRun) -> [PageLine] {
    guard let outcomes = run.outcomes, !outcomes.isEmpty else { return [] }
    let index = state.experiment.answer % outcomes.count
    let outcome = outcomes[index]
    let more = outcomes.count > 1 ? "w shows the next prompt" : ""
    return [.heading("Prompt \(index + 1) of \(outcomes.count)", note: more)]
      + flowLines([FlowToken(outcome.prompt)], width: width).map { PageLine($0) }
      + zip(run.armNames(outcome), outcome.answers).flatMap { name, answer -> [PageLine] in
        let (title, below) = ruled(name.capitalizedFirst, answer.figuresText, Style(.chat, .bold), width)
        return ([title] + below + flowLines([FlowToken(answer.text)], width: width)).map { PageLine($0) }
      }
  }
}

/// The page's lines and their area.
struct ExperimentLayout {
  let lines: [PageLine]
  let rect: Rect

  init(_ state: ExplorerState) {
    rect = state.body.inset(columns: 1)
    lines = ExperimentLines(state, width: rect.columns).lines
  }

  /// How many lines are below the window, which limits scrolling.
  var linesBelow: Int { max(0, lines.count - rect.rows) }
}
