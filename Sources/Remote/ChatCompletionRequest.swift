// Reads a request of POST /v1/chat/completions: OpenAI's fields as far as they can be honoured, min_p, and those of steering.
// Every other field is refused by name, and so are content other than text and roles unknown to the chat templates.

import Diffing
import Experiments
import Foundation
import Inference
import Serving

/// A request for chat completions.
struct ChatCompletionRequest: Decodable {
  /// The task that the request describes.
  var task: ChatTask
  /// The model's name, if the request gives one.
  let model: String?
  let isStreamed: Bool
  let includesUsage: Bool
  /// The field that names the number of tokens.
  let lengthField: String

  /// OpenAI's limit of top_logprobs.
  private static let mostLikeliest = 20

  init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: SteeringPlan.fieldNames, table: .chatCompletion)
    model = try fields.value("model")
    let messages: [MessageFields] = try fields.required("messages")
    guard !messages.isEmpty else { throw fields.invalid("messages", "at least one is needed") }
    isStreamed = try fields.value("stream") ?? false
    let options: StreamOptions? = try fields.value("stream_options")
    guard options == nil || isStreamed else { throw fields.invalid("stream_options", "it is for streams alone") }
    includesUsage = options?.includesUsage ?? false
    let plan = try SteeringPlan(fields)
    try plan.checkRequest(fields)
    let length: Int? = try fields.value("max_tokens")
    let other: Int? = try fields.value("max_completion_tokens", in: 1...Int(Int32.max))
    guard length == nil || other == nil else {
      throw fields.invalid("max_completion_tokens", "it and max_tokens exclude each other")
    }
    lengthField = other == nil ? "max_tokens" : "max_completion_tokens"
    // These are OpenAI's defaults: temperature 1, and a new seed for each request.
    var settings = try GenerationSettings(
      fields,
      usual: GenerationSettings(
        maxTokens: other ?? .max, temperature: 1, seed: UInt64.random(in: 0...UInt64(Int64.max))))
    settings.samples = try fields.value("n", in: 1...AnswerLimits.mostSamples) ?? 1
    let hasLogProbabilities: Bool = try fields.value("logprobs") ?? false
    let likeliest: Int = try fields.value("top_logprobs", in: 0...Self.mostLikeliest) ?? 0
    guard hasLogProbabilities || likeliest == 0 else {
      throw fields.invalid("top_logprobs", "it needs logprobs")
    }
    task = ChatTask(messages: messages.map(\.message), plan: plan.isSteered ? plan : nil, settings: settings)
    task.fitsContext = length == nil && other == nil
    task.stop = try fields.value("stop", StopTexts.self)?.texts ?? []
    (task.recordsLogProbabilities, task.likeliest) = (hasLogProbabilities, likeliest)
  }

  private struct StopTexts: Decodable {
    let texts: [String]

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      texts = try (try? value.decode(String.self)).map { [$0] } ?? value.decode([String].self)
      guard texts.count <= 4, texts.allSatisfy({ (1...1000).contains($0.utf8.count) }) else {
        throw JSONFieldError.invalid("stop", "expected at most 4 texts of 1 to 1000 bytes")
      }
    }
  }

  private struct StreamOptions: Decodable {
    let includesUsage: Bool

    init(from decoder: any Decoder) throws {
      includesUsage = try JSONFields(decoder, table: .streamOptions).value("include_usage") ?? false
    }
  }
}
