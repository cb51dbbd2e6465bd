// Which latents fire on each token of a text, and what each model expects next. Both models read the same tokens, the
// crosscoder encodes their residual streams after its layer, and the logits of both are compared at every token.
// The text may grow pass by pass, so that an answer can be followed while it is generated. The first token of a text
// and tokens of outlying norm have no codes, since theirs mean nothing (Crosscoder+Encode).
// Shape letters: T tokens of a pass, V vocabulary.

import Inference
import Kernels

/// A latent that is on at a token.
public struct LatentActivation: Sendable, Equatable {
  public var latent: Int
  /// The activation in scaled units, above 0.
  public var value: Float

  public init(latent: Int, value: Float) {
    (self.latent, self.value) = (latent, value)
  }
}

/// A token that may come next.
public struct TokenProbability: Sendable, Equatable, Codable {
  public var id: Int32
  /// The probability at temperature 1.
  public var probability: Double

  public init(id: Int32, probability: Double) {
    (self.id, self.probability) = (id, probability)
  }
}

/// What both models compute at one token of a text.
public struct TokenActivations: Sendable, Equatable {
  public var id: Int32
  /// Whether the chat template wrote the token.
  public var isTemplate: Bool
  /// Whether the codes mean nothing, because the token is the text's first or of outlying norm.
  public var isLeftOut: Bool
  /// The latents that are on, strongest first.
  public var activations: [LatentActivation]
  /// The likeliest next tokens of each model, the most probable first. Base's list is empty if there is no base.
  public var base: [TokenProbability]
  public var chat: [TokenProbability]
  /// KL(chat ‖ base) and KL(base ‖ chat) of the next token in nats; nil if there is no base.
  public var klChatBase: Double?
  public var klBaseChat: Double?

  public init(
    id: Int32, isTemplate: Bool = false, isLeftOut: Bool = false, activations: [LatentActivation] = [],
    base: [TokenProbability] = [], chat: [TokenProbability] = [], klChatBase: Double? = nil, klBaseChat: Double? = nil
  ) {
    (self.id, self.isTemplate, self.isLeftOut, self.activations) = (id, isTemplate, isLeftOut, activations)
    (self.base, self.chat, self.klChatBase, self.klBaseChat) = (base, chat, klChatBase, klBaseChat)
  }
}

/// Reads a text of one or both models, pass by pass. It has one owner at a time.
public final class TextActivations {
  private let engine: Engine
  private let crosscoder: Crosscoder
  private let layer: Int
  private let candidates: Int
  /// The timeline of base, if there is a base, then chat's.
  private let timelines: [(model: PairModel, cache: KVCache)]
  /// Chat's logits `[V]` after the last token; empty before the first.
  public private(set) var chatLogits: [Float] = []

  /// Prepares the timelines. Nothing is computed before the first tokens.
  /// - Parameters:
  ///   - crosscoder: must have the engine's width and no input normaliser (`foldingNormaliser`).
  ///   - layer: the block after which the crosscoder reads.
  ///   - candidates: the number of likeliest next tokens to keep.
  /// - Throws: `DiffingError.settingInvalid` if engine, crosscoder and layer do not fit, `.codesUndefined`.
  public init(engine: Engine, crosscoder: Crosscoder, layer: Int, candidates: Int = 10) throws(DiffingError) {
    try crosscoder.checkFit(engine.model.configuration, layer: layer)
    try crosscoder.requireCodesOfTexts()
    precondition(candidates > 0, "candidates must be positive")
    (self.engine, self.crosscoder, self.layer, self.candidates) = (engine, crosscoder, layer, candidates)
    timelines = (engine.isPair ? PairModel.allCases : [.chat]).map { ($0, engine.transformer(of: $0).makeCache()) }
  }

  /// The number of tokens read so far.
  public var count: Int { timelines[0].cache.count }

  /// The most tokens that one pass takes: a pass stays short enough to wait for, and its logits stay below 128 MB.
  public var tokensPerPass: Int {
    let configuration = engine.model.configuration
    let logits = (128 << 20) / (timelines.count * configuration.vocabSize * MemoryLayout<Float>.size)
    return max(1, min(configuration.rowsPerPass / timelines.count, logits))
  }

