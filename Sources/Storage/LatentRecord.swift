// One row of the latent table, and its columns as values. The filter language, sorting, JSON and CSV share their names,
// which are the store's column names. Metrics are computed by the module that measures them.

/// Which of a latent's decoder directions are present, by the relative norm difference Δ (arXiv 2504.02922).
public enum LatentClass: String, Sendable, Codable, CaseIterable {
  case chatOnly = "chat-only"
  case baseOnly = "base-only"
  case shared
  case other
}

/// A numeric column of the latent table; `rawValue` is the column's name.
public enum LatentColumn: String, Sendable, CaseIterable {
  case id
  case decNormBase = "dec_norm_base"
  case decNormChat = "dec_norm_chat"
  case deltaNorm = "delta_norm"
  case cosBaseChat = "cos_base_chat"
  case betaErrorBase = "beta_error_base"
  case betaErrorChat = "beta_error_chat"
  case betaReconstructionBase = "beta_reconstruction_base"
  case betaReconstructionChat = "beta_reconstruction_chat"
  case betaActivationBase = "beta_activation_base"
  case betaActivationChat = "beta_activation_chat"
  case nuError = "nu_error"
  case nuReconstruction = "nu_reconstruction"
  case maxActivation = "max_activation"
  case meanActivation = "mean_activation"
  case frequency
  case frequencyPlain = "frequency_plain"
  case frequencyChat = "frequency_chat"
  case templateShare = "template_share"
  case chatSpecificity = "chat_specificity"
}

/// One latent with its metrics. A metric that was not computed is nil, never 0.
public struct LatentRecord: Sendable, Equatable, Identifiable {
  /// The latent's index in the crosscoder, from 0.
  public var id: Int
  /// The ids that a store can hold.
  public static let possibleIDs = 0...Int(Int32.max)
  /// ‖d_j^base‖ and ‖d_j^chat‖, and the cosine of the two directions.
  public var decNormBase: Double?
  public var decNormChat: Double?
  /// The relative norm difference Δ: 0 is base only, 0.5 shared, 1 chat only.
  public var deltaNorm: Double?
  public var cosBaseChat: Double?
  /// β of Latent Scaling for the error, reconstruction and activation targets in each model.
  public var betaErrorBase: Double?
  public var betaErrorChat: Double?
  public var betaReconstructionBase: Double?
  public var betaReconstructionChat: Double?
  public var betaActivationBase: Double?
  public var betaActivationChat: Double?
  /// ν^ε and ν^r, which are β of base ÷ β of chat; near 0 for concepts that base does not know.
  public var nuError: Double?
  public var nuReconstruction: Double?
  /// The largest activation seen, and the mean over active tokens, in scaled units f_j n_j.
  public var maxActivation: Double?
  public var meanActivation: Double?
  /// The share of tokens at which the latent is active: of all, of plain text, of chat text.
  public var frequency: Double?
  public var frequencyPlain: Double?
  public var frequencyChat: Double?
  /// The share of its active tokens that are chat-template tokens.
  public var templateShare: Double?
  /// Whether the latent was never active on the corpus.
  public var dead: Bool
  public var latentClass: LatentClass
  /// The rank by chat-specificity; 1 is the most chat-specific latent.
  public var chatSpecificity: Int?
  /// Metrics beyond the columns, by name. A metric that a latent lacks is left out.
  public var metrics: [String: Double] = [:]

  /// A latent without metrics; the caller sets those that were computed.
  public init(id: Int, dead: Bool = false, latentClass: LatentClass = .other) {
    self.id = id
    self.dead = dead
    self.latentClass = latentClass
  }

  /// The value of a numeric column; nil if it is missing.
  public subscript(column: LatentColumn) -> Double? {
    switch column {
    case .id: Double(id)
    case .decNormBase: decNormBase
    case .decNormChat: decNormChat
    case .deltaNorm: deltaNorm
    case .cosBaseChat: cosBaseChat
    case .betaErrorBase: betaErrorBase
    case .betaErrorChat: betaErrorChat
    case .betaReconstructionBase: betaReconstructionBase
    case .betaReconstructionChat: betaReconstructionChat
    case .betaActivationBase: betaActivationBase
    case .betaActivationChat: betaActivationChat
    case .nuError: nuError
    case .nuReconstruction: nuReconstruction
    case .maxActivation: maxActivation
    case .meanActivation: meanActivation
    case .frequency: frequency
    case .frequencyPlain: frequencyPlain
    case .frequencyChat: frequencyChat
    case .templateShare: templateShare
    case .chatSpecificity: chatSpecificity.map(Double.init)
    }
  }
}

/// The keys by which the latent table can be ordered. Missing values come last in either direction.
public enum LatentSort: Sendable, Hashable {
  case column(LatentColumn)
  /// The value of a metric beyond the columns, by its name in the store.
  case metric(String)
  /// The class, in the order chat-only, base-only, shared, other.
  case latentClass
  /// The number of tags of a latent.
  case tags
  /// Whether a latent has a note.
  case note

