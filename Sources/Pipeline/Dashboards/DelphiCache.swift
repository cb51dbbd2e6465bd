// Delphi's cache of latents: HOOK/FIRST_LAST.safetensors (LAST inclusive) with locations [nnz, 3] (sequence, position, latent −
// FIRST), activations [nnz] and tokens [sequences, context], or one HOOK.safetensors with absolute latents; beside it
// config.json, and explanations/HOOK_latentN.txt, each a JSON string. A latent's figures are over all tokens of the cache; of
// its contexts the strongest of each band are taken. Memory: 12 bytes an activation of one file.
// Source: eai-delphi 0.1.1 (delphi/latents/cache.py, __main__.py).

import Diffing
import Experiments
import Foundation
import Inference

/// The cache of one hookpoint.
package struct DelphiCache: DashboardSource {
  package static let form = "delphi's cache (FIRST_LAST.safetensors)"
  /// The most contexts of a latent in the top band and in each other band.
  static let (mostOnTop, mostInBand) = (20, 8)

  package let path: String
  package let names: DashboardNames
  package let files: [DashboardFile]
  package var numbersTokens: Bool { true }
  private let hook: String

  package static let format = FormatTable(
    "Delphi's cache and explanations", reference: "eai-delphi 0.1.1", unknown: .ignored,
    [
      .honoured(
        "locations", "Sequence, position and latent of each activation; in split files the latent counts from FIRST."),
      .honoured("activations", "F16 or F32; those below 0 count for no figure and are not shown."),
      .honoured("tokens", "The sequences; a cache saved without them gives figures and no contexts."),
      .honoured("the folder's name", "layers.N is the output of block N."),
      .honoured("config.json: model_name, dataset_repo", "The names of the model and the corpus."),
      .withoutEffect("config.json: any other field", "The tensors say it."),
      .honoured("HOOK_latentN.txt", "An explanation: a JSON string."),
    ])

  package static func opened(_ path: String) throws -> (any DashboardSource)? {
    let folder = path.hasSuffix("/") && path.count > 1 ? String(path.dropLast()) : path
    if folder.hasSuffix(".safetensors") {
      guard let file = try? SafetensorsFile(path: folder), file.hasTensor(named: "locations") else { return nil }
      return try DelphiCache(hookFiles: [folder], hook: String(URL(filePath: folder).lastPathComponent.dropLast(12)))
    }
    for place in [folder, folder + "/latents"] {
      let hooks = ([place] + subfolders(place)).filter { !splits($0).isEmpty }
      guard let first = hooks.first else { continue }
      guard hooks.count == 1 else {
        throw InputError.invalid(
          source: path, expected: "the folder of one hookpoint",
          found: hooks.map { URL(filePath: $0).lastPathComponent }.joined(separator: ", "))
      }
      return try DelphiCache(
        hookFiles: splits(first).map { first + "/" + $0.name }, hook: URL(filePath: first).lastPathComponent)
    }
    return nil
  }

  private static func subfolders(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().map { folder + "/" + $0 }
  }

  /// The split files of a folder, by their first latents.
  private static func splits(_ folder: String) -> [(range: ClosedRange<Int>, name: String)] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { name in
      range(ofFile: name).map { ($0, name) }
    }.sorted { $0.range.lowerBound < $1.range.lowerBound }
  }

  private static func range(ofFile name: String) -> ClosedRange<Int>? {
    guard name.hasSuffix(".safetensors") else { return nil }
    let parts = name.dropLast(12).split(separator: "_", omittingEmptySubsequences: false)
    guard parts.count == 2, let first = Int(parts[0]), let last = Int(parts[1]), first >= 0, first <= last,
      last < DelphiSplit.limit
    else { return nil }
    return first...last
  }

  private init(hookFiles: [String], hook: String) throws {
    guard let first = hookFiles.first else { preconditionFailure("a cache has files") }
    let folder = URL(filePath: first).deletingLastPathComponent()
    (path, self.hook) = (folder.path, hook)
    var files = hookFiles.map {
      DashboardFile(path: $0, kind: "latents", name: URL(filePath: $0).lastPathComponent, unit: "latent")
    }
    for place in ["../../explanations", "../explanations", "explanations"] {
      let explanations = folder.appending(path: place).standardizedFileURL.path
      guard !Self.explanations(in: explanations, hook: hook).isEmpty else { continue }
      files.append(DashboardFile(path: explanations, kind: "explanations", name: "explanations", unit: "text"))
      break
    }
    self.files = files
    var names = DashboardNames()
    let parts = hook.split(separator: ".")
    if let at = parts.firstIndex(of: "layers") ?? parts.firstIndex(of: "h"), at + 1 < parts.count,
      let block = Int(parts[at + 1])
    {
      // A name below the block is another site.
      if at + 2 == parts.count { (names.layer, names.readsResidualStream) = (block, true) }
      (names.namedLayer, names.readsResidualStream) = (block, at + 2 == parts.count)
    }
    names.dictionary = hook
    struct Config: Decodable { let model_name, dataset_repo: String? }
    let config = folder.appending(path: "config.json").path
    if FileManager.default.fileExists(atPath: config) {
      do {
        let config = try JSONDecoder().decode(Config.self, from: MappedFile(path: config).contents())
        (names.model, names.corpus) = (config.model_name, config.dataset_repo)
      } catch let error as DecodingError {
        throw InputError.invalid(source: config, expected: "the settings of a cache", found: error.clause)
      }
    }
    self.names = names
  }

  private static func explanations(in folder: String, hook: String) -> [(number: Int, name: String)] {
    (try? numberedFiles(in: folder, prefix: hook + "_latent", endings: [".txt"])) ?? []
  }

  package func read(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws {
    guard file.kind == "latents" else { return try readExplanations(file, after: done, take) }
    let split = try DelphiSplit(path: file.path, latents: Self.range(ofFile: file.name))
    for number in split.latents.indices where number >= done {
      try take(
        DashboardUnit(
          number: number + 1, records: try split.records(number), name: "\(split.latents[number])", line: nil,
          consumed: split.bytes / max(split.latents.count, 1) * number))
    }
    try split.check()
  }

  private func readExplanations(_ file: DashboardFile, after done: Int, _ take: (DashboardUnit) throws -> Void) throws {
    for (index, entry) in Self.explanations(in: file.path, hook: hook).enumerated() where index >= done {
      let path = file.path + "/" + entry.name
      let text: String
      do {
        text = try JSONDecoder().decode(String.self, from: MappedFile(path: path).contents())
      } catch let error as DecodingError {
        throw InputError.invalid(source: path, expected: "a JSON string", found: error.clause)
      }
      let explanation = DashboardExplanation(index: entry.number, text: text, source: "delphi")
      try take(
        DashboardUnit(number: index + 1, records: [.explanation(explanation)], name: entry.name, line: nil, consumed: 0)
      )
    }
  }
}
