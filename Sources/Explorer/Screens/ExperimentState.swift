// One or two experiments and their answers beside each other. Words that differ are marked. The state holds the experiments
// themselves, so that it needs no store.

import Experiments
import Inference
import Reports
import TUI

/// View state of the page.
struct ExperimentState: Sendable, Equatable {
  /// One experiment, or two to compare.
  var runs: [SavedRun] = []
  /// The index, over both experiments, of the steered answer of a sweep or with frozen attention, or of the prompt of a
  /// set.
  var answer = 0
  /// First visible line.
  var top = 0
  /// Answers beside each other, sample by sample; with two experiments the baselines come first. They are made when the
  /// choice changes.
  private(set) var pairs: [Pair] = []

  /// Two answers, compared.
  struct Pair: Sendable, Equatable {
    var sides: [Side]
  }

  /// A column of the page.
  struct Side: Sendable, Equatable {
    var title: String
    var note: String
    /// The answer as words, and those of them that the other side does not have.
    var words: [String]
    var differing: Set<Int>
    /// A note after the last word.
    var end: String?
  }

  init() {}

  init(runs: [SavedRun]) {
    self.runs = runs
    lay()
  }

  /// The largest number of compared words: the cost is their number times the number of differing ones.
  static let mostWords = 1500

  /// The number of answers to step through.
  var answers: Int { runs.map { max($0.steered.count + $0.frozen.count, $0.outcomes?.count ?? 0) }.max() ?? 0 }

  /// Makes the pairs anew.
  mutating func lay() {
    let named = runs.map(\.namedAnswers)
    /// The baseline, or the chosen steered answer.
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
      return Side(title: title, note: "", words: [], differing: [], end: "this answer is not saved")
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
  /// Pairs two sides and marks their differences.
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

/// Words with the blanks after them; joined they are the text again.
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
