// A long search for similar latents saves here what it has found, so that a search that was killed can continue. The
// file is small (8 bytes for each of the few neighbours of a latent) and appears complete or not at all. A file that is
// damaged or belongs to another dictionary counts as missing.

import Foundation
import Inference

/// The state of one search on disk.
public struct SimilarityCheckpoint: Sendable {
  /// The path of the file. The caller removes it when the search is done.
  public let path: String
  /// Identifies the dictionary and what is searched in it. The file of another identity is not used.
  public let identity: String
  /// The time between two savings.
  public let interval: Duration

  public init(path: String, identity: String, interval: Duration = .seconds(20)) {
    (self.path, self.identity, self.interval) = (path, identity, interval)
  }

  /// Removes the file.
  public func remove() { try? FileManager.default.removeItem(atPath: path) }

  /// Reads what an earlier search for `top` others of each of `count` latents found up to a column.
  func read(count: Int, top: Int) -> (column: Int, best: BestColumns)? {
    guard let file = try? SafetensorsFile(path: path), file.metadata["identity"] == identity,
      let column = try? file.ints(named: "column").first, (0...count).contains(column),
      let latents = try? file.ints(named: "latents"), let cosines = try? file.floats(named: "cosines"),
      let counts = try? file.ints(named: "counts"), latents.count == count * top, cosines.count == count * top,
      counts.count == count, counts.allSatisfy({ (0...top).contains($0) }),
      latents.allSatisfy({ (0..<count).contains($0) })
    else { return nil }
    return (column, BestColumns(top: top, latents: latents.map(Int32.init), cosines: cosines, counts: counts))
  }

  /// Saves what was found before `column`. A search whose state cannot be saved continues all the same.
  func write(column: Int, _ best: BestColumns) {
    var writer = SafetensorsWriter(metadata: ["identity": identity])
    let shape = [best.counts.count, best.top]
    writer.add("column", shape: [], int64s: [Int64(column)])
    writer.add("latents", shape: shape, int32s: best.latents)
    writer.add("cosines", shape: shape, floats: best.cosines)
    writer.add("counts", shape: [best.counts.count], int32s: best.counts.map(Int32.init))
    try? writer.write(to: path)
  }
}
