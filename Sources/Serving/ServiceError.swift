// What goes wrong when a service starts and when a client reaches it. What is wrong with a request is an APIError.

/// An error of the service itself or of its client.
public enum ServiceError: Error, Equatable, Sendable, CustomStringConvertible {
  case addressInvalid(String)
  /// A service answers on the socket already.
  case inUse(String)
  /// There is a file that is no socket, or a folder that cannot be used.
  case cannotListen(String, reason: String)
  case tokenUnreadable(path: String, reason: String)
  /// Others can reach the address, so it needs a token.
  case tokenMissing(String)
  case unreachable(String, reason: String)
  /// The connection ended before the answer did.
  case lost(String)
  /// The service refused the request, with this status; the status is 200 if it did so in the midst of an answer.
  case refused(String, status: Int, message: String)
  case answerInvalid(String, found: String)

  public var description: String {
    switch self {
    case .addressInvalid(let text): "\"\(text)\": expected an address such as unix:PATH or http://HOST:PORT"
    case .inUse(let address): "\(address): a service answers there already; stop it or choose another place"
    case .cannotListen(let address, let reason): "cannot listen on \(address): \(reason); choose another place"
    case .tokenUnreadable(let path, let reason): "\(path): \(reason); a token's file holds one line and has mode 0600"
    case .tokenMissing(let address):
      "\(address) can be reached by others: give a token with --token-file or in CROSSCOPE_TOKEN"
    // The reason comes first, because an address may be longer than the terminal's line.
    case .unreachable(let address, let reason): "\(reason); check that a service runs at \(address)"
    case .lost(let address): "the connection was lost; try again (\(address))"
    case .refused(let address, let status, let message):
      "\(address): \(message)\(status == 200 ? "" : " (status \(status))")"
    case .answerInvalid(let address, let found): "\(address): expected an answer of crosscope serve, found \(found)"
    }
  }
}
