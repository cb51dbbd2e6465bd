// Turns the records of dashboards into the rows of a store, a batch at a time. A latent must come before what is said of it, a
// unit's name must not come twice, and a latent must not. Contexts get a band by the share of their strongest activation in the
// latent's maximum, as in examples.db; in a batch, those of one latent and band are ordered by strength.

import Diffing
import Experiments
import Foundation
import Inference
import Storage

/// The rows of one import.
struct DashboardWriter {
  /// How far the import has come, as the unfinished store holds it.
  struct Progress: Codable, Equatable {
    var file = 0
    /// The last unit of the file that is in the store.
    var unit = 0
    var latents = 0
    var contexts = 0
    var explanations = 0
    var largestLatent = -1
    var dModel = 0
    var vocabulary = 0
    var sequences = 0
    /// What is not shown: contexts without an activation above 0, activations below 0, explanations without a text that fits.
    var (silent, negative, untold) = (0, 0, 0)

    func place(in files: [DashboardFile]) -> String {
      files.indices.contains(file) ? "\(files[file].path), after \(files[file].unit) \(unit)" : "the end of the files"
    }

    enum CodingKeys: CodingKey {
      case file, unit, latents, contexts, explanations, largestLatent, dModel, vocabulary, sequences
      case silent, negative, untold
    }
  }

  private struct SequenceKey: Hashable {
    let (first, second): (Int, Int)

    init(_ ids: [Int32], _ corpus: String) {
      // Two hashes of a keyed function; equal pairs of different texts do not happen.
      func hash(_ salt: Int) -> Int {
        var hasher = Hasher()
        hasher.combine(salt)
        hasher.combine(corpus)
        ids.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
      }
      (first, second) = (hash(0), hash(1))
    }
  }

  private(set) var progress = Progress()
  /// The units and bytes of lines in the batch.
  private(set) var (units, bytes) = (0, 0)

  private let writer: StoreWriter
  let source: any DashboardSource
  private let layer: Int
  /// The dictionary whose latents are in the store already; nil if the dashboards bring them.
  private let dictionary: KnownDictionary?
  /// The largest activation of each latent that has come; nil where it was not said.
  private var maxima: [Int: Double?] = [:]
  private var tokens: [DashboardToken: Int32] = [:]
  private var sequences: [SequenceKey: Int32] = [:]
  /// The number of contexts of each latent in each band.
  private var ranks: [Int: [Int: Int]] = [:]

  // The batch.
  private var newTokens: [TokenRecord] = []
  private var newLatents: [LatentRecord] = []
  private var directions: [DirectionRecord] = []
  private var logits: [LogitLensRecord] = []
  private var newSequences: [SequenceRecord] = []
  private var examples: [ExampleRecord] = []
  private var explanations: [ExplanationRecord] = []
  private var claims: [(name: String, place: String)] = []
  private var lines: [UInt8] = []
  private var file: DashboardFile?

  /// A dictionary beside which dashboards are read.
  struct KnownDictionary {
    let nLatents: Int
    let dModel: Int
    /// The tokens of its tokenizer, after which those of the dashboards are numbered.
    let vocabulary: Int
    /// Whether the store gets the logit lens of a model.
    let hasLens: Bool
  }

  init(_ writer: StoreWriter, source: any DashboardSource, layer: Int, beside dictionary: KnownDictionary? = nil) throws
  {
    (self.writer, self.source, self.layer, self.dictionary) = (writer, source, layer, dictionary)
    progress.vocabulary = dictionary?.vocabulary ?? 0
    try writer.beginClaims()
    guard writer.isResumed, let text = try writer.progress() else { return }
    progress = try JSONDecoder().decode(Progress.self, from: Data(text.utf8))
    maxima = try writer.heldLatents()
    ranks = try writer.heldContextCounts()
    let numbered = source.numbersTokens
    for (id, token) in writer.heldTokens { tokens[numbered ? .number(id) : .text(token.text)] = id }
    var held: [SequenceKey: Int32] = [:]
    try writer.heldSequences { held[SequenceKey($0.tokenIDs, $0.corpus)] = $0.id }
    sequences = held
  }

  /// Adds the vocabulary of a tokenizer, to which numbered tokens belong.
  mutating func add(vocabulary: [TokenRecord]) throws {
    progress.vocabulary = Int((vocabulary.map(\.id).max() ?? -1) + 1)
    for token in vocabulary { tokens[.number(token.id)] = token.id }
    try writer.together {
      try writer.add(tokens: vocabulary)
      try writer.set(progress: storedJSON(progress))
    }
  }

  mutating func begin(file number: Int) throws {
    if number != progress.file { (progress.file, progress.unit) = (number, 0) }
    file = source.files[number]
  }

