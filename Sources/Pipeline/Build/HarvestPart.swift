// A harvest in parts: part i of n does the shards i, i + n, i + 2n, … in a folder of its own, and nothing is shared but files.
// A shard's bytes depend on its texts alone, so that joined parts are what one process would have written.

import Diffing
import Experiments
import Foundation
import Inference
import Reports

/// One part of a harvest, counted from 1.
package struct HarvestPart: Sendable, Equatable {
  package let number: Int
  package let count: Int

  /// The most parts; each has a folder.
  package static let most = 9999

  /// Reads `I/N`.
  /// - Throws: `WrittenFormError` saying what is expected.
  package init(_ text: String) throws {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let number = numbers[0], let count = numbers[1], (1...Self.most).contains(count),
      (1...count).contains(number)
    else {
      throw WrittenFormError("\(quoted(text)): a part is I/N with I from 1 to N, as in 2/8")
    }
    (self.number, self.count) = (number, count)
  }

  init(number: Int, count: Int) { (self.number, self.count) = (number, count) }

  /// Whether a shard, counted from 0, belongs to the part.
  func has(shard: Int) -> Bool { shard % count == number - 1 }

  /// The part's own folder.
  func folder(of paths: BuildPaths) -> String { Self.root(of: paths) + "/\(number)-of-\(count)" }

  static func root(of paths: BuildPaths) -> String { paths.activations + ".parts" }

  /// The parts of a build that have a folder.
  static func found(in paths: BuildPaths) -> [HarvestPart] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root(of: paths))) ?? []
    return names.compactMap { try? HarvestPart($0.replacing("-of-", with: "/")) }
  }
}

extension HarvestStage {
  /// Joins the parts, and removes their folders. If it is killed, it is simply run again.
  /// - Throws: `InputError.invalid` naming the parts that are missing, unfinished or damaged, and the command for each.
  package func merge() throws {
    let found = HarvestPart.found(in: paths)
    if found.isEmpty, let whole = try? finished() {
      writeError("harvest: all \(whole.index.shards.count) shards are there already")
      return
    }
    let counts = Set(found.map(\.count)).sorted()
    guard let count = counts.first, counts.count == 1 else {
      throw InputError.invalid(
        source: HarvestPart.root(of: paths), expected: "the parts of one harvest (crosscope harvest CONFIG --part I/N)",
        found: counts.isEmpty
          ? "none" : "those of harvests in \(counts.map(String.init).joined(separator: " and ")) parts")
    }
    let parts = (1...count).map { HarvestPart(number: $0, count: count) }
    let identity = try identity()
    let opened = parts.map { part in
      (try? ActivationShards(folder: part.folder(of: paths))).flatMap { $0.index.identity == identity ? $0 : nil }
    }
    // How many shards there are is known from the texts of any part.
    let total = try opened.lazy.compactMap { $0 }.first.map {
      Self.parts(try $0.readTexts(), tokens: tokensPerShard).count
    }
    let faulty = parts.filter { part in
      guard let total, let shards = opened[part.number - 1] else { return true }
      return shards.index.shards.count != (0..<total).count(where: part.has)
    }
    guard faulty.isEmpty else {
      let names = faulty.prefix(8).map { "\($0.number)/\(count)" }.joined(separator: ", ")
      throw InputError.invalid(
        source: HarvestPart.root(of: paths),
        expected: "all \(count) parts of this configuration, finished and whole (crosscope harvest "
          + "\(URL(filePath: paths.configuration).lastPathComponent) --part I/\(count) makes one again)",
        found:
          "part\(faulty.count == 1 ? "" : "s") \(names)\(faulty.count > 8 ? ", …" : "") missing, unfinished or damaged")
    }
    try ActivationShardWriter.join(
      opened.compactMap { $0 }, in: parts.map { $0.folder(of: paths) }, into: paths.activations)
    try? FileManager.default.removeItem(atPath: HarvestPart.root(of: paths))
    writeError("harvest: \(count) parts are joined to \(total ?? 0) shards")
  }
}
