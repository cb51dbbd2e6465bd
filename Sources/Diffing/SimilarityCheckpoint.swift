// Where a long search for similar latents keeps what it has found, so that one that was killed goes on.
// Owns: one small file (8 bytes for each of the few neighbours of a latent), written so that it appears whole. A file that
// is damaged, or another dictionary's, counts as none.

import Foundation
import Inference

/// The state of one search on disk.
public struct SimilarityCheckpoint: Sendable {
  /// The file; the caller removes it when all is done.
  public let path: String
  /// Names the dictionary and what is searched in it; another identity's file is not used.
  public let identity: String
  /// The time between two savings.
  public let interval: Duration

  public init(path: String, identity: String, interval: Duration = .seconds(20)) {
    (self.path, self.identity, self.interval) = (path, identity, interval)
  }

  /// Removes the file.
  public func remove() { try? FileManager.default.removeItem(atPath: path) }

  /// What was found up to a column, by an earlier search for `top` others of each of `count` latents.
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

  /// Keeps what was found before `column`. A search whose state cannot be kept goes on all the same.
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
