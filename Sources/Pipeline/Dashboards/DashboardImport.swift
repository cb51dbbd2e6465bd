// Makes a store of dashboards without a dictionary's file. Files are read once, in batches: a batch's rows, the lines that are
// kept and how far the import has come are one transaction, so that a killed import resumes behind its last batch. A failed one
// leaves no trace and the old store as it was. Memory holds a batch, the vocabulary and 24 bytes a text. Contexts of equal text
// are one sequence. The directions go into the store's table of directions if the dictionary reads the residual stream.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage
import TUI

/// One import.
package struct DashboardImport {
  package let store: String
  package let source: any DashboardSource
  package let tokenizer: String?
  package let baseName: String?
  package let chatName: String?
  package let layer: Int?
  /// The most units in a batch.
  package var batchUnits = 2000

  package init(
    store: String, source: any DashboardSource, tokenizer: String?, baseName: String?, chatName: String?, layer: Int?
  ) {
    (self.store, self.source, self.tokenizer) = (store, source, tokenizer)
    (self.baseName, self.chatName, self.layer) = (baseName, chatName, layer)
  }

  package func run() throws {
    let layer = try foundLayer()
    let tokenizer = try tokenizer.map { try Tokenizer(path: $0) }
    let numbered = source.numbersTokens
    if numbered, tokenizer == nil {
      writeError("import: no tokenizer is given: contexts will show token ids, and their text cannot be searched")
    }
    let most = Int(Int32.max)
    let pair = ModelPair(
      base: baseName ?? "", chat: chatName ?? source.names.model ?? "model", layer: layer, dModel: 0, nLatents: most,
      vocabSize: most, tokenizer: try recordedTokenizer(), card: try card())
    let writer = try StoreWriter(
      replacing: store, pair: pair, meta: meta, resuming: try identity(layer: layer, writtenTo: store))
    var filling = try DashboardWriter(writer, source: source, layer: layer)
    if writer.isResumed {
      writeError("import: going on at \(filling.progress.place(in: source.files))")
    }
    if numbered, let tokenizer, filling.progress.vocabulary == 0 {
      try filling.add(vocabulary: tokenizer.records)
    }
    try filling.readAll(batchUnits: batchUnits)
    filling.report()
    try warnOfDamage(at: writer.path, label: "import")
    let formerSource = try? Store(path: writer.path, access: .readOnly).meta()[Self.sourceKey]
    try writer.finish { try kept($0, formerSource: formerSource ?? nil, path: writer.path) }
    writeError("import: \(termSafe(writer.path)) is ready")
  }

  /// The block whose output the dictionary reads.
  private func foundLayer() throws -> Int {
    let names = source.names
    if let own = names.layer, let layer, own != layer {
      throw InputError.invalid(
        source: "--layer", expected: "\(own), as the files say (the block whose output is read, from 0)",
        found: "\(layer)")
    }
    if let layer = layer ?? names.layer { return layer }
    guard let named = names.namedLayer else {
      throw InputError.notSaid(
        source: source.path, what: "which layer its dictionary reads",
        remedy: "give --layer, the block whose output it is, from 0")
    }
    writeError(
      "import: layer \(named) is taken from the name \(termSafe(names.dictionary ?? "")); --layer says otherwise")
    return named
  }

  /// What the store is made from: the files as they are, and what was asked for.
  private func identity(layer: Int, writtenTo path: String) throws -> String {
    var parts = ["dashboards 1", type(of: source).form, "\(layer)", baseName ?? "", chatName ?? "", tokenizer ?? ""]
    for file in source.files {
      let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
      let size = attributes?[.size] as? Int ?? 0
      let time = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
      parts.append("\(file.path) \(size) \(time)")
    }
    return Array(parts.joined(separator: "\n").utf8).withUnsafeBytes { SHA256.hex(of: $0) }
  }

  private func recordedTokenizer() throws -> ModelPair.File? {
    guard let tokenizer else { return nil }
    let inFolder = tokenizer + "/tokenizer.json"
    let path = FileManager.default.fileExists(atPath: inFolder) ? inFolder : tokenizer
    return .init(
      path: StorePlace.recorded(path, folder: StorePlace.folder(of: store)),
      sha256: try RememberedHash.sha256(path: path))
  }

  private func card() throws -> String {
    try ImportCard(
      form: type(of: source).form, choice: DictionaryChoice(), activation_units: nil, mean_norms: nil,
      input_scaling: nil,
      metrics: [:],
      training_tokens: nil
    ).text()
  }

  /// The key of the name of the dictionary in a store's free texts.
  package static let sourceKey = "published_source"

  private var meta: [String: String] {
    [
      "program": "crosscope \(ProgramVersion.current)", "imported_dashboards": source.path, Self.sourceKey: sourceName,
    ]
  }

  private var sourceName: String { source.name }

  /// What of a user's work goes into the new store: all of it if both are about the same dictionary, but no explanation that came
  /// with files.
  private func kept(_ old: UserAnnotations, formerSource: String?, path: String) throws -> UserAnnotations? {
    var own = old
    own.explanations.removeAll { PublishedExplanation.place(of: $0) != nil }
    guard !own.isEmpty else { return nil }
    guard old.crosscoderSHA256 == nil, formerSource == sourceName else {
      let backup = path + ".\(old.crosscoderSHA256?.prefix(8) ?? "old").annotations.json"
      try write(json: old, to: backup)
      writeError("import: the dictionary changed; tags and notes of the old store are kept in \(termSafe(backup))")
      return nil
    }
    return own
  }
}

/// What says of an explanation in a store that it came with a file.
package enum PublishedExplanation {
  private struct Details: Codable { let published: String }

  /// The details of such an explanation.
  static func details(place: String) -> String { storedJSON(Details(published: place)) }

  /// The line that an explanation came with; nil if it did not come with a file.
  package static func place(of explanation: ExplanationRecord) -> String? {
    explanation.details.flatMap { try? JSONDecoder().decode(Details.self, from: Data($0.utf8)).published }
  }
}