  // MARK: Records

  mutating func add(_ unit: DashboardUnit, of file: DashboardFile) throws {
    let place = "\(file.path) \(file.unit) \(unit.number)"
    if let name = unit.name { claims.append(("\(file.kind) \(name)", place)) }
    for record in unit.records {
      switch record {
      case .latent(let latent): try add(latent, place)
      case .context(let context): try add(context, place)
      case .explanation(let explanation): try add(explanation, place, "\(file.name) \(file.unit) \(unit.number)")
      }
    }
    if let line = unit.line {
      lines += line
      lines.append(UInt8(ascii: "\n"))
      bytes += line.count
    }
    units += 1
    progress.unit = unit.number
  }

  private mutating func add(_ latent: DashboardLatent, _ place: String) throws {
    guard maxima.updateValue(latent.maxActivation, forKey: latent.index) == nil else {
      throw invalid(place, "each latent once", "latent \(latent.index) again")
    }
    if let dictionary {
      guard latent.index < dictionary.nLatents else {
        throw invalid(place, "a latent below \(dictionary.nLatents), as the crosscoder has", "\(latent.index)")
      }
      guard latent.vector.isEmpty || latent.vector.count == dictionary.dModel else {
        throw invalid(
          place, "a vector of \(dictionary.dModel) values, as the crosscoder has", "\(latent.vector.count)")
      }
    }
    var record = LatentRecord(id: latent.index, dead: latent.frequency == 0 && (latent.maxActivation ?? 0) == 0)
    record.maxActivation = latent.maxActivation
    record.frequency = latent.frequency
    if !latent.vector.isEmpty {
      guard progress.dModel == 0 || progress.dModel == latent.vector.count else {
        throw invalid(place, "a vector of \(progress.dModel) values, as before", "\(latent.vector.count)")
      }
      guard latent.vector.allSatisfy(\.isFinite) else { throw invalid(place, "a vector of finite values", "others") }
      progress.dModel = latent.vector.count
      let norm = latent.vector.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      record.decNormChat = norm
      if source.names.readsResidualStream != false, norm > 0, dictionary == nil {
        directions.append(
          DirectionRecord(
            name: DirectionRecord.name(ofLatent: latent.index), layer: layer,
            unit: max(latent.maxActivation ?? 1, 1e-6) * norm,
            source: source.names.dictionary ?? "", card: DirectionRecord.publishedCard, vector: latent.vector))
      }
    }
    newLatents.append(record)
    if !latent.promoted.isEmpty || !latent.suppressed.isEmpty, dictionary?.hasLens != true {
      func scores(_ list: [(token: DashboardToken, change: Float)]) throws -> [TokenScore] {
        try list.map { TokenScore(token: try number($0.token, place), value: $0.change) }
      }
      logits.append(
        LogitLensRecord(
          latent: latent.index, direction: .chat, promoted: try scores(latent.promoted),
          suppressed: try scores(latent.suppressed)))
    }
    progress.latents += 1
    progress.largestLatent = max(progress.largestLatent, latent.index)
  }

  private mutating func add(_ context: DashboardContext, _ place: String) throws {
    let maximum = try known(context.index, place)
    guard context.values.allSatisfy(\.isFinite) else { throw invalid(place, "finite values", "others") }
    var (positions, values): ([Int32], [Float]) = ([], [])
    for (position, value) in context.values.enumerated() where value > 0 {
      positions.append(Int32(position))
      values.append(value)
    }
    progress.negative += context.values.count { $0 < 0 }
    guard let peak = values.max() else {
      progress.silent += 1
      return
    }
    var ids: [Int32] = []
    ids.reserveCapacity(context.tokens.count)
    for token in context.tokens { ids.append(try number(token, place)) }
    let corpus = context.corpus.flatMap { $0.isEmpty ? nil : $0 } ?? source.names.corpus ?? "unknown corpus"
    let key = SequenceKey(ids, corpus)
    var sequence = sequences[key] ?? -1
    if sequence < 0 {
      sequence = Int32(clamping: progress.sequences)
      sequences[key] = sequence
      progress.sequences += 1
      newSequences.append(SequenceRecord(id: sequence, tokenIDs: ids, corpus: corpus))
    }
    examples.append(
      ExampleRecord(
        latent: context.index, quantile: Self.band(Double(peak), of: maximum), rank: 0, sequence: sequence,
        positions: positions, values: values))
    progress.contexts += 1
  }

  private mutating func add(_ explanation: DashboardExplanation, _ place: String, _ name: String) throws {
    _ = try known(explanation.index, place)
    guard !explanation.text.isEmpty, explanation.text.utf8.count <= Store.longestExplanation else {
      progress.untold += 1
      return
    }
    explanations.append(
      ExplanationRecord(
        latent: explanation.index, source: explanation.source, text: explanation.text,
        detectionScore: explanation.score, details: PublishedExplanation.details(place: name)))
    progress.explanations += 1
  }

