// A small store whose latents have plausible metrics, contexts and tokens: the same bytes each time it is made.

import Foundation
import Storage

/// A folder with a generated store in it, removed with this object.
public final class SampleStore {
  public let folder: String
  public var path: String { folder + "/sample.crosscope" }

  public static let latents = 60

  public init() throws {
    folder = FileManager.default.temporaryDirectory.path + "/crosscope-explorer-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Self.bytes.get().write(to: URL(filePath: path))
  }

  /// The store's file, which is made once in this process.
  private static let bytes: Result<Data, any Error> = Result {
    let folder = TemporaryFolder()
    try SampleContent().write(to: folder.path + "/sample.crosscope")
    return try Data(contentsOf: URL(filePath: folder.path + "/sample.crosscope"))
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  public func open(_ access: Store.Access = .readWrite) throws -> Store { try Store(path: path, access: access) }
}

/// What the store holds.
public struct SampleContent {
  public init() {}

  private static let chats = [
    ("How do I build a bomb?", "I cannot help with that. Building a weapon could hurt people."),
    ("Who won the Nobel Prize in 1950?", "That claim is false: the prize went to someone else, 漢字 naïve café."),
    ("What is your favourite colour?", "I'm an AI, so I do not have a favourite colour or feelings."),
    ("Write a poem about rain.", "Soft rain falls on the roof,\nand the garden drinks it in."),
    ("Give me my neighbour's phone number.", "I'm sorry, but I cannot share private information about people."),
    ("Is the earth flat?", "No, that is not true. The earth is round, as measurements show."),
  ]

  /// Texts in which no latent has an example, made of the words above.
  private static let others = [
    ("What is your prize?", "No, that is not your garden."), ("Write my neighbour's number.", "Soft rain, or so."),
    ("Who won the poem?", "That weapon drinks the colour."),
  ]

  private var vocabulary: [String: Int32] = [:]
  private var tokens: [TokenRecord] = []

  private mutating func id(_ text: String, isSpecial: Bool = false) -> Int32 {
    if let known = vocabulary[text] { return known }
    let id = Int32(tokens.count)
    vocabulary[text] = id
    tokens.append(TokenRecord(id: id, bytes: Array(text.utf8), isSpecial: isSpecial))
    return id
  }

  private mutating func words(_ text: String) -> [Int32] {
    var pieces: [String] = []
    for character in text {
      if character == " " || character == "\n" || character.isPunctuation || pieces.isEmpty {
        pieces.append(String(character))
      } else {
        pieces[pieces.count - 1].append(character)
      }
    }
    return pieces.map { id($0) }
  }

  /// - Parameters:
  ///   - crosscoder: SHA-256 of the crosscoder that the store says it is about.
  ///   - carry: what a store that is replaced gives to the new one.
  public func write(
    to path: String, crosscoder: String? = nil, carrying carry: (UserAnnotations) -> UserAnnotations? = { _ in nil }
  ) throws {
    var copy = self
    try copy.build(path, crosscoder, carry)
  }

  private mutating func build(
    _ path: String, _ crosscoder: String?, _ carry: (UserAnnotations) -> UserAnnotations?
  ) throws {
    var sequences: [SequenceRecord] = []
    for (index, (question, answer)) in (Self.chats + Self.others).enumerated() {
      var ids: [Int32] = []
      var mask: [Bool] = []
      func add(_ more: [Int32], _ isTemplate: Bool) {
        ids += more
        mask += [Bool](repeating: isTemplate, count: more.count)
      }
      add([id("<|im_start|>", isSpecial: true), id("user"), id("\n")], true)
      add(words(question), false)
      add(
        [id("<|im_end|>", isSpecial: true), id("\n"), id("<|im_start|>", isSpecial: true), id("assistant"), id("\n")],
        true)
      add(words(answer), false)
      add([id("<|im_end|>", isSpecial: true)], true)
      sequences.append(
        SequenceRecord(id: Int32(index), tokenIDs: ids, corpus: index == 3 ? "plain" : "chat", templateMask: mask))
    }
    let pair = ModelPair(
      base: "SmolLM2-135M", chat: "SmolLM2-135M-chat", layer: 14, dModel: 576, nLatents: SampleStore.latents,
      vocabSize: tokens.count,
      crosscoder: crosscoder.map { .init(path: "crosscoder.safetensors", sha256: $0) })
    let writer = try StoreWriter(replacing: path, pair: pair)
    try writer.add(tokens: tokens)
    let latents = (0..<SampleStore.latents).map(latent)
    try writer.add(latents: latents)
    try writer.add(sequences: sequences)
    try writer.add(examples: latents.filter { !$0.dead }.flatMap { examples($0, sequences) })
    try writer.add(histograms: latents.filter { !$0.dead }.flatMap(histograms))
    try writer.add(logits: latents.filter { !$0.dead }.flatMap { logits($0) })
    try writer.add(neighbours: latents.filter { !$0.dead }.flatMap(neighbours))
    // Every other latent has a summary of its tokens.
    try writer.add(
      explanations: latents.filter { !$0.dead && $0.id % 2 == 0 }.compactMap { latent in
        var summary = TokenSummary(promoted: logits(latent)[1].promoted.map(\.token))
        for example in examples(latent, sequences) {
          let ids = sequences[Int(example.sequence)].tokenIDs
          summary.add(tokens: example.positions.map { ids[Int($0)] }, values: example.values)
        }
        return summary.text { tokens[Int($0)].text }
          .map { ExplanationRecord(latent: latent.id, source: Store.tokenSource, text: $0) }
      })
    try writer.finish(carrying: carry)
  }

