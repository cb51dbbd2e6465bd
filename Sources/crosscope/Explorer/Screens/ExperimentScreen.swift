// One experiment, baseline beside steered; or two, the same answer of both side by side. Words that differ are marked.
// Owns: which answers are shown and how far they are scrolled. Refuses: the store; it holds the experiments it shows.

import Storage
import TUI

/// View state of the page.
struct ExperimentState: Sendable, Equatable {
  /// One, or two to compare.
  var runs: [SavedRun] = []
  /// Which steered answer, of a sweep or with frozen attention, counted over both: 0 is the first.
  var answer = 0
  /// Of two experiments the baselines are compared, not the steered answers.
  var comparesBaselines = false
  /// First visible line of the answers.
  var top = 0
  /// Answers as words, and which of them the other side does not have; made when what is shown changes.
  private(set) var sides: [Side] = []

  /// A column of the page.
  struct Side: Sendable, Equatable {
    var title: String
    var note: String
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

  /// Words shown of an answer at most: comparing takes their number times that of the differing ones.
  static let mostWords = 1500

  /// How many answers there are to step through.
  var answers: Int { runs.map { $0.steered.count + $0.frozen.count }.max() ?? 0 }

  /// Makes the two sides anew.
  mutating func lay() {
    func side(_ title: String, _ answer: SteeringDocument.Answer?, _ run: SavedRun) -> Side {
      var end: String?
      var words = answer.map { wordsWithBlanks($0.text) } ?? []
      if answer == nil {
        let hasFigures = run.check != nil || run.set != nil
        end = hasFigures ? "this one has figures: e writes them to a file" : "no such answer is saved"
      }
      if let ending = answer?.first.ending(limit: run.parameters?.settings.maxTokens ?? 0) { end = ending }
      if words.count > Self.mostWords {
        end = "(\(words.count - Self.mostWords) more words: e writes all of them to a file)"
        words = Array(words.prefix(Self.mostWords))
      }
      var notes: [String] = []
      if let strength = answer?.strength, run.steered.count > 1 { notes.append("×\(shortNumber(strength))") }
      if let change = answer?.relativeChange { notes.append("‖Δh‖/‖h‖ \(fixed(change, 2))") }
      return Side(title: title, note: notes.joined(separator: ", "), words: words, differing: [], end: end)
    }
    func steered(_ run: SavedRun) -> SteeringDocument.Answer? {
      let all = run.steered + run.frozen
      return all.indices.contains(answer) ? all[answer] : nil
    }
    func title(_ run: SavedRun) -> String { answer < run.steered.count ? "Steered" : "Attention frozen" }
    if runs.count == 2 {
      sides = runs.map {
        side(
          "\($0.name) " + (comparesBaselines ? "baseline" : title($0).lowercased()),
          comparesBaselines ? $0.baseline : steered($0), $0)
      }
    } else {
      sides = runs.flatMap { [side("Baseline", $0.baseline, $0), side(title($0), steered($0), $0)] }
    }
    guard sides.count == 2 else { return }
    (sides[0].differing, sides[1].differing) = differingTokens(sides[0].words, sides[1].words)
  }

  static func open(_ runs: [SavedRun], _ state: inout ExplorerState) -> [Effect] {
    guard !runs.isEmpty else { return [] }
    state.experiment = ExperimentState(runs: runs)
    return state.show(.experiment)
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
      Binding(["e"], .export, "export", "write it to a file, as Markdown or JSON", unavailable: isTwo),
      Binding(
        ["b"], .otherAnswer, "baselines", "compare the baselines, or the steered answers",
        unavailable: { $0.experiment.runs.count == 2 ? nil : "both answers are on the screen" }),
      Binding(
        ["w"], .nextAnswer, nil, "the next steered answer of a sweep, or with frozen attention",
        unavailable: { $0.experiment.answers > 1 ? nil : "there is only one steered answer" }),
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
    let page = max(1, ExperimentLayout(state).answers.rows - 2)
    switch action {
    case .down: scrollExperiment(1, &state)
    case .up: scrollExperiment(-1, &state)
    case .pageDown: scrollExperiment(page, &state)
    case .pageUp: scrollExperiment(-page, &state)
    case .first: scrollExperiment(-Int.max / 2, &state)
    case .last: scrollExperiment(Int.max / 2, &state)
    case .otherAnswer, .nextAnswer:
      if action == .otherAnswer {
        state.experiment.comparesBaselines.toggle()
      } else {
        state.experiment.answer = (state.experiment.answer + 1) % max(1, state.experiment.answers)
      }
      state.experiment.lay()
      scrollExperiment(0, &state)
    default: break
    }
    guard let run = state.experiment.runs.first else { return [] }
    switch action {
    case .runAgain: return ExperimentsState.runAgain(run, &state)
    case .export:
      state.openExport(run.record.id < 0 ? .unsaved(run) : .experiment(run.record.id))
    case .nextExperiment: return step(1, from: run.record.id, &state)
    case .previousExperiment: return step(-1, from: run.record.id, &state)
    default: break
    }
    return []
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
    let most = ExperimentLayout(state).linesBelow(state)
    state.experiment.top = min(max(0, state.experiment.top + step), most)
  }
}
