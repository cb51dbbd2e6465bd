// The two models of a comparison, from what the user names: a store, the configuration of a build, or the models' own paths.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage
import TUI

package struct DifferencePair {
  package let engine: Engine
  package let names: (base: String, chat: String)
  /// The adapter's folder.
  package let adapter: String?
  /// The store that was named.
  package let store: Store?

  /// - Parameters:
  ///   - source: a store or a configuration; nil if `files` name the models.
  ///   - files: paths that replace those of the source.
  /// - Throws: `InputError`, the modules' own errors; `InputError.notSaid` if there is only one model.
  package init(source: String?, files: ModelLocations, precision: Precision) throws {
    var files = files
    var names: (base: String, chat: String)?
    var store: Store?
    if let source {
      if try Self.isConfiguration(source) {
        let build = try BuildConfiguration(path: source)
        let paths = try BuildPaths(build, path: source)
        files = ModelLocations(
          model: files.model ?? paths.model, adapter: files.adapter ?? paths.adapter,
          baseModel: files.baseModel ?? paths.baseModel)
        names = (build.base_name, build.chat_name)
      } else {
        let opened = try Store(path: source, access: .readWrite)
        (store, names) = (opened, try Self.locate(&files, in: opened))
      }
    }
    guard let model = files.model else {
      throw InputError.notSaid(
        source: source ?? "the command line", what: "which models to compare",
        remedy: "give a store, a build's configuration, or --model with --adapter or --base-model")
    }
    engine = try Engine(
      model: model, adapter: files.adapter, base: files.baseModel, precision: precision, vocabulariesMayDiffer: true)
    guard engine.isPair else {
      throw InputError.notSaid(
        source: model, what: "what to compare it with", remedy: "give --adapter or --base-model as well")
    }
    _ = try store?.check(engine)
    if let base = files.baseModel { try Self.checkTokenizer(of: base, is: engine) }
    func name(_ path: String) -> String { URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent }
    self.names =
      names
      ?? (
        base: name(files.baseModel ?? model),
        chat: files.adapter.map { "\(name(model)) + \(name($0))" } ?? name(model)
      )
    (adapter, self.store) = (files.adapter, store)
  }

  private static func isConfiguration(_ path: String) throws -> Bool {
    let file = try MappedFile(path: path)
    return try JSONLine.lines(file.contents().prefix(256)).first?.content.first == UInt8(ascii: "{")
  }

  /// Fills in the paths that a store records.
  private static func locate(_ files: inout ModelLocations, in store: Store) throws -> (base: String, chat: String) {
    let pair = try store.modelPair()
    let folder = StorePlace.folder(of: store.path)
    if files.model == nil { files.model = try pair.model.map { try ModelFiles.locate($0.path, besides: folder) } }
    if files.adapter == nil { files.adapter = try pair.adapter.map { try ModelFiles.beside($0.path, folder: folder) } }
    if files.baseModel == nil {
      files.baseModel = try pair.baseModel.map { try ModelFiles.locate($0.path, besides: folder) }
    }
    return (pair.base, pair.chat)
  }

  /// Base must give the same numbers to the same tokens. A folder without a tokenizer is taken at its word.
  /// - Throws: `InputError.mismatch` with the first token that differs.
  private static func checkTokenizer(of base: String, is engine: Engine) throws {
    let source = try ModelSource(path: base)
    if case .folder(let folder) = source, !FileManager.default.fileExists(atPath: folder + "/tokenizer.json") { return }
    let (own, other) = (engine.tokenizer, try source.tokenizer())
    let shared = Int32(min(own.vocabularySize, other.vocabularySize))
    for id in 0..<shared where own.bytes(of: id) != other.bytes(of: id) {
      func text(_ tokenizer: Tokenizer) -> String {
        "\"\(termSafe(String(decoding: tokenizer.bytes(of: id), as: UTF8.self)))\""
      }
      throw InputError.invalid(
        source: base, expected: "the tokenizer of chat, whose token \(id) is \(text(own))", found: text(other))
    }
  }

  /// What a store that holds this pair's differences says of it.
  package func modelPair(folder: String) throws -> ModelPair {
    func file(_ path: String) throws -> ModelPair.File {
      ModelPair.File(path: StorePlace.recorded(path, folder: folder), sha256: try RememberedHash.sha256(path: path))
    }
    let shape = engine.model.configuration
    let model = try file(engine.modelPath)
    return ModelPair(
      base: names.base, chat: names.chat, layer: shape.nLayers / 2 - 1, dModel: shape.dModel, nLatents: 0,
      vocabSize: shape.vocabSize, model: model,
      adapter: try adapter.map {
        .init(path: StorePlace.recorded($0, folder: folder), sha256: try Adapter.sha256(folder: $0))
      },
      baseModel: try engine.basePath.map(file), tokenizer: model)
  }
}
