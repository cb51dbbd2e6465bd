// How far one next-token distribution is from another. Owns: the Kullback–Leibler divergence of two rows of logits.
// Refuses: nothing; logits are finite, as the forward pass promises.

import CKernels

/// KL(softmax(p) ‖ softmax(q)) = Σ pᵢ (log pᵢ − log qᵢ) in nats, over `count` logits; exactly 0 for equal rows.
///
/// Exponentials in fp32, sums in fp64: within 1e-6 of the value in fp64, absolutely or relatively.
public func klDivergence(_ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, count: Int) -> Double {
  precondition(count > 0, "a distribution over nothing")
  return max(0, ck_kl_divergence(p, q, Int64(count)))
}
