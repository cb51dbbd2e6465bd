// Texts with the tokens at which their residual streams are read, for directions that are made from texts.

import Inference

/// The tokens of a text that count.
public enum CountedTokens: String, Sendable, Codable, CaseIterable {
  /// All but the first, whose residual stream is an attention sink.
  case all
  /// The last one, from which an answer begins.
  case last
  /// The tokens that the assistant wrote.
  case answer
}

/// A text and the positions that count in it.
public struct ReadPositions: Sendable, Equatable {
  public let ids: [Int32]
  /// Ascending; not empty.
  public let positions: [Int]

  /// - Parameter answer: the tokens of the assistant's last turn, if there are any.
  /// - Returns: nil if no token counts.
  public init?(ids: [Int32], answer: Range<Int>? = nil, counting tokens: CountedTokens) {
    self.ids = ids
    switch tokens {
    case .all: positions = Array(ids.indices.dropFirst())
    case .last: positions = ids.count > 1 ? [ids.count - 1] : []
    case .answer: positions = answer.map { Array($0.clamped(to: 1..<max(1, ids.count))) } ?? []
    }
    guard !positions.isEmpty else { return nil }
  }
}

extension Harvester {
  /// Reads texts in groups of a few hundred tokens, and gives each with its activations `[T, 2, d]`, in order.
  /// - Throws: the errors of the forward pass; `InferenceError.cancelled` between two groups if the task is cancelled.
  func read(
    _ texts: [ReadPositions], progress: (Int) -> Void, _ body: (ReadPositions, PairedActivations) -> Void
  ) throws(InferenceError) {
    var start = 0
    while start < texts.count {
      guard !Task.isCancelled else { throw .cancelled }
      var (end, tokens) = (start, 0)
      while end < texts.count, end == start || tokens + texts[end].ids.count <= 512 {
        tokens += texts[end].ids.count
        end += 1
      }
      let group = texts[start..<end]
      for (text, activations) in zip(group, try activations(of: group.map(\.ids))) { body(text, activations) }
      start = end
      progress(start)
    }
  }
}

/// What of the two models' residual streams is read.
public enum ReadStream: String, Sendable, Codable, CaseIterable {
  case base, chat
  /// h^chat − h^base.
  case difference

  /// Adds one row to a sum.
  /// - Parameter row: base's `[d]`, then chat's.
  func add(_ row: UnsafePointer<Float>, to sum: inout [Double]) {
    let d = sum.count
    for index in 0..<d {
      switch self {
      case .base: sum[index] += Double(row[index])
      case .chat: sum[index] += Double(row[d + index])
      case .difference: sum[index] += Double(row[d + index]) - Double(row[index])
      }
    }
  }
}
