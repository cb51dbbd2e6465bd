// The files beside a tokenizer.json add tokens to it in transformers' order. First come added_tokens_decoder of
// tokenizer_config.json or, if that is missing, special_tokens_map.json, added_tokens.json and the tokens of
// tokenizer.json again; then tokens with a meaning; then additional ones. If a token comes twice, the later settings
// count. Source: _from_pretrained and __init__ of transformers' tokenization_utils_base.py and
// tokenization_utils_tokenizers.py.

import Foundation

/// The files of a folder that describe its tokenizer.
struct TokenizerFolder {
  private static let names = ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"]

  /// The names under which these files list tokens with a meaning, in the library's order.
  static let namedTokens = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  let path: String
  /// Added tokens with settings of their own; nil if tokenizer_config.json does not list them.
  private var decoder: [AddedToken]?
  /// The tokens of added_tokens.json, by text.
  private var oldest: [String: JSONValue] = [:]
  /// The tokens with a meaning, by the name of the meaning: first the library's own names, then those with settings, then others.
  private var known: [String: AddedToken] = [:]
  private var detailed: [(name: String, token: AddedToken)] = []
  private var others: [(name: String, token: AddedToken)] = []
  private var extra: [AddedToken] = []
  /// The texts that turn a token of added_tokens.json into a marker: tokens under the library's own names, and
  /// additional ones, if tokenizer_config.json gives them as texts.
  private var markers: Set<[UInt8]> = []

  /// The beginning of a sequence, if the files name one; null names none.
  var beginning: [UInt8]? { known["bos_token"]?.bytes }
  /// The end of a sequence, if the files name one.
  var end: [UInt8]? { known["eos_token"]?.bytes }

  private var named: [AddedToken] {
    Self.namedTokens.compactMap { known[$0] } + (detailed + others).map(\.token)
  }

  /// Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json, if they exist.
  init(path: String) throws(InferenceError) {
    self.path = path
    let configPath = path + "/tokenizer_config.json"
    let config = try FormatTable.tokenizerConfig.read(
      try Self.optional(path, "tokenizer_config.json"), path: configPath)
    var (additional, extra) = (config["additional_special_tokens"], config["extra_special_tokens"])
    if additional != .null, Self.isEmpty(extra) { (additional, extra) = (.null, additional) }
    try readNamed(config, isFirst: true)
    if case .object(let tokens) = config["model_specific_special_tokens"] {
      try add(tokens, config, at: "model_specific_special_tokens")
    }
    if case .object(let tokens) = extra {
      try add(tokens, config, at: "extra_special_tokens")
      extra = .null
    }
    var (file, additionalFile) = (config, config)
    if case .object(let tokens) = config["added_tokens_decoder"] {
      decoder = try tokens.map { id, token throws(InferenceError) in
        var token = try TokenizerFile.addedToken(
          token, path: configPath, place: "added_tokens_decoder.\(InferenceError.excerpt(id))")
        token.id = Int32(id) ?? -1
        return token
      }
    } else {
      let map = try FormatTable.specialTokensMap.read(
        try Self.optional(path, "special_tokens_map.json"), path: path + "/special_tokens_map.json")
      try readNamed(map, isFirst: false)
      if map["additional_special_tokens"] != .null {
        (additional, additionalFile) = (map["additional_special_tokens"], map)
      }
      switch map["extra_special_tokens"] {
      case .object(let tokens): try add(tokens, map, at: "extra_special_tokens")
      case .array(let tokens): (extra, file) = (.array((extra.array ?? []) + tokens), map)
      default: break
      }
      if case .object(let tokens) = try Self.optional(path, "added_tokens.json") { oldest = tokens }
    }
    // Without a list under the newer name, the older one counts.
    if extra == .null { (extra, file) = (additional, additionalFile) }
    switch extra {
    case .null: break
    case .array(let tokens):
      for value in tokens {
        guard let token = try Self.token(value, file, "additional_special_tokens") else { continue }
        self.extra.append(token)
        if value.string != nil { markers.insert(token.bytes) }
      }
    default:
      throw .fileMalformed(
        path: file.path, place: "additional_special_tokens", expected: "a list of tokens", found: extra.summary)
    }
  }

