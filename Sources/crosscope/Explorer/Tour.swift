// A tour of the explorer: steps that each name one thing to do, and go on when it was done.
// Owns: the steps and which is next. Refuses: keys; they go where they always go, so that the tour is the real thing.

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
    Step(text: "The table sorts by any column. Sort by the next one.", action: .sortNext),
    Step(
      text: "A filter keeps what matters: type tag:refusal, then Enter. x clears it later.", action: .filter),
    Step(text: "Tags and notes are saved in the store, u undoes them. See the tags of this latent.", action: .tag),
    Step(
      text: "Steering shows what a latent does: the chat model answers without and with it. Steer with this one.",
      action: .steer),
    Step(
      text: "Type a prompt and Enter runs it; Esc leaves the prompt. Every screen lists its keys: open help.",
      action: .help),
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
  /// Goes on to the next step where this one's deed is done and nothing lies over the screen any more.
  mutating func advanceTour() {
    guard tour?.isDone == true, overlay == nil, !latents.isTypingFilter else { return }
    tour?.goOn()
    if tour?.step == nil {
      tour = nil
      tell("that was the tour; : and tour shows it again", .good)
    }
  }

  /// The step, at the foot of the body, where lists have least to say.
  func drawTour(_ canvas: inout Canvas) {
    guard let tour, let step = tour.step else { return }
    let keys = bindings.first { $0.action == step.action }?.keys.first?.label ?? "F1"
    let width = min(64, body.columns - 6)
    let lines = flowLines([FlowToken(step.text)], width: width)
    let area = body.split(bottom: lines.count + 3).bottom
    let inside = canvas.window(
      "Tour, step \(tour.index + 1) of \(Tour.steps.count)", size: Size(columns: width, rows: lines.count + 1), in: area
    )
    for (index, line) in lines.enumerated() where index < inside.rows - 1 {
      canvas.put(line, row: inside.row + index, column: inside.column, clip: inside)
    }
    let last = inside.line(inside.rows - 1)
    let end = canvas.put(keys, row: last.row, column: last.column, style: Style(.key, .bold), clip: last)
    canvas.put("  goes on · Esc leaves the tour", row: last.row, column: end, style: .muted, clip: last)
  }
}
