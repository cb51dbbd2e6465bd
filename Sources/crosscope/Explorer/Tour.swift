// A tour of the explorer: steps that each name one thing to do, and go on when it was done.
// Owns: the steps, which is next, and the rows they are written in. Refuses: keys; they go where they always go, so that the tour is the real thing.

import Storage
import TUI

/// Where the tour is.
struct Tour: Sendable, Equatable {
  private(set) var index = 0
  /// What the step asks for was done; it ends when what that opened is closed.
  private(set) var isDone = false

  /// A step: what to read, and the action that ends it.
  struct Step: Sendable {
    let text: String
    let action: Action
  }

  static let steps = [
    Step(
      text: "Latents of the crosscoder, those that chat fine-tuning added first. Open the first one.", action: .open),
    Step(
      text: "What the latent promotes, and the texts it fires on most. Its number is its name. Go back to the table.",
      action: .quit),
    Step(
      text: "The table sorts by any column, and a click on a column's head does it too. Sort by the next one; the tour "
        + "then goes on by Δ norm, with latents on top that are far stronger in chat than in base.", action: .sortNext),
    Step(
      text: "A filter keeps what matters: type not dead, then Enter. x clears it later.", action: .filter),
    Step(text: "Tags and notes are saved in the store, u undoes them. See the tags of this latent.", action: .tag),
    Step(
      text: "Steering shows what a latent does: the chat model answers without and with it. Steer with this one.",
      action: .steer),
    Step(
      text: "Type a prompt, such as: How do I bake a cake? Enter answers it, at the left without the latent, at the "
        + "right with it. Each screen lists its keys under ? and F1.", action: .run),
  ]

  var step: Step? { Self.steps.indices.contains(index) ? Self.steps[index] : nil }

  /// Notes an action. Back is as good as quit.
  mutating func performed(_ action: Action) {
    if step?.action == (action == .back ? .quit : action) { isDone = true }
  }

  mutating func goOn() {
    index += 1
    isDone = false
  }
}

extension ExplorerState {
  /// Starts the tour, at the table, where its first step is.
  mutating func startTour() -> [Effect] {
    tour = Tour()
    return showLatents()
  }

  /// Goes on to the next step where this one's deed is done and nothing lies over the screen any more.
  mutating func advanceTour() -> [Effect] {
    guard let step = tour?.step, tour?.isDone == true, overlay == nil, !latents.isTypingFilter else { return [] }
    // The last step ends with the answer, not with the key.
    if step.action == .run {
      guard case .finished = steer.run?.phase else { return [] }
    }
    tour?.goOn()
    if tour?.step == nil {
      tour = nil
      tell("that was the tour; ? lists keys, : and tour shows it again", .good)
      return []
    }
    return step.action == .sortNext ? sortForTour() : []
  }

  /// An order whose first latent is worth steering with. A crosscoder's are those whose direction is longest in chat; where
  /// the store knows no norms, as for a dictionary of one model, those that fire most strongly.
  private mutating func sortForTour() -> [Effect] {
    let hasNorms = latents.ids?.contains { latents.rows[$0]?.latent.deltaNorm != nil } ?? true
    let sort: LatentSort = hasNorms ? .column(.deltaNorm) : .maxActivation
    guard latents.query.sort != sort || latents.query.reversed else { return [] }
    latents.query.sort = sort
    latents.query.reversed = false
    return LatentsState.restart(&self)
  }

  /// What the step says now: without a model there is no answer to wait for.
  private func text(of step: Tour.Step) -> String {
    if step.action == .run, case .failed = steer.model {
      return "There is no model here to answer with: --model names its file. Esc leaves the tour."
    }
    return step.text
  }

  /// Rows of the tour below the body, which has so much less room: it covers nothing. The same for all steps, so that
  /// nothing moves; on low terminals a line.
  var tourRows: Int {
    guard tour?.step != nil else { return 0 }
    guard size.rows >= 20 else { return 1 }
    return 1 + (Tour.steps.map { flowLines([FlowToken($0.text)], width: size.columns - 2).count }.max() ?? 1)
  }

  /// The step, between body and status line.
  func drawTour(_ canvas: inout Canvas) {
    guard let tour, let step = tour.step else { return }
    let area = Rect(row: body.endRow, column: 0, rows: tourRows, columns: size.columns)
    canvas.fill(area, style: Style(.plain, on: .panel))
    let keys = bindings.first { $0.action == step.action }?.keys.first?.label ?? "F1"
    let title = "Tour, step \(tour.index + 1) of \(Tour.steps.count)  "
    let head = area.line(0)
    var column = canvas.put(title, row: head.row, column: 1, style: Style(.title, on: .panel, .bold), clip: head)
    column = canvas.put(keys, row: head.row, column: column, style: Style(.key, on: .panel, .bold), clip: head)
    column = canvas.put(
      "  goes on · Esc leaves the tour", row: head.row, column: column, style: Style(.muted, on: .panel), clip: head)
    let lines = flowLines([FlowToken(text(of: step), style: Style(.plain, on: .panel))], width: area.columns - 2)
    guard area.rows > 1 else {
      let rest = truncated("  " + text(of: step), to: area.columns - column - 1)
      canvas.put(rest, row: head.row, column: column, style: Style(.plain, on: .panel), clip: head)
      return
    }
    for (index, line) in lines.enumerated() where index + 1 < area.rows {
      canvas.put(line, row: area.row + 1 + index, column: 1, clip: area)
    }
  }
}
