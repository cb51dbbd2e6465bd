// The client side of HTTPService. Each request has a connection of its own; the answer is one document, or events that
// are passed on as they come. Answers above a size limit are an error. Nothing in an answer is trusted: whoever shows
// its text makes the text safe.

import Foundation
import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOPosix

/// Sends requests to a service.
public struct ServiceClient: Sendable {
  typealias Channel = NIOAsyncChannel<HTTPResponsePart, Never>

  public let address: ServiceAddress
  private let token: AccessToken?
  /// The largest document, or event, in bytes.
  private static let largest = 4 << 20

  public init(address: ServiceAddress, token: AccessToken?) {
    (self.address, self.token) = (address, token)
  }

  /// Returns the document at a path.
  /// - Throws: `ServiceError`, `CancellationError`.
  public func get(_ path: String) async throws -> Data {
    let bytes = Collected()
    try await exchange("GET", path, body: nil) { piece in
      bytes.data.append(contentsOf: piece)
      guard bytes.data.count <= Self.largest else {
        throw ServiceError.answerInvalid(address.description, found: "more than \(Self.largest) bytes")
      }
    }
    return bytes.data
  }

  /// Sends a document and passes on each event of the answer, up to `[DONE]`.
  /// - Throws: `ServiceError`, which is `.lost` if the answer ends before `[DONE]`; what `event` throws.
  public func post(_ path: String, body: Data, event: (Data) throws -> Void) async throws {
    var lines = EventLines(limit: Self.largest)
    var isDone = false
    try await exchange("POST", path, body: body) { bytes in
      guard let events = lines.append(bytes) else {
        throw ServiceError.answerInvalid(address.description, found: "an event without an end")
      }
      for data in events where !isDone {
        if data == Data("[DONE]".utf8) { isDone = true } else { try event(data) }
      }
    }
    guard isDone else { throw ServiceError.lost(address.description) }
  }

  private final class Collected { var data = Data() }

  /// Exchanges one request and its answer; `body` receives the pieces of an answer of status 200.
  private func exchange(
    _ method: String, _ path: String, body: Data?, piece: (ByteBufferView) throws -> Void
  ) async throws {
    let channel = try await open(method, path, body: body)
    // Closing the channel wakes the reader up; a cancelled task alone would still wait for the next piece.
    try await withTaskCancellationHandler {
      do {
        try await channel.executeThenClose { inbound in try await receive(inbound, piece) }
      } catch let error where !(error is ServiceError) {
        try Task.checkCancellation()
        if error is IOError || error is ChannelError || error is HTTPParserError {
          throw ServiceError.lost(address.description)
        }
        throw error
      }
    } onCancel: {
      channel.channel.close(promise: nil)
    }
  }

  /// Connects and sends a request, without reading the answer.
  func open(_ method: String, _ path: String, body: Data?) async throws -> Channel {
    let parts = parts(method, path, body)
    let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(10))
    @Sendable func prepare(_ channel: any NIOCore.Channel) -> EventLoopFuture<Channel> {
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHTTPClientHandlers()
        try channel.pipeline.syncOperations.addHandler(HTTP1ToHTTPClientCodec())
        try channel.pipeline.syncOperations.addHandler(RequestSender(parts))
        return try Channel(wrappingChannelSynchronously: channel)
      }
    }
    do {
      switch address {
      case .unix(let path):
        return try await bootstrap.connect(unixDomainSocketPath: path) { prepare($0) }
      case .tcp(let host, let port): return try await bootstrap.connect(host: host, port: port) { prepare($0) }
      }
    } catch {
      try Task.checkCancellation()
      throw ServiceError.unreachable(address.description, reason: Self.reason(error))
    }
  }

  private static func reason(_ error: any Error) -> String {
    if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
    guard let error = error as? NIOConnectionError else { return "there is no connection" }
    if let first = error.connectionErrors.first?.error { return reason(first) }
    return "the name \(error.host) is not known"
  }

  private func parts(_ method: String, _ path: String, _ body: Data?) -> [HTTPRequestPart] {
    let host =
      switch address {
      case .unix: "localhost"
      case .tcp(let host, let port): "\(host.contains(":") ? "[\(host)]" : host):\(port)"
      }
    var headers: HTTPFields = [.connection: "close"]
    if let token { headers[.authorization] = token.header }
    if let body {
      headers[.contentType] = "application/json"
      headers[.contentLength] = "\(body.count)"
    }
    let head = HTTPRequest(
      method: .init(method) ?? .get, scheme: "http", authority: host, path: path, headerFields: headers)
    return [.head(head)] + (body.map { [.body(ByteBuffer(bytes: $0))] } ?? []) + [.end(nil)]
  }

  private func receive(
    _ inbound: NIOAsyncChannelInboundStream<HTTPResponsePart>, _ piece: (ByteBufferView) throws -> Void
  ) async throws {
    var status = 0
    var failure = Data()
    for try await part in inbound {
      switch part {
      case .head(let head): status = head.status.code
      case .body(let bytes) where status == 200: try piece(bytes.readableBytesView)
      case .body(let bytes): failure.append(contentsOf: bytes.readableBytesView.prefix(max(0, 4096 - failure.count)))
      case .end:
        guard status == 200 else {
          let error = try? JSONDecoder().decode(APIError.self, from: failure)
          throw ServiceError.refused(
            address.description, status: status, message: String((error?.message ?? "no reason given").prefix(300)))
        }
        return
      }
    }
    throw ServiceError.lost(address.description)
  }
}

/// Sends a request as soon as the connection is there. A task could send it late: in a busy program all threads may be
/// taken, and the service closes a connection that asks nothing for a while.
private final class RequestSender: ChannelInboundHandler {
  typealias InboundIn = HTTPResponsePart
  typealias OutboundOut = HTTPRequestPart

  private let parts: [HTTPRequestPart]

  init(_ parts: [HTTPRequestPart]) { self.parts = parts }

  func channelActive(context: ChannelHandlerContext) {
    for part in parts { context.write(wrapOutboundOut(part), promise: nil) }
    context.flush()
    context.fireChannelActive()
  }
}

/// Cuts the bytes of a stream of server-sent events into the data of its events.
struct EventLines {
  private var pending = Data()
  private let limit: Int

  init(limit: Int) { self.limit = limit }

  /// Returns the data of the events that these bytes complete; nil if a line exceeds the limit.
  mutating func append(_ bytes: some Sequence<UInt8>) -> [Data]? {
    pending.append(contentsOf: bytes)
    var events: [Data] = []
    while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
      let line = pending[..<end]
      if line.starts(with: Data("data: ".utf8)) { events.append(Data(line.dropFirst(6))) }
      pending = Data(pending[(end + 1)...])
    }
    return pending.count <= limit ? events : nil
  }
}
