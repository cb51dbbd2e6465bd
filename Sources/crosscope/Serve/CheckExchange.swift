// POST /v1/causal-check: what one latent does, against random latents. Owns: the request and the events of a stream.
// The result is the document of `crosscope causal-check --json`.

import Serving

/// What is asked of /v1/causal-check.
struct CheckExchangeRequest: Decodable {
  let latent: Int32
  let size: CausalCheck.Size
  let isStreamed: Bool

  init(from decoder: any Decoder) throws {
    let fields = try RequestFields(
      decoder, known: ["latent", "random", "prompts", "contexts", "max_tokens", "stream"])
    isStreamed = try fields.value("stream") ?? false
    latent = try fields.required("latent")
    let usual = CausalCheck.Size()
    size = CausalCheck.Size(
      random: try fields.value("random", in: 1...CausalCheck.Size.mostRandom) ?? usual.random,
      prompts: try fields.value("prompts", in: 1...neutralPrompts.count) ?? usual.prompts,
      contexts: try fields.value("contexts", in: 1...100) ?? usual.contexts,
      tokens: try fields.value("max_tokens", in: 1...256) ?? usual.tokens)
  }
}

/// An event of a streamed check: one of these is there.
struct CheckExchangeEvent: ExchangeEvent {
  var began: EngineIdentity?
  /// Prompts and contexts that are finished.
  var progress: ExchangeProgress?
  /// The last event.
  var finished: CausalCheckReport?

  init(began: EngineIdentity) { self.began = began }

  /// Nil for what a service never has to do first.
  init?(_ event: CheckEvent) {
    switch event {
    case .loading: return nil
    case .progress(let done, let total): progress = ExchangeProgress(done: done, of: total)
    case .finished(let report): finished = report
    }
  }
}
