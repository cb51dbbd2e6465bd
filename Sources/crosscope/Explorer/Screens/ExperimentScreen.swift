// One experiment, baseline beside steered; or two, baselines and steered answers of both side by side. Words that differ
// are marked. Owns: which answers are shown and how far the page is scrolled; ExperimentScreen+Lines.swift makes its
// lines. Refuses: the store; it holds the experiments it shows.

import Experiments
import Reports
import Storage
import TUI

/// View state of the page.
struct ExperimentState: Sendable, Equatable {
  /// One, or two to compare.
  var runs: [SavedRun] = []
  /// Which steered answer of a sweep or with frozen attention, counted over both, or which prompt of a set: 0 is the
  /// first.
  var answer = 0
  /// First visible line.
  var top = 0
  /// Answers beside each other, sample by sample; of two experiments the baselines come first. Made when what is shown
  /// changes.
  private(set) var pairs: [Pair] = []

  /// Two answers, compared.
  struct Pair: Sendable, Equatable {
    var sides: [Side]
  }

  /// A column of the page.
  struct Side: Sendable, Equatable {
    var title: String
    var note: String
    /// The answer as words, and which of them the other side does not have.
    var words: [String]
    var differing: Set<Int>
    /// What is to be said after the last word.
    var end: String?
  }

  init() {}

  init(runs: [SavedRun]) {
    self.runs = runs
    lay()
  }

  /// Words that are compared at most: comparing takes their number times that of the differing ones.
  static let mostWords = 1500

  /// How many there are to step through.
  var answers: Int { runs.map { max($0.steered.count + $0.frozen.count, $0.outcomes?.count ?? 0) }.max() ?? 0 }

  /// Makes the pairs anew.
  mutating func lay() {
    let named = runs.map(\.namedAnswers)
    /// The baseline, or the steered answer that is looked at.
    func chosen(_ index: Int, baseline: Bool) -> (name: String, answer: SteeringDocument.Answer)? {
      let answers = named[index].filter { ($0.answer.strength == nil && $0.name == "baseline") == baseline }
      return baseline ? answers.first : answers.indices.contains(answer) ? answers[answer] : nil
    }
    let columns: [[Int]] = runs.count == 2 ? [[0, 1], [0, 1]] : [[0, 0]]
    pairs =
      runs.isEmpty
      ? []
      : columns.enumerated().flatMap { row, columns in
        let two = columns.enumerated().map { place, index in
          (runs[index], chosen(index, baseline: runs.count == 2 ? row == 0 : place == 0))
        }
        guard two.contains(where: { $0.1 != nil }) else { return [Pair]() }
        let count = two.map { $0.1?.answer.samples.count ?? 0 }.max() ?? 0
        return (0..<count).map { sample in Pair(two.map { side($0.0, $0.1, sample: sample, of: count) }) }
      }
  }

  private func side(
    _ run: SavedRun, _ found: (name: String, answer: SteeringDocument.Answer)?, sample index: Int, of count: Int
  ) -> Side {
    let name = found?.name.capitalizedFirst ?? "No answer"
    let title = runs.count == 2 ? "\(run.name) \(name.lowercased())" : name
    guard let answer = found?.answer, answer.samples.indices.contains(index) else {
      return Side(title: title, note: "", words: [], differing: [], end: "no such answer is saved")
    }
    let sample = answer.samples[index]
    var notes = count > 1 ? [sample.title(index, of: count)] : []
    if let change = sample.relativeChange { notes.append("‖Δh‖/‖h‖ \(fixed(change, 2))") }
    if let kl = sample.klMean { notes.append("KL \(fixed(kl, 3))") }
    return Side(
      title: title, note: notes.joined(separator: ", "), words: wordsWithBlanks(sample.text), differing: [],
      end: sample.ending(limit: run.recorded?.request.sampling.maxTokens ?? 0))
  }

  static func open(_ runs: [SavedRun], _ state: inout ExplorerState) -> [Effect] {
    guard !runs.isEmpty else { return [] }
    state.experiment = ExperimentState(runs: runs)
    return state.show(.experiment)
  }
}

