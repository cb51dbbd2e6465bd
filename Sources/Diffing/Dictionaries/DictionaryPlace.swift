// Where in a model a dictionary reads and writes, by the names that publishers use: TransformerLens's hooks (blocks.5.hook_resid_post)
// and modules of Hugging Face's models (model.layers.5, layers.5.mlp). "Layer L" is the residual stream after block L,
// counted from 0. What is added to an MLP's output is added to the residual stream after its block as well.

import Inference

/// A place in a model.
enum DictionaryPlace: Equatable {
  /// The residual stream after a block; nil before the first one.
  case residual(after: Int?)
  /// The output of a block's MLP, as it is added to the residual stream.
  case mlpOutput(Int)
  /// Any other place.
  case other

  /// The place with that name, and the number of the block in it.
  static func named(_ name: String) -> (place: DictionaryPlace, block: Int?) {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard
      let index = parts.indices.dropLast().last(where: { ["blocks", "layers", "h"].contains(parts[$0]) }),
      let block = Int(parts[index + 1]), block >= 0
    else { return (.other, nil) }
    let rest = parts[(index + 2)...].joined(separator: ".")
    switch (parts[index], rest) {
    case ("blocks", "hook_resid_post"): return (.residual(after: block), block)
    case ("blocks", "hook_resid_pre"): return (.residual(after: block > 0 ? block - 1 : nil), block)
    case ("blocks", "hook_mlp_out"): return (.mlpOutput(block), block)
    case ("blocks", _): return (.other, block)
    case (_, ""), (_, "output"): return (.residual(after: block), block)
    case (_, "mlp"), (_, "mlp.output"), (_, "post_feedforward_layernorm.output"), (_, "post_feedforward_layernorm"):
      return (.mlpOutput(block), block)
    default: return (.other, block)
    }
  }
}

/// Where a dictionary stands, by the names in its files.
struct PlacedDictionary {
  /// The block after which its directions can be added to the residual stream.
  var layer: Int?
  /// What a transcoder reads.
  var readsElsewhere: String?
  /// Why the dictionary cannot be browsed or steered with, though activations can be encoded.
  var fault: DiffingError?

  /// A dictionary whose files do not say it.
  init() {}

  /// - Parameters:
  ///   - name: the place that it reads.
  ///   - output: the place that it writes; nil if that is the same.
  ///   - path: the file that says so.
  init(_ name: String, output: String? = nil, path: String) {
    let isTranscoder = output.map { $0 != name } ?? false
    let written = DictionaryPlace.named(output ?? name).place
    if isTranscoder { readsElsewhere = String(name.prefix(80)) }
    switch written {
    case .residual(let block?): layer = block
    case .mlpOutput(let block) where isTranscoder: layer = block
    default:
      fault = .unsupported(
        path: path, what: isTranscoder ? "a transcoder that writes to" : "a dictionary of activations at",
        found: String((output ?? name).prefix(80)),
        supported: isTranscoder
          ? "the output of an MLP or the residual stream: blocks.N.hook_mlp_out"
          : "the residual stream after a block: blocks.N.hook_resid_post")
    }
  }

  /// A card with the layer.
  var card: CrosscoderCard {
    var card = CrosscoderCard()
    card.layer = layer
    return card
  }
}

extension OpenedDictionary {
  /// Records where the dictionary stands.
  mutating func setPlace(_ place: PlacedDictionary) { (card.layer, fault) = (place.layer, place.fault) }
}
