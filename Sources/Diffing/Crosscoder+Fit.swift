// Whether a crosscoder can be used with a model: what reads or changes the model's residual stream by the crosscoder's
// directions asks here first.

import Inference

extension Crosscoder {
  /// Checks that the model has the crosscoder's width and the block after which its residual stream is read. The
  /// normaliser must have been folded into the weights.
  /// - Throws: `DiffingError.settingInvalid` for another width, or a layer that the model does not have.
  func checkFit(_ model: Transformer.Configuration, layer: Int) throws(DiffingError) {
    precondition(normaliser == nil, "fold the normaliser first")
    guard dModel == model.dModel, (0..<model.nLayers).contains(layer) else {
      throw .settingInvalid(
        name: "model", expected: "a model of width \(dModel) with a block \(layer)",
        found: "one of width \(model.dModel) with \(model.nLayers) blocks")
    }
  }
}
