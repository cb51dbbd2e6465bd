// The way from a request on a connection to the handler and back: the HTTP around a JSON document or a stream of
// events. A handler runs only while its client listens: when the client goes away, the handler's task is cancelled.

import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1

extension HTTPService {
  /// Answers one request. Every failure becomes an answer, unless the client is gone.
  func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
    // The writer can be used only once, by the first closure that needs it.
    let answer = PendingAnswer(writer, to: request.method)
    do {
      guard request.head.authority?.isEmpty == false else { throw APIError.hostMissing }
      if request.method == .options { return try await write(noContent: methods(at: request.uri.path), answer) }
      let asked = try await admit(request, answer)
      guard asked.request.method != "GET" else {
        return try await write(try await handler(asked.request), answer)
      }
      try await asked.body.consumeWithCancellationOnInboundClose { _ in
        do {
          try await write(try await handler(asked.request), answer)
        } catch let error where answer.isOpen && !Task.isCancelled {
          try await write(described(error), answer)
        }
      }
    } catch let error where answer.isOpen && !(error is CancellationError) {
      try await write(described(error), answer)
    }
  }

  /// Checks a request and reads its body.
  private func admit(_ request: Request, _ answer: PendingAnswer) async throws -> (
    request: ServiceRequest, body: RequestBody
  ) {
    let path = request.uri.path
    if let token, path != openPath, !token.isCarried(by: request.headers[.authorization]) {
      throw APIError.unauthorized
    }
    if let coding = request.headers[.contentEncoding], coding.lowercased() != "identity" {
      throw APIError.encoded(String(coding.prefix(40)))
    }
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard length <= bodyLimit else { throw APIError.tooLarge(bodyLimit) }
    if let expected = request.headers[.expect] {
      guard expected.lowercased() == "100-continue" else { throw APIError.expectationFailed }
      try await answer.proceed()
    }
    var request = request
    let body: ByteBuffer
    do {
      body = try await request.collectBody(upTo: bodyLimit)
    } catch is NIOTooManyBytesError {
      throw APIError.tooLarge(bodyLimit)
    } catch is HTTPParserError {
      throw APIError.invalid("the request's body is not valid HTTP; send it in the form that its headers announce")
    }
    // In a query a plus sign stands for a blank, as forms and curl write it.
    let query = URLComponents(string: (request.head.path ?? "").replacing("+", with: "%20"))?.queryItems ?? []
    return (
      ServiceRequest(
        method: request.method == .head ? "GET" : request.method.rawValue, path: path, query: query,
        body: Data(body.readableBytesView)), request.body
    )
  }

  /// The error as the client sees it. The log alone gets the details of a failure that is not the request's fault.
  private func described(_ error: any Error) -> APIError {
    if let error = error as? APIError { return error }
    if !(error is CancellationError) { log(String(describing: error)) }
    return error is CancellationError ? .stopping : .failed
  }

  /// The answer to an OPTIONS request. It has no CORS headers, so browsers keep pages of other origins out.
  private func methods(at path: String) throws(APIError) -> HTTPFields {
    let methods = path == "*" ? ["GET", "POST"] : methods(path)
    guard !methods.isEmpty else { throw .notFound("there is nothing at \(path)") }
    return [.allow: Self.allow(methods)]
  }

  private static func allow(_ methods: [String]) -> String {
    (methods.flatMap { $0 == "GET" ? ["GET", "HEAD"] : [$0] } + ["OPTIONS"]).joined(separator: ", ")
  }

  private func write(noContent headers: HTTPFields, _ answer: PendingAnswer) async throws {
    guard let writer = answer.take() else { return }
    var headers = headers
    if answer.closes { headers[.connection] = "close" }
    try await writer.writeResponse(HTTPResponse(status: .noContent, headerFields: headers))
  }

  private func write(_ error: APIError, _ answer: PendingAnswer) async throws {
    var headers = HTTPFields()
    if !error.allowed.isEmpty { headers[.allow] = Self.allow(error.allowed) }
    if error.status == 401 { headers[.wwwAuthenticate] = "Bearer" }
    if error.status == 429 || error.status == 503 { headers[.retryAfter] = "1" }
    try await write(document: json(error), status: error.status, headers, answer)
  }

  private func write(_ reply: ServiceReply, _ answer: PendingAnswer) async throws {
    switch reply {
    case .document(let text): try await write(document: text, status: 200, HTTPFields(), answer)
    case .events(let events): try await write(events, answer)
    }
  }

  private func write(document: String, status: Int, _ headers: HTTPFields, _ answer: PendingAnswer) async throws {
    let body = ByteBuffer(string: document + "\n")
    var headers = headers
    headers[.contentType] = "application/json"
    headers[.contentLength] = "\(body.readableBytes)"
    if answer.closes { headers[.connection] = "close" }
    guard let writer = answer.take() else { return }
    let head = HTTPResponse(status: .init(code: status), headerFields: headers)
    // The answer to HEAD gives the length and no content.
    guard !answer.omitsBody else { return try await writer.writeResponse(head) }
    try await writer.write(response: head, body: ResponseBody(byteBuffer: body))
  }

  private func write(
    _ events: (_ send: (String) async throws -> Void) async throws -> Void, _ answer: PendingAnswer
  ) async throws {
    guard let writer = answer.take() else { return }
    let headers: HTTPFields = [.contentType: "text/event-stream", .cacheControl: "no-cache", .connection: "close"]
    var body = try await writer.writeHead(HTTPResponse(status: .ok, headerFields: headers))
    do {
      try await events { try await body.write(Self.event($0)) }
    } catch {
      try await body.write(Self.event(json(described(error))))
    }
    try await body.write(Self.event("[DONE]"))
    try await body.finish(nil)
  }

  /// A line break would end an event's data. JSON has none outside strings, and inside strings it is escaped.
  private static func event(_ data: String) -> ByteBuffer { ByteBuffer(string: "data: \(data)\n\n") }

  private func json(_ error: APIError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(error)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}

/// The right to answer one request, which can be used once.
private final class PendingAnswer {
  private var writer: ResponseWriter?
  /// Whether the connection ends with the answer: watching whether the client is gone uses up what it sends.
  let closes: Bool
  /// Whether the client wants the head only.
  let omitsBody: Bool

  init(_ writer: consuming ResponseWriter, to method: HTTPRequest.Method) {
    self.writer = consume writer
    (closes, omitsBody) = (![.get, .head, .options].contains(method), method == .head)
  }

  /// Tells a client that waits before sending its body to go on.
  func proceed() async throws {
    guard let writer = writer.take() else { return }
    try await writer.writeInformationalHead(HTTPResponse(status: .continue))
    self.writer = consume writer
  }

  /// Whether the request has no answer yet.
  var isOpen: Bool { writer != nil }

  func take() -> ResponseWriter? { writer.take() }
}