extension ExperimentState.Pair {
  /// Two sides, with what differs between them marked.
  fileprivate init(_ sides: [ExperimentState.Side]) {
    self.sides = sides
    let most = ExperimentState.mostWords
    guard sides.count == 2, !sides.contains(where: { $0.words.isEmpty }) else { return }
    (self.sides[0].differing, self.sides[1].differing) = differingTokens(
      Array(sides[0].words.prefix(most)), Array(sides[1].words.prefix(most)))
    for index in sides.indices where sides[index].words.count > most {
      let note = "(words beyond \(most) are not compared)"
      self.sides[index].end = [note, sides[index].end].compactMap(\.self).joined(separator: " ")
    }
  }
}

/// Words with the blanks behind them: joined they are the text again.
func wordsWithBlanks(_ text: String) -> [String] {
  var words: [String] = []
  var endsInBlank = true
  for character in text {
    if endsInBlank, !character.isWhitespace || words.isEmpty {
      words.append(String(character))
    } else {
      words[words.count - 1].append(character)
    }
    endsInBlank = character.isWhitespace
  }
  return words
}

extension ScreenDefinition {
  static let experiment = ScreenDefinition(
    title: { state in
      let ids = state.experiment.runs.map(\.name)
      return ids.count == 2 ? "Experiments \(ids[0]) and \(ids[1])" : "Experiment \(ids.first ?? "")"
    },
    bindings: [
      Binding(["r"], .runAgain, "run again", "put it on the steer screen and run it", unavailable: isTwo),
      Binding(["e"], .export, "export", "write it, or the comparison, to a file, as Markdown or JSON"),
      Binding(["b"], .otherAnswer, "answers", "to the answers, the next sample's or run's"),
      Binding(
        ["w"], .nextAnswer, "next answer", "the next steered answer of a sweep, or prompt of a set",
        unavailable: { $0.experiment.answers > 1 ? nil : "there is only one steered answer" }),
      Binding(["}", "tab"], .nextSection, nil, "to the next part of the page"),
      Binding(["{", "shift-tab"], .previousSection, nil, "to the part before it"),
      Binding(
        ["l", "right", "]"], .nextExperiment, "older", "the next experiment of the list", unavailable: isTwo),
      Binding(
        ["h", "left", "["], .previousExperiment, "newer", "the experiment before it in the list", unavailable: isTwo),
    ] + GeneralBindings.moving,
    perform: performOnExperiment,
    type: { _, _ in nil },
    mouse: { mouse, state in
      switch mouse.kind {
      case .wheelUp: scrollExperiment(-3, &state)
      case .wheelDown: scrollExperiment(3, &state)
      default: break
      }
      return []
    },
    appear: { state in
      scrollExperiment(0, &state)
      return []
    },
    draw: drawExperiment, copy: copyExperiment)

  @Sendable private static func isTwo(_ state: ExplorerState) -> String? {
    state.experiment.runs.count == 2 ? "open one of the two first: Esc, then Enter on it" : nil
  }

  @Sendable private static func performOnExperiment(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    let page = max(1, state.body.rows - 2)
    switch action {
    case .down: scrollExperiment(1, &state)
    case .up: scrollExperiment(-1, &state)
    case .pageDown: scrollExperiment(page, &state)
    case .pageUp: scrollExperiment(-page, &state)
    case .first: scrollExperiment(-Int.max / 2, &state)
    case .last: scrollExperiment(Int.max / 2, &state)
    case .nextSection, .previousSection, .otherAnswer: goToPart(action, &state)
    case .nextAnswer:
      state.experiment.answer = (state.experiment.answer + 1) % max(1, state.experiment.answers)
      state.experiment.lay()
      scrollExperiment(0, &state)
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
      // What is at the end cannot come to the top: from there the answers begin again.
      case .otherAnswer: (top >= layout.linesBelow ? nil : starts.first { $0 > top }) ?? starts.first ?? top
      default: starts.first { $0 > top } ?? top
      }
    scrollExperiment(target - top, &state)
  }

  private static func step(_ step: Int, from id: Int64, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.experiments.ids, let index = ids.firstIndex(of: id), ids.indices.contains(index + step)
    else {
      state.tell(step > 0 ? "this is the oldest experiment of the list" : "this is the newest experiment of the list")
      return []
    }
    return ExperimentsState.select(index + step, &state) + ExperimentsState.open([ids[index + step]], &state)
  }

  private static func scrollExperiment(_ step: Int, _ state: inout ExplorerState) {
    let most = ExperimentLayout(state).linesBelow
    state.experiment.top = min(max(0, state.experiment.top + step), most)
  }
}
