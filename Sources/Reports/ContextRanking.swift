// In which order a latent's contexts are shown, and which are left out: by their peak outside of the chat template
// unless wanted otherwise, each text once.
// Owns: what is template, what is a copy. Refuses: contexts that the store does not have; it ranks what was read.

import Diffing
import Experiments
import Storage

/// Contexts of a page in order.
package struct ContextRanking: Sendable, Equatable {
  /// What a reader wants to see.
  package struct Options: Sendable, Equatable {
    /// Template tokens count: the order is the store's.
    package var countsTemplate = false
    /// Contexts with the same tokens around the peak are all shown.
    package var showsDuplicates = false

    package init(countsTemplate: Bool = false, showsDuplicates: Bool = false) {
      (self.countsTemplate, self.showsDuplicates) = (countsTemplate, showsDuplicates)
    }
  }

  /// A context in its place.
  package struct Entry: Sendable, Equatable {
    /// Index into the page's contexts.
    package var index: Int
    /// The token with the largest activation that counts, and that activation.
    package var peak: Int
    package var activation: Float
    /// 0 to 5, as `ExampleRecord.quantile`.
    package var band: Int
  }

  /// Strongest band first, then by activation, then as in the store.
  package private(set) var entries: [Entry]
  /// Whether template tokens count: because they should, or because the latent is active on nothing else.
  package let countsTemplate: Bool
  /// Contexts left out: active on template tokens only, and copies of a stronger one.
  package private(set) var templateOnly = 0
  package private(set) var duplicates = 0

  /// Tokens on each side of the peak that make two contexts the same if they are equal.
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
      // The same peak keeps the store's band, which may be of a maximum that the store does not have.
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
  /// The first of the strongest tokens outside of the template; nil if all active ones are inside.
  package func textPeak(_ tokens: [Int32: TokenRecord]) -> (position: Int, activation: Float)? {
    var peak: (position: Int, activation: Float)?
    for (position, value) in zip(example.positions, example.values)
    where value > peak?.activation ?? 0 && !sequence.isTemplate(Int(position), tokens) {
      peak = (Int(position), value)
    }
    return peak
  }
}
