// The possible contents of a column of the table of latents: names, titles and default widths. Cells are drawn in
// LatentsScreen+Cells.swift.

import Diffing
import Inference
import Reports
import Storage
import TUI

/// The content of a column. Its name is the store's; a metric's begins with `metric:`.
enum TableField: Hashable, Sendable {
  case column(LatentColumn)
  case metric(String)
  case latentClass
  /// The tags, or a short explanation if there are none.
  case tags
  /// Whether there is a note.
  case note
  /// How often each strength of activation occurs, over all corpora.
  case activations

  /// All fields that a store has, in the order in which they are offered.
  static func all(_ store: StoreSummary) -> [TableField] {
    let usual = TableColumns.usual.shown.map(\.field)
    let others = LatentColumn.allCases.map { TableField.column($0) } + [.activations, .note]
    return usual + others.filter { !usual.contains($0) } + store.metrics.map { .metric($0) }
  }

  /// The sort that puts the table in the order of this column; nil if there is none.
  var sort: LatentSort? {
    switch self {
    case .column(let column): .column(column)
    case .metric(let name): .metric(name)
    case .latentClass: .latentClass
    case .tags: .tags
    case .note: .note
    case .activations: nil
    }
  }

  /// The column of a sort.
  init(_ sort: LatentSort) {
    switch sort {
    case .column(let column): self = .column(column)
    case .metric(let name): self = .metric(name)
    case .latentClass: self = .latentClass
    case .tags: self = .tags
    case .note: self = .note
    }
  }

  /// The head of the column.
  var title: String {
    switch self {
    case .column(let column): Self.title(column)
    case .metric(let name): termSafe(name)
    case .latentClass: "class"
    case .tags: "tags, tokens"
    case .note: "note"
    case .activations: "activations"
    }
  }

  private static func title(_ column: LatentColumn) -> String {
    switch column {
    case .id: "latent"
    case .decNormBase: "‖base‖"
    case .decNormChat: "‖chat‖"
    case .deltaNorm: "Δ norm"
    case .cosBaseChat: "cos"
    case .betaErrorBase: "β^ε base"
    case .betaErrorChat: "β^ε chat"
    case .betaReconstructionBase: "β^r base"
    case .betaReconstructionChat: "β^r chat"
    case .betaActivationBase: "β^f base"
    case .betaActivationChat: "β^f chat"
    case .nuError: "ν^ε"
    case .nuReconstruction: "ν^r"
    case .maxActivation: "max"
    case .meanActivation: "mean"
    case .frequency: "freq"
    case .frequencyPlain: "plain"
    case .frequencyChat: "chat"
    case .templateShare: "templ"
    case .chatSpecificity: "#"
    }
  }

  /// Whether a bar stands behind the number: ratios from 0 to 1.
  var isBar: Bool {
    switch self {
    case .column(let column): [.deltaNorm, .nuError, .nuReconstruction].contains(column)
    default: false
    }
  }

  /// The default width in cells; nil takes what the others leave.
  func usualWidth(isWide: Bool) -> Int? {
    switch self {
    case .column(.chatSpecificity): 5
    case .column(.deltaNorm): isWide ? 14 : 11
    case .column(.nuError), .column(.nuReconstruction): isWide ? 14 : 10
    case .column(.maxActivation), .column(.meanActivation), .column(.templateShare), .column(.cosBaseChat): 6
    case .column(let column): max(7, displayWidth(Self.title(column)))
    case .metric(LatentMetric.level): 5
    case .metric: 10
    case .latentClass: 9
    case .note: 4
    case .activations: 12
    case .tags: nil
    }
  }

  var alignment: TableColumn.Alignment {
    switch self {
    case .column, .metric: isBar ? .left : .right
    case .latentClass, .tags, .note, .activations: .left
    }
  }
}

extension TableField: RawRepresentable, Codable {
  init?(rawValue name: String) {
    switch name {
    case "class": self = .latentClass
    case "tags": self = .tags
    case "note": self = .note
    case "activations": self = .activations
    default:
      if let column = LatentColumn(rawValue: name) {
        self = .column(column)
      } else if name.hasPrefix("metric:") {
        self = .metric(String(name.dropFirst(7)))
      } else {
        return nil
      }
    }
  }

  var rawValue: String {
    switch self {
    case .column(let column): column.rawValue
    case .metric(let name): "metric:" + name
    case .latentClass: "class"
    case .tags: "tags"
    case .note: "note"
    case .activations: "activations"
    }
  }
}
