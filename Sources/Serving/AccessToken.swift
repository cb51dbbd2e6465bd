// The secret that a service asks for and a client sends: reading it from a file that only its owner may read, and
// comparing it. No message ever shows the token.

import Foundation
import Glibc

/// A bearer token: 1 to 4096 printable ASCII characters without blanks.
public struct AccessToken: Sendable, Equatable {
  private let bytes: [UInt8]

  /// - Returns: nil if the text has another form.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard (1...4096).contains(bytes.count), bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    self.bytes = bytes
  }

  /// Reads a file that holds the token and perhaps a newline.
  /// - Throws: `ServiceError.tokenUnreadable`.
  public init(path: String) throws(ServiceError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .tokenUnreadable(path: path, reason: String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .tokenUnreadable(path: path, reason: "it is not a regular file")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw .tokenUnreadable(
        path: path, reason: "others may read it (mode \(String(status.st_mode & 0o777, radix: 8)))")
    }
    var buffer = [UInt8](repeating: 0, count: 5000)
    let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    let text = String(decoding: buffer[..<max(0, count)], as: UTF8.self)
    guard let token = AccessToken(text.hasSuffix("\n") ? String(text.dropLast()) : text) else {
      throw .tokenUnreadable(path: path, reason: "it holds no token of printable characters without blanks")
    }
    self = token
  }

  /// The value of the Authorization header that carries the token.
  public var header: String { "Bearer " + String(decoding: bytes, as: UTF8.self) }

  /// Whether a request's header carries this token. Letters of the scheme may have either case (RFC 9110, section
  /// 11.1). The time that this takes does not depend on where the tokens differ.
  public func isCarried(by header: String?) -> Bool {
    let parts = (header ?? "").split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
    let found = Array(parts[1].utf8.drop { $0 == UInt8(ascii: " ") })
    var difference = bytes.count ^ found.count
    for (index, byte) in bytes.enumerated() {
      difference |= Int(byte ^ (index < found.count ? found[index] : 0))
    }
    return difference == 0
  }
}
