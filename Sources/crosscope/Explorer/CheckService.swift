// What the explorer asks of the engine to check what a latent does, as a closure: the program plugs the real one in, tests
// a scripted one. Owns: the vocabulary of a causal check. Refuses: models and tensors.

/// What happens during a causal check.
enum CheckEvent: Sendable, Equatable {
  /// What is done before anything can be checked.
  case loading(String)
  /// Prompts and contexts that are finished, of how many.
  case progress(done: Int, of: Int)
  case finished(CausalCheckReport)
}

/// The engine as a latent's page knows it.
struct CheckService: Sendable {
  /// Loads the models if need be and checks a latent; ending the stream's consumer cancels within a token.
  var check: @Sendable (Int32) -> AsyncThrowingStream<CheckEvent, any Error>
}
