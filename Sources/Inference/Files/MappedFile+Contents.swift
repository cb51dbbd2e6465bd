// A mapped file's content as values of its own, which outlive the mapping.

import Foundation
import Kernels

extension MappedFile {
  /// SHA-256 of the whole file, as 64 hexadecimal digits; reads every page.
  /// - Throws: `InferenceError.fileChanged`.
  public func sha256() throws(InferenceError) -> String {
    try Self.sha256([self])
  }

  /// SHA-256 of several files, one after another.
  /// - Throws: `InferenceError.fileChanged`.
  static func sha256(_ files: [MappedFile]) throws(InferenceError) -> String {
    var hash = SHA256()
    for file in files {
      hash.add(file.bytes)
      try file.check()
    }
    return hash.finish()
  }

  /// A copy of the content. `bytes` itself is only good while somebody holds this object, which `MappedFile(…).bytes`
  /// does not.
  /// - Throws: `InferenceError.fileChanged`, `.memoryShort`.
  public func contents() throws(InferenceError) -> Data {
    // Whoever takes the text apart has it twice for a while.
    try MemoryBudget.require(2 * count, for: "the contents of \(path)", remedy: "cut the file into smaller ones")
    let copy = Data(bytes)
    try check()
    return copy
  }
}
