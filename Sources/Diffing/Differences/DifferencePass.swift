// One pass of both models over a group of texts, and what the two say at each token: residual streams after every block,
// logits, losses. Logits are made a slice of positions at a time, so that memory does not grow with the texts.
// Shape letters: T tokens, d width, V tokens that both models know.

import Inference
import Kernels

/// What both models say at the tokens of one text.
public struct TextDifference: Sendable {
  /// KL(chat ‖ base) and KL(base ‖ chat) in nats, `[T]`.
  public var chatFromBase: [Double] = []
  public var baseFromChat: [Double] = []
  /// −log p of each token but the first, in nats, `[T − 1]`.
  public var baseLosses: [Double] = []
  public var chatLosses: [Double] = []
  /// ‖h^chat − h^base‖, ‖h^base‖, ‖h^chat‖ and the cosine of the two, by block and token, `[blocks][T]`.
  public var differenceNorms: [[Float]]
  public var baseNorms: [[Float]]
  public var chatNorms: [[Float]]
  public var cosines: [[Float]]

  init(blocks: Int, tokens: Int) {
    let zeros = [[Float]](repeating: [Float](repeating: 0, count: tokens), count: blocks)
    (differenceNorms, baseNorms, chatNorms, cosines) = (zeros, zeros, zeros, zeros)
  }
}

/// Receives what a pass computes. Pointers are valid during the call only.
protocol DifferenceVisitor: AnyObject {
  /// Both models' residual stream `[d]` after a block at a token.
  func residual(block: Int, text: Int, position: Int, base: UnsafePointer<Float>, chat: UnsafePointer<Float>)
  /// Both models' logits at adjacent rows; rows of base lie `baseStride` values apart, those of chat `chatStride`.
  func logits(_ rows: LogitRows)
}

/// Logits of some positions under both models.
struct LogitRows {
  /// The text and the position of each row.
  let places: [(text: Int, position: Int)]
  let base: UnsafePointer<Float>
  let baseStride: Int
  let chat: UnsafePointer<Float>
  let chatStride: Int
  /// V.
  let vocabulary: Int
  /// What each row's distributions say of each other.
  let comparisons: [LogitComparison]

  init(
    places: [(text: Int, position: Int)], base: UnsafePointer<Float>, baseStride: Int, chat: UnsafePointer<Float>,
    chatStride: Int, vocabulary: Int
  ) {
    (self.places, self.base, self.baseStride) = (places, base, baseStride)
    (self.chat, self.chatStride, self.vocabulary) = (chat, chatStride, vocabulary)
    comparisons = mapInPieces(places.count) { row in
      LogitComparison(base: base + row * baseStride, chat: chat + row * chatStride, count: vocabulary)
    }
  }

  func base(_ row: Int) -> UnsafePointer<Float> { base + row * baseStride }
  func chat(_ row: Int) -> UnsafePointer<Float> { chat + row * chatStride }
}

/// Runs groups of texts, one after another. It has one owner at a time.
final class DifferencePass {
  let models: PairedModels
  private let timelines: PairedTimelines
  /// The logits of one slice, base's before chat's.
  private var logits: [[Float]] = [[], []]
  /// The most values of logits of one model at once (64 MB for both).
  private static let mostLogits = 8 << 20

  init(models: PairedModels) {
    self.models = models
    timelines = PairedTimelines(models: models)
  }

  private var dModel: Int { models.chat.configuration.dModel }

  /// Runs both models over some texts and tells the visitor what they say.
  /// - Returns: for each text what was found at its tokens.
  /// - Throws: the errors of the forward pass, such as `settingInvalid` for a text beyond the context length.
  func run(_ texts: [DifferenceText], visitor: some DifferenceVisitor) throws(InferenceError) -> [TextDifference] {
    let blocks = models.chat.configuration.nLayers
    let last = LastResiduals(texts: texts.map(\.ids.count), d: dModel)
    let found = FoundDifferences(texts.map { TextDifference(blocks: blocks, tokens: $0.ids.count) })
    let streams = ResidualPairs(texts: texts.count, d: dModel, sharesWeights: models.sharesWeights) {
      block, text, position, base, chat in
      found.add(block, text, position, base, chat, count: self.dModel)
      visitor.residual(block: block, text: text, position: position, base: base, chat: chat)
      if block == blocks - 1 { last.keep(text, position, base: base, chat: chat) }
    }
    let (segments, sides) = timelines.segments(reading: texts.map(\.ids))
    _ = try models.forward(segments, of: sides, hooks: streams.hooks(blocks: blocks))
    try readOut(texts, last, found, visitor)
    return found.texts
  }

