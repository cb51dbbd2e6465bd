// The model families. Each has a file beside this one, which says what it is called and how its configuration is read.
// To add a family, write a file with a `ModelFamily` and list it in `all`.

/// A family of models that `Transformer` computes.
struct ModelFamily: Sendable {
  /// The family's name, for messages.
  let name: String
  /// The value of `general.architecture` in its GGUF files.
  let architecture: String
  /// The values of `model_type` in its config.json.
  let modelTypes: [String]
  /// Whether GGUF interleaves the halves of each head in q and k.
  var interleavesHalvesInGGUF = false
  /// The number that safetensors files leave out of a norm's weight; GGUF has it added already.
  var normOffset: Float = 0
  /// Whether layers with a window have rotary positions of their own.
  var hasLocalRope = false
  /// The value of `tie_word_embeddings` if config.json lacks it.
  var tiesByDefault = false
  /// Values of config.json that published models leave out because they are the reference's defaults.
  var defaults: [String: Double] = [:]
  /// The transformers class of its config.json.
  let reference: String
  /// Fields of its config.json that other families lack or use in another way.
  var fields: [FormatTable.Field] = []
  /// Keys of its GGUF files that other families lack or use in another way.
  var metadata: [FormatTable.Field] = []
  /// Sets what differs from the plain decoder that `Configuration.init` describes.
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
