// Swift names for CKernels/differences.c: what the logits of two models at one position say of each other. Logits are finite,
// which the forward pass guarantees.

import CKernels

/// The divergences of two rows of logits, in nats.
public struct LogitComparison: Sendable, Equatable {
  /// KL(base ‖ chat) and KL(chat ‖ base).
  public let baseFromChat: Double
  public let chatFromBase: Double
  /// log Σ exp of each row; a token's log-probability is its logit less this.
  public let baseLogTotal: Double
  public let chatLogTotal: Double

  /// Compares `count` logits of each model. Equal rows have divergences of exactly 0.
  public init(base: UnsafePointer<Float>, chat: UnsafePointer<Float>, count: Int) {
    precondition(count > 0, "a distribution over nothing")
    var found = ck_logit_comparison()
    ck_compare_logits(base, chat, Int64(count), &found)
    baseFromChat = max(0, found.base_from_chat)
    chatFromBase = max(0, found.chat_from_base)
    (baseLogTotal, chatLogTotal) = (found.base_log_total, found.chat_log_total)
  }
}

/// The number of units that make 1 in sums that are kept as whole numbers.
public let unitsOfSum = Double(ck_units)

/// Adds `count` terms to sums in units of 1 / `unitsOfSum`, each rounded to a whole unit; terms beyond 1,900 count as that.
public func addInUnits(_ terms: UnsafePointer<Float>, count: Int, to sums: UnsafeMutablePointer<Int64>) {
  ck_add_units(terms, Int64(count), sums)
}

/// counts[i] += 1 where terms[i] is positive.
public func countPositive(_ terms: UnsafePointer<Float>, count: Int, in counts: UnsafeMutablePointer<Int32>) {
  ck_count_positive(terms, Int64(count), counts)
}

/// out = a − b over `count` values.
public func subtract(
  _ b: UnsafePointer<Float>, from a: UnsafePointer<Float>, count: Int, into out: UnsafeMutablePointer<Float>
) {
  ck_subtract(a, b, Int64(count), out)
}

/// What each token adds to KL(chat ‖ base): p (log p − log q) with p of chat and q of base, for rows that have been compared.
public func divergenceParts(
  base: UnsafePointer<Float>, chat: UnsafePointer<Float>, count: Int, _ comparison: LogitComparison,
  into out: UnsafeMutablePointer<Float>
) {
  ck_divergence_parts(
    base, chat, Int64(count), Float(comparison.baseLogTotal), Float(comparison.chatLogTotal), out)
}

/// The places and values of the `most` largest of `count` values, the largest first; equal values in the order of places.
public func largestValues(
  _ values: UnsafePointer<Float>, count: Int, most: Int
) -> [(place: Int32, value: Float)] {
  let most = min(most, count)
  guard most > 0 else { return [] }
  var places = [Int32](repeating: -1, count: most)
  var found = [Float](repeating: 0, count: most)
  ck_largest(values, Int64(count), Int32(most), &places, &found)
  return zip(places, found).map { (place: $0, value: $1) }
    .sorted { $0.value == $1.value ? $0.place < $1.place : $0.value > $1.value }
}
