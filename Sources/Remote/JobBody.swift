// The body of a request: a job, and whether the client wants its events or one document.

import Experiments
import Foundation
import Inference
import Serving

/// The body that a job's path reads.
struct JobBody<J: Job>: Decodable {
  var job: J
  let isStreamed: Bool

  init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: J.fieldNames + ["stream"])
    isStreamed = try fields.value("stream") ?? false
    job = try J(fields, isStreamed: isStreamed)
  }
}

/// The body that a client sends if it wants a job's events.
struct StreamedJob<J: Job>: Encodable {
  let job: J

  func encode(to encoder: any Encoder) throws {
    try job.encode(to: encoder)
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(true, "stream")
  }
}

/// The first event of a stream, which names the files that answer.
struct Began: Codable {
  var began: EngineIdentity
}

extension Decodable {
  /// Reads a request's body.
  /// - Throws: `APIError` naming the field that is wrong.
  static func read(_ body: Data) throws(APIError) -> Self {
    do {
      return try JSONDecoder().decode(Self.self, from: body)
    } catch let error as JSONFieldError {
      throw APIError(error)
    } catch let error as DecodingError {
      throw APIError.invalid("the request has \(error.clause); correct it", param: error.field)
    } catch {
      throw APIError.invalid("the request is not a JSON object; send one")
    }
  }
}

extension DecodingError {
  /// The path of the field at fault.
  fileprivate var field: String? {
    let path: [any CodingKey] =
      switch self {
      case .keyNotFound(let key, let context): context.codingPath + [key]
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
        context.codingPath
      @unknown default: []
      }
    let text = path.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
    return text.isEmpty ? nil : String(text.drop { $0 == "." })
  }
}
