// Where a service listens and where a client finds it: a Unix socket, or a host and port. An address has no user,
// password, path or TLS; `ssh -L` gives the protection that a network needs.

import Foundation

/// The address of a service.
public enum ServiceAddress: Sendable, Equatable, CustomStringConvertible {
  /// A Unix socket's path.
  case unix(path: String)
  case tcp(host: String, port: Int)

  /// The longest path of a Unix socket in bytes (the size of `sun_path` without its closing zero).
  static let longestPath = 107

  /// Reads `unix:PATH` or `http://HOST:PORT`.
  /// - Throws: `ServiceError.addressInvalid`.
  public init(_ text: String) throws(ServiceError) {
    if text.hasPrefix("unix:") {
      let path = String(text.dropFirst(5))
      guard !path.isEmpty, path.utf8.count <= Self.longestPath else { throw .addressInvalid(text) }
      self = .unix(path: path)
      return
    }
    guard let parts = URLComponents(string: text), parts.scheme == "http", let host = parts.host, !host.isEmpty,
      let port = parts.port, (1...65535).contains(port), parts.user == nil, parts.password == nil,
      ["", "/"].contains(parts.path), parts.query == nil, parts.fragment == nil
    else { throw .addressInvalid(text) }
    // Only URLs have brackets around an IPv6 address.
    self = .tcp(host: host.trimmingCharacters(in: ["[", "]"]), port: port)
  }

  public var description: String {
    switch self {
    case .unix(let path): "unix:\(path)"
    case .tcp(let host, let port): "http://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
  }
}
