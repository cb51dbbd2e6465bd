// The fields of a request for a chat completion, as OpenAI's Python library types them.

import Inference

extension FormatTable {
  private static let library = "openai-python 3.57.0"

  /// The fields of the request; those of steering are crosscope's own.
  package static let chatCompletion = FormatTable(
    "POST /v1/chat/completions", reference: "\(library), CompletionCreateParams", unknown: .refused,
    [
      .honoured("model", "The served model's name, or none."),
      .honoured("messages", "See the next table."),
      .honoured("max_completion_tokens", "Tokens of each answer at most."),
      .honoured("max_tokens", "The older name of `max_completion_tokens`; one of the two."),
      .honoured("temperature", "0 is greedy; 1 where it is absent."),
      .honoured("top_p", "Above 0, at most 1."),
      .honoured("min_p", "Of other servers; 0 to 1."),
      .honoured("frequency_penalty", "Subtracted from a token's logit once for each time that it came."),
      .honoured(
        "repetition_penalty",
        "Of other servers; above 0, at most 100. Divides positive logits of the answer's latest tokens, multiplies the "
          + "others; the prompt's tokens do not count."),
      .honoured(
        "repetition_window", "How many of the answer's last tokens that penalty looks at; 64 where it is absent."),
      .honoured(
        "seed", "Any integer of 64 bits; one below 0 stands for its bits. Another each time where it is absent."),
      .honoured("n", "Answers, up to 16."),
      .honoured("stop", "A text or up to four; tokens beyond it are not listed either."),
      .honoured("stream", "True: chunks as server-sent events."),
      .honoured("stream_options", "`include_usage`; `include_obfuscation` has no effect."),
      .honoured("logprobs", "True lists the tokens of the answer's text."),
      .honoured("top_logprobs", "Up to 20, with `logprobs`."),
      .refused("presence_penalty", unless: [.number(0)], "0"),
      .refused("logit_bias", "none"), .refused("tools", "none"), .refused("functions", "none"),
      .refused("tool_choice", unless: ["none", "auto"], "none or auto"),
      .refused("function_call", unless: ["none", "auto"], "none or auto"),
      .refused("response_format", unless: [.object(["type": .string("text")])], "text"),
      .refused("modalities", unless: [.array([.string("text")])], "text"),
      .refused("audio", "none"), .refused("prediction", "none"), .refused("web_search_options", "none"),
      .refused("moderation", "none"), .refused("reasoning_effort", unless: ["none"], "none"),
      .refused("verbosity", unless: ["medium"], "medium"), .refused("store", "false"),
      .refused("service_tier", unless: ["auto", "default"], "auto or default"),
      .withoutEffect("parallel_tool_calls", "There are no tools."),
      .withoutEffect("metadata", "It is for stored answers, and none is stored."),
      .withoutEffect("user", "It names who asks."),
      .withoutEffect("safety_identifier", "It names who asks."),
      .withoutEffect("prompt_cache_key", "Prompts are kept whoever asks; that changes no answer."),
      .withoutEffect("prompt_cache_options", "Prompts are kept whoever asks; that changes no answer."),
      .withoutEffect("prompt_cache_retention", "Prompts are kept whoever asks; that changes no answer."),
    ])

  /// The fields of an entry of `messages`, which a client wrote or copied from an answer.
  package static let chatMessage = FormatTable(
    "messages of POST /v1/chat/completions", reference: "\(library), ChatCompletionMessageParam", unknown: .refused,
    [
      .honoured("role", "system (or developer, its newer name), user or assistant."),
      .honoured("content", "A text, or a list of parts whose type is text."),
      .refused("name", "none"), .refused("refusal", "none"), .refused("annotations", "none"), .refused("audio", "none"),
      .refused("function_call", "none"), .refused("tool_calls", "none"), .refused("tool_call_id", "none"),
    ])

  /// The fields of a part of a message's content.
  package static let contentPart = FormatTable(
    "parts of a message", reference: "\(library), ChatCompletionContentPartTextParam", unknown: .refused,
    [
      .honoured("type", "text."), .honoured("text", "Parts follow one another without anything between."),
      .withoutEffect("prompt_cache_breakpoint", "Prompts are kept whoever asks; that changes no answer."),
    ])

  /// The fields of `stream_options`.
  package static let streamOptions = FormatTable(
    "stream_options", reference: "\(library), ChatCompletionStreamOptionsParam", unknown: .refused,
    [
      .honoured("include_usage", "True: the last chunk tells the tokens."),
      .withoutEffect("include_obfuscation", "Nothing is added to hide the length of chunks."),
    ])
}
