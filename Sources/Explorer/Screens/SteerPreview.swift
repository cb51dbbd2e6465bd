// The next token's distribution, which follows the knob: what is asked for, what has come.
// Owns: when a preview is asked for. At most one is being computed; what changed meanwhile is asked for when it has come,
// so that a key that is held never makes a queue, and the latest strength always comes last.
//

import Diffing
import Experiments
import Storage
import TUI

/// The last preview and what has come of it.
struct SteerPreview: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// The distribution is being computed.
    case computing
    /// It is there; the answer's first tokens follow.
    case shown
    case failed(String)
  }

  /// What was asked for; nil before the first one.
  var request: SteeringRequest?
  var phase = Phase.shown
  /// Numbers the previews, so that late events of a former one are dropped.
  var number = 0
  /// The latest distribution that came, and what it answers; it stays while the next one is computed.
  var tokens: NextTokens?
  var answers: SteeringRequest?
  /// The first tokens of the steered answer.
  var text = ""
}

extension SteerState {
  /// What a preview would show now; nil where there is nothing to preview, or the prompt is being typed.
  private var previewable: SteeringRequest? {
    guard case .ready = model, !prompt.text.trimmed.isEmpty, focus != .prompt else { return nil }
    let request = request.withoutSampling
    // A run that goes on shows the same at once: it comes first.
    if let run, run.isGoingOn, run.request.withoutSampling == request { return nil }
    return request
  }

  /// Asks for a preview where what is to be shown is not what was asked for last.
  static func followKnob(_ state: inout ExplorerState) -> [Effect] {
    guard state.ending == nil, let request = state.steer.previewable,
      request != state.steer.preview.request, state.steer.preview.phase != .computing
    else { return [] }
    state.steer.preview.request = request
    state.steer.preview.phase = .computing
    state.steer.preview.number += 1
    return [.start(.preview(request), number: state.steer.preview.number)]
  }

  /// Takes what the preview of this number tells.
  mutating func take(_ event: PreviewEvent, number: Int) {
    guard number == preview.number else { return }
    switch event {
    case .distribution(let tokens):
      (preview.tokens, preview.answers) = (tokens, preview.request)
      preview.text = ""
      preview.phase = .shown
    case .token(let text): preview.text += text
    }
  }

  /// Takes the reason why the preview of this number ended early.
  mutating func previewFailed(_ reason: String, number: Int) {
    guard number == preview.number else { return }
    preview.phase = .failed(reason)
    (preview.tokens, preview.answers, preview.text) = (nil, nil, "")
  }

  /// Lets a preview that failed be asked for again.
  mutating func retryPreview() {
    if case .failed = preview.phase { preview.request = nil }
  }
}
