// The element-wise parts of a decoder block over raw rows: Swift names and shapes for the kernels in CKernels.

import CKernels
import Foundation

/// RMSNorm of `count` rows of width `d`: out = x / √(mean x² + ε) · weight. `out` may be `x`.
public func rmsNorm(
  _ x: UnsafePointer<Float>, count: Int, d: Int, weight: UnsafePointer<Float>, epsilon: Float,
  into out: UnsafeMutablePointer<Float>
) {
  for row in 0..<count { ck_rms_norm(x + row * d, weight, epsilon, Int32(d), out + row * d) }
}

/// The activation function of a gated MLP.
public enum Activation: Sendable, Equatable {
  /// x · sigmoid(x).
  case silu
  /// GELU by its tanh approximation: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))).
  case geluTanh
}

/// gate ← activation(gate) · up, `count` values, spread over the pool when there are many.
public func activateMultiply(
  _ activation: Activation, _ gate: UnsafeMutablePointer<Float>, _ up: UnsafePointer<Float>, count: Int
) {
  func run(_ share: Range<Int>) {
    switch activation {
    case .silu: ck_silu_multiply(gate + share.lowerBound, up + share.lowerBound, Int32(share.count))
    case .geluTanh: ck_gelu_multiply(gate + share.lowerBound, up + share.lowerBound, Int32(share.count))
    }
  }
  guard count > 1 << 15 else { return run(0..<count) }
  Compute.parallel { run(Compute.share(of: count, thread: $0, threads: $1, step: 16)) }
}

/// x ← cap · tanh(x / cap), `count` values, spread over the pool when there are many; `cap` is positive.
public func softCap(_ x: UnsafeMutablePointer<Float>, cap: Float, count: Int) {
  precondition(cap > 0, "a cap is positive")
  guard count > 1 << 15 else { return ck_soft_cap(x, cap, Int32(count)) }
  Compute.parallel {
    let share = Compute.share(of: count, thread: $0, threads: $1, step: 16)
    ck_soft_cap(x + share.lowerBound, cap, Int32(share.count))
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

/// x ← factor·x over `count` values.
public func scale(_ x: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
  ck_scale(factor, x, Int64(count))
}

/// Returns how many of `count` values are infinite or NaN.
public func countNonFinite(_ x: UnsafePointer<Float>, count: Int) -> Int {
  Int(ck_count_non_finite(x, Int64(count)))
}

/// Rotary position embedding in the half-split layout: dimension i is rotated together with dimension i + half.
public struct RotaryTable: Sendable {
  private let inverseFrequencies: [Double]
  private var cosines: [Float] = []
  private var sines: [Float] = []
  private var positions = 0..<0

  /// - Parameter inverseFrequencies: radians per position for each of the `half` pairs of a head.
  public init(inverseFrequencies: [Double]) { self.inverseFrequencies = inverseFrequencies }

  /// Makes the usual table: the frequency of pair i is θ^(−2i/headDimension).
  public init(theta: Double, headDimension: Int) {
    self.init(
      inverseFrequencies: (0..<headDimension / 2).map { pow(theta, -2 * Double($0) / Double(headDimension)) })
  }

  /// Fills the table for a range of positions, which replace the positions it had.
  public mutating func cover(_ range: Range<Int>) {
    cosines.removeAll(keepingCapacity: true)
    sines.removeAll(keepingCapacity: true)
    for position in range {
      for frequency in inverseFrequencies {
        let angle = Double(position) * frequency
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
    }
    positions = range
  }

  /// Rotates `heads` adjacent heads of one token in place. The table must cover `position`.
  public func rotate(_ x: UnsafeMutablePointer<Float>, heads: Int, position: Int) {
    let half = inverseFrequencies.count
    precondition(positions.contains(position), "rotary table covers \(positions), asked for \(position)")
    let start = (position - positions.lowerBound) * half
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        guard let c = cosines.baseAddress, let s = sines.baseAddress else { return }
        for head in 0..<heads {
          ck_rope_half(x + head * 2 * half, c + start, s + start, Int32(half))
        }
      }
    }
  }
}

/// Converts `count` bf16 values to fp32; the source need not be aligned.
public func widenBFloat16(_ source: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>, count: Int) {
  ck_widen(CK_BF16, source, out, Int64(count))
}

/// Converts `count` fp16 values to fp32; the source need not be aligned.
public func widenFloat16(_ source: UnsafeRawPointer, into out: UnsafeMutablePointer<Float>, count: Int) {
  ck_widen(CK_F16, source, out, Int64(count))
}
