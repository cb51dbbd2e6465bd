// Details of HTTP/1 connections that Hummingbird leaves open: answers to HTTP/1.0 never come in chunks and end the
// connection, `Connection: close` counts in any case of letters, and answers have a date. Sources: RFC 9112, sections
// 2.3, 3.2, 6.1 and 9.3; RFC 9110, section 6.6.1.

import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Hummingbird's HTTP/1.1 channel, extended by what HTTP/1.0 needs.
struct HTTPChannel: HTTPChannelHandler {
  typealias Value = HTTP1Channel.Value

  let inner: HTTP1Channel
  var responder: Responder { inner.responder }

  func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
    inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
      let operations = channel.pipeline.syncOperations
      let codec = try operations.handler(type: HTTP1ToHTTPServerCodec.self)
      try operations.addHandler(ConnectionEnds(), position: .before(codec))
      return value
    }
  }

  func handle(value: Value, logger: Logger) async { await inner.handle(value: value, logger: logger) }
}

/// Decides after which answers the connection ends, and answers each request in its own version of HTTP.
final class ConnectionEnds: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// For each request that is not answered yet, oldest first: whether its answer ends the connection, and its version.
  private var asked: [(ends: Bool, version: HTTPVersion)] = []

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    let version = head.version.minor == 0 ? HTTPVersion.http1_0 : .http1_1
    let ends = !head.isKeepAlive || version == .http1_0
    asked.append((ends, version))
    if ends { head.headers.replaceOrAdd(name: "connection", value: "close") }
    if version == .http1_0 {
      // An HTTP/1.0 request may leave out its host, and its Expect header is ignored.
      if !head.headers.contains(name: "host") { head.headers.add(name: "host", value: "localhost") }
      head.headers.remove(name: "expect")
    }
    // A request that names two hosts is treated as if it named none.
    if head.headers["host"].count > 1 { head.headers.replaceOrAdd(name: "host", value: "") }
    context.fireChannelRead(wrapInboundOut(.head(head)))
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let part = unwrapOutboundIn(data)
    if case .end = part, !asked.isEmpty { asked.removeFirst() }
    guard case .head(var head) = part, head.status.code >= 200 else { return context.write(data, promise: promise) }
    head.headers.replaceOrAdd(name: "date", value: Self.date(time(nil)))
    if let first = asked.first, first.ends {
      head.version = first.version
      head.headers.replaceOrAdd(name: "connection", value: "close")
    }
    context.write(wrapOutboundOut(.head(head)), promise: promise)
  }

  /// A time in HTTP's form, in English under any locale.
  static func date(_ seconds: Int) -> String {
    var (seconds, parts) = (seconds, tm())
    gmtime_r(&seconds, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { (number < 10 ? "0" : "") + String(number) }
    return "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
  }
}
