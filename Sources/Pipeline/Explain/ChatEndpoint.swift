// A chat model at an OpenAI-compatible address, which answers one question at a time. If the server is busy, the question is
// repeated. Nothing is sent to another address than the given one, not even by a redirection, and the key is never shown.

import Experiments
import Foundation
import FoundationNetworking
import Reports

/// The error of a question to the endpoint.
package enum EndpointError: Error, Equatable, CustomStringConvertible {
  case addressInvalid(String)
  case unreachable(url: String, reason: String)
  case refused(url: String, status: Int, body: String)
  case answerInvalid(url: String, found: String)

  package var description: String {
    switch self {
    case .addressInvalid(let text):
      "--endpoint \(quoted(text)): an address as http://localhost:8000/v1 is expected"
    case .unreachable(let url, let reason): "\(url): \(reason); check the address and that the server runs"
    case .refused(let url, let status, let body):
      "\(url): status \(status)\(body.isEmpty ? "" : ", \(body)"); \(Self.remedy(status))"
    case .answerInvalid(let url, let found): "\(url): expected a chat completion, found \(found); check the address"
    }
  }

  private static func remedy(_ status: Int) -> String {
    switch status {
    case 401, 403: "check the API key"
    case 404: "check the address and the model's name"
    case 429: "the server is busy; try later or with fewer questions at a time"
    default: "correct what the server complains about"
    }
  }

  /// Whether every other question would fail in the same way.
  package var isFatal: Bool {
    switch self {
    case .addressInvalid, .unreachable, .answerInvalid: true
    case .refused(_, let status, _): [401, 403, 404].contains(status)
    }
  }
}

/// An OpenAI-compatible chat endpoint.
package struct ChatEndpoint: Sendable {
  package let url: URL
  package let model: String
  private let key: String?
  private let session: URLSession
  /// The seconds to wait before each repetition.
  private let waits: [Double]

  /// - Parameters:
  ///   - base: the API's base, for instance http://localhost:8000/v1.
  ///   - key: the bearer token, if the endpoint needs one.
  ///   - waits: the seconds to wait before each repetition of a question to a busy server.
  /// - Throws: `EndpointError.addressInvalid`.
  package init(
    base: String, model: String, key: String?, timeout: Double = 120, waits: [Double] = [1, 2, 4, 8]
  ) throws(EndpointError) {
    guard let parsed = URLComponents(string: base), parsed.scheme == "http" || parsed.scheme == "https",
      parsed.host?.isEmpty == false, parsed.user == nil, let url = parsed.url
    else { throw .addressInvalid(base) }
    self.url = url.appending(path: "chat/completions")
    self.model = model
    self.key = key
    self.waits = waits
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = timeout
    session = URLSession(configuration: configuration, delegate: StaysHere(), delegateQueue: nil)
  }

  /// The answer to one question, at temperature 0.
  /// - Throws: `EndpointError`, if a busy or failing server does not answer the repetitions either.
  package func answer(system: String, user: String) async throws -> String {
    let body = Request(
      model: model, temperature: 0, max_tokens: 400,
      messages: [.init(role: "system", content: system), .init(role: "user", content: user)])
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
    request.httpBody = try JSONEncoder().encode(body)
    var waits = waits[...]
    while true {
      do {
        return try await send(request)
      } catch EndpointError.refused(_, let status, _) where status == 429 || (500...504).contains(status) {
        guard let wait = waits.popFirst() else {
          throw EndpointError.refused(url: "\(url)", status: status, body: "also after \(self.waits.count) more tries")
        }
        try await Task.sleep(for: .seconds(wait))
      }
    }
  }

  private func send(_ request: URLRequest) async throws -> String {
    let (data, response): (Data, URLResponse)
    do {
      (data, response) = try await session.data(for: request)
    } catch {
      try Task.checkCancellation()
      throw EndpointError.unreachable(url: "\(url)", reason: error.localizedDescription)
    }
    let status = (response as? HTTPURLResponse)?.statusCode ?? 0
    guard status == 200 else {
      throw EndpointError.refused(url: "\(url)", status: status, body: Self.excerpt(data))
    }
    guard let content = try? JSONDecoder().decode(Response.self, from: data).choices.first?.message.content else {
      throw EndpointError.answerInvalid(url: "\(url)", found: Self.excerpt(data))
    }
    return content
  }

  private static func excerpt(_ data: Data) -> String {
    data.isEmpty ? "" : String(String(decoding: data.prefix(400), as: UTF8.self).prefix(160))
  }

  private struct Request: Encodable {
    struct Message: Encodable {
      let role: String
      let content: String
    }
    let model: String
    let temperature: Double
    let max_tokens: Int
    let messages: [Message]
  }

  private struct Response: Decodable {
    struct Choice: Decodable {
      struct Message: Decodable { let content: String? }
      let message: Message
    }
    let choices: [Choice]
  }

  /// Refuses redirections: texts and key only go to the address that the user named.
  private final class StaysHere: NSObject, URLSessionTaskDelegate {
    func urlSession(
      _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
      newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) { completionHandler(nil) }
  }
}
