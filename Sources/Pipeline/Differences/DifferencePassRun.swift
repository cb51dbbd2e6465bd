// The one pass of both models over all texts, in groups that depend on the texts alone. Where there is a place for it, the sums are kept
// every little while, so that a run that was killed goes on from there.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports

package struct DifferencePassRun {
  package let models: PairedModels
  package let texts: [DifferenceText]
  package let settings: DifferenceSettings
  /// A file for the sums of a run that goes on, and all that decides them; nil keeps nothing.
  package var kept: (path: String, identity: String)?
  package var label = "differences"
  /// The seconds between two times at which sums are kept.
  package var pause = 20.0
  private static let tokensPerGroup = 256

  package init(models: PairedModels, texts: [DifferenceText], settings: DifferenceSettings) {
    (self.models, self.texts, self.settings) = (models, texts, settings)
  }

  private struct Kept: Codable {
    var identity: String
    var groups: Int
    var sums: DifferenceSums
  }

  /// Runs what is not done yet.
  /// - Throws: the errors of the forward pass; `InferenceError.fileUnwritable` if sums cannot be kept.
  package func run() throws -> DifferenceSums {
    let groups = groups()
    var collector = try DifferenceCollector(models: models, settings: settings)
    var done = 0
    if let kept, let found = read(kept.path), found.identity == kept.identity, found.groups <= groups.count {
      collector = DifferenceCollector(models: models, sums: found.sums)
      done = found.groups
    }
    func tokens(_ groups: ArraySlice<Range<Int>>) -> Int {
      groups.reduce(0) { $0 + texts[$1].reduce(0) { $0 + $1.ids.count } }
    }
    var read = tokens(groups[..<done])
    var progress = ProgressLine(label, total: tokens(groups[...]), unit: "tokens", done: read)
    var last = ContinuousClock.now
    for (index, group) in groups.enumerated().dropFirst(done) {
      try collector.add(Array(texts[group]), first: group.lowerBound)
      read += tokens(groups[index...index])
      progress.update(read)
      if let kept, (ContinuousClock.now - last).seconds >= pause, index + 1 < groups.count {
        try write(Kept(identity: kept.identity, groups: index + 1, sums: collector.sums), to: kept.path)
        last = .now
      }
    }
    return collector.sums
  }

  /// Forgets what was kept, once what is made of it is in its place.
  package func forget() {
    if let kept { try? FileManager.default.removeItem(atPath: kept.path) }
  }

  private func groups() -> [Range<Int>] {
    var (groups, start, held): ([Range<Int>], Int, Int) = ([], 0, 0)
    for (index, text) in texts.enumerated() {
      if held > 0, held + text.ids.count > Self.tokensPerGroup {
        groups.append(start..<index)
        (start, held) = (index, 0)
      }
      held += text.ids.count
    }
    return groups + [start..<texts.count]
  }

  private func read(_ path: String) -> Kept? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    // Sums that cannot be read are made again, as if there were none.
    return try? PropertyListDecoder().decode(Kept.self, from: data)
  }

  private func write(_ kept: Kept, to path: String) throws {
    let encoder = PropertyListEncoder()
    encoder.outputFormat = .binary
    let file = try AtomicFile(path: path)
    try file.write(Array(encoder.encode(kept)))
    try file.commit(replacing: true)
  }
}
