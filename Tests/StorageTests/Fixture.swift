// Small stores with known and random content, and folders that clean up after themselves.
import Foundation

@testable import Storage

/// Deterministic random numbers (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A folder that exists as long as this object.
final class TemporaryFolder {
  let path: String
  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/crosscope-storage-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  func file(_ name: String = "a.crosscope") -> String { path + "/" + name }
  /// Makes a store one from before the journal knew sessions.
  static let withoutSessions = """
    ALTER TABLE journal DROP COLUMN session; ALTER TABLE journal DROP COLUMN stamp;
    DROP TABLE difference; DROP TABLE direction; DROP TABLE published;
    DELETE FROM grdb_migrations WHERE identifier IN ('journal-sessions', 'differences', 'published');
    """
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }
}

/// The content of a store, kept in memory beside it.
struct Content {
  static let words = [
    "the", "nobel", "prize", "was", "given", "to", "refuse", "sorry", "cannot", "help", "bomb", "chemistry", "user",
    "assistant", "naïve", "café",
  ]

  var pair: ModelPair
  var tokens: [TokenRecord]
  var latents: [LatentRecord]
  var sequences: [SequenceRecord]
  var examples: [ExampleRecord]
  var histograms: [HistogramRecord]
  var logits: [LogitLensRecord]
  var neighbours: [NeighbourRecord]
  var explanations: [ExplanationRecord]

  /// Random content; many ties and missing values among the metrics.
  init(latents count: Int, sequences sequenceCount: Int = 40, window: Int = 12, contexts: Int = 6, seed: UInt64) {
    var random = SeededGenerator(seed)
    tokens = Self.words.enumerated().map { TokenRecord(id: Int32($0), bytes: Array(" \($1)".utf8)) }
    tokens.append(TokenRecord(id: Int32(tokens.count), bytes: Array("<|im_start|>".utf8), isSpecial: true))
    pair = ModelPair(
      base: "tiny-base", chat: "tiny-chat", layer: 1, dModel: 8, nLatents: count, vocabSize: tokens.count,
      model: .init(path: "model.gguf", sha256: String(repeating: "a", count: 64)),
      crosscoder: .init(path: "crosscoder.safetensors", sha256: String(repeating: "b", count: 64)),
      card: #"{"seed":1}"#)
    func maybe(_ values: ClosedRange<Int>, _ scale: Double) -> Double? {
      Int.random(in: 0..<5, using: &random) == 0 ? nil : Double(Int.random(in: values, using: &random)) * scale
    }
    latents = (0..<count).map { id in
      var latent = LatentRecord(
        id: id, dead: Int.random(in: 0..<6, using: &random) == 0,
        latentClass: LatentClass.allCases[Int.random(in: 0..<4, using: &random)])
      latent.nuError = maybe(-2...8, 0.125)
      latent.nuReconstruction = maybe(0...8, 0.125)
      latent.deltaNorm = maybe(0...8, 0.125)
      latent.frequency = maybe(0...4, 0.25)
      latent.maxActivation = maybe(0...50, 1.5)
      latent.cosBaseChat = maybe(-4...4, 0.25)
      latent.templateShare = maybe(0...4, 0.25)
      latent.decNormChat = 1.25
      if let value = maybe(0...6, 0.5) { latent.metrics["base uselessness score"] = value }
      latent.chatSpecificity = latent.dead ? nil : id * 7 % count + 1
      return latent
    }
    var ranks = Set<Int>()
    for index in latents.indices {
      if let rank = latents[index].chatSpecificity, !ranks.insert(rank).inserted {
        latents[index].chatSpecificity = nil
      }
    }
    sequences = (0..<sequenceCount).map { id in
      let ids = (0..<window).map { _ in Int32(Int.random(in: 0..<Content.words.count + 1, using: &random)) }
      return SequenceRecord(
        id: Int32(id), tokenIDs: ids, corpus: id.isMultiple(of: 2) ? "plain" : "chat",
        templateMask: ids.map { $0 == Content.words.count })
    }
    examples = []
    for latent in latents where !latent.dead {
      for rank in 0..<contexts {
        let positions = (0..<window).filter { _ in Int.random(in: 0..<3, using: &random) == 0 } + [window]
        let kept = positions.dropLast().isEmpty ? [0] : positions.dropLast()
        examples.append(
          ExampleRecord(
            latent: latent.id, quantile: 4 - rank % 5, rank: rank / 5,
            sequence: Int32(Int.random(in: 0..<sequenceCount, using: &random)), positions: kept.map(Int32.init),
            values: Content.storable(kept.map { _ in Float.random(in: 0.5...9, using: &random) })))
      }
    }
    histograms = latents.map {
      HistogramRecord(latent: $0.id, corpus: "chat", low: 0, high: 9, counts: [300, 20, 1])
    }
    logits = latents.flatMap { latent in
      LogitDirection.allCases.map {
        LogitLensRecord(
          latent: latent.id, direction: $0,
          promoted: [TokenScore(token: 1, value: 2.5), TokenScore(token: 2, value: -2.5)],
          suppressed: [TokenScore(token: 3, value: -2)])
      }
    }
    neighbours = latents.dropFirst().map {
      NeighbourRecord(latent: $0.id, kind: .chat, other: $0.id - 1, cosine: 0.5)
    }
    explanations = latents.prefix(2).map {
      ExplanationRecord(latent: $0.id, source: "test", text: "fires on zebra number \($0.id)")
    }
  }

  /// The values as a store gives them back.
  static func storable(_ values: [Float]) -> [Float] { Blob.readScaled(Blob.scaled(values)) ?? [] }

  func write(to path: String, annotations: UserAnnotations? = nil, maximumPages: Int? = nil) throws {
    let writer = try StoreWriter(
      replacing: path, pair: pair, meta: ["corpus": "made up"], maximumPages: maximumPages)
    try fill(writer)
    if let annotations { try writer.add(annotations: annotations) }
    try writer.finish()
  }

  func fill(_ writer: StoreWriter) throws {
    try writer.add(tokens: tokens)
    try writer.add(latents: latents)
    try writer.add(
      metric: "base uselessness score",
      values: latents.compactMap { latent in latent.metrics.first.map { (latent: latent.id, value: $1) } })
    try writer.add(sequences: sequences)
    try writer.add(examples: examples)
    try writer.add(histograms: histograms)
    try writer.add(logits: logits)
    try writer.add(neighbours: neighbours)
    try writer.add(explanations: explanations)
  }
}

/// The error of this module that `body` throws, if it throws one.
func storageError(_ body: () throws -> Void) -> StorageError? {
  do { try body() } catch let error as StorageError { return error } catch { return nil }
  return nil
}
