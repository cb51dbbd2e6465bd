// From a request on a connection to the handler and back: what HTTP says around a JSON document or a stream of events.
// A handler runs as long as its client listens: where the client goes away, its task is cancelled.

import Foundation
import HTTPTypes
import HummingbirdCore
import NIOCore

extension HTTPService {
  /// Answers one request; every failure is an answer, unless the client is gone.
  func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
    // The writer can be used up once, by whichever closure comes to it.
    let answer = PendingAnswer(writer, closes: request.method != .get)
    do {
      let asked = try await admit(request)
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
  private func admit(_ request: Request) async throws -> (request: ServiceRequest, body: RequestBody) {
    let path = request.uri.path
    if let token, path != openPath, !token.isCarried(by: request.headers[.authorization]) {
      throw APIError.unauthorized
    }
    let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard length <= bodyLimit else { throw APIError.tooLarge(bodyLimit) }
    var request = request
    let body: ByteBuffer
    do {
      body = try await request.collectBody(upTo: bodyLimit)
    } catch is NIOTooManyBytesError {
      throw APIError.tooLarge(bodyLimit)
    }
    // In a query a plus is a blank, as forms and curl write it.
    let query = URLComponents(string: (request.head.path ?? "").replacing("+", with: "%20"))?.queryItems ?? []
    return (
      ServiceRequest(
        method: request.method.rawValue, path: path, query: query, body: Data(body.readableBytesView)), request.body
    )
  }

  /// An error as its client shall see it; what was no fault of the request is told to the log alone.
  private func described(_ error: any Error) -> APIError {
    if let error = error as? APIError { return error }
    if !(error is CancellationError) { log(String(describing: error)) }
    return error is CancellationError ? .stopping : .failed
  }

  private func write(_ error: APIError, _ answer: PendingAnswer) async throws {
    var headers = HTTPFields()
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
    try await writer.write(
      response: HTTPResponse(status: .init(code: status), headerFields: headers), body: ResponseBody(byteBuffer: body))
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

  init(_ writer: consuming ResponseWriter, closes: Bool) {
    self.writer = consume writer
    self.closes = closes
  }

  /// Whether nothing was answered yet.
  var isOpen: Bool { writer != nil }

  func take() -> ResponseWriter? { writer.take() }
}
