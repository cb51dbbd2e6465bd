// The file of a Unix socket: nobody but its owner may connect, none is left behind, none of somebody else's is taken.
// Owns: looking at what is there, the mode, removal at the end. Refuses: a path at which a service answers, and one that
// is no socket.

import Foundation
import Glibc

/// A Unix socket's place in the file system.
struct SocketFile {
  let path: String
  private var address: String { "unix:\(path)" }

  /// Makes the place free: a socket at which nobody answers any more is removed.
  /// - Throws: `ServiceError.inUse`, `.cannotListen`.
  func clear() throws(ServiceError) {
    guard path.utf8.count <= ServiceAddress.longestPath else {
      throw .cannotListen(address, reason: "the path is longer than \(ServiceAddress.longestPath) bytes")
    }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      guard errno == ENOENT else { throw .cannotListen(address, reason: String(cString: strerror(errno))) }
      return
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw .cannotListen(address, reason: "a file that is no socket is there")
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

  /// The number of the error that connecting meets; 0 where somebody answers.
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

  /// What the file is told apart by; nil where there is none.
  func identity() -> [UInt64]? {
    var status = stat()
    return lstat(path, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : nil
  }

  /// Removes the file if it is still the one that was there then.
  func remove(_ identity: [UInt64]?) {
    if let identity, identity == self.identity() { unlink(path) }
  }
}
