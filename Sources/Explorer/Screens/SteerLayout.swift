// The areas of the steer screen's parts, and the lines of its answers.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

/// The areas of the screen's parts. Panes stand side by side, on narrow terminals one above the other. On low terminals
/// every answer keeps a line: first the next token's table goes, then the list and the prompt shrink to a row, and at
/// last the list's heading goes.
struct SteerLayout {
  let promptHeading: Rect
  /// The former turns in one line; empty for the first prompt.
  let turns: Rect
  let prompt: Rect
  let rowsHeading: Rect
  let rows: Rect
  /// The list, scrolled so that its cursor is in `rows`.
  let list: ListState
  /// The next token's heading and table.
  let preview: Rect
  let answers: Rect
  let baseline: Rect
  let steered: Rect
  /// The pane of the answer with frozen attention, if there is one.
  let frozen: Rect?
  /// Whether the panes stand side by side.
  let isWide: Bool
  var panes: [Rect] { [baseline, steered] + (frozen.map { [$0] } ?? []) }
  /// The area of the measures below the answers.
  let measures: Rect
  /// The area of the latents' activations along the answers.
  let activations: Rect

  init(_ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    isWide = body.columns >= 60
    let hasFrozen = state.steer.run?.request.freezesAttention ?? state.steer.freezesAttention
    // A heading and a row of prompt, a row of the list, and the answers get their rows first.
    var spare = body.rows - 3 - (isWide ? 3 : 4)
    func take(_ count: Int) -> Int {
      let taken = min(max(0, spare), count)
      spare -= taken
      return taken
    }
    let headingRows = take(1)
    let turnRows = state.steer.turns.isEmpty ? 0 : take(1)
    let promptRows = 1 + take(body.rows >= 26 ? 2 : 1)
    let listRows = 1 + take(min(Self.mostRows, max(1, state.steer.listCount)) - 1)
    var rest: Rect
    (promptHeading, rest) = body.split(top: 1)
    (turns, rest) = rest.split(top: turnRows)
    (prompt, rest) = rest.split(top: promptRows)
    (rowsHeading, rest) = rest.split(top: headingRows)
    (rows, rest) = rest.split(top: listRows)
    // Until there are answers the table has their room; then it leaves them a few lines.
    let table = state.steer.run == nil ? 2 + NextTokens.count : body.rows >= 30 ? 7 : 5
    let previewRows = take(min(table, state.steer.run == nil ? spare : max(0, spare - 3)))
    (preview, rest) = rest.split(top: previewRows)
    var list = state.steer.list
    list.select(list.selected, count: state.steer.listCount, height: listRows)
    self.list = list
    answers = rest
    let measureRows = state.steer.run?.measured == nil ? 0 : min(3, max(0, rest.rows - (isWide ? 5 : 8)))
    (rest, measures) = rest.split(bottom: measureRows)
    let hasActivations = state.steer.activations.isOn && state.steer.run != nil
    let activationRows = hasActivations ? min(SteerActivations.most, state.steer.rows.count) : 0
    (rest, activations) = rest.split(bottom: min(activationRows, max(0, rest.rows - 4)))
    let count = hasFrozen ? 3 : 2
    if isWide {
      let width = (rest.columns - 3 * (count - 1)) / count
      (baseline, rest) = rest.split(left: width, gap: 3)
      (steered, rest) = hasFrozen ? rest.split(left: width, gap: 3) : (rest, rest)
    } else {
      let height = rest.rows / count
      (baseline, rest) = rest.split(top: height)
      (steered, rest) = hasFrozen ? rest.split(top: height) : (rest, rest)
    }
    frozen = hasFrozen ? rest : nil
  }

  /// The largest number of visible rows of the list.
  static let mostRows = 5

  /// How many lines of the longer answer do not fit, which limits scrolling back.
  static func linesAbove(_ state: ExplorerState) -> Int {
    guard let run = state.steer.run else { return 0 }
    let layout = SteerLayout(state)
    return answers(run, layout).map { answer, differing, pane in
      max(0, lines(answer, differing, width: pane.columns, state).count - (pane.rows - 1))
    }.max() ?? 0
  }

  /// Each answer with its differing tokens and its area.
  static func answers(_ run: SteerRun, _ layout: SteerLayout) -> [(ShownAnswer, Set<Int>, Rect)] {
    let differing = run.differing
    let two = [
      (run.shownBaseline, differing.baseline, layout.baseline), (run.shownSteered, differing.steered, layout.steered),
    ]
    return two + (layout.frozen.map { [(run.shownFrozen, run.frozenDiffering, $0)] } ?? [])
  }

  /// The text of one side, with differing tokens underlined in their own colour (in brackets with --ascii).
  static func lines(_ answer: ShownAnswer, _ differing: Set<Int>, width: Int, _ state: ExplorerState) -> [FlowLine] {
    var flow = answer.tokens.enumerated().map { index, text in
      // The mark at which the answers part stands before the token, after the blank that belongs to it.
      let blanks = text.prefix { $0 == " " }
      let text = index == answer.parting ? blanks + "▸" + text.dropFirst(blanks.count) : text[...]
      let ground: Role = index == answer.cursor ? .selected : .plain
      guard differing.contains(index) else { return FlowToken(String(text), style: Style(.plain, on: ground)) }
      let opens = state.asciiOnly && !differing.contains(index - 1) ? "[" : ""
      let closes = state.asciiOnly && !differing.contains(index + 1) ? "]" : ""
      return FlowToken(opens + text + closes, style: Style(.changed, on: ground, .underline))
    }
    if let note = answer.note { flow.append(FlowToken(" " + note, style: .muted)) }
    return flowLines(flow, width: width)
  }
}
