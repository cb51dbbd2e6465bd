// Explains one latent. Every other one of its contexts, over all bands, is shown to the model; the rest is kept for the test,
// with texts in which the latent has no context. A latent with too few contexts is an error, and so is an unreadable answer.

import Diffing
import Experiments
import Foundation
import Inference
import Reports
import Storage

/// The settings of an explanation.
package struct ExplainSettings: Codable, Equatable, Sendable {
  /// How many contexts the explaining model sees.
  package var shown = 10
  /// How many contexts, and how many texts without the latent, test the explanation.
  package var tested = 10
  /// How many texts one question of the test has.
  package var batch = 5
  /// How many tokens are kept on each side of a context's peak.
  package var radius = 24
  package var seed: UInt64 = 0

  package init() {}
}

/// Explains latents of a store through an endpoint.
package struct Explainer: Sendable {
  package let store: Store
  package let endpoint: ChatEndpoint
  package let settings: ExplainSettings

  package init(store: Store, endpoint: ChatEndpoint, settings: ExplainSettings) {
    self.store = store
    self.endpoint = endpoint
    self.settings = settings
  }

  package enum Failure: Error, CustomStringConvertible {
    case tooFewContexts(latent: Int, found: Int)
    case unreadable(latent: Int, answer: String)

    package var description: String {
      switch self {
      case .tooFewContexts(let latent, let found):
        "latent \(latent): at least 2 contexts are needed, but \(found) were found; choose another latent"
      case .unreadable(let latent, let answer):
        "latent \(latent): expected a sentence, found \(quoted(String(answer.prefix(80)))); try another model"
      }
    }
  }

  /// The name of the explaining model in the store.
  package var source: String { endpoint.model }

  private struct Details: Encodable {
    let model: String
    let settings: ExplainSettings
    let contexts_shown: Int
    let detection: DetectionCounts
    let score = "balanced accuracy"
  }

  /// Asks for an explanation and tests it without saving it.
  /// - Throws: `EndpointError`, `StorageError` or `Failure`.
  package func explain(_ latent: Int) async throws -> ExplanationRecord {
    let page = try store.page(of: latent)
    let (shown, kept) = Self.split(page.contexts, settings)
    guard !shown.isEmpty, !kept.isEmpty else {
      throw Failure.tooFewContexts(latent: latent, found: page.contexts.count)
    }
    let promoted = page.logits.first { $0.direction == .chat }?.promoted.prefix(10) ?? []
    let answer = try await endpoint.answer(
      system: ExplainPrompts.explainSystem,
      user: ExplainPrompts.explain(
        shown.map { window($0, page.tokens) }, promoted: promoted.map { page.tokens[$0.token]?.text ?? "" }))
    guard let text = ExplainPrompts.explanation(in: answer) else {
      throw Failure.unreadable(latent: latent, answer: answer)
    }
    let detection = try await test(text, kept, page)
    let details = Details(
      model: endpoint.model, settings: settings, contexts_shown: shown.count, detection: detection)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return ExplanationRecord(
      latent: latent, source: source, text: text, detectionScore: detection.score,
      details: String(decoding: try encoder.encode(details), as: UTF8.self))
  }

  /// Divides contexts into those to show and those to test on, alternately, so that both cover all bands.
  package static func split(_ contexts: [Context], _ settings: ExplainSettings) -> (shown: [Context], tested: [Context])
  {
    let bands = Dictionary(grouping: contexts, by: \.example.quantile).sorted { $0.key > $1.key }.map(\.value)
    var order: [Context] = []
    for place in 0..<(bands.map(\.count).max() ?? 0) {
      for band in bands where place < band.count { order.append(band[place]) }
    }
    let halves = [0, 1].map { parity in order.indices.filter { $0 % 2 == parity }.map { order[$0] } }
    return (Array(halves[0].prefix(settings.shown)), Array(halves[1].prefix(settings.tested)))
  }

  private func window(_ context: Context, _ tokens: [Int32: TokenRecord]) -> ContextWindow {
    ContextWindow(
      ids: context.sequence.tokenIDs, activations: context.activations, center: context.peak, radius: settings.radius
    ) { tokens[$0]?.text ?? "" }
  }

  private func test(_ explanation: String, _ kept: [Context], _ page: LatentPage) async throws -> DetectionCounts {
    var generator = SplitMix64(seed: settings.seed &+ UInt64(page.latent.id))
    let silent = try store.sequences(
      count: kept.count, excluding: Set(page.contexts.map(\.sequence.id)), using: &generator)
    let tokens = try store.tokens(silent.flatMap(\.tokenIDs))
    var items = kept.map { (text: window($0, page.tokens).text, active: true) }
    for sequence in silent where !sequence.tokenIDs.isEmpty {
      let window = ContextWindow(
        ids: sequence.tokenIDs, activations: [Float](repeating: 0, count: sequence.tokenIDs.count),
        center: Int.random(in: 0..<sequence.tokenIDs.count, using: &generator), radius: settings.radius
      ) { tokens[$0]?.text ?? "" }
      items.append((window.text, false))
    }
    items.shuffle(using: &generator)
    var counts = DetectionCounts()
    for start in stride(from: 0, to: items.count, by: settings.batch) {
      let batch = items[start..<min(start + settings.batch, items.count)]
      let answer = try await endpoint.answer(
        system: ExplainPrompts.detectSystem, user: ExplainPrompts.detect(explanation, texts: batch.map(\.text)))
      guard let decisions = ExplainPrompts.decisions(in: answer, count: batch.count) else {
        counts.unanswered += batch.count
        continue
      }
      for (item, said) in zip(batch, decisions) { counts.add(active: item.active, said: said) }
    }
    return counts
  }
}
