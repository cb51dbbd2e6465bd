// Finds model files where another file records them, or in the cache of downloaded models.

import Foundation
import Glibc

/// Places of model files.
package enum ModelFiles {
  /// The folder of downloaded models.
  package static var cacheFolder: String {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment["CROSSCOPE_CACHE"], !folder.isEmpty { return folder }
    let cache = environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory() + "/.cache"
    return cache + "/crosscope"
  }

  /// The path of a file that is recorded relative to the file that records it.
  /// - Throws: `InputError.invalid` if the file does not exist.
  package static func beside(_ recorded: String, folder: String) throws -> String {
    let path = URL(fileURLWithPath: recorded, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
    guard FileManager.default.fileExists(atPath: path) else {
      throw InputError.invalid(source: path, expected: "a file", found: "none")
    }
    return path
  }

  /// The path of a model file: as recorded, beside the file that records it, or by its name in the cache.
  /// - Throws: `InputError.invalid` naming every path that was tried.
  package static func locate(_ recorded: String, besides folder: String) throws -> String {
    let beside = URL(fileURLWithPath: recorded, relativeTo: URL(fileURLWithPath: folder)).standardizedFileURL.path
    let cached = cacheFolder + "/" + URL(fileURLWithPath: recorded).lastPathComponent
    for candidate in [beside, cached] where FileManager.default.fileExists(atPath: candidate) { return candidate }
    throw InputError.invalid(
      source: "the model \(recorded)",
      expected: "a file at \(beside) or \(cached) (scripts/fetch-model gets the demo's)",
      found: "none")
  }
}

/// Paths at which the models of a store are found; nil keeps the path in the store.
package struct ModelLocations: Sendable {
  package var model: String?
  package var adapter: String?
  package var baseModel: String?

  package init(model: String? = nil, adapter: String? = nil, baseModel: String? = nil) {
    (self.model, self.adapter, self.baseModel) = (model, adapter, baseModel)
  }
}
