// The reading of a text as a value: its tokens and its progress.

import Diffing
import Experiments
import Storage
import TUI

/// The last reading and its result.
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
  /// Every token that `tokens` mention.
  var names: [Int32: TokenRecord] = [:]
  /// The tokens' texts, see `tokenTexts`.
  var texts: [String] = []

  /// Whether the reading includes a growing answer.
  var isAnswer: Bool { request.answerTokens > 0 }

  var isUnderWay: Bool {
    switch phase {
    case .loading, .running: true
    case .finished, .cancelled, .failed: false
    }
  }

  /// The tokens that begin a word, or follow the end of a line.
  var wordStarts: [Int] {
    texts.indices.filter { index in
      texts[index].first?.isWhitespace ?? false || index == 0 || texts[index - 1].last?.isNewline ?? false
    }
  }
}
