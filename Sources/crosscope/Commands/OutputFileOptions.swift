// The option --force of commands that write a file. Without it an existing file stays as it is, as in the explorer. The command
// looks for the file before its work begins, and once more when it writes.

import ArgumentParser
import Foundation
import Inference

struct OutputFileOptions: ParsableArguments {
  @Flag(help: "Replace what --out names if it is there.") var force = false

  /// Checks the path before the work begins, since the user should not learn of it minutes later.
  /// - Throws: `CommandError.fileExists`.
  func check(_ path: String) throws(CommandError) {
    let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    // Something else, such as a device, is refused with its own error when it is written.
    if !force, let type, [.typeRegular, .typeDirectory, .typeSymbolicLink].contains(type) { throw .fileExists(path) }
  }

  /// Writes a file, which appears whole or not at all.
  /// - Throws: `InferenceError.fileUnwritable`, also for an existing file without --force.
  func write(_ text: String, to path: String) throws(InferenceError) {
    let file = try AtomicFile(path: path)
    try file.write(Array(text.utf8))
    try file.commit(replacing: force)
  }
}