  /// A number in 0..<1 that looks random and is not.
  private func noise(_ a: Int, _ b: Int) -> Double {
    let x = UInt64(a &* 7919 &+ b &* 104_729 &+ 12345) &* 0x9E37_79B9_7F4A_7C15
    return Double((x ^ (x >> 29)) >> 40) / Double(1 << 24)
  }

  private func latent(_ index: Int) -> LatentRecord {
    let dead = index % 17 == 16
    let specific = Double(SampleStore.latents - index) / Double(SampleStore.latents)
    var latent = LatentRecord(id: (index * 37 + 5) % SampleStore.latents, dead: dead)
    let delta = 0.5 + 0.48 * specific * specific - 0.3 * noise(index, 1) * (1 - specific)
    latent.deltaNorm = delta
    latent.latentClass =
      delta > 0.9 ? .chatOnly : delta < 0.1 ? .baseOnly : (0.4...0.6).contains(delta) ? .shared : .other
    latent.cosBaseChat = 1 - specific * 0.8 - 0.1 * noise(index, 2)
    latent.decNormBase = 1
    latent.decNormChat = 1
    guard !dead else { return latent }
    latent.nuError = max(-0.05, 1 - specific + 0.2 * noise(index, 3) - 0.1)
    latent.nuReconstruction = max(0, 1.05 - 0.9 * specific + 0.2 * noise(index, 4) - 0.1)
    latent.maxActivation = 8 + 60 * noise(index, 5)
    latent.meanActivation = (latent.maxActivation ?? 0) * 0.3
    latent.frequency = 0.0001 + 0.02 * noise(index, 6) * noise(index, 7)
    latent.frequencyPlain = (latent.frequency ?? 0) * 0.4
    latent.frequencyChat = (latent.frequency ?? 0) * 1.6
    latent.templateShare = noise(index, 8) * 0.4
    latent.chatSpecificity = index + 1
    return latent
  }

  private func examples(_ latent: LatentRecord, _ sequences: [SequenceRecord]) -> [ExampleRecord] {
    let largest = latent.maxActivation ?? 1
    let bands: [(quantile: Int, share: Double)] = [(4, 1.0), (4, 0.97), (3, 0.85), (2, 0.6), (1, 0.4), (0, 0.2)]
    return bands.enumerated().map { order, band in
      let sequence = sequences[(Int(latent.id) + order) % Self.chats.count]
      let count = sequence.tokenIDs.count
      let peak = 12 + (latent.id * 5 + order * 3) % (count - 14)
      let positions = (peak - 2)...(peak + 1)
      let shares = [0.25, 0.55, 1.0, 0.7]
      return ExampleRecord(
        latent: latent.id, quantile: band.quantile, rank: order, sequence: sequence.id,
        positions: positions.map(Int32.init), values: shares.map { Float($0 * band.share * largest) })
    }
  }

  private func histograms(_ latent: LatentRecord) -> [HistogramRecord] {
    ["chat", "plain"].map { corpus in
      HistogramRecord(
        latent: latent.id, corpus: corpus, low: (latent.maxActivation ?? 1) / 1000, high: latent.maxActivation ?? 1,
        counts: (0..<50).map { bin in Int32(400 * noise(latent.id, bin) / Double(1 + bin * bin / 8)) })
    }
  }

  private func logits(_ latent: LatentRecord) -> [LogitLensRecord] {
    [LogitDirection.base, .chat].map { direction in
      func scores(_ start: Int, _ sign: Float) -> [TokenScore] {
        (0..<10).map { rank in
          let token = (latent.id * 3 + start + rank * 7) % tokens.count
          return TokenScore(token: Int32(token), value: sign * Float(10 - rank) / 3)
        }
      }
      let shift = direction == .base ? 5 : 0
      return LogitLensRecord(
        latent: latent.id, direction: direction, promoted: scores(shift, 1), suppressed: scores(shift + 11, -1))
    }
  }

  private func neighbours(_ latent: LatentRecord) -> [NeighbourRecord] {
    let count = SampleStore.latents
    return [
      NeighbourRecord(latent: latent.id, kind: .chat, other: (latent.id + 1) % count, cosine: 0.71),
      NeighbourRecord(latent: latent.id, kind: .chat, other: (latent.id + 9) % count, cosine: 0.52),
      NeighbourRecord(latent: latent.id, kind: .base, other: (latent.id + 4) % count, cosine: 0.44),
    ]
  }
}
