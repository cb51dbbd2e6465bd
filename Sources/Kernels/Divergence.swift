// What rows of logits say as distributions: the log-probability of a token, and the Kullback–Leibler divergence of two
// rows. Logits are finite, which the forward pass guarantees.

import CKernels
import Glibc

/// KL(softmax(p) ‖ softmax(q)) = Σ pᵢ (log pᵢ − log qᵢ) in nats, over `count` logits; exactly 0 for equal rows.
///
/// Exponentials are fp32, sums are fp64. The result is within 1e-6 of the value in fp64, absolutely or relatively.
public func klDivergence(_ p: UnsafePointer<Float>, _ q: UnsafePointer<Float>, count: Int) -> Double {
  precondition(count > 0, "a distribution over nothing")
  return max(0, ck_kl_divergence(p, q, Int64(count)))
}

/// log softmax(x)ᵢ = xᵢ − log Σ exp x in nats, over `count` logits.
///
/// Exponentials and their sum are fp32. The result is within 1e-5 of the value in fp64.
public func logSoftmax(_ x: UnsafePointer<Float>, count: Int, at index: Int) -> Double {
  precondition((0..<count).contains(index), "logit \(index) of \(count)")
  return withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { buffer in
    guard let probabilities = buffer.baseAddress else { return 0 }
    probabilities.update(from: x, count: count)
    softmax(probabilities, count: count)
    // Σ exp(x − xₘ) = 1/pₘ for any m whose probability is not lost to rounding, and that of the largest logit never is.
    var largest = 0
    for i in 0..<count where x[i] > x[largest] { largest = i }
    return Double(x[index]) - Double(x[largest]) + log(Double(probabilities[largest]))
  }
}
