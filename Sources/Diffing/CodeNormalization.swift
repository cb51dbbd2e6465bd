// The factor n_j that turns a raw code f_j into the scaled activation f_j·n_j, and the optional input normaliser.
// DECOUPLED scales, selects and thresholds a code separately for each model. Source: the authors' dictionary.py.

import Inference
import Kernels

/// How a latent's decoder norms scale its code.
public enum CodeNormalization: Sendable, Equatable, Codable {
  /// n_j = ‖d_j^base‖ + ‖d_j^chat‖; the usual one.
  case crosscoder
  /// n_j = ‖[d_j^base; d_j^chat]‖.
  case sae
  /// n_j = α_sae·SAE + α_cc·CROSSCODER; published with 1.0 and 0.1.
  case mixed(sae: Double, crosscoder: Double)
  /// n_j = 1.
  case none
  /// n_j^m = ‖d_j^m‖. Each model has its own norm, top-k and threshold, so a latent may be on in one model alone.
  case decoupled

  /// The number by which published files name it.
  public var id: Int {
    switch self {
    case .crosscoder: 1
    case .sae: 2
    case .mixed: 3
    case .none: 4
    case .decoupled: 5
    }
  }

  /// The name that published files use.
  public var name: String {
    switch self {
    case .crosscoder: "CROSSCODER"
    case .sae: "SAE"
    case .mixed: "MIXED"
    case .none: "NONE"
    case .decoupled: "DECOUPLED"
    }
  }

  /// n_j from the norms of latent j's two decoder directions. For DECOUPLED it is their sum, which scales a latent that
  /// is on in both models.
  public func norm(base: Double, chat: Double) -> Double {
    let sae = (base * base + chat * chat).squareRoot()
    switch self {
    case .crosscoder, .decoupled: return base + chat
    case .sae: return sae
    case .mixed(let alphaSAE, let alphaCrosscoder): return alphaSAE * sae + alphaCrosscoder * (base + chat)
    case .none: return 1
    }
  }
}

/// The norms of every latent's decoder directions, ready to scale codes. Shape letters: F latents.
struct CodeScale: Sendable {
  /// n_j `[F]`.
  let norms: [Double]
  /// ‖d_j^base‖ and ‖d_j^chat‖ `[F]`, for codes that are on in only one model.
  let modelNorms: [[Double]]

  /// The scaled activation of one entry: f·n, or for DECOUPLED codes f·‖d^m‖ summed over the models in which it is on.
  func scaled(_ codes: SparseCodes, entry: Int) -> Float {
    let latent = Int(codes.latents[entry])
    let norm =
      switch codes.selections?[entry] {
      case .some(.base): modelNorms[0][latent]
      case .some(.chat): modelNorms[1][latent]
      default: norms[latent]
      }
    return Float(Double(codes.values[entry]) * norm)
  }
}

/// x ← (x − mean)·s before encoding, x̂ ← x̂/(s + 1e-8) + mean after decoding.
///
/// s = target_rms / √(Σ std² + 1e-8) over both models' dimensions together; the successor library has one for each.
public struct InputNormaliser: Sendable, Equatable {
  /// The mean of each dimension, `[2·d]`, base first; `[d]` for a dictionary of one model.
  public let mean: [Float]
  /// The standard deviation of each dimension, `[2·d]`. It is kept for the file only; the arithmetic uses `scales`.
  public let std: [Float]
  /// The root mean square that normalised input has.
  public let targetRMS: Float
  /// s: one value for all models or places, or one for each.
  public let scales: [Float]
  /// What is added to s before it divides: 1e-8 in the authors' library, 0 in OpenMOSS's.
  public let epsilon: Double
  /// Whether x ← (x − mean)·s is done twice before encoding, as the authors' library does with DECOUPLED codes; what
  /// follows decoding is done once.
  public let isAppliedTwice: Bool

  /// A normaliser with stored scales, or with the scale that the formula gives.
  public init(
    mean: [Float], std: [Float], targetRMS: Float, scales: [Float]? = nil, epsilon: Double = 1e-8,
    isAppliedTwice: Bool = false
  ) {
    precondition(mean.count == std.count, "mean and std have different lengths")
    self.mean = mean
    self.std = std
    self.targetRMS = targetRMS
    (self.epsilon, self.isAppliedTwice) = (epsilon, isAppliedTwice)
    let variance = std.reduce(0.0) { $0 + Double($1) * Double($1) }
    self.scales = scales ?? [Float(Double(targetRMS) / (variance + 1e-8).squareRoot())]
    precondition(
      !self.scales.isEmpty && mean.count.isMultiple(of: self.scales.count),
      "there must be one scale, or one for each model")
  }

