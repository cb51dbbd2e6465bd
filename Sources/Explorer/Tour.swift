// A tour of the explorer. Each step names one thing to do and ends when it was done. Keys keep their usual meanings, so the
// tour uses the real explorer.

import Inference
import Kernels
import Storage
import TUI

/// The present step of the tour.
struct Tour: Sendable, Equatable {
  private(set) var index = 0
  /// Whether the step's action was done. The step ends when what the action opened is closed.
  private(set) var isDone = false

  /// A step: a text, and the action that ends it.
  struct Step: Sendable {
    let text: String
    let action: Action
    /// Whether the work that the action began has ended.
    var isOver: @Sendable (ExplorerState) -> Bool = { _ in true }
    /// The text of the step if its action cannot come to its end.
    var obstacle: @Sendable (ExplorerState) -> String? = { _ in nil }
    /// Work between this step and the next one.
    var after: @Sendable (inout ExplorerState) -> [Effect] = { _ in [] }
  }

  static let steps = [
    Step(
      text: "Here are the crosscoder's latents; those that chat fine-tuning added come first. Open the first one.",
      action: .open),
    Step(
      text:
        "The page shows what the latent promotes and the texts it fires on most. Its number is its name. Go back to the table.",
      action: .quit),
    Step(
      text: "The table sorts by any column, and a click on a column's head does it too. Sort by the next one; the tour "
        + "then goes on by Δ norm, with latents on top that are far stronger in chat than in base.", action: .sortNext,
      after: { $0.sortForTour() }),
    Step(
      text: "A filter keeps what matters: type not dead, then Enter. x clears it later.", action: .filter,
      isOver: { !$0.latents.isTypingFilter }),
    Step(text: "Tags and notes are saved in the store; u undoes them. See the tags of this latent.", action: .tag),
    Step(
      text: "Steering shows what a latent does: the chat model answers without and with it. Steer with this one.",
      action: .steer),
    Step(
      text: "Type a prompt, such as: How do I bake a cake? Enter answers it, at the left without the latent, at the "
        + "right with it. Each screen lists its keys under ? and F1.", action: .run,
      // The step ends with the answer, not with the key.
      isOver: { $0.steer.run?.document != nil },
      obstacle: { state in
        guard case .failed = state.steer.model else { return nil }
        return "There is no model here to answer with: --model names its file. Esc leaves the tour."
      }),
  ]

  var step: Step? { Self.steps.indices.contains(index) ? Self.steps[index] : nil }

  /// Records an action; going back counts as quitting.
  mutating func performed(_ action: Action) {
    if step?.action == (action == .back ? .quit : action) { isDone = true }
  }

  mutating func goOn() {
    index += 1
    isDone = false
  }
}

extension ExplorerState {
  /// Starts the tour at the table, where its first step is.
  mutating func startTour() -> [Effect] {
    tour = Tour()
    return showLatents()
  }

  /// Goes on to the next step when this one is done and no overlay is open any more.
  mutating func advanceTour() -> [Effect] {
    guard let step = tour?.step, tour?.isDone == true, overlay == nil, step.isOver(self) else { return [] }
    tour?.goOn()
    if tour?.step == nil {
      tour = nil
      tell("that was the tour; ? lists keys, : and tour shows it again", .good)
      return []
    }
    return step.after(&self)
  }

  /// Sorts so that the first latent is worth steering with: by Δ norm, or by the largest activation if the store has no
  /// norms, as for a dictionary of one model.
  fileprivate mutating func sortForTour() -> [Effect] {
    let hasNorms = latents.ids?.contains { latents.rows[$0]?.latent.deltaNorm != nil } ?? true
    let sort: LatentSort = hasNorms ? .column(.deltaNorm) : .maxActivation
    guard latents.query.sort != sort || latents.query.reversed else { return [] }
    latents.query.sort = sort
    latents.query.reversed = false
    return LatentsState.restart(&self)
  }

  /// How many rows the tour takes from the body. It is the same for all steps, so that nothing moves; on low terminals it
  /// is one.
  var tourRows: Int {
    guard tour?.step != nil else { return 0 }
    guard size.rows >= 20 else { return 1 }
    return 1 + (Tour.steps.map { flowLines([FlowToken($0.text)], width: size.columns - 2).count }.max() ?? 1)
  }

  /// Draws the step, between body and status line.
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
    let text = step.obstacle(self) ?? step.text
    let lines = flowLines([FlowToken(text, style: Style(.plain, on: .panel))], width: area.columns - 2)
    guard area.rows > 1 else {
      let rest = truncated("  " + text, to: area.columns - column - 1)
      canvas.put(rest, row: head.row, column: column, style: Style(.plain, on: .panel), clip: head)
      return
    }
    for (index, line) in lines.enumerated() where index + 1 < area.rows {
      canvas.put(line, row: area.row + 1 + index, column: 1, clip: area)
    }
  }
}
