// The tensors of an SAE of SAELens as weights of one row a latent, with what is constant folded in.

import Inference
import Kernels

extension SAELensSettings {
  /// Reads the weights.
  func weights(
    _ folder: DictionaryFolder, F: Int, d: Int, directionsOnly: Bool = false
  ) throws(DiffingError) -> SoleWeights {
    let reader = folder.reader
    let bias = architecture == .gated ? "b_gate" : "b_enc"
    var weights = SoleWeights(
      d: d, F: F, encoder: directionsOnly ? [] : try reader.rows("W_enc", F: F, d: d, isTransposed: true),
      bias: try reader.floats(bias, [F]), decoder: try reader.floats("W_dec", [F, d]),
      decoderBias: try reader.floats("b_dec", [d]))
    switch architecture {
    case .standard: if isTanh { weights.activation = .tanhRelu }
    case .jumpReLU:
      weights.thresholds = try reader.floats("threshold", [F])
      if isTanh { weights.activation = .tanhRelu }
    case .gated:
      weights.activation = .gated(
        logScales: try reader.floats("r_mag", [F]), biases: try reader.floats("b_mag", [F]))
    case .topK: weights.selection = .largest(k ?? F, scaled: false)
    case .batchTopK:
      let threshold = try reader.floats("topk_threshold", [])[0]
      weights.thresholds = [Float](repeating: max(0, threshold), count: F)
    }
    (weights.k, weights.tokenStep, weights.readsElsewhere) = (k, tokenStep, readsElsewhere)
    if subtractsBias { weights.subtractDecoderBias() }
    if rescales { weights.moveToEncoder(weights.decoderNorms) }
    if let decoderFactors { weights.scaleDecoder(by: try reader.floats(decoderFactors, [F])) }
    if inputScale != 1 { weights.scaleInput(by: inputScale) }
    if skips { weights.skip = Matrix(rows: d, columns: d, values: try reader.floats("W_skip", [d, d])) }
    return weights
  }
}
