// The factor n_j that turns a raw code f_j into the scaled activation f_j·n_j, and the optional input normaliser.
// Refuses: DECOUPLED (one norm, top-k and threshold per model), by name. Source: the authors' dictionary.py.

import Kernels

/// How a latent's decoder norms scale its code.
public enum CodeNormalization: Sendable, Equatable {
  /// n_j = ‖d_j^base‖ + ‖d_j^chat‖; the usual one.
  case crosscoder
  /// n_j = ‖[d_j^base; d_j^chat]‖.
  case sae
  /// n_j = α_sae·SAE + α_cc·CROSSCODER; published with 1.0 and 0.1.
  case mixed(sae: Double, crosscoder: Double)
  /// n_j = 1.
  case none

  /// The published id; 5, DECOUPLED, has no case here.
  public var id: Int {
    switch self {
    case .crosscoder: 1
    case .sae: 2
    case .mixed: 3
    case .none: 4
    }
  }

  /// The published name.
  public var name: String {
    switch self {
    case .crosscoder: "CROSSCODER"
    case .sae: "SAE"
    case .mixed: "MIXED"
    case .none: "NONE"
    }
  }

  /// n_j from the norms of latent j's two decoder directions.
  public func norm(base: Double, chat: Double) -> Double {
    let sae = (base * base + chat * chat).squareRoot()
    switch self {
    case .crosscoder: return base + chat
    case .sae: return sae
    case .mixed(let alphaSAE, let alphaCrosscoder): return alphaSAE * sae + alphaCrosscoder * (base + chat)
    case .none: return 1
    }
  }
}

/// x ← (x − mean)·s before encoding, x̂ ← x̂/(s + 1e-8) + mean after decoding.
///
/// s = target_rms / √(Σ std² + 1e-8) over both models' dimensions together; the successor library has one s a model.
public struct InputNormaliser: Sendable, Equatable {
  /// The mean of each dimension, `[2·d]`, base first.
  public let mean: [Float]
  /// The standard deviation of each dimension, `[2·d]`; kept for the file, the arithmetic uses `scales`.
  public let std: [Float]
  /// The root mean square that the normalised input is to have.
  public let targetRMS: Float
  /// s: one for both models, or one each.
  public let scales: [Float]

  /// A normaliser with stored scales, or with the one that the formula gives.
  public init(mean: [Float], std: [Float], targetRMS: Float, scales: [Float]? = nil) {
    precondition(mean.count == std.count && mean.count.isMultiple(of: 2), "mean and std of other lengths")
    self.mean = mean
    self.std = std
    self.targetRMS = targetRMS
    let variance = std.reduce(0.0) { $0 + Double($1) * Double($1) }
    self.scales = scales ?? [Float(Double(targetRMS) / (variance + 1e-8).squareRoot())]
    precondition(self.scales.count == 1 || self.scales.count == 2, "one scale, or one a model")
  }

  /// s of one model.
  public func scale(_ model: PairModel) -> Double { Double(scales[min(model.index, scales.count - 1)]) }

  /// (x − mean)·s of one token `[2·d]`, in fp64; `result` may be fp32 or fp64.
  func apply<Result: BinaryFloatingPoint>(_ x: UnsafePointer<Float>, into result: UnsafeMutablePointer<Result>) {
    let dModel = mean.count / 2
    mean.withUnsafeBufferPointer { mean in
      for model in PairModel.allCases {
        let scale = scale(model)
        for index in model.index * dModel..<(model.index + 1) * dModel {
          result[index] = Result((Double(x[index]) - Double(mean[index])) * scale)
        }
      }
    }
  }

  /// x̂/(s + 1e-8) + mean of one token `[2·d]`, in place.
  func restore(_ x: UnsafeMutablePointer<Double>) {
    let dModel = mean.count / 2
    mean.withUnsafeBufferPointer { mean in
      for model in PairModel.allCases {
        let inverse = 1 / (scale(model) + 1e-8)
        for index in model.index * dModel..<(model.index + 1) * dModel {
          x[index] = x[index] * inverse + Double(mean[index])
        }
      }
    }
  }
}

/// How a crosscoder's inputs must be scaled, where the numbers are not part of the checkpoint.
public enum InputScaling: String, Sendable, Equatable, Codable {
  /// Each model's residual streams divided by their mean norm, times √d (the earlier open replication).
  case meanNorm = "mean-norm-sqrt-d"
}

extension Crosscoder {
  /// The crosscoder with the input scales √d ÷ mean norm of each model as its normaliser; itself if it needs none.
  /// - Parameter meanNorms: mean ‖h^m‖ over tokens, base and chat, in the residual streams' own units.
  /// - Throws: `DiffingError.settingInvalid` unless both are positive.
  public func scalingInputs(meanNorms: [Double]) throws(DiffingError) -> Crosscoder {
    guard card.inputScaling == .meanNorm else { return self }
    guard meanNorms.count == 2, meanNorms.allSatisfy({ $0 > 0 && $0.isFinite }) else {
      throw .settingInvalid(
        name: "mean norms", expected: "two positive numbers, base and chat",
        found: meanNorms.map { "\($0)" }.joined(separator: ","))
    }
    let root = Double(dModel).squareRoot()
    return Crosscoder(
      encoder: encoder, encoderBias: encoderBias, decoder: decoder, decoderBias: decoderBias,
      codeNormalization: codeNormalization, k: k, threshold: threshold,
      normaliser: InputNormaliser(
        mean: [Float](repeating: 0, count: 2 * dModel), std: [Float](repeating: 0, count: 2 * dModel), targetRMS: 1,
        scales: meanNorms.map { Float(root / $0) }), card: card)
  }
}

extension PairedActivations {
  /// Mean norm of each model's residual stream over all tokens, base and chat; 0 without tokens.
  public var meanNorms: [Double] {
    values.withUnsafeBufferPointer { values in
      PairModel.allCases.map { model in
        guard tokens > 0, let start = values.baseAddress else { return 0 }
        return (0..<tokens).reduce(0) {
          $0 + squareSum(start + (2 * $1 + model.index) * dModel, count: dModel).squareRoot()
        } / Double(tokens)
      }
    }
  }
}
