// How the steer screen looks: prompt, latents, the next token, two panes of text.

import Diffing
import Experiments
import Reports
import Storage
import TUI

/// Where the parts of the screen lie. Panes stand side by side, on narrow terminals one above the other. On low ones the
/// answers keep a line each: the next token's table goes first, then the list and the prompt shrink to a row, and last the
/// list's heading goes.
struct SteerLayout {
  let promptHeading: Rect
  /// What was said before, in one line; empty for the first prompt.
  let turns: Rect
  let prompt: Rect
  let rowsHeading: Rect
  let rows: Rect
  /// The list, scrolled so that its cursor shows in `rows`.
  let list: ListState
  /// The next token's heading and table.
  let preview: Rect
  let answers: Rect
  let baseline: Rect
  let steered: Rect
  /// Of the answer with frozen attention, where there is to be one.
  let frozen: Rect?
  /// Whether the panes stand side by side.
  let isWide: Bool
  var panes: [Rect] { [baseline, steered] + (frozen.map { [$0] } ?? []) }
  /// What is measured of the answers, below them.
  let measures: Rect
  /// The latents' activations along the answers.
  let trace: Rect

  init(_ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    isWide = body.columns >= 60
    let hasFrozen = state.steer.run?.request.freezesAttention ?? state.steer.freezesAttention
    // A heading and a row of prompt, a row of the list, and the answers come first.
    var spare = body.rows - 3 - (isWide ? 3 : 4)
    func take(_ count: Int) -> Int {
      let taken = min(max(0, spare), count)
      spare -= taken
      return taken
    }
    let headingRows = take(1)
    let turnRows = state.steer.turns.isEmpty ? 0 : take(1)
    let promptRows = 1 + take(body.rows >= 26 ? 2 : 1)
    let listRows = 1 + take(min(Self.mostRows, max(1, state.steer.rows.count)) - 1)
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
    list.select(list.selected, count: state.steer.rows.count, height: listRows)
    self.list = list
    answers = rest
    let measureRows = state.steer.run?.measured == nil ? 0 : min(3, max(0, rest.rows - (isWide ? 5 : 8)))
    (rest, measures) = rest.split(bottom: measureRows)
    let hasTrace = state.steer.trace.isOn && state.steer.run != nil
    let traceRows = hasTrace ? min(SteerTrace.most, state.steer.rows.count) : 0
    (rest, trace) = rest.split(bottom: min(traceRows, max(0, rest.rows - 4)))
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

  /// Rows that the list of latents takes at most.
  static let mostRows = 5

  /// Lines of the longer answer that do not fit: how far it can be scrolled back.
  static func linesAbove(_ state: ExplorerState) -> Int {
    guard let run = state.steer.run else { return 0 }
    let layout = SteerLayout(state)
    return answers(run, layout).map { answer, differing, pane in
      max(0, lines(answer, differing, width: pane.columns, state).count - (pane.rows - 1))
    }.max() ?? 0
  }

  /// Each answer, its tokens that differ, and where it stands.
  static func answers(_ run: SteerRun, _ layout: SteerLayout) -> [(ShownAnswer, Set<Int>, Rect)] {
    let differing = run.differing
    let two = [
      (run.shownBaseline, differing.baseline, layout.baseline), (run.shownSteered, differing.steered, layout.steered),
    ]
    return two + (layout.frozen.map { [(run.shownFrozen, run.frozenDiffering, $0)] } ?? [])
  }

  /// Text of one side, differing tokens underlined in a colour of their own (in brackets with --ascii).
  static func lines(_ answer: ShownAnswer, _ differing: Set<Int>, width: Int, _ state: ExplorerState) -> [FlowLine] {
    var flow = answer.tokens.enumerated().map { index, text in
      // The mark of where the answers part stands before the token, behind the blank that belongs to it.
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

extension ScreenDefinition {
  @Sendable static func drawSteer(_ state: ExplorerState, _ canvas: inout Canvas, _ body: Rect) -> Point? {
    let layout = SteerLayout(state)
    let steer = state.steer
    func title(_ text: String, _ focus: SteerState.Focus) -> String { (steer.focus == focus ? "› " : "") + text }
    func style(_ focus: SteerState.Focus) -> Style { steer.focus == focus ? Style(.accent, .bold) : .title }
    canvas.heading(
      title(steer.turns.isEmpty ? "Prompt" : "Prompt, turn \(steer.turns.count / 2 + 1)", .prompt),
      note: settings(steer, layout.promptHeading.columns - 22), style: style(.prompt),
      in: layout.promptHeading)
    let said = steer.turns.suffix(2).map {
      ($0.role == .user ? "you: " : "chat: ") + $0.content.replacing("\n", with: " ")
    }
    canvas.put(
      truncated(said.joined(separator: "  "), to: layout.turns.columns), row: layout.turns.row,
      column: layout.turns.column, style: .muted, clip: layout.turns)
    let cursor = canvas.paragraph(
      steer.prompt, placeholder: "type a prompt for the chat model, then Enter", in: layout.prompt)
    let rowsTitle = title(listTitle(steer), .interventions)
    let room = layout.rowsHeading.columns - displayWidth(rowsTitle) - 4
    canvas.heading(
      rowsTitle, note: strengthNote(steer, room), style: style(.interventions),
      in: layout.rowsHeading)
    drawRows(state, &canvas, layout)
    drawPreview(state, &canvas, layout)
    drawAnswers(state, &canvas, layout)
    return steer.focus == .prompt && state.overlay == nil ? cursor : nil
  }

  /// Sampling, and where it is steered if not everywhere; what does not fit is left out from the left.
  private static func settings(_ steer: SteerState, _ room: Int) -> String {
    var parts: [String] = []
    if steer.plan.positions != .all { parts.append("steers \(steer.plan.positions.rawValue) tokens") }
    if steer.plan.blocks == .ownAndAbove { parts.append("all layers") }
    if steer.sampling.samples > 1 { parts.append("\(steer.sampling.samples) samples") }
    if steer.sampling.topP < 1 { parts.append("top-p \(compact(steer.sampling.topP))") }
    if steer.sampling.minP > 0 { parts.append("min-p \(compact(steer.sampling.minP))") }
    if steer.sampling.frequencyPenalty != 0 { parts.append("penalty \(compact(steer.sampling.frequencyPenalty))") }
    parts.append(
      steer.sampling.temperature == 0
        ? "greedy" : "temperature \(compact(steer.sampling.temperature)), seed \(steer.sampling.seed)")
    parts.append("up to \(steer.sampling.maxTokens) tokens")
    while parts.count > 1, displayWidth(parts.joined(separator: ", ")) > room { parts.removeFirst() }
    return parts.joined(separator: ", ")
  }

  /// How many there are where they are not all on view, how many no run has had yet, and the conditions of all.
  private static func listTitle(_ steer: SteerState) -> String {
    let place = steer.rows.count > SteerLayout.mostRows ? " \(steer.list.selected + 1) of \(steer.rows.count)" : ""
    let before = steer.rows.count(where: \.isFromBefore)
    return "Latents" + place
      + (steer.plan.conditions.isEmpty ? "" : ", all only \(steer.plan.conditions.text(of: nil))")
      + (before > 0 ? ", \(before) of an earlier session" : "")
  }

  /// What a strength of the chosen latent's mode multiplies, and the decoder whose direction it is.
  private static func strengthNote(_ steer: SteerState, _ room: Int) -> String {
    let d = "d_\(steer.plan.decoder.rawValue)"
    let above = steer.plan.blocks == .ownAndAbove ? " after every block from here on" : ""
    let texts: [String] =
      switch steer.selectedRow?.mode ?? .add {
      case .add where steer.plan.unit == .norm:
        [
          "add: strength is the length of what is added along \(d)\(above)",
          "add: strength is the length of what is added along \(d)", "add × 1 · \(d)",
        ]
      case .add:
        [
          "add: strength × largest activation along \(d)\(above)", "add: strength × largest activation along \(d)",
          "add × max · \(d)",
        ]
      case .difference: ["difference: strength × activation · (d_chat − d_base)", "diff. × f · (chat − base)"]
      case .ablate:
        [
          "ablate: − strength × activation · \(d); 1 takes the latent's contribution away",
          "ablate: − strength × f · \(d)",
          "ablate − × f · \(d)",
        ]
      case .project:
        [
          "project: − strength × the part of h − mean along \(d); 1 takes it out",
          "project: − strength × part of h − mean along \(d)", "project − × \(d) part",
        ]
      case .clamp:
        [
          "clamp: the latent held at strength × its largest activation, along \(d)",
          "clamp: held at strength × largest activation, along \(d)", "clamp f at × max · \(d)",
        ]
      }
    return texts.first { displayWidth($0) <= room } ?? ""
  }

  private static func drawRows(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let steer = state.steer
    let rect = layout.rows
    guard !steer.rows.isEmpty else {
      canvas.put(
        truncated("none yet: s on a latent steers with it alone, & with it too, a adds by id", to: rect.columns),
        row: rect.row,
        column: rect.column, style: .muted, clip: rect)
      return
    }
    for index in layout.list.visible(count: steer.rows.count, height: rect.rows) {
      let row = steer.rows[index]
      let line = rect.line(index - layout.list.top)
      let quiet: Style = row.isOn ? .plain : .muted
      let (warning, warningStyle) = warning(row, state)
      var column = canvas.put(
        row.isOn ? "[x] " : "[ ] ", row: line.row, column: line.column, style: row.isOn ? Style(.good, .bold) : .muted,
        clip: line)
      column = canvas.put(String(row.latent).leftPadded(to: 6), row: line.row, column: column, style: quiet, clip: line)
      column = canvas.put(
        "  " + row.mode.rawValue.rightPadded(to: 11), row: line.row, column: column, style: quiet, clip: line)
      column = canvas.put(
        strengthText(row.strength).leftPadded(to: 6) + " ", row: line.row, column: column,
        style: row.isOn ? warningStyle : .muted, clip: line)
      column = canvas.put(warning.rightPadded(to: 3), row: line.row, column: column, style: warningStyle, clip: line)
      let bar = Rect(row: line.row, column: column, rows: 1, columns: min(12, line.endColumn - column))
      canvas.bar(abs(row.strength) / 3, in: bar, style: row.isOn ? Style(row.strength < 0 ? .base : .chat) : .muted)
      let known = state.latents.rows[row.latent]
      let about =
        known.map {
          if $0.latent.dead, row.mode == .add || row.mode == .clamp {
            return "dead: it has no largest activation to scale by"
          }
          return $0.tags.isEmpty ? "max \(fixed($0.latent.maxActivation, 1))" : $0.tags.joined(separator: ", ")
        } ?? ""
      let band = warning.isEmpty ? "" : "\(limit(state).origin) is \(compact(limit(state).value))  "
      let before = row.isFromBefore ? "earlier session  " : ""
      let condition = row.conditions.isEmpty ? "" : row.conditions.text(of: Int(row.latent)) + "  "
      canvas.put(
        truncated(condition + before + band + about, to: line.endColumn - bar.endColumn - 2), row: line.row,
        column: bar.endColumn + 2,
        style: known?.tags.isEmpty == false ? Style(.tag) : .muted, clip: line)
      if index == layout.list.selected, steer.focus == .interventions { canvas.setGround(line, .selected) }
    }
  }

  /// Strengths beyond what was ever seen distort the text: from the limit that was calibrated on the pair, else from
  /// the one that others measured, and a caution from four fifths of it. Lengths have no such limit.
  private static func warning(_ row: SteerState.Row, _ state: ExplorerState) -> (String, Style) {
    guard row.mode == .add || row.mode == .clamp, state.steer.plan.unit == .maxActivation else { return ("", .plain) }
    let limit = limit(state).value
    if abs(row.strength) >= limit { return ("!!", Style(.danger, .bold)) }
    return abs(row.strength) >= 0.8 * limit ? ("!", Style(.caution, .bold)) : ("", .plain)
  }

  private static func limit(_ state: ExplorerState) -> (value: Double, origin: String) {
    state.store.coherenceLimit.map { ($0, "this pair's limit") } ?? (2.5, "others' limit")
  }

  private static func drawAnswers(_ state: ExplorerState, _ canvas: inout Canvas, _ layout: SteerLayout) {
    let isFocused = state.steer.focus == .answers
    let lead = isFocused ? "› " : ""
    canvas.heading(
      lead + "Baseline (chat)", note: modelNote(state), style: isFocused ? Style(.accent, .bold) : Style(.base, .bold),
      in: layout.baseline)
    canvas.heading(
      "Steered", note: runNote(state.steer, asciiOnly: state.asciiOnly),
      style: isFocused ? Style(.accent, .bold) : Style(.chat, .bold),
      in: layout.steered)
    if let frozen = layout.frozen {
      canvas.heading(
        "Attention frozen", note: state.steer.run?.measuredFrozen.map { "KL \(fixed($0.klMean, 3))" } ?? "",
        style: isFocused ? Style(.accent, .bold) : Style(.chat, .bold), in: frozen)
    }
    guard let run = state.steer.run else {
      canvas.notice(["Enter answers the prompt", "without the latents"], in: layout.baseline.split(top: 1).rest)
      canvas.notice(["and with those", "that are on"], in: layout.steered.split(top: 1).rest)
      if let frozen = layout.frozen {
        canvas.notice(["and with the", "baseline's attention"], in: frozen.split(top: 1).rest)
      }
      return
    }
    for (answer, differing, pane) in SteerLayout.answers(run, layout) {
      draw(shown(answer, run, state), differing, state, &canvas, pane.split(top: 1).rest)
    }
    drawMeasures(run, state, &canvas, layout)
    drawTrace(run, state, &canvas, layout)
    if case .failed(let reason) = run.phase {
      canvas.put(
        truncated(reason, to: layout.steered.columns), row: layout.steered.endRow - 1, column: layout.steered.column,
        style: Style(.danger), clip: layout.steered)
    }
  }

  /// The cursor shows while the answers have the keys.
  private static func shown(_ answer: ShownAnswer, _ run: SteerRun, _ state: ExplorerState) -> ShownAnswer {
    var answer = answer
    if state.steer.focus == .answers, run.measured != nil { answer.cursor = run.cursor }
    return answer
  }

  private static func modelNote(_ state: ExplorerState) -> String {
    switch state.steer.model {
    case .absent: "model not loaded"
    case .loading: "loading the model…"
    case .ready: state.store.chat
    case .failed: "no model"
    }
  }

  private static func runNote(_ steer: SteerState, asciiOnly: Bool) -> String {
    if steer.isWaitingForModel { return "waiting for the model" }
    guard let run = steer.run else { return "" }
    // Old answers beside new settings would be read as theirs.
    if !run.isGoingOn, run.request != steer.request { return "settings changed since" }
    switch run.phase {
    case .running: return "generating, \(run.steered.count)…"
    case .measuring: return "measuring…"
    case .cancelled: return "cancelled"
    case .failed: return "failed"
    case .finished(let document):
      let label = asciiOnly ? "|dh|/|h|" : "‖Δh‖/‖h‖"
      let change = run.measured?.steered.relativeChange.map { ", \(label) \(fixed($0, 2))" } ?? ""
      return document.outputs.tokensPerSecond.map { "\(fixed($0, 0)) tokens/s\(change)" } ?? "done\(change)"
    }
  }

  /// Text of one side, scrolled back from its end.
  private static func draw(
    _ answer: ShownAnswer, _ differing: Set<Int>, _ state: ExplorerState, _ canvas: inout Canvas, _ rect: Rect
  ) {
    let lines = SteerLayout.lines(answer, differing, width: rect.columns, state)
    let top = max(0, lines.count - rect.rows - state.steer.scrolledBack)
    for (index, line) in lines.dropFirst(top).prefix(rect.rows).enumerated() {
      canvas.put(line, row: rect.row + index, column: rect.column, clip: rect)
    }
  }
}
