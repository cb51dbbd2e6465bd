// Puts a latent's contexts in order and leaves some out. By default they are ordered by their peak outside of the chat
// template, and of copies of one text only the strongest is shown.

import Diffing
import Experiments
import Storage

/// The contexts of a page in order.
package struct ContextRanking: Sendable, Equatable {
  /// The reader's choices.
  package struct Options: Sendable, Equatable {
    /// If true, template tokens count and the order is the store's.
    package var countsTemplate = false
    /// If true, contexts with the same tokens around the peak are all shown.
    package var showsDuplicates = false

    package init(countsTemplate: Bool = false, showsDuplicates: Bool = false) {
      (self.countsTemplate, self.showsDuplicates) = (countsTemplate, showsDuplicates)
    }
  }

  /// A context in the order.
  package struct Entry: Sendable, Equatable {
    /// The index in the page's contexts.
    package var index: Int
    /// The position of the largest activation that counts, and that activation.
    package var peak: Int
    package var activation: Float
    /// The band, 0 to 5, as in `ExampleRecord.quantile`.
    package var band: Int
  }

  /// The contexts by band, the strongest first, then by activation, then in the store's order.
  package private(set) var entries: [Entry]
  /// Whether template tokens count, because the options say so or because the latent fires on no other token.
  package let countsTemplate: Bool
  /// How many contexts were left out because they fire on template tokens only, and because they are copies of a
  /// stronger one.
  package private(set) var templateOnly = 0
  package private(set) var duplicates = 0

  /// How many tokens on each side of the peak must be equal for two contexts to be copies.
  package static let copyReach = 8

  package init(_ page: LatentPage, _ options: Options = Options()) {
    let peaks = page.contexts.map { $0.textPeak(page.tokens) }
    let countsTemplate = options.countsTemplate || peaks.allSatisfy { $0 == nil }
    self.countsTemplate = countsTemplate
    entries = page.contexts.enumerated().compactMap { index, context in
      let band = context.example.quantile
      if countsTemplate {
        return Entry(index: index, peak: context.peak, activation: context.maxActivation, band: band)
      }
      guard let peak = peaks[index] else { return nil }
      // If the peak is the stored one, the store's band is kept, since it may refer to a maximum that the store does not have.
      let isStored = peak.activation == context.maxActivation
      let largest = page.latent.maxActivation.map { Float($0) } ?? context.maxActivation
      return Entry(
        index: index, peak: peak.position, activation: peak.activation,
        band: isStored || largest <= 0 ? band : ExampleCollector.band(peak.activation / largest))
    }
    templateOnly = page.contexts.count - entries.count
    if !countsTemplate { entries.sort { ($1.band, $1.activation, $0.index) < ($0.band, $0.activation, $1.index) } }
    if !options.showsDuplicates { leaveOutCopies(page) }
  }

  private mutating func leaveOutCopies(_ page: LatentPage) {
    var seen: Set<[Int32]> = []
    let all = entries.count
    entries = entries.filter { entry in
      let ids = page.contexts[entry.index].sequence.tokenIDs
      let start = max(0, entry.peak - Self.copyReach)
      return seen.insert(Array(ids[start..<min(ids.count, entry.peak + Self.copyReach + 1)])).inserted
    }
    duplicates = all - entries.count
  }
}

extension SequenceRecord {
  /// Whether a token belongs to the chat template or is a control token such as BOS.
  package func isTemplate(_ position: Int, _ tokens: [Int32: TokenRecord]) -> Bool {
    templateMask[position] || tokens[tokenIDs[position]]?.isSpecial == true
  }
}

extension Context {
  /// The first of the strongest tokens outside of the template; nil if the latent fires on none there.
  package func textPeak(_ tokens: [Int32: TokenRecord]) -> (position: Int, activation: Float)? {
    var peak: (position: Int, activation: Float)?
    for (position, value) in zip(example.positions, example.values)
    where value > peak?.activation ?? 0 && !sequence.isTemplate(Int(position), tokens) {
      peak = (Int(position), value)
    }
    return peak
  }
}