  /// Checks that the model's context length has room for so many more tokens.
  /// - Throws: `DiffingError.settingInvalid` naming both lengths if it has not.
  public func checkRoom(for more: Int) throws(DiffingError) {
    let longest = engine.model.configuration.contextLength
    guard more <= longest - count else {
      throw .settingInvalid(
        name: Setting("text length", .text), expected: "at most \(longest) tokens, the model's context length",
        found: "\(count + more)"
      )
    }
  }

  /// Continues with the next tokens of the text.
  /// - Returns: one entry for each token.
  /// - Throws: `DiffingError.settingInvalid` for a text that becomes too long, before anything is computed; the errors
  ///   of the forward pass. `.file(.cancelled)` comes between two blocks; the text then ends with the last complete
  ///   pass.
  public func append(_ tokens: [Int32], templateMask: [Bool]) throws(DiffingError) -> [TokenActivations] {
    precondition(tokens.count == templateMask.count, "every token needs a mask entry")
    try checkRoom(for: tokens.count)
    var result: [TokenActivations] = []
    for start in stride(from: 0, to: tokens.count, by: tokensPerPass) {
      let part = start..<min(tokens.count, start + tokensPerPass)
      result += try pass(Array(tokens[part]), Array(templateMask[part]))
    }
    return result
  }

  private func pass(_ tokens: [Int32], _ templateMask: [Bool]) throws(DiffingError) -> [TokenActivations] {
    let first = count
    let rows = PairedRows(tokens: [tokens.count], dModel: crosscoder.dModel)
    let segments = timelines.map {
      Segment(stream: $0.model.index, cache: $0.cache, tokens: tokens, logits: .all)
    }
    let logits = try reading { () throws(InferenceError) in
      try engine.forward(segments, of: timelines.map(\.model), hooks: rows.hooks(layer: layer))
    }
    let residual = PairedActivations(dModel: crosscoder.dModel, values: rows.texts[0])
    let codes = try crosscoder.encode(text: residual, from: first)
    let scaled = crosscoder.scaled(codes)
    let meaningful = crosscoder.meaningful(in: residual, from: first)
    var result = tokens.indices.map { token in
      TokenActivations(
        id: tokens[token], isTemplate: templateMask[token], isLeftOut: !meaningful[token],
        activations: codes.entries(of: token).map {
          LatentActivation(latent: Int(codes.latents[$0]), value: scaled[$0])
        }.sorted { ($1.value, $0.latent) < ($0.value, $1.latent) })
    }
    predict(logits, into: &result)
    if let chat = logits.last { chatLogits = Array(chat.row(chat.rows - 1)) }
    return result
  }

  /// Adds the next tokens that both models expect after each token.
  private func predict(_ logits: [Matrix], into tokens: inout [TokenActivations]) {
    let (V, candidates) = (engine.model.configuration.vocabSize, candidates)
    let (base, chat) = (logits.count > 1 ? logits[0].values : [], logits[logits.count - 1].values)
    tokens.withUnsafeMutableBufferPointer { tokens in
      base.withUnsafeBufferPointer { base in
        chat.withUnsafeBufferPointer { chat in
          let tokens = tokens
          inPieces(of: 1, count: tokens.count) { piece in
            for token in piece {
              guard let q = chat.baseAddress.map({ $0 + token * V }) else { return }
              tokens[token].chat = likeliest(q, count: V, candidates)
              guard let p = base.baseAddress.map({ $0 + token * V }), !base.isEmpty else { continue }
              tokens[token].base = likeliest(p, count: V, candidates)
              tokens[token].klChatBase = klDivergence(q, p, count: V)
              tokens[token].klBaseChat = klDivergence(p, q, count: V)
            }
          }
        }
      }
    }
  }
}

/// The most probable of `V` tokens by their logits.
func likeliest(_ logits: UnsafePointer<Float>, count V: Int, _ candidates: Int) -> [TokenProbability] {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: V) { buffer in
    guard let probabilities = buffer.baseAddress else { return [] }
    probabilities.update(from: logits, count: V)
    softmax(probabilities, count: V)
    return strongestIndices(UnsafeBufferPointer(buffer), sign: 1, count: candidates).map {
      TokenProbability(id: Int32($0), probability: Double(buffer[$0]))
    }
  }
}
