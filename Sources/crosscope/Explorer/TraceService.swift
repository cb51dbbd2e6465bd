// What the explorer asks of the engine to trace a text, as a closure: the program plugs the real one in, tests a
// scripted one. Owns: the vocabulary of a trace. Refuses: models and tensors.

import Diffing
import Storage

/// A text to be traced, and how much of an answer to it.
struct TraceRequest: Sendable, Equatable {
  var source: PromptSource
  /// The most tokens that the chat model answers with; 0 for none.
  var answerTokens = 0
}

/// What happens during a trace.
enum TraceEvent: Sendable, Equatable {
  /// What is done before anything can be traced.
  case loading(String)
  /// More tokens of the text or of the answer, and the names of all tokens that they speak of.
  case tokens([TokenActivations], names: [Int32: TokenRecord])
  /// The text has ended; how long it took once the models were there.
  case finished(seconds: Double)
}

/// The engine as the prompt screen knows it.
struct TraceService: Sendable {
  /// Loads the models if need be and traces; ending the stream's consumer cancels within one pass.
  var trace: @Sendable (TraceRequest) -> AsyncThrowingStream<TraceEvent, any Error>
}
