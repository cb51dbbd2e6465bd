// Reads which positions a layer sees and how they rotate: rotary bases, their scaling, windows. config.json has two
// spellings: `rope_theta` with `rope_scaling`, and `rope_parameters`, which since transformers 5 may hold one object
// for each kind of layer. Their precedence is that of modeling_rope_utils.py in transformers. Scalings without a
// formula here, rotation of a part of a head, and windows without a size are errors.

extension ModelKeys {
  private var isEmpty: Bool { if case .json(let members, _) = source { members.isEmpty } else { false } }

  /// The object with its members replaced by those of another one.
  private func overridden(by other: ModelKeys) -> ModelKeys {
    guard case .json(let own, let defaults) = source, case .json(let others, _) = other.source else { return self }
    return ModelKeys(path: path, source: .json(own.merging(others) { $1 }, defaults: defaults), table: table)
  }

  private static let widths = 1...1 << 24
  private static let thetas = 1e-3...1e15
  private static let factors = 1e-6...1e6

  /// The rotary embedding of all layers.
  func rope(_ headDimension: Int) throws(InferenceError) -> Rotary {
    if case .gguf(let file, let architecture) = source {
      return try ggufRope(file, architecture, headDimension)
    }
    let older = try nested("rope_scaling", .rotary)
    let parameters = try older?.isEmpty == false ? older : nested("rope_parameters", .rotary)
    for kind in ["full_attention", "sliding_attention"] where parameters?.json(kind) != nil {
      throw .unsupported(
        path: path, what: "rope_parameters with", found: kind, supported: "rotary parameters for all layers alike")
    }
    // A value beside the object takes precedence over the one inside it.
    let trained = try int(json: "original_max_position_embeddings", in: Self.widths)
    return try rope(parameters, theta: "rope_theta", absent: 10_000, trained: trained)
  }

  /// The rotary embeddings of layers that see everything and of those with a window, if the two differ.
  func globalAndLocalRope(_ headDimension: Int) throws(InferenceError) -> (global: Rotary, local: Rotary) {
    if case .gguf(let file, let architecture) = source {
      let local = try number(gguf: "rope.freq_base_swa", in: Self.thetas) ?? 10_000
      return (try ggufRope(file, architecture, headDimension), Rotary(theta: local))
    }
    let both = try nested("rope_parameters", .rotary)
    if let both, !both.isEmpty, both.json("full_attention") == nil, both.json("sliding_attention") == nil {
      throw outside("rope_parameters", expected: "full_attention and sliding_attention", found: "one for all layers")
    }
    var global = try both?.nested("full_attention", .rotary)
    if let older = try nested("rope_scaling", .rotary) { global = global?.overridden(by: older) ?? older }
    return (
      try rope(global, theta: "rope_theta", absent: 1_000_000),
      try rope(
        try both?.nested("sliding_attention", .rotary), theta: "rope_local_base_freq", absent: 10_000)
    )
  }

  /// The rotary embedding that one object describes.
  /// - Parameter trained: the context length of the first training, if it stands beside the object.
  private func rope(
    _ parameters: ModelKeys?, theta key: String, absent: Double, trained: Int? = nil
  ) throws(InferenceError) -> Rotary {
    try parameters?.check()
    let inside = try parameters?.number(json: "rope_theta", in: Self.thetas)
    let beside = try number(json: key, in: Self.thetas)
    var rope = Rotary(theta: inside ?? beside ?? absent)
    guard let parameters else { return rope }
    func needed(_ key: String, _ range: ClosedRange<Double>) throws(InferenceError) -> Double {
      try parameters.neededNumber(gguf: key, json: key, in: range)
    }
    let older = try parameters.text("type") ?? "default"
    switch try parameters.text("rope_type") ?? older {
    case "default": break
    case "linear": rope.scaling = .linear(factor: try needed("factor", Self.factors))
    case "llama3":
      let low = try needed("low_freq_factor", Self.factors)
      let high = try needed("high_freq_factor", Self.factors)
      guard high > low else {
        throw outside("high_freq_factor", expected: "above low_freq_factor, \(low)", found: "\(high)")
      }
      let longest = try neededInt(gguf: "context_length", json: "max_position_embeddings", in: Self.widths)
      let inside = try parameters.int(json: "original_max_position_embeddings", in: Self.widths)
      let context = trained ?? inside ?? longest
      rope.scaling = .llama3(
        factor: try needed("factor", Self.factors), lowFrequency: low, highFrequency: high,
        originalContext: Double(context))
    case let other:
      throw .unsupported(
        path: path, what: "rope_type", found: InferenceError.excerpt(other), supported: "default, linear or llama3")
    }
    return rope
  }

