// The model families, each in a file of its own beside this one: what it is called, and how its configuration is read.
// Adding one: a file with a `ModelFamily` and its entry in `all`.

/// A family of models that `Transformer` computes.
struct ModelFamily: Sendable {
  /// Its name, for messages.
  let name: String
  /// `general.architecture` of its GGUF files.
  let architecture: String
  /// `model_type` of its config.json.
  let modelTypes: [String]
  /// Whether GGUF interleaves the halves of each head in q and k.
  var interleavesHalvesInGGUF = false
  /// What a norm multiplies by more than its weight says in safetensors; GGUF has it added already.
  var normOffset: Float = 0
  /// Whether layers with a window have rotary positions of their own.
  var hasLocalRope = false
  /// `tie_word_embeddings` where config.json does not say.
  var tiesByDefault = false
  /// Values of config.json that published models leave out because they are the reference's own defaults.
  var defaults: [String: Double] = [:]
  /// transformers' class of its config.json.
  let reference: String
  /// Fields of its config.json that other families do not have, or use otherwise.
  var fields: [FormatTable.Field] = []
  /// Keys of its GGUF files that other families do not have, or use otherwise.
  var metadata: [FormatTable.Field] = []
  /// What differs from the plain decoder that `Configuration.init` describes.
  let configure: @Sendable (ModelKeys, inout Transformer.Configuration) throws(InferenceError) -> Void

  /// All families.
  static let all: [ModelFamily] = [.llama, .gemma2, .gemma3, .qwen2, .qwen3]

  /// The family of a GGUF file.
  static func of(_ file: GGUFFile) throws(InferenceError) -> ModelFamily {
    let architecture = try file.string("general.architecture")
    guard let family = all.first(where: { $0.architecture == architecture }) else {
      throw .unsupported(
        path: file.path, what: "the architecture", found: InferenceError.excerpt(architecture),
        supported: "architecture " + all.map(\.architecture).joined(separator: ", "))
    }
    return family
  }

  /// The family that a config.json names.
  static func of(modelType: String?, path: String) throws(InferenceError) -> ModelFamily {
    guard let modelType else { throw .keyMissing(path: path, key: "model_type") }
    guard let family = all.first(where: { $0.modelTypes.contains(modelType) }) else {
      throw .unsupported(
        path: path, what: "model_type", found: InferenceError.excerpt(modelType),
        supported: "model_type " + all.flatMap(\.modelTypes).joined(separator: ", "))
    }
    return family
  }
}
