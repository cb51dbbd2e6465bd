// Turns texts into paired residual streams: both models read the same tokens up to the layer of interest, in one pass
// if they share weights. The first token of a text is left out (BOS or its place: an attention sink of many times the
// usual norm), and so are the few other tokens of outlying norm, which would dominate every loss.
// Shape letters: T tokens, d width.

import Inference
import Kernels

/// The half of the corpus to which a text belongs.
public enum Corpus: String, Sendable, Codable, CaseIterable {
  case plain, chat

  /// The number in files of activations, and the place in lists by corpus.
  public var number: Int { self == .plain ? 0 : 1 }
}

/// A text to harvest, as tokens.
public struct CorpusText: Sendable, Equatable {
  public var ids: [Int32]
  /// For each token, whether the chat template wrote it (turn markers, role names, their newlines).
  public var templateMask: [Bool]
  public var corpus: Corpus

  public init(ids: [Int32], templateMask: [Bool], corpus: Corpus) {
    precondition(ids.count == templateMask.count, "every token needs a mask entry")
    self.ids = ids
    self.templateMask = templateMask
    self.corpus = corpus
  }

  /// The same text with tokens put before it, which count as template.
  public func after(_ beginning: [Int32]) -> CorpusText {
    CorpusText(
      ids: beginning + ids, templateMask: beginning.map { _ in true } + templateMask, corpus: corpus)
  }

  /// A part of the text: at most `count` tokens from a position on.
  public func piece(from start: Int, count: Int) -> CorpusText {
    let range = start..<min(start + count, ids.count)
    return CorpusText(ids: Array(ids[range]), templateMask: Array(templateMask[range]), corpus: corpus)
  }
}

/// Reads the residual streams of both models of a pair after one block.
public struct Harvester {
  private let models: PairedModels
  /// The block, counted from 0, after which the residual stream is read.
  public let layer: Int
  private let timelines: PairedTimelines

  public init(engine: Engine, layer: Int) { self.init(models: engine.models, layer: layer) }

  public init(models: PairedModels, layer: Int) {
    precondition((0..<models.chat.configuration.nLayers).contains(layer), "there is no block \(layer)")
    (self.models, self.layer) = (models, layer)
    timelines = PairedTimelines(models: models)
  }

  /// Both models' residual streams at every token of every text.
  /// - Returns: for each text its activations `[T, 2, d]`, the first token included.
  /// - Throws: the errors of the forward pass.
  public func activations(of texts: [[Int32]]) throws(InferenceError) -> [PairedActivations] {
    let d = models.chat.configuration.dModel
    let rows = PairedRows(tokens: texts.map(\.count), dModel: d)
    let (segments, sides) = timelines.segments(reading: texts, through: layer)
    _ = try models.forward(segments, of: sides, hooks: rows.hooks(layer: layer))
    return rows.texts.map { PairedActivations(dModel: d, values: $0) }
  }

  /// The tokens that are kept: positions from 1 on whose norm, in both models, is at most `outlierFactor` times the
  /// median norm of these texts.
  /// - Returns: for each text the kept positions, ascending.
  public static func keptPositions(of activations: [PairedActivations], outlierFactor: Double = 8) -> [[Int]] {
    var norms: [[Double]] = []
    for text in activations {
      norms.append(
        text.values.withUnsafeBufferPointer { values in
          guard let start = values.baseAddress else { return [] }
          return (0..<text.tokens).map { token -> Double in
            let row = start + token * 2 * text.dModel
            let base: Float = dot(row, row, count: text.dModel)
            let chat: Float = dot(row + text.dModel, row + text.dModel, count: text.dModel)
            return Double(max(base, chat)).squareRoot()
          }
        })
    }
    let inner = norms.flatMap { $0.dropFirst() }.sorted()
    guard !inner.isEmpty else { return norms.map { _ in [] } }
    let limit = inner[inner.count / 2] * outlierFactor
    return norms.map { text in text.indices.dropFirst().filter { text[$0] <= limit } }
  }
}

/// Timelines of both models for pass after pass over several texts each. It has one owner at a time.
final class PairedTimelines {
  private let models: PairedModels
  private var caches: [[KVCache]] = [[], []]

  init(models: PairedModels) { self.models = models }

  /// The input of one pass of both models over some texts, without logits, on timelines that begin anew. A stream's number is
  /// model.index · texts + text.
  /// - Parameter lastLayer: the last block to run; nil runs all of them.
  func segments(reading texts: [[Int32]], through lastLayer: Int? = nil) -> (segments: [Segment], models: [PairModel]) {
    var (segments, sides): ([Segment], [PairModel]) = ([], [])
    // All base rows come before all chat rows, since an adapter's product needs its rows together.
    for model in PairModel.allCases {
      while caches[model.index].count < texts.count {
        caches[model.index].append(models.transformer(of: model).makeCache())
      }
      for (index, ids) in texts.enumerated() {
        let cache = caches[model.index][index]
        cache.truncate(to: 0)
        segments.append(
          Segment(
            stream: model.index * texts.count + index, cache: cache, tokens: ids, lastLayer: lastLayer, logits: .none))
        sides.append(model)
      }
    }
    return (segments, sides)
  }
}

/// Collects the residual streams after a block during one pass. A stream's number is model.index · texts + text.
final class PairedRows {
  /// `[T, 2, d]` of each text; rows that no stream brings stay 0.
  private(set) var texts: [[Float]]
  private let d: Int

  init(tokens: [Int], dModel d: Int) {
    texts = tokens.map { [Float](repeating: 0, count: $0 * 2 * d) }
    self.d = d
  }

  /// Hooks that copy the rows and change nothing.
  func hooks(layer: Int) -> Hooks {
    var hooks = Hooks()
    hooks.add(layer: layer, site: .residPost) { view in
      for segment in view.segments {
        let (half, text) = segment.stream.quotientAndRemainder(dividingBy: self.texts.count)
        for (offset, row) in segment.rows.enumerated() {
          let start = (2 * offset + half) * self.d
          let source = UnsafeBufferPointer(start: view.row(row), count: self.d)
          self.texts[text].replaceSubrange(start..<start + self.d, with: source)
        }
      }
    }
    return hooks
  }
}