  /// The scale s of one model.
  public func scale(_ model: PairModel) -> Double { Double(scales[min(model.index, scales.count - 1)]) }

  /// Computes (x − mean)·s of one token, once, in fp64; `result` may be fp32 or fp64.
  func apply<Result: BinaryFloatingPoint>(_ x: UnsafePointer<Float>, into result: UnsafeMutablePointer<Result>) {
    mean.withUnsafeBufferPointer { mean in
      for part in scales.indices {
        let scale = Double(scales[part])
        for index in indices(of: part) { result[index] = Result((Double(x[index]) - Double(mean[index])) * scale) }
      }
    }
  }

  /// Computes what the encoder reads of one token, in place: (x − mean)·s, twice if the library does it twice.
  func apply(_ row: UnsafeMutablePointer<Double>) {
    mean.withUnsafeBufferPointer { mean in
      for _ in 0..<(isAppliedTwice ? 2 : 1) {
        for part in scales.indices {
          let scale = Double(scales[part])
          for index in indices(of: part) { row[index] = (row[index] - Double(mean[index])) * scale }
        }
      }
    }
  }

  /// Computes x̂/(s + ε) + mean of one token in place.
  func restore(_ x: UnsafeMutablePointer<Double>) {
    mean.withUnsafeBufferPointer { mean in
      for part in scales.indices {
        let inverse = 1 / (Double(scales[part]) + epsilon)
        for index in indices(of: part) { x[index] = x[index] * inverse + Double(mean[index]) }
      }
    }
  }

  /// The dimensions that share one scale.
  private func indices(of part: Int) -> Range<Int> {
    let width = mean.count / scales.count
    return part * width..<(part + 1) * width
  }

  /// Moves the normaliser's arithmetic into weights: W·s, b − W·s·mean, d/(s + ε), b_dec/(s + ε) + mean. Done twice,
  /// ((x − m)·s − m)·s is (x − m − m/s)·s².
  ///
  /// Codes stay the same up to rounding. The result is 1/(s + ε) for each scale s; the caller multiplies thresholds
  /// on scaled codes by it.
  /// - Precondition: the rows of encoder and decoder are as wide as `mean`.
  func fold(
    encoder: inout Matrix, encoderBias: inout [Float], decoder: inout Matrix, decoderBias: inout [Float]
  ) -> [Double] {
    precondition(encoder.columns == mean.count && decoder.columns == mean.count)
    let (width, part) = (mean.count, mean.count / scales.count)
    let scales = scales.map(Double.init)
    let inverses = scales.map { 1 / ($0 + epsilon) }
    let factors = isAppliedTwice ? scales.map { $0 * $0 } : scales
    encoder.values.withUnsafeMutableBufferPointer { weights in
      mean.withUnsafeBufferPointer { mean in
        guard let row = weights.baseAddress, let mean = mean.baseAddress else { return }
        for latent in encoderBias.indices {
          let row = row + latent * width
          for (place, scale) in scales.enumerated() {
            let once = scale * dotInDouble(row + place * part, mean + place * part, count: part)
            let shift = isAppliedTwice ? once * (scale + 1) : once
            encoderBias[latent] = Float(Double(encoderBias[latent]) - shift)
          }
          for index in 0..<width { row[index] = Float(Double(row[index]) * factors[index / part]) }
        }
      }
    }
    for index in decoder.values.indices {
      decoder.values[index] = Float(Double(decoder.values[index]) * inverses[index % width / part])
    }
    for index in 0..<width {
      decoderBias[index] = Float(Double(decoderBias[index]) * inverses[index / part] + Double(mean[index]))
    }
    return inverses
  }
}

/// How a crosscoder's inputs must be scaled if the checkpoint does not hold the numbers.
public enum InputScaling: String, Sendable, Equatable, Codable {
  /// Each model's residual streams are divided by their mean norm and multiplied by √d (the earlier open replication).
  case meanNorm = "mean-norm-sqrt-d"
}

extension Crosscoder {
  /// The same crosscoder with a normaliser that scales each model's input by √d ÷ mean norm, if it needs one.
  /// - Parameter meanNorms: the means of ‖h^m‖ over tokens, base and chat, in the residual streams' own units.
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
  /// The mean norm of each model's residual stream over all tokens, base and chat; 0 if there are no tokens.
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
