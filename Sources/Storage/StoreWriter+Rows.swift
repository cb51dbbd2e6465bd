// Writes the rows of a new store, table by table. Records are checked before they are written: numbers that are not
// finite, ids beyond the pair's latents or vocabulary, and contexts whose positions do not rise or lie outside their
// sequence are errors.

import Foundation
import GRDB
import Synchronization

extension StoreWriter {
  /// Adds vocabulary entries. All must come before the first sequence, so that the text search knows the words.
  public func add(tokens: some Sequence<TokenRecord>) throws(StorageError) {
    try transaction("token") { db in
      let statement = try db.makeStatement(sql: "INSERT INTO token (id, bytes, special) VALUES (?, ?, ?)")
      for token in tokens {
        try check(token: token.id, table: "token")
        try statement.execute(arguments: [token.id, Data(token.bytes), token.isSpecial])
        vocabulary.withLock { $0[token.id] = token }
      }
    }
  }

  /// Adds latents, in the order of their ids.
  public func add(latents: some Sequence<LatentRecord>) throws(StorageError) {
    try transaction("latent") { db in
      let names = LatentRecord.columnNames
      let statement = try db.makeStatement(
        sql: """
          INSERT INTO latent (\(LatentRecord.columnList))
          VALUES (\(names.map { _ in "?" }.joined(separator: ", ")))
          """)
      for latent in latents {
        try check(latent: latent.id, table: "latent")
        let values = try names.map { name -> DatabaseValue in
          switch name {
          case "dead": return latent.dead.databaseValue
          case "class": return latent.latentClass.rawValue.databaseValue
          case "chat_specificity": return latent.chatSpecificity.databaseValue
          case "id": return latent.id.databaseValue
          default:
            guard let value = LatentColumn(rawValue: name).flatMap({ latent[$0] }) else { return .null }
            try check(value, table: "latent", "\(name) of latent \(latent.id)")
            return value.databaseValue
          }
        }
        try statement.execute(arguments: StatementArguments(values))
      }
    }
  }

  /// Adds sequences. Their text becomes searchable if the vocabulary is known; special tokens are not part of the text.
  public func add(sequences: some Sequence<SequenceRecord>) throws(StorageError) {
    let vocabulary = vocabulary.withLock { $0 }
    try transaction("sequence") { db in
      let statement = try db.makeStatement(
        sql: "INSERT INTO sequence (id, token_ids, corpus, template_mask) VALUES (?, ?, ?, ?)")
      let search = try db.makeStatement(sql: "INSERT INTO sequence_search (rowid, text) VALUES (?, ?)")
      for sequence in sequences {
        let name = "sequence \(sequence.id)"
        guard sequence.id >= 0, !sequence.tokenIDs.isEmpty else { throw refuse("sequence", "\(name) has no tokens") }
        for id in sequence.tokenIDs { try check(token: id, table: "sequence") }
        guard sequence.templateMask.count == sequence.tokenIDs.count else {
          throw refuse(
            "sequence",
            "\(name): the mask has \(sequence.templateMask.count) entries for \(sequence.tokenIDs.count) tokens")
        }
        try statement.execute(
          arguments: [
            sequence.id, Blob.ids(sequence.tokenIDs), sequence.corpus, Blob.mask(sequence.templateMask),
          ])
        sequenceLengths.withLock { $0[sequence.id] = sequence.tokenIDs.count }
        guard !vocabulary.isEmpty else { continue }
        try search.execute(arguments: [sequence.id, Self.text(of: sequence.tokenIDs, vocabulary)])
      }
    }
  }

