// The limits that a service sets to one request.

import Inference

/// The limits of answers; the operator sets the number of tokens.
package struct AnswerLimits: Sendable {
  /// The largest number of answers to one request: each of them has keys and values of the whole prompt.
  package static let mostSamples = 16
  /// The largest number of answers decoded together: the explorer's largest sweep with the most samples has as many.
  package static let mostStreams = 128
  /// The largest number of traced latents.
  package static let mostTraced = 64
  /// The largest number of tokens in one answer, and the default of a request that names none.
  package var maxTokens = 1024

  package init(maxTokens: Int = 1024) { self.maxTokens = maxTokens }

  /// The number of tokens that an answer may have.
  /// - Parameters:
  ///   - isOpenEnded: whether the request leaves the number open.
  ///   - field: the request's field that names the number.
  /// - Throws: `JSONFieldError` if the request names more tokens than the service gives.
  package func length(
    _ wanted: Int, isOpenEnded: Bool, field: String = "max_tokens"
  ) throws(JSONFieldError) -> Int {
    guard isOpenEnded || wanted <= maxTokens else {
      throw .invalid(field, "this service gives at most \(maxTokens)")
    }
    return min(wanted, maxTokens)
  }
}
