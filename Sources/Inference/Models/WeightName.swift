// The names of a model's weights and their spelling in the two file formats, one line for each weight. Sources:
// tensor_mapping.py of the gguf package, the modeling files of Hugging Face transformers.

/// A weight of a decoder block.
enum BlockWeight: Hashable, Sendable {
  case attentionNorm, postAttentionNorm, mlpNorm, postMLPNorm, queryNorm, keyNorm
  case matrix(Projection)
  case bias(Projection)
}

/// A weight of a model.
enum WeightName: Hashable, Sendable {
  case embedding
  case block(Int, BlockWeight)
  case finalNorm
  /// The unembedding, which is missing if the embedding serves for it.
  case unembedding
  /// Divisors of frequencies, in GGUF files of models with scaled rotary positions.
  case ropeDivisors

  /// The name in a GGUF file.
  var gguf: String {
    switch self {
    case .embedding: "token_embd.weight"
    case .finalNorm: "output_norm.weight"
    case .unembedding: "output.weight"
    case .ropeDivisors: "rope_freqs.weight"
    case .block(let layer, let part):
      switch part {
      case .attentionNorm: "blk.\(layer).attn_norm.weight"
      case .postAttentionNorm: "blk.\(layer).post_attention_norm.weight"
      case .mlpNorm: "blk.\(layer).ffn_norm.weight"
      case .postMLPNorm: "blk.\(layer).post_ffw_norm.weight"
      case .queryNorm: "blk.\(layer).attn_q_norm.weight"
      case .keyNorm: "blk.\(layer).attn_k_norm.weight"
      case .matrix(let projection): "blk.\(layer).\(projection.gguf).weight"
      case .bias(let projection): "blk.\(layer).\(projection.gguf).bias"
      }
    }
  }

  /// The name in a Hugging Face folder, without the prefix of the module that holds the decoder; nil if such folders
  /// have no such tensor.
  /// - Parameter postNorms: whether blocks norm what they add; the norm before the MLP then has another name.
  func huggingFace(postNorms: Bool) -> String? {
    switch self {
    case .embedding: "embed_tokens.weight"
    case .finalNorm: "norm.weight"
    case .unembedding: "lm_head.weight"
    case .ropeDivisors: nil
    case .block(let layer, let part):
      switch part {
      case .attentionNorm: "layers.\(layer).input_layernorm.weight"
      case .postAttentionNorm: "layers.\(layer).post_attention_layernorm.weight"
      case .mlpNorm:
        "layers.\(layer).\(postNorms ? "pre_feedforward_layernorm" : "post_attention_layernorm").weight"
      case .postMLPNorm: "layers.\(layer).post_feedforward_layernorm.weight"
      case .queryNorm: "layers.\(layer).self_attn.q_norm.weight"
      case .keyNorm: "layers.\(layer).self_attn.k_norm.weight"
      case .matrix(let projection): "layers.\(layer).\(projection.parent).\(projection.rawValue).weight"
      case .bias(let projection): "layers.\(layer).\(projection.parent).\(projection.rawValue).bias"
      }
    }
  }
}

extension Projection {
  /// The name in a GGUF file.
  fileprivate var gguf: String {
    switch self {
    case .q: "attn_q"
    case .k: "attn_k"
    case .v: "attn_v"
    case .o: "attn_output"
    case .gate: "ffn_gate"
    case .up: "ffn_up"
    case .down: "ffn_down"
    }
  }
}
