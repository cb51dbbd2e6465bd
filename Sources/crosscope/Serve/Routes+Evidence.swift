// The paths that the explorer and the commands ask with --engine. A whole answer is the document that its events lead
// to; a stream names the files that answer and hands the events on as they come. Nothing is said before the first event,
// so that what can be refused is refused with a status.

import Diffing
import Foundation
import Inference
import Serving
import Storage

extension Routes {
  /// POST /v1/steer
  func steer(_ body: Data) async throws -> ServiceReply {
    var request = try SteerExchangeRequest.read(body)
    request.run.maxTokens = try limits.length(request.run.maxTokens, isOpenEnded: request.isOpenEnded)
    try checkLatents(request.run.traced, field: "trace")
    let events = answers.steer(request.run)
    let first = try await first(of: events)
    if request.isStreamed { return stream(first, events) { SteerExchangeEvent($0) } }
    for try await case .finished(let document) in events { return .document(try jsonText(document)) }
    throw CancellationError()
  }

  /// POST /v1/steer/sweep
  func sweep(_ body: Data) async throws -> ServiceReply {
    var request = try SweepExchangeRequest.read(body)
    let length = try limits.length(request.sweep.run.maxTokens, isOpenEnded: request.isOpenEnded)
    request.sweep.run.maxTokens = length
    let events = answers.sweep(request.sweep)
    let first = try await first(of: events)
    if request.isStreamed { return stream(first, events) { SteerExchangeEvent($0) } }
    var documents: [SteeringDocument] = []
    for try await event in events {
      switch event {
      case .tokens, .scored: break
      case .finished(let document), .control(let document): documents.append(document)
      }
    }
    try Task.checkCancellation()
    return .document(try request.sweep.withControl ? jsonText(["runs": documents]) : jsonText(documents.first))
  }

  /// POST /v1/steer/set
  func sweepSet(_ body: Data) async throws -> ServiceReply {
    var request = try SetExchangeRequest.read(body)
    request.set.run.maxTokens = try limits.length(request.set.run.maxTokens, isOpenEnded: request.isOpenEnded)
    let events = answers.sweepSet(request.set)
    let first = try await first(of: events)
    if request.isStreamed { return stream(first, events) { SetExchangeEvent($0) } }
    for try await case .finished(let report) in events { return .document(try jsonText(report)) }
    throw CancellationError()
  }

  /// POST /v1/steer/preview
  func preview(_ body: Data) async throws -> ServiceReply {
    let request = try PreviewExchangeRequest.read(body)
    let events = answers.preview(request.run)
    let first = try await first(of: events)
    if request.isStreamed { return stream(first, events) { SteerExchangeEvent($0) } }
    var result = SteerPreviewResult(first)
    for try await case .token(let text) in events { result?.text += text }
    try Task.checkCancellation()
    return .document(try jsonText(result))
  }

  /// POST /v1/steer/activations
  func answerActivations(_ body: Data) async throws -> ServiceReply {
    let request = try AnswerTraceExchangeRequest.read(body)
    try checkLatents(request.trace.latents)
    let events = answers.traceAnswers(request.trace)
    let trace = try await first(of: events)
    return request.isStreamed ? stream(trace, events) { SteerExchangeEvent($0) } : .document(try jsonText(trace))
  }

  /// POST /v1/activations
  func activations(_ body: Data) async throws -> ServiceReply {
    let request = try TraceExchangeRequest.read(body)
    _ = try limits.length(request.trace.answerTokens, isOpenEnded: false, field: "generate")
    try checkLatents(request.options.only)
    let events = answers.trace(request.trace)
    let first = try await first(of: events)
    let precision = answers.owner.precision
    if request.isStreamed {
      return stream(first, events, startingAt: 0) { TraceExchangeEvent($0, from: &$1, precision: precision) }
    }
    var (tokens, names): ([TokenActivations], [Int32: TokenRecord]) = ([], [:])
    func take(_ event: TraceEvent) {
      guard case .tokens(let more, let theirs) = event else { return }
      tokens += more
      names.merge(theirs) { _, new in new }
    }
    take(first)
    for try await event in events { take(event) }
    try Task.checkCancellation()
    return .document(
      try jsonText(
        ActivationsReport(tokens, names: names, precision: precision, options: request.options, store: store).document))
  }

  /// POST /v1/causal-check
  func check(_ body: Data) async throws -> ServiceReply {
    let request = try CheckExchangeRequest.read(body)
    let events = answers.check(request.latent, request.size)
    let first = try await first(of: events)
    if request.isStreamed { return stream(first, events) { CheckExchangeEvent($0) } }
    if case .finished(let report) = first { return .document(try jsonText(report)) }
    for try await case .finished(let report) in events { return .document(try jsonText(report)) }
    throw CancellationError()
  }

  /// - Throws: `APIError` naming the first latent that the store does not have.
  private func checkLatents(_ latents: some Sequence<Int32>, field: String = "latents") throws {
    do {
      _ = try store.latents(ids: latents)
    } catch {
      guard case .noSuchLatent = error else { throw error }
      throw APIError.invalid("\(error)", param: field)
    }
  }

  private func stream<Event: Sendable, Wire: ExchangeEvent>(
    _ first: Event, _ events: AsyncThrowingStream<Event, any Error>, _ form: @escaping @Sendable (Event) -> Wire?
  ) -> ServiceReply {
    stream(first, events, startingAt: ()) { event, _ in form(event) }
  }

  /// Says which files answer, and hands on what happens.
  /// - Parameter form: an event as it is sent, and the state that the next one is formed with; nil for what is not said.
  private func stream<Event: Sendable, State: Sendable, Wire: ExchangeEvent>(
    _ first: Event, _ events: AsyncThrowingStream<Event, any Error>, startingAt state: State,
    _ form: @escaping @Sendable (Event, inout State) -> Wire?
  ) -> ServiceReply {
    .events { send in
      var state = state
      try await send(try jsonText(Wire(began: EngineIdentity(pair))))
      if let event = form(first, &state) { try await send(try jsonText(event)) }
      for try await event in events {
        if let event = form(event, &state) { try await send(try jsonText(event)) }
      }
      try Task.checkCancellation()
    }
  }
}
