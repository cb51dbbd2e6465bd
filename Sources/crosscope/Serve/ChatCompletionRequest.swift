// What POST /v1/chat/completions understands: OpenAI's fields as far as they can be honoured, min_p, and steering's.
// Refuses: every other field, by name; content that is no text; roles that the chat templates do not know.

import Diffing
import Foundation
import Inference
import Serving

/// A request for chat completions.
struct ChatCompletionRequest: Decodable {
  /// What is asked of the model.
  var answer: AnswerRequest
  /// The model's name, where the request gives one.
  let model: String?
  let isStreamed: Bool
  let includesUsage: Bool
  /// The field that names the number of tokens.
  let lengthField: String

  /// OpenAI's limit of top_logprobs.
  private static let mostLikeliest = 20

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, known: SteeringFields.names, table: .chatCompletion)
    model = try fields.value("model")
    let messages: [RequestedMessage] = try fields.required("messages")
    guard !messages.isEmpty else { throw fields.invalid("messages", "at least one is needed") }
    isStreamed = try fields.value("stream") ?? false
    let options: StreamOptions? = try fields.value("stream_options")
    guard options == nil || isStreamed else { throw fields.invalid("stream_options", "it is for streams alone") }
    includesUsage = options?.includesUsage ?? false
    let steering = try SteeringFields(fields)
    // OpenAI's defaults: temperature 1, and another seed each time.
    let sampling = try SamplingFields(
      fields,
      defaults: GenerationSettings(maxTokens: .max, temperature: 1, seed: UInt64.random(in: 0...UInt64(Int64.max))),
      lengthField: "max_completion_tokens")
    var settings = sampling.settings
    settings.samples = try fields.value("n", in: 1...AnswerLimits.mostSamples) ?? 1
    let hasLogProbabilities: Bool = try fields.value("logprobs") ?? false
    let likeliest: Int = try fields.value("top_logprobs", in: 0...Self.mostLikeliest) ?? 0
    lengthField = sampling.lengthField
    guard hasLogProbabilities || likeliest == 0 else {
      throw fields.invalid("top_logprobs", "it needs logprobs")
    }
    answer = AnswerRequest(
      messages: messages.map(\.message), plan: steering.isSteered ? steering.plan : nil, settings: settings,
      fitsContext: sampling.isOpenEnded, stop: try fields.value("stop", StopTexts.self)?.texts ?? [],
      recordsLogProbabilities: hasLogProbabilities, likeliest: likeliest)
  }

  private struct StopTexts: Decodable {
    let texts: [String]

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      texts = try (try? value.decode(String.self)).map { [$0] } ?? value.decode([String].self)
      guard texts.count <= 4, texts.allSatisfy({ (1...1000).contains($0.utf8.count) }) else {
        throw APIError.invalid("stop: expected at most 4 texts of 1 to 1000 bytes", param: "stop")
      }
    }
  }

  private struct StreamOptions: Decodable {
    let includesUsage: Bool

    init(from decoder: any Decoder) throws {
      includesUsage = try RequestFields(decoder, table: .streamOptions).value("include_usage") ?? false
    }
  }
}

/// Something said in a chat.
struct RequestedMessage: Decodable {
  let message: ChatMessage

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(decoder, table: .chatMessage)
    let isDeveloper = try fields.value("role", String.self) == "developer"
    guard let role: ChatMessage.Role = isDeveloper ? .system : try fields.choice("role") else {
      throw fields.invalid("role", "it is missing")
    }
    let content: Content = try fields.required("content")
    message = ChatMessage(role: role, content: content.text)
  }

  /// A text, or a list of parts that are texts.
  private struct Content: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
      if let text = try? decoder.singleValueContainer().decode(String.self) {
        self.text = text
        return
      }
      text = try decoder.singleValueContainer().decode([Part].self).map(\.text).joined()
    }

    private struct Part: Decodable {
      let text: String

      init(from decoder: any Decoder) throws {
        let fields = try RequestFields(decoder, table: .contentPart)
        guard try fields.required("type") == "text" else { throw fields.invalid("type", "only text is understood") }
        text = try fields.required("text")
      }
    }
  }
}
