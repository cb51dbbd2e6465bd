// Files that the user names and a command writes: one that is there stays as it is unless --force says otherwise, as in
// the explorer. Owns: the rule. Refuses: a file of that name before the work begins, and once more when it ends.

import ArgumentParser
import Foundation
import Inference

struct OutputFileOptions: ParsableArguments {
  @Flag(help: "Replace what --out names if it is there.") var force = false

  /// To be asked before the work begins: nobody wants to learn of it after minutes.
  /// - Throws: `CommandError.fileExists`.
  func check(_ path: String) throws(CommandError) {
    let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
    // What is neither a file nor a folder, such as a device, is refused as that when it is written.
    if !force, let type, [.typeRegular, .typeDirectory, .typeSymbolicLink].contains(type) { throw .fileExists(path) }
  }
}
