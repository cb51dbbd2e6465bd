// What a user has put into a store, apart from what a build computes. Tags, notes, explanations and experiments are
// taken out of one store and put into a rebuilt one. Tags never move between crosscoders, since a latent's number means
// nothing in another one.

import Foundation
import GRDB

/// The tags, notes, explanations and experiments of a user.
public struct UserAnnotations: Sendable, Equatable, Codable {
  public struct Note: Sendable, Equatable, Codable {
    public var latent: Int
    public var text: String

    public init(latent: Int, text: String) {
      self.latent = latent
      self.text = text
    }
  }

  /// The SHA-256 of the crosscoder whose latents these are about.
  public var crosscoderSHA256: String?
  /// The latents of each tag, rising.
  public var tags: [String: [Int]]
  /// The notes by latent, rising.
  public var notes: [Note]
  /// The explanations that a build does not make by itself, by latent.
  public var explanations: [ExplanationRecord]
  /// The experiments, oldest first.
  public var experiments: [ExperimentRecord]

  public init(
    crosscoderSHA256: String?, tags: [String: [Int]] = [:], notes: [Note] = [],
    explanations: [ExplanationRecord] = [], experiments: [ExperimentRecord] = []
  ) {
    self.crosscoderSHA256 = crosscoderSHA256
    self.tags = tags
    self.notes = notes
    self.explanations = explanations
    self.experiments = experiments
  }

  public var isEmpty: Bool { tags.isEmpty && notes.isEmpty && explanations.isEmpty && experiments.isEmpty }
}

extension Store {
  /// All tags, notes, explanations and experiments, read in one transaction. The journal is not included.
  public func userAnnotations() throws(StorageError) -> UserAnnotations {
    try read(UserAnnotations.init(in:))
  }
}

extension UserAnnotations {
  /// Reads everything.
  init(in db: Database) throws {
    self.init(crosscoderSHA256: try String.fetchOne(db, sql: "SELECT crosscoder_sha256 FROM model_pair"))
    let rows = try Row.fetchCursor(db, sql: "SELECT name, latent FROM tag ORDER BY name, latent")
    while let row = try rows.next() {
      let reader = RowReader(row: row, table: "tag")
      tags[try reader.text(0), default: []].append(try reader.int(1))
    }
    let noted = try Row.fetchCursor(db, sql: "SELECT latent, text FROM note ORDER BY latent")
    while let row = try noted.next() {
      let reader = RowReader(row: row, table: "note")
      notes.append(.init(latent: try reader.int(0), text: try reader.text(1)))
    }
    let explained = try Row.fetchCursor(
      db, sql: "SELECT DISTINCT latent FROM explanation WHERE source <> ? ORDER BY latent",
      arguments: [Store.tokenSource])
    while let row = try explained.next() {
      explanations += try Store.explanations(
        of: try RowReader(row: row, table: "explanation").int(0), in: db
      ).filter { $0.source != Store.tokenSource }
    }
    experiments = try ExperimentRecord.newest(before: nil, limit: Int(Int32.max), in: db).reversed()
  }

  /// Writes everything into a store that holds none of it yet.
  func insert(in db: Database) throws {
    for (name, latents) in tags.sorted(by: { $0.key < $1.key }) {
      for name in try Store.tagNames([name]) {
        try AnnotationChange.tagged(name: name, latents: latents).apply(in: db)
      }
    }
    for note in notes {
      try AnnotationChange.noted(latent: note.latent, before: "", after: note.text).apply(in: db)
    }
    for explanation in explanations { try explanation.insert(in: db) }
    for experiment in experiments { _ = try ExperimentRecord.insert(experiment, in: db) }
  }
}
