// Activation patching of sets of latents: does a set carry what makes chat differ from base?
//   h^chat at layer L is replaced by an arm's approximation (PatchingArm), the chat model's remaining blocks are run, and
//   KL(chat ‖ patched) of the next-token distributions is summed over the predictions that count (PatchingScope).
// A good score picks latents that close more of the divergence of `none` than as many latents picked by another score.
// All arms of a chat run together, above L only, as streams of one batch.
// Source: arXiv 2504.02922, section 3.3. Shape letters: T tokens, d width, V vocabulary.

import Inference
import Kernels

/// The summed divergences of one chat.
public struct ChatDivergence: Codable, Equatable, Sendable {
  /// The number of predictions that count, by scope.
  public fileprivate(set) var tokens: [PatchingScope: Int] = [:]
  /// Σ KL(chat ‖ patched) in nats over those predictions, by scope, with one value for each arm.
  public fileprivate(set) var sums: [PatchingScope: [Double]] = [:]
}

/// Measures arms on one chat after another. It has one owner at a time.
public final class ActivationPatching {
  public let arms: [PatchingArm]
  private let harvester: Harvester
  private let crosscoder: Crosscoder
  /// The model whose upper blocks every arm goes through.
  private let chat: (model: Transformer, adapter: Adapter?)
  /// The timeline of chat itself, then one for each arm.
  private let caches: [KVCache]

  /// Prepares the arms. Nothing is computed before the first chat.
  /// - Parameters:
  ///   - crosscoder: must have the engine's width and no input normaliser (`foldingNormaliser`).
  ///   - layer: the block after which the crosscoder reads and the residual stream is replaced.
  /// - Throws: `DiffingError.settingInvalid` if engine, crosscoder and layer do not fit, or for an unknown latent.
  public init(engine: Engine, crosscoder: Crosscoder, layer: Int, arms: [PatchingArm]) throws(DiffingError) {
    chat = (engine.model, engine.adapter)
    try crosscoder.checkFit(engine.model.configuration, layer: layer)
    for arm in arms {
      guard case .latents(let chosen) = arm, let bad = chosen.first(where: { !(0..<crosscoder.nLatents).contains($0) })
      else { continue }
      throw .settingInvalid(name: "latent", expected: "0…\(crosscoder.nLatents - 1)", found: "\(bad)")
    }
    self.arms = arms
    self.crosscoder = crosscoder
    harvester = Harvester(engine: engine, layer: layer)
    let model = chat.model
    caches = (0...arms.count).map { _ in model.makeCache() }
  }

  /// Runs both models up to the layer, and every arm above it.
  /// - Returns: sums over the chat's predictions; the sums of several chats may be added.
  /// - Throws: `DiffingError.file` with the error of the forward pass; `.cancelled` between two blocks.
  public func measure(_ text: RenderedChat) throws(DiffingError) -> ChatDivergence {
    var result = ChatDivergence()
    var scopes = [[PatchingScope]](repeating: [], count: text.ids.count)
    for scope in PatchingScope.allCases {
      let positions = scope.positions(in: text)
      for position in positions { scopes[position].append(scope) }
      result.tokens[scope] = positions.count
      result.sums[scope] = [Double](repeating: 0, count: arms.count)
    }
    guard let last = scopes.lastIndex(where: { !$0.isEmpty }) else { return result }
    let activations = try reading { () throws(InferenceError) in try harvester.activations(of: [text.ids])[0] }
    let codes = try crosscoder.encode(text: activations)
    let streams =
      [chatStream(activations)]
      + arms.map {
        crosscoder.patched($0, activations, codes: codes, templateMask: text.templateMask)
      }
    for cache in caches { cache.truncate(to: 0) }
    // A pass takes few positions of every stream: it reads the weights once, and the logits of all arms stay small.
    let length = max(1, chat.model.configuration.rowsPerPass / streams.count)
    for first in stride(from: 0, through: last, by: length) {
      let part = first..<min(last + 1, first + length)
      let logits = try run(text, streams, part, wantsLogits: scopes[part].contains { !$0.isEmpty })
      for position in part where !scopes[position].isEmpty {
        for (arm, divergence) in divergences(logits, row: position - first).enumerated() {
          for scope in scopes[position] { result.sums[scope]?[arm] += divergence }
        }
      }
    }
    return result
  }

  /// Runs chat's upper blocks once over some positions of every stream.
  private func run(
    _ text: RenderedChat, _ streams: [[Float]], _ part: Range<Int>, wantsLogits: Bool
  ) throws(DiffingError) -> [Matrix] {
    let d = crosscoder.dModel
    let segments = streams.indices.map { stream in
      Segment(
        stream: stream, cache: caches[stream], tokens: Array(text.ids[part]),
        start: Segment.Start(
          layer: harvester.layer, residual: streams[stream][part.lowerBound * d..<part.upperBound * d]),
        adapter: chat.adapter, logits: wantsLogits ? .all : .none)
    }
    return try reading { () throws(InferenceError) in try chat.model.forward(segments) }
  }

  /// KL(chat ‖ arm) of every arm at one row of the streams' logits.
  private func divergences(_ logits: [Matrix], row: Int) -> [Double] {
    let V = chat.model.configuration.vocabSize
    return [Double](unsafeUninitializedCapacity: arms.count) { result, count in
      count = arms.count
      let out = result
      inPieces(of: 1, count: arms.count) { piece in
        for arm in piece {
          out[arm] = logits[0].values.withUnsafeBufferPointer { p in
            logits[arm + 1].values.withUnsafeBufferPointer { q in
              guard let p = p.baseAddress, let q = q.baseAddress else { return 0 }
              return klDivergence(p + row * V, q + row * V, count: V)
            }
          }
        }
      }
    }
  }

  private func chatStream(_ activations: PairedActivations) -> [Float] {
    (0..<activations.tokens).flatMap { activations.vector(token: $0, model: .chat) }
  }
}
