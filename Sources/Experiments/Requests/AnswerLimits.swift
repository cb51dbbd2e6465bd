// What one request may ask of a service at most.

import Inference

/// Limits of answers; the operator sets the number of tokens.
package struct AnswerLimits: Sendable {
  /// Answers to one request at most: each has keys and values of the whole prompt.
  package static let mostSamples = 16
  /// Answers decoded together at most: as many as a sweep of the explorer with the most samples has.
  package static let mostStreams = 128
  /// Latents whose activations are told at most.
  package static let mostTraced = 64
  /// Tokens of one answer at most. It also holds where a request names no number.
  package var maxTokens = 1024

  package init(maxTokens: Int = 1024) { self.maxTokens = maxTokens }

  /// The tokens that an answer may have.
  /// - Parameters:
  ///   - isOpenEnded: whether the request leaves the number open.
  ///   - field: the request's field that names the number.
  /// - Throws: `JSONFieldError` for a request that names more tokens than the service gives.
  package func length(
    _ wanted: Int, isOpenEnded: Bool, field: String = "max_tokens"
  ) throws(JSONFieldError) -> Int {
    guard isOpenEnded || wanted <= maxTokens else {
      throw .invalid(field, "this service gives at most \(maxTokens)")
    }
    return min(wanted, maxTokens)
  }
}
