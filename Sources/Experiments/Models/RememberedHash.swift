// Remembers the SHA-256 of models, since a model of several gigabytes takes seconds to read each time a store is opened to
// steer. hashes.json in the cache folder has each file by device, inode, size and the nanosecond of its last change. If the
// cache cannot be read or written, the model is read again.

import Foundation
import Glibc
import Inference
import Kernels

package enum RememberedHash {
  /// Models below this size in bytes are always read, which takes less than a tenth of a second.
  package static let smallest = 128 << 20
  private static let most = 200

  /// The model's SHA-256, as `ModelSource.sha256`.
  /// - Parameters:
  ///   - cache: the folder of hashes.json.
  ///   - smallest: the size in bytes from which on hashes are remembered.
  /// - Throws: what reading the model throws.
  package static func sha256(
    path model: String, cache: String = ModelFiles.cacheFolder, smallest: Int = smallest
  ) throws -> String {
    func key() throws -> String? { try Self.key(of: ModelSource.files(path: model), smallest: smallest) }
    guard let before = try key() else { return try ModelSource.sha256(path: model) }
    var known = read(cache)
    if let hash = known[before] { return hash }
    let hash = try ModelSource.sha256(path: model)
    // If the file changed while it was read, the key differs and the hash is not kept.
    guard try key() == before else { return hash }
    if known.count >= most { known = [:] }
    known[before] = hash
    write(known, cache)
    return hash
  }

  private static func key(of files: [String], smallest: Int) -> String? {
    var (parts, size): ([String], Int) = ([], 0)
    for file in files {
      var status = stat()
      guard stat(file, &status) == 0 else { return nil }
      size += Int(status.st_size)
      parts.append(
        "\(status.st_dev)-\(status.st_ino)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
          + "-\(status.st_ctim.tv_sec).\(status.st_ctim.tv_nsec)")
    }
    return size < smallest ? nil : parts.joined(separator: " ")
  }

  private static func read(_ cache: String) -> [String: String] {
    guard let file = try? MappedFile(path: cache + "/hashes.json"), file.count <= 1 << 20 else { return [:] }
    let known = (try? JSONDecoder().decode([String: String].self, from: file.contents())) ?? [:]
    return known.filter { $1.count == 64 && $1.allSatisfy(\.isHexDigit) }
  }

  private static func write(_ known: [String: String], _ cache: String) {
    try? FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
    guard let data = try? JSONEncoder().encode(known), let file = try? AtomicFile(path: cache + "/hashes.json") else {
      return
    }
    try? file.write([UInt8](data))
    try? file.commit()
  }
}
