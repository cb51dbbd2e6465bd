// The content of a mapped file as values that outlive the mapping.

import Foundation
import Kernels

extension MappedFile {
  /// SHA-256 of the whole file as 64 hexadecimal digits. This reads every page.
  /// - Throws: `InferenceError.fileChanged`.
  public func sha256() throws(InferenceError) -> String {
    try Self.sha256([self])
  }

  /// SHA-256 of several files, one after the other.
  /// - Throws: `InferenceError.fileChanged`.
  static func sha256(_ files: [MappedFile]) throws(InferenceError) -> String {
    var hash = SHA256()
    for file in files {
      hash.add(file.bytes)
      try file.check()
    }
    return hash.finish()
  }

  /// A copy of the content. `bytes` is valid only while somebody holds this object, which an expression such as
  /// `MappedFile(…).bytes` does not do.
  /// - Throws: `InferenceError.fileChanged`, `.memoryShort`.
  public func contents() throws(InferenceError) -> Data {
    // Code that parses the text holds it twice for a while.
    try MemoryBudget.require(2 * count, for: "the contents of \(path)", remedy: "cut the file into smaller ones")
    let copy = Data(bytes)
    try check()
    return copy
  }
}
