// How a store names the files that belong with it.

import Foundation

/// Where a store's files are, from the store's folder.
package enum StorePlace {
  package static func folder(of store: String) -> String {
    URL(fileURLWithPath: store).standardizedFileURL.deletingLastPathComponent().path
  }

  /// Relative inside the store's folder, so that both can be moved together; absolute elsewhere.
  package static func recorded(_ path: String, folder: String) -> String {
    let path = URL(fileURLWithPath: path).standardizedFileURL.path
    return path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
  }
}
