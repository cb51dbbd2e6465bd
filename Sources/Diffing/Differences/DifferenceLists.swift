// The few texts and windows that differ most, and a sample of positions: lists of limited length that can be merged, since what
// comes into them depends on a key alone and not on the order of texts.

import Inference

/// A text by how much the models part on it.
public struct ListedText: Sendable, Equatable, Codable {
  /// The number of the text among all texts.
  public let text: Int
  /// The mean of KL(chat ‖ base) over its tokens and the largest, in nats, and the place of the largest.
  public let mean: Double
  public let largest: Double
  public let position: Int
}

/// A run of tokens by how much likelier chat finds it than base.
public struct ListedWindow: Sendable, Equatable, Codable {
  public let text: Int
  /// Its first token and the number of tokens.
  public let start: Int
  public let count: Int
  /// Σ log p^chat − log p^base of its tokens, in nats.
  public let gain: Double
}

/// The texts and windows of one corpus that differ most.
public struct DifferenceLists: Sendable, Equatable, Codable {
  public internal(set) var byMean: [ListedText] = []
  public internal(set) var byLargest: [ListedText] = []
  /// Windows of one text that overlap are listed once, by the likeliest.
  public internal(set) var windows: [ListedWindow] = []

  mutating func add(_ text: Int, _ found: TextDifference, _ settings: DifferenceSettings) {
    let divergences = found.chatFromBase
    guard let largest = divergences.max(), let place = divergences.firstIndex(of: largest) else { return }
    let listed = ListedText(
      text: text, mean: divergences.reduce(0, +) / Double(divergences.count), largest: largest, position: place)
    var own = DifferenceLists()
    (own.byMean, own.byLargest) = ([listed], [listed])
    own.windows = windows(text, found, settings)
    merge(own, most: settings.listed)
  }

  private func windows(_ text: Int, _ found: TextDifference, _ settings: DifferenceSettings) -> [ListedWindow] {
    let gains = zip(found.baseLosses, found.chatLosses).map { $0 - $1 }
    let count = min(settings.window, gains.count)
    guard count > 0 else { return [] }
    return stride(from: 0, through: gains.count - count, by: settings.windowStep).map { start in
      // The loss at place i is that of token i + 1.
      ListedWindow(
        text: text, start: start + 1, count: count, gain: gains[start..<start + count].reduce(0, +))
    }
  }

  mutating func merge(_ other: DifferenceLists, most: Int) {
    byMean = Self.first(byMean + other.byMean, most) { ($0.mean, $0.text) }
    byLargest = Self.first(byLargest + other.byLargest, most) { ($0.largest, $0.text) }
    var kept: [ListedWindow] = []
    for window in (windows + other.windows).filter({ $0.gain > 0 }).sorted(by: Self.precedes) where kept.count < most {
      let range = window.start..<window.start + window.count
      if kept.allSatisfy({ $0.text != window.text || !($0.start..<$0.start + $0.count).overlaps(range) }) {
        kept.append(window)
      }
    }
    windows = kept
  }

  private static func first(
    _ texts: [ListedText], _ most: Int, by key: (ListedText) -> (Double, Int)
  ) -> [ListedText] {
    let sorted = texts.filter { $0.largest > 0 }.sorted {
      let (a, b) = (key($0), key($1))
      return a.0 == b.0 ? a.1 < b.1 : a.0 > b.0
    }
    return Array(sorted.prefix(most))
  }

  private static func precedes(_ a: ListedWindow, _ b: ListedWindow) -> Bool {
    a.gain == b.gain ? (a.text, a.start) < (b.text, b.start) : a.gain > b.gain
  }
}

/// Some positions with the tokens that chat raises most there, rows of the matrices whose topics are found. Which positions are
/// in it depends on a hash of their place alone.
public struct PositionSample: Sendable, Equatable, Codable {
  public struct Row: Sendable, Equatable, Codable {
    let key: UInt64
    public let text: Int
    public let position: Int
    /// The tokens whose logits rose most, and those that add most to the divergence.
    public let raised: SparseRow
    public let added: SparseRow
  }
  /// In the order of their keys.
  public private(set) var rows: [Row] = []

  /// The key of a position; small keys are in the sample.
  static func key(text: Int, position: Int) -> UInt64 {
    // SplitMix64's mixing function, which spreads neighbouring numbers over the whole range.
    var z = UInt64(text) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(position) &* 0xD1B5_4A32_D192_ED03 &+ 0x632B_E59B_D9B4_E019
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Whether a position of this key would come in.
  func takes(_ key: UInt64, most: Int) -> Bool {
    rows.count < most || rows.last.map { key < $0.key } ?? false
  }

  mutating func add(_ row: Row, most: Int) {
    rows.insert(row, at: rows.partitioningIndex { $0.key >= row.key })
    if rows.count > most { rows.removeLast() }
  }

  mutating func merge(_ other: PositionSample, most: Int) {
    rows = Array((rows + other.rows).sorted { $0.key < $1.key }.prefix(most))
  }
}

/// Some tokens with positive values, the largest first.
public struct SparseRow: Sendable, Equatable, Codable {
  public let tokens: [Int32]
  public let values: [Float]

  /// Keeps what is positive.
  init(_ entries: [(place: Int32, value: Float)]) {
    let positive = entries.filter { $0.value > 0 }
    (tokens, values) = (positive.map(\.place), positive.map(\.value))
  }

  public init(tokens: [Int32], values: [Float]) { (self.tokens, self.values) = (tokens, values) }
}

extension Array {
  /// The first index from which on a condition holds, where it does not hold before.
  fileprivate func partitioningIndex(_ holds: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if holds(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