  /// Reads a file of the folder that may be missing.
  static func optional(_ folder: String, _ name: String) throws(InferenceError) -> JSONValue {
    let path = folder + "/" + name
    return FileManager.default.fileExists(atPath: path) ? try JSONValue(path: path) : .null
  }

  private static func isEmpty(_ value: JSONValue) -> Bool {
    value == .null || value == .array([]) || value == .object([:])
  }

  /// Takes the fields whose names end in `_token`; those of a later file replace those of an earlier one.
  /// - Parameter isFirst: whether a plain text under a name of the file's own comes after tokens with settings.
  private mutating func readNamed(_ file: FieldReader, isFirst: Bool) throws(InferenceError) {
    for name in try file.names(at: nil) where name.hasSuffix("_token") {
      guard let value = file.member(name) else { continue }
      if Self.namedTokens.contains(name) {
        known[name] = try Self.token(value, file, name)
        if let token = known[name], value.string != nil || !isFirst { markers.insert(token.bytes) }
      } else if value.string != nil || value["content"] != .null, let token = try Self.token(value, file, name) {
        if isFirst, value.string != nil { Self.set(&others, name, token) } else { Self.set(&detailed, name, token) }
      }
    }
  }

  private mutating func add(
    _ tokens: [String: JSONValue], _ file: FieldReader, at field: String
  ) throws(InferenceError) {
    for name in try file.names(at: field) {
      if let value = tokens[name], let token = try Self.token(value, file, name) { Self.set(&others, name, token) }
    }
  }

  private static func set(_ list: inout [(name: String, token: AddedToken)], _ name: String, _ token: AddedToken) {
    if let index = list.firstIndex(where: { $0.name == name }) {
      list[index].token = token
    } else {
      list.append((name, token))
    }
  }

  /// A token given as a text or with settings; nil for null. In special_tokens_map.json all are markers.
  private static func token(
    _ value: JSONValue, _ file: FieldReader, _ name: String
  ) throws(InferenceError) -> AddedToken? {
    switch value {
    case .null: return nil
    case .string(let text): return AddedToken(id: -1, bytes: Array(text.utf8), isControl: true)
    case .object(var members):
      if file.path.hasSuffix("/special_tokens_map.json") { members["special"] = .bool(true) }
      return try TokenizerFile.addedToken(.object(members), path: file.path, place: name)
    default:
      throw .fileMalformed(path: file.path, place: name, expected: "a token's text", found: value.summary)
    }
  }

  /// Adds the folder's tokens to those of tokenizer.json. If there are no other files, nothing changes.
  func add(to file: inout TokenizerFile) {
    guard Self.names.contains(where: { FileManager.default.fileExists(atPath: path + "/" + $0) }) else { return }
    var tokens: [Int32: AddedToken] = [:]
    if let decoder {
      for token in decoder { tokens[token.id] = token }
    } else {
      for (text, id) in oldest {
        let isMarker = markers.contains(Array(text.utf8))
        let id = id.integer.flatMap(Int32.init(exactly:)) ?? -1
        tokens[id] = AddedToken(id: id, bytes: Array(text.utf8), isControl: isMarker, isNormalized: !isMarker)
      }
      for token in file.listed { tokens[token.id] = token }
    }
    let listed = tokens.sorted { $0.key < $1.key }.map(\.value)
    let present = Set((file.added.tokens + listed).map(\.bytes))
    let names = Set(named.map(\.bytes))
    var others: [AddedToken] = []
    for token in named + extra where !present.contains(token.bytes) && !others.contains(token) { others.append(token) }
    for var token in listed + others {
      token.isControl = token.isControl || names.contains(token.bytes)
      file.added.add(token)
    }
  }
}
