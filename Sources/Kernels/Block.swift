// The element-wise pieces of a decoder block, over raw rows: names and shapes for the kernels in CKernels.

import CKernels
import Foundation

/// RMSNorm of `count` rows of width `d`: out = x / √(mean x² + ε) · weight. `out` may be `x`.
public func rmsNorm(
  _ x: UnsafePointer<Float>, count: Int, d: Int, weight: UnsafePointer<Float>, epsilon: Float,
  into out: UnsafeMutablePointer<Float>
) {
  for row in 0..<count { ck_rms_norm(x + row * d, weight, epsilon, Int32(d), out + row * d) }
}

/// gate ← silu(gate) · up, `count` values, spread over the pool when there are many.
public func siluMultiply(_ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, count: Int) {
  guard count > 1 << 15 else { return ck_silu_multiply(gate, up, Int32(count)) }
  Compute.parallel { thread, threads in
    let share = Compute.share(of: count, thread: thread, threads: threads, step: 16)
    ck_silu_multiply(gate + share.lowerBound, up + share.lowerBound, Int32(share.count))
  }
}

/// x ← softmax(x), `count` values.
public func softmax(_ x: UnsafeMutablePointer<Float>, count: Int) {
  guard count > 0 else { return }
  ck_softmax(x, Int32(count))
}

/// Σ a·b over `count` values.
public func dot(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, count: Int) -> Float {
  ck_dot(a, b, Int32(count))
}

/// y ← y + scale·x over `count` values.
public func addScaled(_ scale: Float, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int) {
  ck_axpy(scale, x, y, Int32(count))
}

/// How many of `count` values are infinite or not a number.
public func countNonFinite(_ x: UnsafePointer<Float>, count: Int) -> Int {
  Int(ck_count_non_finite(x, Int64(count)))
}

/// Rotary position embedding in the half-split pairing: dimension i turns with i + half.
public struct RotaryTable: Sendable {
  private let inverseFrequencies: [Double]
  private var cosines: [Float] = []
  private var sines: [Float] = []
  private var positions = 0

  /// - Parameter inverseFrequencies: radians a position for each of the `half` pairs of a head.
  public init(inverseFrequencies: [Double]) { self.inverseFrequencies = inverseFrequencies }

  /// The usual table: θ^(−2i/headDimension).
  public init(theta: Double, headDimension: Int) {
    self.init(
      inverseFrequencies: (0..<headDimension / 2).map { pow(theta, -2 * Double($0) / Double(headDimension)) })
  }

  /// Makes the table reach `count` positions.
  public mutating func reach(_ count: Int) {
    guard count > positions else { return }
    for position in positions..<count {
      for frequency in inverseFrequencies {
        let angle = Double(position) * frequency
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
    }
    positions = count
  }

  /// Rotates `heads` adjacent heads of one token in place. The table must reach `position`.
  public func rotate(_ x: UnsafeMutablePointer<Float>, heads: Int, position: Int) {
    let half = inverseFrequencies.count
    precondition(position < positions, "rotary table reaches \(positions), asked for \(position)")
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        guard let c = cosines.baseAddress, let s = sines.baseAddress else { return }
        for head in 0..<heads {
          ck_rope_half(x + head * 2 * half, c + position * half, s + position * half, Int32(half))
        }
      }
    }
  }
}

/// Causal attention of one query head: out = softmax(scale · q·Kᵀ) V.
/// - Parameters:
///   - keys, values: `length` rows with stride `stride`, `d` values each.
///   - scores: scratch for `length` values.
public func attend(
  query: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, length: Int,
  d: Int, scale: Float, scores: UnsafeMutablePointer<Float>, into out: UnsafeMutablePointer<Float>
) {
  ck_attend(query, keys, values, Int32(stride), Int32(length), Int32(d), scale, scores, out)
}
