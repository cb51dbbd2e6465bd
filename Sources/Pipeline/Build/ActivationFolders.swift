// Where a configuration says that activations are which others made: a folder with activations.json, or the folders of two models'
// caches, base's and chat's. Both are read in place.

import Diffing
import Experiments
import Foundation
import Inference

/// The value of a configuration's key `activations`.
package enum ActivationFolders: Codable, Equatable {
  /// A folder with activations.json (docs/activations.md).
  case pairs(String)
  /// The folders layer_L_out of the authors' caches.
  case caches(base: String, chat: String)

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let folder = try? container.decode(String.self) {
      self = .pairs(folder)
      return
    }
    guard let folders = try? container.decode([String].self), folders.count == 2 else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "neither a folder nor a list of base's and chat's")
    }
    self = .caches(base: folders[0], chat: folders[1])
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .pairs(let folder): try container.encode(folder)
    case .caches(let base, let chat): try container.encode([base, chat])
    }
  }

  /// The folders, for messages.
  package var text: String {
    switch self {
    case .pairs(let folder): folder
    case .caches(let base, let chat): "\(base) and \(chat)"
    }
  }

  /// The same folders with full paths.
  func resolved(_ path: (String) -> String) -> ActivationFolders {
    switch self {
    case .pairs(let folder): .pairs(path(folder))
    case .caches(let base, let chat): .caches(base: path(base), chat: path(chat))
    }
  }

  /// Maps the activations.
  func shards() throws(InferenceError) -> ActivationShards {
    switch self {
    case .pairs(let folder): try ActivationShards(folder: folder)
    case .caches(let base, let chat): try ActivationShards(base: base, chat: chat)
    }
  }
}
