// Texts that are compared with recorded ones, which stand in the folder Goldens of the tests' target.

import Foundation
import Testing

/// Compares a text with the file of that name among the goldens, or records it.
public func expectGolden(
  _ text: String, _ name: String, file: String = #filePath, location: SourceLocation = #_sourceLocation
) throws {
  let recorded = URL(filePath: file).deletingLastPathComponent().appending(path: "Goldens/\(name)")
  if ProcessInfo.processInfo.environment["CROSSCOPE_RECORD"] == "1" {
    try text.write(to: recorded, atomically: true, encoding: .utf8)
    return
  }
  let golden = try #require(
    try? String(contentsOf: recorded, encoding: .utf8), "no golden \(name): record it with CROSSCOPE_RECORD=1")
  let (new, old) = (
    text.split(separator: "\n", omittingEmptySubsequences: false),
    golden.split(separator: "\n", omittingEmptySubsequences: false)
  )
  let row = zip(new, old).enumerated().first { $1.0 != $1.1 }
  #expect(
    text == golden,
    "\(name) first differs in line \((row?.offset ?? min(new.count, old.count)) + 1):\nnow  \(row?.element.0 ?? "")\nwas  \(row?.element.1 ?? "")"
  )
}
