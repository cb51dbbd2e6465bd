// The content of adapter_config.json: which modules an adapter changes, with which rank and scale, by PEFT's rules for
// names, patterns and blocks. An error names what cannot be honoured: fields that `FormatTable.adapter` refuses,
// initial values that change the base's weights, patterns that are not regular expressions here. Sources:
// check_target_module_exists and get_pattern_key of PEFT, lora/config.py and lora/layer.py.

import Foundation

/// The configuration of an adapter.
struct AdapterConfiguration {
  /// The modules that PEFT changes if the file names none.
  private static let usualTargets: Set = ["q_proj", "v_proj"]
  /// Initial values that leave the base's weights alone; with `otherInits` the untrained change is not 0.
  private static let zeroInits: Set = ["true", "gaussian", "eva", "mica", "lora_ga"]
  private static let otherInits: Set = ["false", "orthogonal"]

  let path: String
  let hasBiases: Bool
  /// Whether each row of a changed matrix has a length of its own (DoRA).
  let hasMagnitudes: Bool
  /// Whether PEFT would fill a module that has no tensors with a random change.
  let startsAtRandom: Bool
  private let targets: Modules
  private let excluded: Modules
  private let layers: Set<Int>?
  private let layersPatterns: [NSRegularExpression]
  private let rank: Int
  private let alpha: Double
  private let divisorIsRoot: Bool
  private let ranks: [(NSRegularExpression, Int)]
  private let alphas: [(NSRegularExpression, Double)]

  /// A choice of modules.
  private enum Modules {
    case all
    case names(Set<String>)
    case pattern(NSRegularExpression)

    func contain(_ module: String) -> Bool {
      switch self {
      case .all: true
      case .names(let names): names.contains { module == $0 || module.hasSuffix("." + $0) }
      case .pattern(let pattern): pattern.matches(module)
      }
    }
  }

  init(file: MappedFile) throws(InferenceError) {
    let members = try JSONValue.object(file: file)
    try FormatTable.adapter.check(members, path: file.path)
    path = file.path
    let fields = ModelKeys(path: path, source: .json(members, defaults: ["r": 8, "lora_alpha": 8]), table: .adapter)
    let method = try fields.text("peft_type")
    guard method == "LORA" else {
      throw .unsupported(
        path: path, what: "peft_type", found: InferenceError.excerpt(method ?? "null"), supported: "LORA")
    }
    rank = try fields.neededInt(gguf: "", json: "r", in: 1...1024)
    alpha = try fields.neededNumber(gguf: "", json: "lora_alpha", in: -1e6...1e6)
    divisorIsRoot = try fields.isOn("use_rslora")
    hasBiases = try fields.isOn("lora_bias")
    hasMagnitudes = try fields.isOn("use_dora")
    guard !hasBiases || !hasMagnitudes else {
      throw .unsupported(
        path: path, what: "lora_bias beside", found: "use_dora", supported: "one of them, as PEFT does")
    }
    let bias = try fields.text("bias") ?? "none"
    guard ["none", "all", "lora_only"].contains(bias) else {
      throw .unsupported(
        path: path, what: "bias", found: InferenceError.excerpt(bias), supported: "none, all or lora_only")
    }
    let start = try Self.start(fields)
    startsAtRandom = Self.otherInits.contains(start)
    ranks = try Self.patterns(fields, "rank_pattern", file) {
      $0.integer.flatMap { (1...1024).contains($0) ? $0 : nil }
    }
    alphas = try Self.patterns(fields, "alpha_pattern", file) { if case .number(let value) = $0 { value } else { nil } }
    let named = try Self.modules(fields, "target_modules")
    targets = named ?? .names(Self.usualTargets)
    excluded = try Self.modules(fields, "exclude_modules") ?? .names([])
    layers = try Self.layers(fields)
    layersPatterns = try Self.layersPatterns(fields)
    if case .pattern = targets, fields.json("layers_to_transform") ?? fields.json("layers_pattern") != nil {
      throw .unsupported(
        path: path, what: "layers_to_transform beside", found: "a pattern in target_modules", supported: "one of them")
    }
    guard layersPatterns.isEmpty || fields.json("layers_to_transform") != nil else {
      throw .keyMissing(path: path, key: "layers_to_transform")
    }
  }

  /// Whether the module at a path in the base changes.
  func changes(_ module: String) -> Bool {
    guard !excluded.contain(module), targets.contain(module) else { return false }
    guard case .names(let names) = targets, !names.contains(module), let layers, !layers.isEmpty else { return true }
    let usual = [Self.usualLayers]
    return (layersPatterns.isEmpty ? usual : layersPatterns).lazy.compactMap { $0.number(in: module) }.first
      .map(layers.contains) ?? false
  }

  /// The rank of a module's change and its factor. The first pattern that matches decides.
  func shape(_ module: String) -> (rank: Int, scale: Float) {
    let rank = ranks.first { $0.0.matches(module) }?.1 ?? self.rank
    let alpha = alphas.first { $0.0.matches(module) }?.1 ?? self.alpha
    return (rank, Float(alpha / (divisorIsRoot ? Double(rank).squareRoot() : Double(rank))))
  }
}