  /// A sequence's text in its searchable form, without special tokens.
  static func text(of ids: [Int32], _ vocabulary: [Int32: TokenRecord]) -> String {
    var bytes: [UInt8] = []
    for id in ids {
      guard let token = vocabulary[id], !token.isSpecial else { continue }
      bytes += token.bytes
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Adds contexts of latents, preferably in the order (latent, quantile falling, rank). Their latents and sequences
  /// must have been added before. A sequence is added only once, however many latents share it.
  public func add(examples: some Sequence<ExampleRecord>) throws(StorageError) {
    try transaction("example") { db in
      let statement = try db.makeStatement(
        sql: """
          INSERT INTO example (latent, quantile, rank, sequence, max_activation, positions, "values")
          VALUES (?, ?, ?, ?, ?, ?, ?)
          """)
      let lengths = sequenceLengths.withLock { $0 }
      for example in examples {
        var name: String { "example of latent \(example.latent) in sequence \(example.sequence)" }
        guard let length = lengths[example.sequence] else {
          throw refuse("example", "\(name): there is no such sequence")
        }
        let rising = zip(example.positions, example.positions.dropFirst()).allSatisfy { $0 < $1 }
        guard rising, let first = example.positions.first, let last = example.positions.last, first >= 0,
          last < length
        else { throw refuse("example", "\(name): positions must rise and lie in 0..<\(length)") }
        guard example.values.count == example.positions.count, let largest = example.values.max(), largest > 0,
          example.values.allSatisfy({ $0.isFinite && $0 >= 0 })
        else { throw refuse("example", "\(name): it needs one finite activation above 0 for each position") }
        try statement.execute(
          arguments: [
            example.latent, example.quantile, example.rank, example.sequence, Double(largest),
            Blob.positions(example.positions), Blob.shares(example.values, of: largest),
          ])
      }
    }
  }

  /// Adds activation histograms.
  public func add(histograms: some Sequence<HistogramRecord>) throws(StorageError) {
    try transaction("histogram") { db in
      let statement = try db.makeStatement(
        sql: "INSERT INTO histogram (latent, corpus, low, high, counts) VALUES (?, ?, ?, ?, ?)")
      for histogram in histograms {
        let name = "latent \(histogram.latent)"
        try check(histogram.low, table: "histogram", "\(name), low")
        try check(histogram.high, table: "histogram", "\(name), high")
        guard histogram.low <= histogram.high, histogram.counts.allSatisfy({ $0 >= 0 }) else {
          throw refuse("histogram", "\(name): edges must rise and counts must not be negative")
        }
        try statement.execute(
          arguments: [
            histogram.latent, histogram.corpus, histogram.low, histogram.high, Blob.ids(histogram.counts),
          ])
      }
    }
  }

  /// Adds logit lens rows.
  public func add(logits: some Sequence<LogitLensRecord>) throws(StorageError) {
    try transaction("logit") { db in
      let statement = try db.makeStatement(
        sql: """
          INSERT INTO logit
            (latent, direction, promoted_ids, promoted_values, suppressed_ids, suppressed_values)
          VALUES (?, ?, ?, ?, ?, ?)
          """)
      for lens in logits {
        for score in lens.promoted + lens.suppressed {
          try check(token: score.token, table: "logit")
          try check(Double(score.value), table: "logit", "latent \(lens.latent)")
        }
        try statement.execute(
          arguments: [
            lens.latent, lens.direction.rawValue, Blob.ids(lens.promoted.map(\.token)),
            Blob.scaled(lens.promoted.map(\.value)), Blob.ids(lens.suppressed.map(\.token)),
            Blob.scaled(lens.suppressed.map(\.value)),
          ])
      }
    }
  }

  /// Adds neighbours.
  public func add(neighbours: some Sequence<NeighbourRecord>) throws(StorageError) {
    try transaction("neighbour") { db in
      let statement = try db.makeStatement(
        sql: "INSERT INTO neighbour (latent, kind, other, cosine) VALUES (?, ?, ?, ?)")
      for neighbour in neighbours {
        try check(neighbour.cosine, table: "neighbour", "latent \(neighbour.latent)")
        try statement.execute(
          arguments: [neighbour.latent, neighbour.kind.rawValue, neighbour.other, neighbour.cosine])
      }
    }
  }

  /// Adds explanations. There is one for each latent and source.
  public func add(explanations: some Sequence<ExplanationRecord>) throws(StorageError) {
    try transaction("explanation") { db in
      for explanation in explanations { try explanation.insert(in: db) }
    }
  }

  /// Adds what a user had put into the store that is being replaced.
  /// - Throws: `annotationsOfAnotherCrosscoder` if it is about another crosscoder's latents.
  public func add(annotations: UserAnnotations) throws(StorageError) {
    try requireSameCrosscoder(annotations)
    try transaction("tag") { db in try annotations.insert(in: db) }
  }

  func requireSameCrosscoder(_ annotations: UserAnnotations) throws(StorageError) {
    guard annotations.isEmpty || annotations.crosscoderSHA256 == pair.crosscoder?.sha256 else {
      throw .annotationsOfAnotherCrosscoder(path: path)
    }
  }

  // MARK: Checks

  private func refuse(_ table: String, _ detail: String) -> StorageError {
    .invalidRecord(table: table, detail: detail)
  }

  private func check(token id: Int32, table: String) throws {
    guard id >= 0, id < pair.vocabSize else {
      throw refuse(table, "token \(id) is outside the vocabulary of \(pair.vocabSize)")
    }
  }

  private func check(latent id: Int, table: String) throws {
    guard id >= 0, id < pair.nLatents else { throw refuse(table, "latent \(id) is not one of \(pair.nLatents)") }
  }

  private func check(_ value: Double, table: String, _ name: String) throws {
    guard value.isFinite else { throw refuse(table, "\(name) is \(value), not a finite number") }
  }
}