  /// The largest activation of a latent, if it was said.
  private func known(_ latent: Int, _ place: String) throws -> Double? {
    guard let maximum = maxima[latent] else {
      throw invalid(place, "a latent of the features, which are read first", "latent \(latent)")
    }
    return maximum
  }

  /// The band of a context by the share of its peak in the maximum. Files round both to three decimals or more.
  static func band(_ peak: Double, of maximum: Double?) -> Int {
    guard let maximum, maximum > 0 else { return 4 }
    if peak > maximum + max(1e-3, 1e-3 * maximum) { return 5 }
    return [0.25, 0.5, 0.75, 0.95].firstIndex { peak <= $0 * maximum } ?? 4
  }

  private mutating func number(_ token: DashboardToken, _ place: String) throws -> Int32 {
    if let known = tokens[token] { return known }
    switch token {
    case .number(let number):
      guard number >= 0 else { throw invalid(place, "a token's number", "\(number)") }
      tokens[token] = number
      progress.vocabulary = max(progress.vocabulary, Int(number) + 1)
      return number
    case .text(let text):
      let number = Int32(clamping: progress.vocabulary)
      tokens[token] = number
      progress.vocabulary += 1
      newTokens.append(TokenRecord(id: number, bytes: Array(text.utf8)))
      return number
    }
  }

  private func invalid(_ place: String, _ expected: String, _ found: String) -> InputError {
    .invalid(source: place, expected: expected, found: found)
  }

  // MARK: Batches

  /// Writes the batch and how far the import has come, as one transaction.
  mutating func flush() throws {
    order()
    var explanations = self.explanations
    try writer.together {
      for claim in claims {
        guard let earlier = try writer.claim(claim.name, at: claim.place) else { continue }
        let name = claim.name.split(separator: " ", maxSplits: 1).last ?? ""
        throw invalid(claim.place, "each id once", "\(name), which stands in \(earlier)")
      }
      try writer.add(tokens: newTokens)
      if dictionary == nil { try writer.add(latents: newLatents) } else { try writer.fill(newLatents) }
      try writer.add(directions: directions)
      try writer.add(logits: logits)
      try writer.add(sequences: newSequences)
      try writer.add(examples: examples)
      for index in explanations.indices {
        explanations[index].source = try freeSource(explanations[index])
      }
      try writer.add(explanations: explanations)
      // zlib's usual level makes them a tenth smaller and takes three times as long.
      if let file, !lines.isEmpty {
        try writer.add(
          published: PublishedLines(kind: file.kind, file: file.name, content: Data(try Deflater.gzip(lines, level: 2)))
        )
      }
      try writer.set(progress: storedJSON(progress))
    }
    (newTokens, newLatents, directions, logits) = ([], [], [], [])
    (newSequences, examples, self.explanations, claims) = ([], [], [], [])
    lines.removeAll(keepingCapacity: true)
    (units, bytes) = (0, 0)
  }

  /// A latent has one explanation from a source; further ones are numbered.
  private func freeSource(_ explanation: ExplanationRecord) throws -> String {
    let source = explanation.source
    for number in 1... {
      let name = number == 1 ? source : "\(source) (\(number))"
      if try writer.claim("source \(explanation.latent) \(name)", at: "") == nil { return name }
    }
    return source
  }

  /// Orders the batch's contexts by latent, band and strength, and numbers them.
  private mutating func order() {
    let peaks = examples.map { $0.values.max() ?? 0 }
    let sorted = examples.indices.sorted { a, b in
      let (x, y) = (examples[a], examples[b])
      if x.latent != y.latent { return x.latent < y.latent }
      if x.quantile != y.quantile { return x.quantile > y.quantile }
      return peaks[a] != peaks[b] ? peaks[a] > peaks[b] : a < b
    }
    examples = sorted.map { examples[$0] }
    for index in examples.indices {
      let (latent, band) = (examples[index].latent, examples[index].quantile)
      examples[index].rank = ranks[latent]?[band] ?? 0
      ranks[latent, default: [:]][band, default: 0] += 1
    }
  }

  /// Writes what is left and what is only known at the end.
  mutating func finish() throws {
    try flush()
    guard progress.latents > 0 else { throw invalid(source.path, "at least one latent", "none") }
    try writer.fillMaxima()
    try writer.correct(
      nLatents: dictionary?.nLatents ?? progress.largestLatent + 1, dModel: dictionary?.dModel ?? progress.dModel,
      vocabSize: max(progress.vocabulary, 1))
  }
}