  /// Makes the logits of all positions, a slice at a time.
  private func readOut(
    _ texts: [DifferenceText], _ last: LastResiduals, _ found: FoundDifferences, _ visitor: some DifferenceVisitor
  ) throws(InferenceError) {
    let places = texts.indices.flatMap { text in texts[text].ids.indices.map { (text: text, position: $0) } }
    let widths = PairModel.allCases.map { models.transformer(of: $0).configuration.vocabSize }
    let rows = max(1, Self.mostLogits / max(widths[0], widths[1]))
    for start in stride(from: 0, to: places.count, by: rows) {
      let part = start..<min(start + rows, places.count)
      for model in PairModel.allCases {
        let needed = part.count * widths[model.index]
        if logits[model.index].count < needed { logits[model.index] = [Float](repeating: 0, count: needed) }
        try last.withRows(of: model, part) { rows throws(InferenceError) in
          try models.transformer(of: model).readOut(rows, count: part.count, into: &logits[model.index])
        }
      }
      logits[0].withUnsafeBufferPointer { base in
        logits[1].withUnsafeBufferPointer { chat in
          guard let base = base.baseAddress, let chat = chat.baseAddress else { return }
          let rows = LogitRows(
            places: Array(places[part]), base: base, baseStride: widths[0], chat: chat, chatStride: widths[1],
            vocabulary: models.sharedVocabulary)
          found.add(rows, texts)
          visitor.logits(rows)
        }
      }
    }
  }
}

/// The residual streams after the last block, which the logits are made of, `[tokens, d]` by model.
private final class LastResiduals {
  private var values: [[Float]]
  private let starts: [Int]
  private let d: Int

  init(texts: [Int], d: Int) {
    starts = texts.indices.map { texts[..<$0].reduce(0, +) }
    let empty = [Float](repeating: 0, count: texts.reduce(0, +) * d)
    (values, self.d) = ([empty, empty], d)
  }

  func keep(_ text: Int, _ position: Int, base: UnsafePointer<Float>, chat: UnsafePointer<Float>) {
    let start = (starts[text] + position) * d
    for (model, row) in [base, chat].enumerated() {
      values[model].replaceSubrange(start..<start + d, with: UnsafeBufferPointer(start: row, count: d))
    }
  }

  func withRows(
    of model: PairModel, _ rows: Range<Int>, _ body: (UnsafePointer<Float>) throws(InferenceError) -> Void
  ) throws(InferenceError) {
    try values[model.index].withUnsafeBufferPointer { values throws(InferenceError) in
      guard let values = values.baseAddress else { return }
      try body(values + rows.lowerBound * d)
    }
  }
}

/// Figures by token as they come.
private final class FoundDifferences {
  private(set) var texts: [TextDifference]

  init(_ texts: [TextDifference]) { self.texts = texts }

  func add(
    _ block: Int, _ text: Int, _ position: Int, _ base: UnsafePointer<Float>, _ chat: UnsafePointer<Float>, count d: Int
  ) {
    let (b, c) = (squareSum(base, count: d), squareSum(chat, count: d))
    let product = dotInDouble(base, chat, count: d)
    // Of nearly equal vectors ‖a‖² + ‖b‖² − 2 a·b would lose all its digits.
    let difference = withUnsafeTemporaryAllocation(of: Float.self, capacity: d) { buffer -> Double in
      guard let parts = buffer.baseAddress else { return 0 }
      subtract(base, from: chat, count: d, into: parts)
      return squareSum(parts, count: d)
    }
    let norms = (b * c).squareRoot()
    texts[text].differenceNorms[block][position] = Float(difference.squareRoot())
    texts[text].baseNorms[block][position] = Float(b.squareRoot())
    texts[text].chatNorms[block][position] = Float(c.squareRoot())
    texts[text].cosines[block][position] = norms > 0 ? Float(product / norms) : 1
  }

  func add(_ rows: LogitRows, _ whole: [DifferenceText]) {
    for (row, place) in rows.places.enumerated() {
      let comparison = rows.comparisons[row]
      texts[place.text].chatFromBase.append(comparison.chatFromBase)
      texts[place.text].baseFromChat.append(comparison.baseFromChat)
      let ids = whole[place.text].ids
      guard place.position + 1 < ids.count else { continue }
      let next = Int(ids[place.position + 1])
      texts[place.text].baseLosses.append(comparison.baseLogTotal - Double(rows.base(row)[next]))
      texts[place.text].chatLosses.append(comparison.chatLogTotal - Double(rows.chat(row)[next]))
    }
  }
}

/// The values of a function at 0..<count, computed on all threads of the pool.
func mapInPieces<Value>(_ count: Int, _ value: (Int) -> Value) -> [Value] {
  [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
    let buffer = buffer
    inPieces(of: 4, count: count) { piece in
      for index in piece { buffer.initializeElement(at: index, to: value(index)) }
    }
    initialized = count
  }
}
