// SHA-256, whose digests tie a store to the files it was made from.

import CKernels

/// A SHA-256 digest, computed piece by piece.
public struct SHA256 {
  private var state = ck_sha256()

  public init() { ck_sha256_start(&state) }

  /// Adds bytes to the hashed data.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress else { return }
    ck_sha256_add(&state, base, bytes.count)
  }

  /// Ends the computation and returns the digest as 64 lower-case hexadecimal digits.
  public mutating func finish() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    digest.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { ck_sha256_finish(&state, base) }
    }
    let digits = Array("0123456789abcdef")
    return String(digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }

  /// The digest of one buffer, in the same form.
  public static func hex(of bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.add(bytes)
    return hash.finish()
  }
}
