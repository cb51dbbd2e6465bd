// Goes through the files of a source, with progress on stderr, and says at the end what was read.

import Experiments
import Foundation
import Reports
import Storage

extension DashboardWriter {
  /// The most bytes of lines in a batch.
  private static let batchBytes = 4 << 20

  /// Reads what has not been read, batch by batch, and finishes.
  mutating func readAll(batchUnits: Int = 2000) throws {
    let files = source.files
    let sizes = files.map { (try? FileManager.default.attributesOfItem(atPath: $0.path)[.size] as? Int) ?? 0 }
    let total = sizes.reduce(0, +)
    let begun = progress.file
    var before = sizes[..<min(begun, sizes.count)].reduce(0, +)
    var line = ProgressLine("import", total: total >> 10, unit: "kB", done: before >> 10)
    for (number, file) in files.enumerated().dropFirst(begun) {
      try begin(file: number)
      try source.read(file, after: progress.unit) { unit in
        try add(unit, of: file)
        if units >= batchUnits || bytes >= Self.batchBytes {
          try flush()
          line.update((before + unit.consumed) >> 10, note: "\(progress.contexts) contexts")
        }
      }
      try flush()
      before += sizes[number]
    }
    try finish()
  }

  /// Says what has been read and what is not shown.
  func report() {
    writeError(
      "import: \(progress.latents) latents, \(progress.contexts) contexts, \(progress.explanations) explanations")
    if progress.silent > 0 {
      writeError("import: \(progress.silent) contexts have no activation above 0 and are not shown")
    }
    if progress.negative > 0 { writeError("import: \(progress.negative) activations below 0 are not shown") }
    if progress.untold > 0 {
      writeError(
        "import: \(progress.untold) explanations are empty or longer than \(Store.longestExplanation) bytes and are not shown"
      )
    }
    if progress.dModel > 0, source.names.readsResidualStream == false {
      writeError("import: the dictionary does not read the residual stream, so its directions are not kept as such")
    }
  }
}