extension AdapterConfiguration {
  /// The path before a block's number, if no pattern describes it.
  private static var usualLayers: NSRegularExpression {
    guard let expression = try? NSRegularExpression(pattern: #"\A.*?\.[^.]*\.(\d+)\."#) else {
      preconditionFailure("it is a regular expression")
    }
    return expression
  }

  private static func start(_ fields: ModelKeys) throws(InferenceError) -> String {
    let start: String
    switch fields.json("init_lora_weights") {
    case nil: start = "true"
    case .bool(let value)?: start = "\(value)"
    case .string(let text)?: start = text.lowercased() == "gaussian" ? "gaussian" : text
    case let other?: start = other.kind
    }
    guard zeroInits.contains(start) || otherInits.contains(start) else {
      throw .unsupported(
        path: fields.path, what: "init_lora_weights", found: InferenceError.excerpt(start),
        supported: "an adapter on the base's own weights (PEFT converts one to it: save_pretrained with "
          + "path_initial_model_for_weight_conversion)")
    }
    return start
  }

  /// Reads a list of names, a pattern or `all-linear`; nil if the field is null.
  private static func modules(_ fields: ModelKeys, _ key: String) throws(InferenceError) -> Modules? {
    switch fields.json(key) {
    case nil: return nil
    case .string(let text)?:
      return key == "target_modules" && text.lowercased() == "all-linear"
        ? .all : .pattern(try expression(text, anchored: #"\A(?:\#(text))\z"#, fields, key))
    case .array(let names)?:
      let texts = names.compactMap(\.string)
      if texts.count == names.count { return .names(Set(texts)) }
      throw fields.outside(key, expected: "names of modules", found: "other values")
    case let other?: throw fields.outside(key, expected: "names of modules or a pattern", found: other.kind)
    }
  }

  private static func layers(_ fields: ModelKeys) throws(InferenceError) -> Set<Int>? {
    let key = "layers_to_transform"
    guard let value = fields.json(key) else { return nil }
    if let block = value.integer { return [block] }
    let blocks = value.array?.compactMap(\.integer)
    guard let blocks, blocks.count == value.array?.count else {
      throw fields.outside(key, expected: "a block or a list of them", found: value.kind)
    }
    return Set(blocks)
  }

  private static func layersPatterns(_ fields: ModelKeys) throws(InferenceError) -> [NSRegularExpression] {
    let key = "layers_pattern"
    let texts: [String]
    switch fields.json(key) {
    case nil, .string("")?: texts = []
    case .string(let text)?: texts = [text]
    case .array(let list)?: texts = list.compactMap(\.string)
    case let other?: throw fields.outside(key, expected: "a text or a list of them", found: other.kind)
    }
    return try texts.map { text throws(InferenceError) in
      try expression(text, anchored: #"\A(?:|.*?\.)\#(text)\.(\d+)\."#, fields, key)
    }
  }

  /// Reads an object's patterns and their values, in the order of the file.
  private static func patterns<Value>(
    _ fields: ModelKeys, _ key: String, _ file: MappedFile, _ value: (JSONValue) -> Value?
  ) throws(InferenceError) -> [(NSRegularExpression, Value)] {
    guard let object = fields.json(key) else { return [] }
    guard case .object(let members) = object else {
      throw fields.outside(key, expected: "an object", found: object.kind)
    }
    return try keys(of: key, in: file).map { text throws(InferenceError) in
      let member = members[text] ?? .null
      guard let value = value(member) else {
        throw fields.outside("\(key).\(InferenceError.excerpt(text))", expected: "a number", found: member.kind)
      }
      return (try expression(text, anchored: #"\A(?:.*\.)?(?:\#(text))\z"#, fields, key), value)
    }
  }

  /// The keys of an object in the document, in their order.
  private static func keys(of name: String, in file: MappedFile) throws(InferenceError) -> [String] {
    var (keys, text, inner): ([String], [UInt8], [UInt8]) = ([], [], [])
    var reader = JSONReader(file.bytes, path: file.path)
    try reader.object(&text) { (reader, text) throws(InferenceError) in
      guard String(decoding: text, as: UTF8.self) == name else { return _ = try JSONValue(&reader) }
      try reader.object(&inner) { (reader, inner) throws(InferenceError) in
        keys.append(String(decoding: inner, as: UTF8.self))
        _ = try JSONValue(&reader)
      }
    }
    return keys
  }

  private static func expression(
    _ text: String, anchored: String, _ fields: ModelKeys, _ key: String
  ) throws(InferenceError) -> NSRegularExpression {
    // Python writes a named group in another way.
    let ours = anchored.replacing("(?P<", with: "(?<")
    guard text.utf8.count <= 4096, let expression = try? NSRegularExpression(pattern: ours) else {
      throw .unsupported(
        path: fields.path, what: "\(key) with the pattern", found: InferenceError.excerpt(text),
        supported: "names of modules, or a regular expression")
    }
    return expression
  }
}

extension NSRegularExpression {
  fileprivate func matches(_ text: String) -> Bool {
    firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
  }

  /// The number that the pattern's first group finds.
  fileprivate func number(in text: String) -> Int? {
    guard let match = firstMatch(in: text, range: NSRange(text.startIndex..., in: text)),
      let range = Range(match.range(at: match.numberOfRanges - 1), in: text)
    else { return nil }
    return Int(text[range])
  }
}
