// Traces of a text and causal checks by a service.
// Owns: the requests on the wire, and whether an answer is one to what was asked.

import Diffing
import Foundation
import Inference
import Kernels
import Serving
import Storage

extension TraceService {
  /// Traces by a service.
  static func remote(_ engine: RemoteEngine) -> TraceService {
    TraceService { request in
      stream { continuation in _ = try await engine.trace(request) { continuation.yield($0) } }
    }
  }
}

extension CheckService {
  /// Checks by a service.
  static func remote(_ engine: RemoteEngine) -> CheckService {
    CheckService { latent in
      stream { continuation in try await engine.check(latent, .interactive) { continuation.yield($0) } }
    }
  }
}

extension RemoteEngine {
  /// Tokens of a text and its answer that are taken at most: no model's context is longer.
  private static let mostTokens = 1 << 21

  /// - Returns: how the service's models compute.
  func trace(_ request: TraceRequest, _ emit: (TraceEvent) -> Void) async throws -> Precision {
    var (count, precision) = (0, Precision?.none)
    try await exchange("/v1/activations", TraceWireRequest(request)) { (event: TraceExchangeEvent) in
      guard precision == nil else { throw invalid("something else") }
      if let end = event.finished {
        precision = end.precision
        emit(.finished(seconds: end.seconds))
        return
      }
      guard let tokens = event.tokens, let names = event.names else { throw invalid("something else") }
      guard tokens.map(\.position) == Array(count..<count + tokens.count), tokens.allSatisfy({ $0.isSound(identity) })
      else { throw invalid("tokens of something else") }
      count += tokens.count
      guard count <= Self.mostTokens else { throw invalid("more tokens than any text has") }
      let records = names.map { TokenRecord(id: $0.token_id, bytes: $0.bytes, isSpecial: $0.special) }
      emit(
        .tokens(
          tokens.map { TokenActivations($0) },
          names: Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { a, _ in a })))
    }
    return try required(precision)
  }

  @discardableResult
  func check(
    _ latent: Int32, _ size: CausalCheck.Size, _ emit: (CheckEvent) -> Void
  ) async throws -> CausalCheckReport {
    var finished: CausalCheckReport?
    try await exchange("/v1/causal-check", CheckWireRequest(latent, size)) { (event: CheckExchangeEvent) in
      guard finished == nil else { throw invalid("something else") }
      if let progress = event.progress { return emit(.progress(done: progress.done, of: progress.of)) }
      guard let report = event.finished, report.latent == Int(latent), report.size == size else {
        throw invalid("a check of something else")
      }
      finished = report
      emit(.finished(report))
    }
    return try required(finished)
  }
}

/// What is asked of /v1/activations.
private struct TraceWireRequest: Encodable {
  var text: String?
  var messages: [ChatMessage]?
  var tokens: [Int32]?
  var template_mask: [Bool]?
  let generate: Int
  let stream = true

  private enum CodingKeys: CodingKey { case text, messages, tokens, template_mask, generate, stream }

  init(_ request: TraceRequest) {
    generate = request.answerTokens
    switch request.source {
    case .raw(let text): self.text = text
    case .chat(let messages): self.messages = messages
    case .tokens(let ids, let mask): (tokens, template_mask) = (ids, mask)
    }
  }
}

/// What is asked of /v1/causal-check.
private struct CheckWireRequest: Encodable {
  let latent: Int32
  let random: Int
  let prompts: Int
  let contexts: Int
  let max_tokens: Int
  let stream = true

  private enum CodingKeys: CodingKey { case latent, random, prompts, contexts, max_tokens, stream }

  init(_ latent: Int32, _ size: CausalCheck.Size) {
    self.latent = latent
    (random, prompts, contexts, max_tokens) = (size.random, size.prompts, size.contexts, size.tokens)
  }
}

extension ActivationsReport.Document.Token {
  /// Whether its numbers can be what they are said to be.
  fileprivate func isSound(_ identity: EngineIdentity) -> Bool {
    ((base ?? []) + chat).allSatisfy { (0...1).contains($0.probability) }
      && activations.allSatisfy { (0..<Int32(identity.n_latents)).contains($0.latent) && $0.activation >= 0 }
  }
}