  private func ggufRope(
    _ file: GGUFFile, _ architecture: String, _ headDimension: Int
  ) throws(InferenceError) -> Rotary {
    if let rotated = try int(gguf: "rope.dimension_count", in: 1...1 << 12), rotated != headDimension {
      throw .unsupported(
        path: path, what: "rotary positions over", found: "\(rotated) of \(headDimension) dimensions",
        supported: "all of a head's")
    }
    var rope = Rotary(theta: try number(gguf: "rope.freq_base", in: Self.thetas) ?? 10_000)
    if file.hasTensor(named: WeightName.ropeDivisors.gguf) {
      let divisors = try GGUFWeights(file: file).vector(.ropeDivisors, count: headDimension / 2)
      guard divisors.allSatisfy({ $0 > 0 }) else {
        throw outside(WeightName.ropeDivisors.gguf, expected: "positive numbers", found: "another")
      }
      rope.scaling = .divisors(divisors)
    }
    // A factor without a type is a linear one; early files have another key for it.
    let older = try number(gguf: "rope.scale_linear", in: Self.factors)
    let factor = try number(gguf: "rope.scaling.factor", in: Self.factors) ?? older
    let key = "\(architecture).rope.scaling.type"
    switch file.contains(key) ? try file.string(key) : factor == nil || factor == 1 ? "none" : "linear" {
    case "none": break
    case "linear" where rope.scaling == .none:
      guard let factor else { throw missing(gguf: "rope.scaling.factor", json: "factor") }
      rope.scaling = .linear(factor: factor)
    case let other:
      throw .unsupported(
        path: path, what: "rope scaling", found: InferenceError.excerpt(other), supported: "none or linear scaling")
    }
    return rope
  }
}

extension ModelKeys {
  /// The period of a GGUF file, if it has one; the same key may also hold a list.
  func ggufPattern() throws(InferenceError) -> Int? {
    guard case .gguf(let file, let architecture) = source,
      (try? file.bools("\(architecture).attention.sliding_window_pattern")) == nil
    else { return nil }
    return try int(gguf: "attention.sliding_window_pattern", in: 1...1 << 12)
  }

  /// Gemma's windows: every `pattern`-th layer sees everything, unless the file lists the layers.
  func windows(_ nLayers: Int, pattern: Int) throws(InferenceError) -> [Int?] {
    let local = try listedWindows(nLayers) ?? (0..<nLayers).map { ($0 + 1) % pattern != 0 }
    guard local.contains(true) else { return local.map { _ in nil } }
    let window = try neededInt(gguf: "attention.sliding_window", json: "sliding_window", in: Self.widths)
    return local.map { $0 ? window : nil }
  }

  /// Qwen's windows: there are none unless config.json switches them on, for the layers that it lists or for those from
  /// `max_window_layers` on.
  func windowsOfUpperLayers(_ nLayers: Int) throws(InferenceError) -> [Int?] {
    let none = [Int?](repeating: nil, count: nLayers)
    if isGGUF { return none }
    let listed = try listedWindows(nLayers)
    guard try isOn("use_sliding_window") else {
      if listed?.contains(true) == true {
        throw outside("layer_types", expected: "full_attention without use_sliding_window", found: "sliding_attention")
      }
      return none
    }
    let first = isNull("sliding_window") ? nLayers : try int(json: "max_window_layers", in: 0...1 << 24) ?? 28
    let local = listed ?? (0..<nLayers).map { $0 >= first }
    guard local.contains(true) else { return none }
    let window = try neededInt(gguf: "attention.sliding_window", json: "sliding_window", in: Self.widths)
    return local.map { $0 ? window : nil }
  }

  /// Throws if config.json lists a layer with a window; for families that have none.
  func requireNoWindows(_ nLayers: Int) throws(InferenceError) {
    guard !isGGUF, try listedWindows(nLayers)?.contains(true) == true else { return }
    throw .unsupported(
      path: path, what: "layer_types with", found: "sliding_attention", supported: "full_attention in all layers")
  }

  /// Whether each layer has a window, if the file lists them.
  private func listedWindows(_ nLayers: Int) throws(InferenceError) -> [Bool]? {
    if case .gguf(let file, let architecture) = source {
      let key = "\(architecture).attention.sliding_window_pattern"
      // An integer under this key is a period; an array of booleans is the list itself.
      guard let list = try? file.bools(key) else { return nil }
      guard list.count == nLayers else {
        throw outside(key, expected: "\(nLayers) entries, one a layer", found: "\(list.count)")
      }
      return list
    }
    guard let value = json("layer_types") else { return nil }
    guard case .array(let types) = value, types.count == nLayers else {
      throw outside("layer_types", expected: "a list of \(nLayers), one a layer", found: value.kind)
    }
    var local: [Bool] = []
    for type in types {
      switch type {
      case .string("sliding_attention"): local.append(true)
      case .string("full_attention"): local.append(false)
      default:
        throw .unsupported(
          path: path, what: "layer_types with", found: type.kind, supported: "full_attention or sliding_attention")
      }
    }
    return local
  }
}
