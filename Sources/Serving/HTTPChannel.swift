// What of a connection the parts above it do not see: the version, and how it is asked to end.
// Owns: answers to HTTP/1.0, which are never in chunks and end the connection; `Connection: close` in any case of letters;
// the date of an answer. Source: RFC 9112, sections 2.3, 3.2, 6.1 and 9.3; RFC 9110, section 6.6.1.

import Glibc
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1

/// Hummingbird's channel of HTTP/1.1, with what HTTP/1.0 needs besides.
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

/// Marks requests after whose answer the connection ends, and answers them in their own version.
final class ConnectionEnds: ChannelDuplexHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// Of each request that is not answered yet, the first one first: whether the connection ends, and its version.
  private var asked: [(ends: Bool, version: HTTPVersion)] = []

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    let version = head.version.minor == 0 ? HTTPVersion.http1_0 : .http1_1
    let ends = !head.isKeepAlive || version == .http1_0
    asked.append((ends, version))
    if ends { head.headers.replaceOrAdd(name: "connection", value: "close") }
    if version == .http1_0 {
      // Only there may a request leave out its host, and what it expects is not heard.
      if !head.headers.contains(name: "host") { head.headers.add(name: "host", value: "localhost") }
      head.headers.remove(name: "expect")
    }
    // Two hosts are none.
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

  /// A time as HTTP writes it, in English whatever the locale is.
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
