// Where a build's files are: everything relative to the configuration's folder, the model also in the cache.

import Foundation
import Glibc
import Inference
import Storage

/// The resolved paths of a build.
struct BuildPaths {
  let configuration: String
  let model: String
  let adapter: String?
  let baseModel: String?
  let corpus: [String]
  let work: String
  let crosscoder: String
  let store: String

  var activations: String { work + "/activations" }
  var scores: String { work + "/scores.json" }

  /// Makes sure that crosscoder and store can be written where they are wanted.
  /// - Throws: `InferenceError.fileUnwritable`, or the store's own error for another program's file in its place.
  func checkResults() throws {
    for folder in [crosscoder, URL(fileURLWithPath: store).deletingLastPathComponent().path] {
      try makeFolder(folder)
      guard access(folder, W_OK | X_OK) == 0 else {
        throw InferenceError.fileUnwritable(path: folder, reason: String(cString: strerror(errno)))
      }
    }
    do { _ = try Store(path: store, access: .readOnly) } catch {
      switch error {
      case .missing, .empty, .truncated: return
      default: throw error
      }
    }
  }

  /// SHA-256 of what makes the pair of `model`: the adapter, or the base.
  func otherHash() throws -> String {
    switch (adapter, baseModel) {
    case (let adapter?, _): try Adapter.sha256(folder: adapter)
    case (nil, let base?): try RememberedHash.sha256(path: base)
    case (nil, nil): ""
    }
  }

  init(_ build: BuildConfiguration, path: String) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    func resolve(_ relative: String) -> String {
      URL(fileURLWithPath: relative, relativeTo: folder).standardizedFileURL.path
    }
    configuration = path
    model = try ModelFiles.locate(build.model, besides: folder.path)
    adapter = build.adapter.map(resolve)
    baseModel = try build.base_model.map { try ModelFiles.locate($0, besides: folder.path) }
    corpus = build.corpus.map { resolve($0.file) }
    work = resolve(build.work)
    crosscoder = resolve(build.crosscoder)
    store = resolve(build.store)
  }
}

/// Finds model files that were recorded by path or by name.
enum ModelFiles {
  /// The folder that downloaded models are kept in.
  static var cacheFolder: String {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["CROSSCOPE_CACHE"], !folder.isEmpty { return folder }
    let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
    return cache + "/crosscope"
  }

  /// The path of a file that is recorded relative to the file that records it.
  /// - Throws: `CommandError.inputInvalid` if nothing is there.
  static func beside(_ recorded: String, folder: String) throws -> String {
    let path = URL(fileURLWithPath: recorded, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
    guard FileManager.default.fileExists(atPath: path) else {
      throw CommandError.inputInvalid(source: path, expected: "a file", found: "none")
    }
    return path
  }

  /// The path of a model file: as recorded, beside the file that records it, or by its name in the cache.
  /// - Throws: `CommandError.inputInvalid` naming every place that was looked at.
  static func locate(_ recorded: String, besides folder: String) throws -> String {
    let beside = URL(fileURLWithPath: recorded, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
    let cached = cacheFolder + "/" + URL(fileURLWithPath: recorded).lastPathComponent
    for candidate in [beside, cached] where FileManager.default.fileExists(atPath: candidate) { return candidate }
    throw CommandError.inputInvalid(
      source: "the model \(recorded)",
      expected: "a file at \(beside) or \(cached) (scripts/fetch-model gets the demo's)",
      found: "none")
  }
}
