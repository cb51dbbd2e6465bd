// From a request on a connection to the handler and back: what HTTP says around a JSON document or a stream of events.
// A handler runs as long as its client listens: where the client goes away, its task is cancelled.

import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOHTTP1

extension HTTPService {
  /// Answers one request; every failure is an answer, unless the client is gone.
  func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
    // The writer can be used up once, by whichever closure comes to it.
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

  /// The request with its body, where it may be answered.
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
      throw APIError.invalid("the request's body breaks HTTP's rules; send it as its headers say")
    }
    // In a query a plus is a blank, as forms and curl write it.
    let query = URLComponents(string: (request.head.path ?? "").replacing("+", with: "%20"))?.queryItems ?? []
    return (
      ServiceRequest(
        method: request.method == .head ? "GET" : request.method.rawValue, path: path, query: query,
        body: Data(body.readableBytesView)), request.body
    )
  }

  /// An error as its client shall see it; what was no fault of the request is told to the log alone.
  private func described(_ error: any Error) -> APIError {
    if let error = error as? APIError { return error }
    if !(error is CancellationError) { log(String(describing: error)) }
    return error is CancellationError ? .stopping : .failed
  }

  /// What may be asked at a path. No page of another origin is let in: nothing is said of one.
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
    // To HEAD the length is told and nothing of it sent.
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

  /// A line break would end an event's data; JSON has none outside strings, and inside they are escaped.
  private static func event(_ data: String) -> ByteBuffer { ByteBuffer(string: "data: \(data)\n\n") }

  private func json(_ error: APIError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return (try? encoder.encode(error)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }
}

/// The right to answer a request, which can be used once.
private final class PendingAnswer {
  private var writer: ResponseWriter?
  /// Whether the connection ends with the answer: watching a client uses up what it sends.
  let closes: Bool
  /// Whether only the head is wanted.
  let omitsBody: Bool

  init(_ writer: consuming ResponseWriter, to method: HTTPRequest.Method) {
    self.writer = consume writer
    (closes, omitsBody) = (![.get, .head, .options].contains(method), method == .head)
  }

  /// Tells a client that waits with its body to send it.
  func proceed() async throws {
    guard let writer = writer.take() else { return }
    try await writer.writeInformationalHead(HTTPResponse(status: .continue))
    self.writer = consume writer
  }

  /// Whether nothing was answered yet.
  var isOpen: Bool { writer != nil }

  func take() -> ResponseWriter? { writer.take() }
}
