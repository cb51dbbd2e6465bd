// The next token's distribution, which follows the knob. At most one preview is computed at a time; changes meanwhile are asked
// for when it has arrived, so that a key that is held never makes a queue and the latest strength always comes last.

import Diffing
import Experiments
import Storage
import TUI

/// The last preview and its result.
struct SteerPreview: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// The distribution is being computed.
    case computing
    /// The distribution has arrived; the answer's first tokens follow.
    case shown
    case failed(String)
  }

  /// The last requested preview; nil before the first one.
  var request: SteeringRequest?
  var phase = Phase.shown
  /// Numbers the previews, so that late events of a former one are dropped.
  var number = 0
  /// The latest distribution and its request; it stays while the next one is computed.
  var tokens: NextTokens?
  var answers: SteeringRequest?
  /// The first tokens of the steered answer.
  var text = ""
}

extension SteerState {
  /// The request of a preview now; nil if there is nothing to preview or the prompt is being typed.
  private var previewable: SteeringRequest? {
    guard case .ready = model, !prompt.text.trimmed.isEmpty, focus != .prompt else { return nil }
    let request = request.withoutSampling
    // A running run will show the same, so no preview is needed.
    if let run, run.isGoingOn, run.request.withoutSampling == request { return nil }
    return request
  }

  /// Asks for a preview if the present settings are not those of the last request.
  static func followKnob(_ state: inout ExplorerState) -> [Effect] {
    guard state.ending == nil, let request = state.steer.previewable,
      request != state.steer.preview.request, state.steer.preview.phase != .computing
    else { return [] }
    state.steer.preview.request = request
    state.steer.preview.phase = .computing
    state.steer.preview.number += 1
    return [.start(.preview(request), number: state.steer.preview.number)]
  }

  /// Takes an event of the preview with this number.
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

  /// Takes the reason why the preview with this number ended early.
  mutating func previewFailed(_ reason: String, number: Int) {
    guard number == preview.number else { return }
    preview.phase = .failed(reason)
    (preview.tokens, preview.answers, preview.text) = (nil, nil, "")
  }

  /// Allows a failed preview to be asked for again.
  mutating func retryPreview() {
    if case .failed = preview.phase { preview.request = nil }
  }
}
