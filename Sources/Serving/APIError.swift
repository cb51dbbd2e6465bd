// What a service answers when it cannot serve a request, in the form of OpenAI's API: {"error": {"message", "type",
// "param", "code"}}. There is one function or constant for each kind of error.

import Foundation

/// The error in the answer to a request.
public struct APIError: Error, Equatable, Sendable, Codable {
  /// The HTTP status.
  public var status: Int
  /// One line that ends in what to do.
  public var message: String
  public var type: String
  /// The field of the request that is wrong.
  public var param: String?
  public var code: String?
  /// The methods that the path allows, if the request's method is not among them.
  public var allowed: [String] = []

  public init(status: Int, message: String, type: String, param: String? = nil, code: String? = nil) {
    (self.status, self.message, self.type, self.param, self.code) = (status, message, type, param, code)
  }

  /// The request is wrong.
  public static func invalid(_ message: String, param: String? = nil, code: String? = nil) -> APIError {
    APIError(status: 400, message: message, type: "invalid_request_error", param: param, code: code)
  }

  /// The request has a field that is unknown or not supported; no field is ever ignored silently.
  public static func unsupported(field: String) -> APIError {
    invalid("\(field) is not supported here; leave it out", param: field, code: "unsupported_parameter")
  }

  public static let unauthorized = APIError(
    status: 401, message: "a token is needed: send it as Authorization: Bearer TOKEN", type: "authentication_error",
    code: "invalid_api_key")

  public static func notFound(_ what: String, code: String = "not_found") -> APIError {
    APIError(status: 404, message: what, type: "invalid_request_error", code: code)
  }

  public static func methodWrong(_ allowed: [String]) -> APIError {
    var error = APIError(
      status: 405, message: "use \(allowed.joined(separator: " or ")) here", type: "invalid_request_error",
      code: "method_not_allowed")
    error.allowed = allowed
    return error
  }

  /// The body has a content encoding that the service does not read.
  public static func encoded(_ coding: String) -> APIError {
    APIError(
      status: 415, message: "a body with Content-Encoding \(coding) is not supported; send it unencoded",
      type: "invalid_request_error", code: "unsupported_media_type")
  }

  static let hostMissing = APIError.invalid("an HTTP/1.1 request must name its host; send a Host header")

  static let expectationFailed = APIError(
    status: 417, message: "the only Expect that is supported is 100-continue; leave the header out",
    type: "invalid_request_error",
    code: "expectation_failed")

  public static func tooLarge(_ limit: Int) -> APIError {
    APIError(
      status: 413, message: "the request's body is larger than \(limit) bytes; shorten it",
      type: "invalid_request_error", code: "request_too_large")
  }

  public static let busy = APIError(
    status: 429, message: "too many requests are waiting; try again later", type: "rate_limit_error",
    code: "queue_full")

  public static let stopping = APIError(
    status: 503, message: "the service is stopping; try again later", type: "server_error", code: "stopping")

  /// Something failed that is not the request's fault; the details go to the service's own log.
  public static let failed = APIError(
    status: 500, message: "the service failed on this request; its log says why", type: "server_error",
    code: "internal_error")

  private enum Outer: CodingKey { case error }
  private enum Inner: CodingKey { case message, type, param, code }

  public init(from decoder: any Decoder) throws {
    let inner = try decoder.container(keyedBy: Outer.self).nestedContainer(keyedBy: Inner.self, forKey: .error)
    status = 0
    message = try inner.decode(String.self, forKey: .message)
    type = try inner.decodeIfPresent(String.self, forKey: .type) ?? ""
    param = try inner.decodeIfPresent(String.self, forKey: .param)
    code = try inner.decodeIfPresent(String.self, forKey: .code)
  }

  public func encode(to encoder: any Encoder) throws {
    var outer = encoder.container(keyedBy: Outer.self)
    var inner = outer.nestedContainer(keyedBy: Inner.self, forKey: .error)
    try inner.encode(message, forKey: .message)
    try inner.encode(type, forKey: .type)
    try inner.encode(param, forKey: .param)
    try inner.encode(code, forKey: .code)
  }
}
