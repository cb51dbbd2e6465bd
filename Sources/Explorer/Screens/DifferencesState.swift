// View state of the screen Differences: which finding is selected at the left, and where the cursor stands in it at the right.

import Diffing
import Experiments
import TUI

struct DifferencesState: Sendable, Equatable {
  /// What the store holds, once it is read; nil inside if the models were not compared.
  var document: DifferenceDocument??
  var list = ListState()
  /// Whether keys move at the right.
  var isInside = false
  /// The item under the cursor at the right, and the first visible line.
  var item = 0
  var top = 0

  var found: DifferenceDocument? { document ?? nil }
  var entries: [DifferenceEntry] { found.map(DifferenceEntry.all) ?? [] }
  var entry: DifferenceEntry? { entries.indices.contains(list.selected) ? entries[list.selected] : nil }

  mutating func arrived(_ document: DifferenceDocument?) {
    self.document = .some(document)
    (list, isInside, item, top) = (ListState(), false, 0, 0)
  }
}

/// One finding, a row at the left.
struct DifferenceEntry: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case texts, blocks
    case order(Int), topic(Int), lens(Int), effect(Int), text(Int), window(Int), written(Int), amplified(Int)
  }
  let kind: Kind
  /// The group that it belongs to, its name, and its figure.
  let group: String
  let title: String
  let value: String
  /// The length of its bar, 0…1; nil without one.
  var share: Double?

  /// All findings of a document, the most telling first.
  static func all(_ document: DifferenceDocument) -> [DifferenceEntry] {
    guard !document.setup.noDifference else { return [] }
    var entries = [DifferenceEntry(kind: .texts, group: "texts", title: "how far predictions part", value: "")]
    for (index, order) in document.orders.enumerated() where !order.tokens.isEmpty {
      entries.append(
        .init(
          kind: .order(index), group: "tokens", title: "\(order.corpus.rawValue) \(order.order.rawValue)", value: ""
        ))
    }
    for (index, topic) in document.topics.enumerated() {
      entries.append(
        .init(
          kind: .topic(index), group: "topics", title: "\(topic.corpus.rawValue) \(topic.measure.rawValue)",
          value: fixed(topic.share * 100, 0) + " %", share: topic.share))
    }
    // An outlying norm would hide all other positions.
    let lenses = document.lenses.enumerated().sorted { a, b in
      a.element.isOutlying == b.element.isOutlying
        ? a.element.relative > b.element.relative : b.element.isOutlying
    }
    let most = lenses.first?.element.relative ?? 1
    for (index, lens) in lenses {
      entries.append(
        .init(
          kind: .lens(index), group: "δ", title: "\(lens.layer) \(lens.corpus.rawValue) \(lens.position)",
          value: fixed(lens.relative * 100, 0) + " %", share: most > 0 ? lens.relative / most : 0))
    }
    if !document.blocks.isEmpty {
      entries.append(.init(kind: .blocks, group: "blocks", title: "where streams part", value: ""))
    }
    for (index, effect) in document.effects.enumerated() {
      entries.append(
        .init(kind: .effect(index), group: "effect", title: effect.direction, value: signed(effect.change, 3)))
    }
    for (index, text) in document.texts.enumerated() {
      entries.append(
        .init(
          kind: .text(index), group: "parting", title: text.tokens.prefix(12).map(\.text).joined(),
          value: fixed(text.mean, 2), share: text.mean / max(1e-9, document.texts.map(\.mean).max() ?? 1)))
    }
    for (index, item) in document.amplified.enumerated() {
      entries.append(.init(kind: .amplified(index), group: "amplified", title: item.answer, value: ""))
    }
    for (index, window) in document.windows.enumerated() {
      entries.append(
        .init(kind: .window(index), group: "likelier", title: window.content, value: fixed(window.gain, 1)))
    }
    for (index, written) in document.written.enumerated() {
      entries.append(
        .init(
          kind: .written(index), group: "writes", title: written.beginning + written.content,
          value: fixed(written.lossBase - written.lossChat, 2)))
    }
    return entries
  }
}

/// Something at the right that the cursor can stand on.
enum DifferenceItem: Sendable, Equatable {
  case token(DifferenceDocument.Token)
  case latent(Int)
  /// A token of a text, by its place.
  case place(Int)
}
