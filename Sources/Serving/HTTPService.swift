// An HTTP service for JSON and server-sent events, on a Unix socket or a TCP port. It knows nothing of models: what is
// answered comes from a handler. Owns: listening, the token, limits of bodies and connections, errors in OpenAI's form,
// cancelling a handler whose client went away, stopping within two seconds.
// Refuses: requests without the token, bodies beyond the limit.

import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A request that was let in.
public struct ServiceRequest: Sendable {
  public var method: String
  /// Without the query, percent escapes as they came.
  public var path: String
  public var query: [URLQueryItem]
  public var body: Data
}

/// What a handler answers.
public enum ServiceReply: Sendable {
  /// One JSON document.
  case document(String)
  /// Server-sent events, a JSON document each; `[DONE]` follows the last one. An error becomes the last event.
  case events(@Sendable (_ send: (String) async throws -> Void) async throws -> Void)
}

/// Listens and answers until it is told to stop.
public struct HTTPService: Sendable {
  public typealias Handler = @Sendable (ServiceRequest) async throws -> ServiceReply

  public var address: ServiceAddress
  /// Asked for on every path but `openPath`.
  public var token: AccessToken?
  /// Answered without a token.
  public var openPath = "/health"
  /// The methods of a path, of which GET means HEAD too; none where there is nothing.
  public var methods: @Sendable (_ path: String) -> [String] = { _ in ["GET", "POST"] }
  /// Bytes of a request's body at most.
  public var bodyLimit = 1 << 20
  /// Clients at once; further ones wait in the system's queue.
  public var connectionLimit = 256
  /// How long a connection may ask nothing.
  var idleTimeout = Duration.seconds(30)
  /// Takes lines about errors that were no request's fault.
  let log: @Sendable (String) -> Void
  let handler: Handler

  /// From the end of `run`'s `stop` to the end of the last connection.
  static let grace = Duration.milliseconds(1200)

  /// - Throws: `ServiceError.tokenMissing` for a TCP address without a token.
  public init(
    address: ServiceAddress, token: AccessToken?, log: @escaping @Sendable (String) -> Void,
    handler: @escaping Handler
  ) throws(ServiceError) {
    if case .tcp = address, token == nil { throw .tokenMissing(address.description) }
    (self.address, self.token, self.log, self.handler) = (address, token, log, handler)
  }

  /// Whether the place is free, as far as can be said before `run`: a dead socket there is removed.
  /// - Throws: `ServiceError.inUse`, `.cannotListen`.
  public func makeRoom() throws(ServiceError) {
    if case .unix(let path) = address { try SocketFile(path: path).clear() }
  }

  /// Serves until `stop` returns, or the task is cancelled.
  /// - Parameters:
  ///   - listening: told the address once clients can connect; a port of 0 has become a real one.
  ///   - stop: returns when no more requests shall be taken, having told the handler to end those it has.
  /// - Throws: `ServiceError` where it cannot listen.
  public func run(
    listening: @escaping @Sendable (ServiceAddress) -> Void, until stop: @escaping @Sendable () async -> Void
  ) async throws {
    guard case .unix(let path) = address else {
      return try await serve(at: address, published: listening, until: stop)
    }
    let file = SocketFile(path: path)
    try file.clear()
    let bound = try file.privatePath()
    let published = Mutex<[UInt64]?>(nil)
    defer {
      file.discard(bound)
      file.remove(published.withLock { $0 })
    }
    try await serve(
      at: .unix(path: bound),
      published: { _ in
        let identity = try file.publish(bound)
        published.withLock { $0 = identity }
        listening(address)
      }, until: stop)
  }

  /// - Parameter published: called when the place is listened at; where it throws, serving ends with that error.
  private func serve(
    at place: ServiceAddress, published: @escaping @Sendable (ServiceAddress) throws -> Void,
    until stop: @escaping @Sendable () async -> Void
  ) async throws {
    var logger = Logger(label: "crosscope.serve")
    logger.logLevel = .critical
    let bindAddress: BindAddress =
      switch place {
      case .unix(let path): .unixDomainSocket(path: path)
      case .tcp(let host, let port): .hostname(host, port: port)
      }
    let (failed, fail) = AsyncThrowingStream<Void, any Error>.makeStream()
    let server = Server(
      childChannelSetup: HTTPChannel(
        inner: HTTP1Channel(
          responder: { request, writer, _ in try await respond(to: request, writer) },
          configuration: .init(idleTimeout: TimeAmount(idleTimeout)))),
      configuration: ServerConfiguration(
        address: bindAddress, availableConnectionsDelegate: MaximumAvailableConnections(connectionLimit)),
      onServerRunning: { channel in
        do { try published(found(channel)) } catch { fail.finish(throwing: error) }
      },
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        group.addTask { for try await _ in failed {} }
        group.addTask {
          await stop()
          Task { try? await server.shutdownGracefully() }
          try? await Task.sleep(for: Self.grace)
        }
        // Whichever comes first: all connections have ended, or their time is over.
        try await group.next()
        group.cancelAll()
      }
    } catch let error as IOError {
      throw ServiceError.cannotListen(address.description, reason: String(cString: strerror(error.errnoCode)))
    } catch let error as NIOConnectionError {
      throw ServiceError.cannotListen(address.description, reason: "\(error.host) is no address of this machine")
    }
  }

  private func found(_ channel: any Channel) -> ServiceAddress {
    guard case .tcp(let host, _) = address, let port = channel.localAddress?.port else { return address }
    return .tcp(host: host, port: port)
  }
}
