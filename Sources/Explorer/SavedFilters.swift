// Filters that are kept beyond a run: those that were used last, and those that have a name. They are in filters.json
// in the user's configuration folder, which is read before and written whole after each change, so that explorers side
// by side keep each other's filters. A change fails where the file cannot be read, so that nothing in it is lost.

import Diffing
import Experiments
import Foundation
import Inference
import Storage

/// Filters of one user, for all stores.
struct SavedFilters: Sendable, Equatable, Codable {
  struct Named: Sendable, Equatable, Codable {
    var name: String
    var filter: String
  }

  /// One change.
  enum Edit: Sendable, Equatable {
    case used(String)
    case save(Named)
    case delete(name: String)
  }

  static let longestHistory = 200

  /// The last used filters, the oldest first, each once.
  var history: [String] = []
  /// The named filters in the order of their names.
  var named: [Named] = []

  mutating func apply(_ edit: Edit) {
    switch edit {
    case .used(let filter):
      history.removeAll { $0 == filter }
      history.append(filter)
      history.removeFirst(max(0, history.count - Self.longestHistory))
    case .save(let filter):
      named.removeAll { $0.name == filter.name }
      named.append(filter)
      named.sort { $0.name < $1.name }
    case .delete(let name): named.removeAll { $0.name == name }
    }
  }
}

/// The file of saved filters.
struct FilterFile: Sendable {
  let path: String

  /// `$XDG_CONFIG_HOME/crosscope/filters.json`, with `~/.config` as the default folder.
  static func ofUser(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> FilterFile {
    FilterFile(path: Configuration.folder("XDG_CONFIG_HOME", else: ".config", environment) + "/filters.json")
  }

  /// Reads the filters; without a file there are none.
  /// - Throws: `InputError.invalid` for a file of another form.
  func read() throws -> SavedFilters {
    guard FileManager.default.fileExists(atPath: path) else { return SavedFilters() }
    do {
      return try JSONDecoder().decode(SavedFilters.self, from: Data(contentsOf: URL(filePath: path)))
    } catch {
      throw InputError.invalid(source: path, expected: "saved filters", found: "another form")
    }
  }

  /// Makes a change and returns all filters after it.
  func apply(_ edit: SavedFilters.Edit) throws -> SavedFilters {
    var filters = try read()
    filters.apply(edit)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    let folder = URL(filePath: path).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let file = try AtomicFile(path: path)
    try file.write([UInt8](encoder.encode(filters)) + [UInt8(ascii: "\n")])
    try file.commit()
    return filters
  }
}
