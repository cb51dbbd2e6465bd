// Rows that describe a store as a whole: the pair of models that it is about, and the experiments made with it. The
// JSON documents in them belong to those who write them and are not interpreted here.

/// The two models and the crosscoder that a store is about. Paths are relative to the store's folder.
public struct ModelPair: Sendable, Equatable, Codable {
  /// A file that the store belongs with.
  public struct File: Sendable, Equatable, Codable {
    public var path: String
    /// The SHA-256 as 64 hexadecimal digits; nil if it was not computed.
    public var sha256: String?

    public init(path: String, sha256: String?) {
      self.path = path
      self.sha256 = sha256
    }
  }

  /// The names of the two models.
  public var base: String
  public var chat: String
  /// The block, counted from 0, after which the crosscoder reads the residual stream.
  public var layer: Int
  public var dModel: Int
  public var nLatents: Int
  public var vocabSize: Int
  /// The file that chat runs on: base's weights if there is an adapter, else all of chat.
  public var model: File?
  /// The adapter that makes `model` into chat.
  public var adapter: File?
  /// Base's file, if chat is a whole file.
  public var baseModel: File?
  public var crosscoder: File?
  public var tokenizer: File?
  /// A JSON object with seed, configuration and metrics of the training.
  public var card: String

  public init(
    base: String, chat: String, layer: Int, dModel: Int, nLatents: Int, vocabSize: Int,
    model: File? = nil, adapter: File? = nil, baseModel: File? = nil, crosscoder: File? = nil, tokenizer: File? = nil,
    card: String = "{}"
  ) {
    self.base = base
    self.chat = chat
    self.layer = layer
    self.dModel = dModel
    self.nLatents = nLatents
    self.vocabSize = vocabSize
    self.model = model
    self.adapter = adapter
    self.baseModel = baseModel
    self.crosscoder = crosscoder
    self.tokenizer = tokenizer
    self.card = card
  }
}

extension ModelPair {
  static let columnList = """
    base, chat, layer, d_model, n_latents, vocab_size, model_path, model_sha256, adapter_path, adapter_sha256, \
    crosscoder_path, crosscoder_sha256, tokenizer_path, tokenizer_sha256, base_model_path, base_model_sha256, card
    """

  init(_ row: RowReader) throws {
    func file(_ index: Int) throws -> File? {
      guard let path = try row.optionalText(index) else { return nil }
      return File(path: path, sha256: try row.optionalText(index + 1))
    }
    self.init(
      base: try row.text(0), chat: try row.text(1), layer: try row.int(2), dModel: try row.int(3),
      nLatents: try row.int(4), vocabSize: try row.int(5), model: try file(6), adapter: try file(8),
      baseModel: try file(14), crosscoder: try file(10), tokenizer: try file(12), card: try row.text(16))
  }

  /// All files that it names, in the order of their columns, with a description of each.
  public var files: [(what: String, file: File?)] {
    [
      ("model", model), ("adapter", adapter), ("crosscoder", crosscoder), ("tokenizer", tokenizer),
      ("base model", baseModel),
    ]
  }
}

/// A steering run with everything that is needed to repeat it exactly.
public struct ExperimentRecord: Sendable, Equatable, Codable, Identifiable {
  /// The id, which the store gives; 0 before the experiment is saved.
  public var id: Int64
  /// The time of the run, as the caller writes it (ISO 8601).
  public var created: String
  public var prompt: String
  /// The kind of the experiment, for instance "steer" or "sweep".
  public var kind: String
  /// JSON documents: what was edited; the sampling parameters; the answers and the versions of program and models.
  public var interventions: String
  public var parameters: String
  public var outputs: String
  public var versions: String

  public init(
    id: Int64 = 0, created: String, prompt: String, kind: String, interventions: String, parameters: String,
    outputs: String, versions: String
  ) {
    self.id = id
    self.created = created
    self.prompt = prompt
    self.kind = kind
    self.interventions = interventions
    self.parameters = parameters
    self.outputs = outputs
    self.versions = versions
  }
}