  public static let chatSpecificity = LatentSort.column(.chatSpecificity)
  public static let nuError = LatentSort.column(.nuError)
  public static let nuReconstruction = LatentSort.column(.nuReconstruction)
  public static let deltaNorm = LatentSort.column(.deltaNorm)
  public static let frequency = LatentSort.column(.frequency)
  public static let maxActivation = LatentSort.column(.maxActivation)
  public static let cosBaseChat = LatentSort.column(.cosBaseChat)
  public static let templateShare = LatentSort.column(.templateShare)
  public static let id = LatentSort.column(.id)

  /// The orders of every store that have an index; others are sorted when they are needed.
  public static let indexed: [LatentSort] = [
    .chatSpecificity, .nuError, .nuReconstruction, .deltaNorm, .frequency, .maxActivation, .cosBaseChat,
    .templateShare, .id,
  ]

  /// All orders that every store has; those with an index come first.
  public static let everywhere: [LatentSort] =
    indexed + LatentColumn.allCases.map { .column($0) }.filter { !indexed.contains($0) }
    + [.latentClass, .tags, .note]

  /// The column's or the metric's name, or `class`, `tags`, `note`.
  public var name: String {
    switch self {
    case .column(let column): column.rawValue
    case .metric(let name): name
    case .latentClass: "class"
    case .tags: "tags"
    case .note: "note"
    }
  }

  /// The order of `everywhere` that has this name; nil if there is none.
  public init?(named name: String) {
    guard let sort = Self.everywhere.first(where: { $0.name == name }) else { return nil }
    self = sort
  }

  /// One of `everywhere` by its name, or a metric of a store in whatever case it is written.
  public init?(named name: String, metrics: [String]) {
    if let sort = LatentSort(named: name.replacing("-", with: "_")) {
      self = sort
    } else if let metric = metrics.first(where: { $0 == name })
      ?? metrics.first(where: { $0.lowercased() == name.lowercased() })
    {
      self = .metric(metric)
    } else {
      return nil
    }
  }

  /// Whether latents have a number of their own for it.
  public var isNumber: Bool {
    switch self {
    case .column, .metric: true
    case .latentClass, .tags, .note: false
    }
  }

  /// Whether the interesting end is the low one: most chat-specific, smallest ν, smallest cosine, first id.
  public var ascendsByDefault: Bool {
    switch self {
    case .column(let column): [.chatSpecificity, .nuError, .nuReconstruction, .cosBaseChat, .id].contains(column)
    case .latentClass: true
    case .metric, .tags, .note: false
    }
  }
}

extension LatentRecord {
  /// The number that an order compares; nil if it is missing or does not belong to the latent itself.
  public subscript(sort: LatentSort) -> Double? {
    switch sort {
    case .column(let column): self[column]
    case .metric(let name): metrics[name]
    case .latentClass, .tags, .note: nil
    }
  }
}

extension LatentRecord {
  /// The columns of `LatentRecord`, in the order in which `init(_:)` reads and `StoreWriter` writes them.
  static let columnNames = [
    "id", "dec_norm_base", "dec_norm_chat", "delta_norm", "cos_base_chat", "beta_error_base", "beta_error_chat",
    "beta_reconstruction_base", "beta_reconstruction_chat", "beta_activation_base", "beta_activation_chat",
    "nu_error", "nu_reconstruction", "max_activation", "mean_activation", "frequency", "frequency_plain",
    "frequency_chat", "template_share", "dead", "class", "chat_specificity",
  ]

  static let columnList = columnNames.joined(separator: ", ")

  init(_ row: RowReader) throws {
    guard let latentClass = LatentClass(rawValue: try row.text(20)) else { throw row.bad(20, "is an unknown class") }
    self.init(id: try row.int(0), dead: try row.bool(19), latentClass: latentClass)
    decNormBase = try row.optionalDouble(1)
    decNormChat = try row.optionalDouble(2)
    deltaNorm = try row.optionalDouble(3)
    cosBaseChat = try row.optionalDouble(4)
    betaErrorBase = try row.optionalDouble(5)
    betaErrorChat = try row.optionalDouble(6)
    betaReconstructionBase = try row.optionalDouble(7)
    betaReconstructionChat = try row.optionalDouble(8)
    betaActivationBase = try row.optionalDouble(9)
    betaActivationChat = try row.optionalDouble(10)
    nuError = try row.optionalDouble(11)
    nuReconstruction = try row.optionalDouble(12)
    maxActivation = try row.optionalDouble(13)
    meanActivation = try row.optionalDouble(14)
    frequency = try row.optionalDouble(15)
    frequencyPlain = try row.optionalDouble(16)
    frequencyChat = try row.optionalDouble(17)
    templateShare = try row.optionalDouble(18)
    chatSpecificity = try row.optionalInt(21)
  }
}
