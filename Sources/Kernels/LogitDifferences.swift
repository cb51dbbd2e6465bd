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

/// sums[i] += chat[i] − base[i] in units of 1 / `unitsOfSum`, and raised[i] += 1 where chat's logit is the larger one.
public func addDifferences(
  base: UnsafePointer<Float>, chat: UnsafePointer<Float>, count: Int, sums: UnsafeMutablePointer<Int64>,
  raised: UnsafeMutablePointer<Int32>
) {
  ck_add_differences(base, chat, Int64(count), sums, raised)
}

/// The `most` tokens with the largest sign · (chat − base) of `count` logits, largest first, with that value; equal values in the
/// order of tokens.
public func mostRaised(
  base: UnsafePointer<Float>, chat: UnsafePointer<Float>, count: Int, sign: Float, most: Int
) -> [(token: Int32, value: Float)] {
  let most = min(most, count)
  guard most > 0 else { return [] }
  var places = [Int32](repeating: -1, count: most)
  var values = [Float](repeating: 0, count: most)
  ck_most_raised(base, chat, Int64(count), sign, Int32(most), &places, &values)
  return zip(places, values).map { (token: $0, value: $1) }
    .sorted { $0.value == $1.value ? $0.token < $1.token : $0.value > $1.value }
}
