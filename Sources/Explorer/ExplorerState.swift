// All view state of the explorer, as one value that update changes, draw shows and tests compare. Effects, not the state, reach
// the store and the engine.

import Experiments
import Inference
import Storage
import TUI

/// What the explorer shows of its store.
struct StoreSummary: Sendable, Equatable {
  /// The file's name without its folder.
  var name: String
  var base: String
  var chat: String
  var layer: Int
  var nLatents: Int
  /// SHA-256 of the crosscoder, which decides what a latent's number means; nil if the store does not say.
  var dictionary: String?
  var isWritable: Bool
  /// Metrics beyond the columns, by name.
  var metrics: [String] = []
  /// The strength from which answers stop being text, as calibrated on the pair; nil if it was not.
  var coherenceLimit: Double?
  /// Whether latents are steered by directions of the store, since there is no crosscoder.
  var steersByDirections = false
  /// Loss recovered in base and chat, as far as it was measured.
  var lossRecovered = LossRecovered()
}

/// The share of each model's loss that the dictionary's reconstruction keeps.
struct LossRecovered: Sendable, Equatable {
  var base: Double?
  var chat: Double?

  init(_ loss: ReconstructionLoss? = nil) {
    (base, chat) = (loss?.base?.loss_recovered?.value, loss?.chat?.loss_recovered?.value)
  }

  /// The figures for the first line, the longest form first; empty if there are none.
  var titles: [String] {
    let values = [("base", base), ("chat", chat)].compactMap { name, value in value.map { (name, percent($0)) } }
    guard !values.isEmpty else { return [] }
    return [
      "loss recovered: " + values.map { "\($0) \($1)" }.joined(separator: ", "),
      "recovers " + values.map(\.1).joined(separator: ", "),
    ]
  }
}

/// A message in the status line.
struct Message: Sendable, Equatable {
  enum Kind: Sendable { case info, good, error }
  var text: String
  var kind: Kind
}

/// The explorer's view state.
struct ExplorerState: Sendable {
  var store: StoreSummary
  var asciiOnly: Bool
  /// Whether a screen reader reads the screen, see `Canvas.isSpoken`.
  var isSpoken = false
  var hidesKeyBar = false
  var keyMap = KeyMap.usual
  var size: Size
  var screens: [Screen] = [.bottom]
  /// The window over the screen, which takes its keys.
  var overlay: (any OverlayContent)?
  var latents = LatentsState()
  var latent = LatentState()
  var latentComparison = LatentComparisonState()
  /// The last causal check.
  var check: CausalCheckRun?
  var steer = SteerState()
  var prompt = PromptState()
  var map = MapState()
  var experiments = ExperimentsState()
  var experiment = ExperimentState()
  var differences = DifferencesState()
  /// Digits typed before a key.
  var count: Int?
  var pendingLetter: PendingLetter?
  /// Places by the letter of their mark; `'` is where the last jump began.
  var marks: [String: Place] = [:]
  var history = PlaceHistory()
  /// Whether a step along the history is under way, which the history does not record.
  var isTravelling = false
  var tour: Tour?
  /// The place where the explorer begins, if it is not the table.
  var startingPlace: Place?
  /// Latent pages read lately, for the page itself and for the preview under the table.
  var pages: [Int: LatentPage] = [:]
  /// Notes that are not in the store, by latent: drafts, and notes that the store did not take.
  var unsavedNotes: [Int: String] = [:]
  /// Changes that wait until the store is opened again, because another one has taken its place.
  var postponed: [Effect] = []
  /// Tags that the store knows.
  var tagNames: [String] = []
  var message: Message?
  /// The texts of running effects, the oldest first; empty means ready.
  var work: [String] = []
  /// Set when the program is to end: 0, or the signal that ends it.
  var ending: Int32?

  init(store: StoreSummary, size: Size, asciiOnly: Bool = false) {
    self.store = store
    self.size = size
    self.asciiOnly = asciiOnly
  }

  /// The screen on top.
  var screen: Screen { screens.last ?? .bottom }

  /// The bindings that hold now.
  var bindings: [Binding] { keyMap.all(screen) }

  /// The smallest terminal that can be drawn on.
  static let smallest = Size(columns: 40, rows: 10)
  var isTooSmall: Bool { size.columns < Self.smallest.columns || size.rows < Self.smallest.rows }

  /// The latent under the cursor or on the page.
  var currentLatent: Int? { screen.definition.latent(self) }

  /// The latents whose pages are on view.
  var shownLatents: [Int] { screen.definition.shown?(self) ?? currentLatent.map { [$0] } ?? [] }

  /// The latents that tags and steering apply to.
  var targets: [Int] { screen.definition.targets?(self) ?? shownLatents }

  /// The part of the terminal that the screen draws. Above it are the breadcrumbs; below it are the tour, if one is
  /// under way, the status line and, unless it is hidden, the key bar.
  var body: Rect {
    Rect(row: 1, column: 0, rows: size.rows - (hidesKeyBar ? 2 : 3) - tourRows, columns: size.columns)
  }

  mutating func tell(_ text: String, _ kind: Message.Kind = .info) { message = Message(text: text, kind: kind) }

  /// Keeps a page. When there are many, the pages that are not on view are dropped.
  mutating func keep(_ page: LatentPage) {
    if pages.count >= 64 { pages = pages.filter { shownLatents.contains($0.key) } }
    pages[page.latent.id] = page
  }
}
