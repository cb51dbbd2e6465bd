// How a store names the files that belong to it.

import Foundation

/// The places of a store's files, seen from the store's folder.
package enum StorePlace {
  package static func folder(of store: String) -> String {
    URL(fileURLWithPath: store).standardizedFileURL.deletingLastPathComponent().path
  }

  /// Where the held-out chats of a store lie.
  package static func heldOutChats(of store: String) -> String {
    URL(fileURLWithPath: store).deletingLastPathComponent().path + "/heldout-chats.jsonl"
  }

  /// The path to record: relative if the file is inside the store's folder, so that both can move together; else
  /// absolute.
  package static func recorded(_ path: String, folder: String) -> String {
    let path = URL(fileURLWithPath: path).standardizedFileURL.path
    return path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
  }
}
