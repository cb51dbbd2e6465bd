// The part of a configuration that all families share: a plain decoder, to which a family adds what is its own. Counts
// and widths beyond those of any real model, and heads that do not divide evenly, are errors.

import Kernels

extension Transformer.Configuration {
  /// Reads the configuration of a family's model.
  init(_ keys: ModelKeys, family: ModelFamily) throws(InferenceError) {
    try keys.check()
    nLayers = try keys.neededInt(gguf: "block_count", json: "num_hidden_layers", in: 1...1000)
    dModel = try keys.neededInt(gguf: "embedding_length", json: "hidden_size", in: 1...1 << 17)
    dMLP = try keys.neededInt(gguf: "feed_forward_length", json: "intermediate_size", in: 1...1 << 20)
    nHeads = try keys.neededInt(gguf: "attention.head_count", json: "num_attention_heads", in: 1...1 << 12)
    nKeyValueHeads =
      try keys.int(gguf: "attention.head_count_kv", json: "num_key_value_heads", in: 1...1 << 12) ?? nHeads
    headDimension = try keys.headDimension(dModel: dModel, nHeads: nHeads)
    guard nHeads % nKeyValueHeads == 0 else {
      throw keys.outside(
        keys.name(gguf: "attention.head_count", json: "num_attention_heads"),
        expected: "a multiple of the key–value heads",
        found: "\(nHeads) heads for \(nKeyValueHeads) key–value heads")
    }
    guard nHeads * headDimension <= 1 << 17 else {
      throw keys.outside(
        keys.name(gguf: "attention.head_count", json: "num_attention_heads"),
        expected: "at most 2^17 values in all heads",
        found: "\(nHeads) heads of \(headDimension)")
    }
    vocabSize = try keys.vocabSize()
    contextLength = try keys.neededInt(gguf: "context_length", json: "max_position_embeddings", in: 1...1 << 24)
    normEpsilon = Float(try keys.normEpsilon())
    tiesEmbeddings = try keys.tiesEmbeddings(family)
    if family.hasLocalRope {
      (rope, localRope) = try keys.globalAndLocalRope(headDimension)
    } else {
      rope = try keys.rope(headDimension)
    }
    windows = [Int?](repeating: nil, count: nLayers)
    attentionScale = 1 / Float(headDimension).squareRoot()
    try family.configure(keys, &self)
  }
}

extension ModelKeys {
  fileprivate func headDimension(dModel: Int, nHeads: Int) throws(InferenceError) -> Int {
    let key = name(gguf: "attention.key_length", json: "head_dim")
    let width: Int
    if let given = try int(gguf: "attention.key_length", json: "head_dim", in: 2...1 << 12) {
      width = given
    } else {
      guard dModel % nHeads == 0 else {
        throw outside(
          name(gguf: "embedding_length", json: "hidden_size"), expected: "a multiple of \(nHeads) heads",
          found: "\(dModel)")
      }
      width = dModel / nHeads
    }
    guard width >= 2, width % 2 == 0 else {
      throw outside(key, expected: "even, to rotate pairs", found: "\(width)")
    }
    if let values = try int(gguf: "attention.value_length", in: 1...1 << 12), values != width {
      throw outside(
        name(gguf: "attention.value_length", json: ""), expected: "\(width), as of keys", found: "\(values)")
    }
    return width
  }

  fileprivate func vocabSize() throws(InferenceError) -> Int {
    if case .gguf(let file, _) = source {
      let rows = try file.tensor(named: WeightName.embedding.gguf).rows
      guard rows <= 1 << 24 else { throw outside("token_embd.weight", expected: "at most 2^24 rows", found: "\(rows)") }
      return rows
    }
    return try neededInt(gguf: "vocab_size", json: "vocab_size", in: 1...1 << 24)
  }

  fileprivate func normEpsilon() throws(InferenceError) -> Double {
    if isGGUF {
      return try neededNumber(gguf: "attention.layer_norm_rms_epsilon", json: "rms_norm_eps", in: 0...1)
    }
    return try number(json: "rms_norm_eps", in: 0...1) ?? 1e-6
  }

  fileprivate func tiesEmbeddings(_ family: ModelFamily) throws(InferenceError) -> Bool {
    if case .gguf(let file, _) = source { return !file.hasTensor(named: WeightName.unembedding.gguf) }
    return json("tie_word_embeddings") == nil ? family.tiesByDefault : try isOn("tie_word_embeddings")
  }

  /// The activation that config.json names; nil if it names none, and for GGUF.
  func activation(_ key: String) throws(InferenceError) -> Activation? {
    switch try text(key) {
    case nil: return nil
    case "silu", "swish": return .silu
    case "gelu_pytorch_tanh", "gelu_new": return .geluTanh
    case let other?:
      throw .unsupported(
        path: path, what: key, found: InferenceError.excerpt(other), supported: "silu, gelu_pytorch_tanh or gelu_new")
    }
  }

  /// Which of the given projections have a bias: config.json says so; in GGUF files the first block shows it.
  func biases(attention: Set<Projection>, mlp: Set<Projection> = []) throws(InferenceError) -> Set<Projection> {
    if case .gguf(let file, _) = source {
      return attention.union(mlp).filter { file.hasTensor(named: WeightName.block(0, .bias($0)).gguf) }
    }
    var biased: Set<Projection> = []
    if try isOn("attention_bias") { biased.formUnion(attention) }
    if !mlp.isEmpty, try isOn("mlp_bias") { biased.formUnion(mlp) }
    return biased
  }

  /// A cap on scores or logits, whose key is the same in both formats. In config.json null means that there is no cap.
  func cap(_ key: String, absent: Float?) throws(InferenceError) -> Float? {
    if isNull(key) { return nil }
    return try number(gguf: key, json: key, in: 1e-3...1e6).map(Float.init) ?? absent
  }
}
