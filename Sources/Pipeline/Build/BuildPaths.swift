// Resolves the paths of a build: they are relative to the configuration's folder, and the model may also be in the cache.

import Experiments
import Foundation
import Glibc
import Inference
import Storage

/// The resolved paths of a build.
package struct BuildPaths {
  package let configuration: String
  package let model: String
  package let adapter: String?
  package let baseModel: String?
  package let corpus: [String]
  /// The activations that take the place of a harvest.
  package let given: ActivationFolders?
  /// The file of held-out texts; nil if there is none.
  package let heldOut: String?
  package let work: String
  package let crosscoder: String
  package let store: String

  package var activations: String { work + "/activations" }
  package var scores: String { work + "/scores.json" }

  /// Makes sure that crosscoder and store can be written at their paths.
  /// - Throws: `InferenceError.fileUnwritable`, or the store's own error if another program's file is there.
  package func checkResults() throws {
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

  /// The SHA-256 of the pair's other part: the adapter or the base.
  package func otherHash() throws -> String {
    switch (adapter, baseModel) {
    case (let adapter?, _): try Adapter.sha256(folder: adapter)
    case (nil, let base?): try RememberedHash.sha256(path: base)
    case (nil, nil): ""
    }
  }

  package init(_ build: BuildConfiguration, path: String) throws {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
    func resolve(_ relative: String) -> String {
      URL(fileURLWithPath: relative, relativeTo: folder).standardizedFileURL.path
    }
    configuration = path
    model = try ModelFiles.locate(build.model, besides: folder.path)
    adapter = build.adapter.map(resolve)
    baseModel = try build.base_model.map { try ModelFiles.locate($0, besides: folder.path) }
    corpus = build.corpus.map { resolve($0.file) }
    given = build.activations?.resolved(resolve)
    work = resolve(build.work)
    crosscoder = resolve(build.crosscoder)
    store = resolve(build.store)
    let usual = StorePlace.heldOutChats(of: store)
    heldOut = build.heldout.map(resolve) ?? (FileManager.default.fileExists(atPath: usual) ? usual : nil)
    // Scores come after hours of training, so that bad texts are reported before.
    if let heldOut { _ = try CorpusReader.readAll(heldOut) }
  }
}
