// The file of a Unix socket. Only its owner may connect, the file is removed at the end, and neither the socket of a
// running service nor a file of another kind is ever replaced.

import Foundation
import Glibc

/// The place of a Unix socket in the file system.
struct SocketFile: Sendable {
  let path: String
  private var address: String { "unix:\(path)" }

  /// Makes the place free by removing a socket at which nobody answers any more.
  /// - Throws: `ServiceError.inUse`, `.cannotListen`.
  func clear() throws(ServiceError) {
    let longest = ServiceAddress.longestPath
    guard path.utf8.count <= longest, nursery.utf8.count + 2 <= longest else {
      throw .cannotListen(address, reason: "the path is too long")
    }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { throw .cannotListen(address, reason: String(cString: strerror(errno))) }
      return
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw .cannotListen(address, reason: "a file that is not a socket has this path")
    }
    switch connectError() {
    case 0: throw .inUse(address)
    case ECONNREFUSED: break
    case let number: throw .cannotListen(address, reason: String(cString: strerror(number)))
    }
    guard unlink(path) == 0 || errno == ENOENT else {
      throw .cannotListen(address, reason: String(cString: strerror(errno)))
    }
  }

  /// The error number of an attempt to connect; 0 if somebody answers.
  private func connectError() -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return errno }
    defer { close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    return result == 0 ? 0 : errno
  }

  /// The name pattern of a folder beside the socket.
  private var nursery: String { URL(fileURLWithPath: path).deletingLastPathComponent().path + "/.cs-XXXXXX" }

  /// A path to bind to first, in a folder that nobody else can enter. Between binding and the change of its mode a
  /// socket would be open to everyone whom the process's mask lets in.
  func privatePath() throws(ServiceError) -> String {
    var folder = Array(nursery.utf8CString)
    guard mkdtemp(&folder) != nil else { throw .cannotListen(address, reason: String(cString: strerror(errno))) }
    return String(decoding: folder.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/s"
  }

  /// Moves a bound socket to its place, accessible to its owner only.
  /// - Returns: numbers that identify the file, for `remove`.
  /// - Throws: `ServiceError.inUse` if another file has appeared there meanwhile.
  func publish(_ bound: String) throws(ServiceError) -> [UInt64] {
    guard chmod(bound, 0o600) == 0, link(bound, path) == 0 else {
      throw errno == EEXIST ? .inUse(address) : .cannotListen(address, reason: String(cString: strerror(errno)))
    }
    discard(bound)
    return identity() ?? []
  }

  /// Removes what `privatePath` created.
  func discard(_ bound: String) {
    unlink(bound)
    rmdir(URL(fileURLWithPath: bound).deletingLastPathComponent().path)
  }

  /// Removes the socket if it is still the one that was published.
  func remove(_ published: [UInt64]?) {
    if let published, published == identity() { unlink(path) }
  }

  private func identity() -> [UInt64]? {
    var status = stat()
    return lstat(path, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
  }
}
