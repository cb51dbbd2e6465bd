// A trace as a value: its tokens, and how far it is.

import Diffing
import Experiments
import Storage
import TUI

/// The last trace and what has come of it.
struct PromptRun: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    case loading(String)
    case running
    case finished(seconds: Double)
    case cancelled
    case failed(String)
  }

  var request: TextActivationsJob
  var phase = Phase.loading("")
  var tokens: [TokenActivations] = []
  /// Every token that `tokens` speak of.
  var names: [Int32: TokenRecord] = [:]
  /// The tokens' texts, see `tokenTexts`.
  var texts: [String] = []

  /// Whether it is an answer that grows.
  var isAnswer: Bool { request.answerTokens > 0 }

  var isUnderWay: Bool {
    switch phase {
    case .loading, .running: true
    case .finished, .cancelled, .failed: false
    }
  }

  /// Tokens that begin a word, or follow a line's end.
  var wordStarts: [Int] {
    texts.indices.filter { index in
      texts[index].first?.isWhitespace ?? false || index == 0 || texts[index - 1].last?.isNewline ?? false
    }
  }
}
