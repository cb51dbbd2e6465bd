// What goes wrong around a service: starting one, and reaching one. What a request did wrong is an APIError.

/// An error of a service's own side or of its client's.
public enum ServiceError: Error, Equatable, Sendable, CustomStringConvertible {
  case addressInvalid(String)
  /// Somebody answers on the socket.
  case inUse(String)
  /// A file that is no socket, or a folder that cannot be used.
  case cannotListen(String, reason: String)
  case tokenUnreadable(path: String, reason: String)
  /// A place that others can reach wants a token.
  case tokenMissing(String)
  case unreachable(String, reason: String)
  /// The connection ended before the answer did.
  case lost(String)
  /// What the service says of a request, with its status; 200 where it said so in the midst of an answer.
  case refused(String, status: Int, message: String)
  case answerInvalid(String, found: String)

  public var description: String {
    switch self {
    case .addressInvalid(let text): "\"\(text)\": an address as unix:PATH or http://HOST:PORT is expected"
    case .inUse(let address): "\(address): a service answers there already; stop it or choose another place"
    case .cannotListen(let address, let reason): "cannot listen on \(address): \(reason); choose another place"
    case .tokenUnreadable(let path, let reason): "\(path): \(reason); a token's file holds one line and has mode 0600"
    case .tokenMissing(let address):
      "\(address) can be reached by others: give a token with --token-file or in CROSSCOPE_TOKEN"
    // What happened comes first: an address may be longer than the line of a terminal.
    case .unreachable(let address, let reason): "\(reason); check that a service runs at \(address)"
    case .lost(let address): "the connection was lost; try again (\(address))"
    case .refused(let address, let status, let message):
      "\(address): \(message)\(status == 200 ? "" : " (status \(status))")"
    case .answerInvalid(let address, let found): "\(address): expected an answer of crosscope serve, found \(found)"
    }
  }
}
