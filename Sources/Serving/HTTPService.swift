// An HTTP service for JSON and server-sent events, on a Unix socket or a TCP port. It knows nothing of models: a
// handler gives the answers. The service checks the token, limits bodies and connections, writes errors in OpenAI's
// form, cancels the handler of a client that went away, and stops within two seconds.

import Foundation
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A request that passed the checks.
public struct ServiceRequest: Sendable {
  public var method: String
  /// The path without the query; percent escapes stay as they are.
  public var path: String
  public var query: [URLQueryItem]
  public var body: Data
}

/// A handler's answer.
public enum ServiceReply: Sendable {
  /// One JSON document.
  case document(String)
  /// Server-sent events, each a JSON document; `[DONE]` follows the last one. An error becomes the last event.
  case events(@Sendable (_ send: (String) async throws -> Void) async throws -> Void)
}

/// Listens and answers until it is told to stop.
public struct HTTPService: Sendable {
  public typealias Handler = @Sendable (ServiceRequest) async throws -> ServiceReply

  public var address: ServiceAddress
  /// The token that every path but `openPath` requires.
  public var token: AccessToken?
  /// The path that needs no token.
  var openPath = "/health"
  /// The methods of a path, in which GET includes HEAD; an empty list if the path does not exist.
  public var methods: @Sendable (_ path: String) -> [String] = { _ in ["GET", "POST"] }
  /// The largest body of a request in bytes.
  public var bodyLimit = 1 << 20
  /// The largest number of clients at once; more clients wait in the system's queue.
  public var connectionLimit = 256
  /// How long a connection may stay open without a request.
  var idleTimeout = Duration.seconds(30)
  /// Receives lines about failures that are not a request's fault.
  let log: @Sendable (String) -> Void
  let handler: Handler

  /// The time from the return of `stop` in `run` to the end of the last connection.
  static let grace = Duration.milliseconds(1200)

  /// - Throws: `ServiceError.tokenMissing` for a TCP address without a token.
  public init(
    address: ServiceAddress, token: AccessToken?, log: @escaping @Sendable (String) -> Void,
    handler: @escaping Handler
  ) throws(ServiceError) {
    if case .tcp = address, token == nil { throw .tokenMissing(address.description) }
    (self.address, self.token, self.log, self.handler) = (address, token, log, handler)
  }

  /// Checks whether the address is free, as far as that is possible before `run`, and removes a dead socket.
  /// - Throws: `ServiceError.inUse`, `.cannotListen`.
  public func makeRoom() throws(ServiceError) {
    if case .unix(let path) = address { try SocketFile(path: path).clear() }
  }

  /// Serves until `stop` returns, or the task is cancelled.
  /// - Parameters:
  ///   - listening: receives the address once clients can connect; it has the real port where 0 was asked for.
  ///   - stop: returns when no more requests shall be taken; before, it tells the handler to end the running ones.
  /// - Throws: `ServiceError` if it cannot listen.
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

  /// - Parameter published: called once the service listens at the place; if it throws, serving ends with that error.
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
        // This waits for the end of all connections or of their time, whichever comes first.
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
