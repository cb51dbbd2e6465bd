// The explorer from start to end: it opens the store, brings back the last view or shows what was asked for, takes the
// terminal, and saves the view at the end.

import Experiments
import Foundation
import Reports
import Storage
import TUI

/// The explorer on a store.
package struct ExplorerProgram: Sendable {
  /// The place at which the explorer begins.
  package struct Beginning: Sendable {
    /// Whether it begins at the table, not where the store was last left.
    package var isFresh = false
    /// A filter that the store understands.
    package var filter: String?
    package var sort: LatentSort?
    /// A latent that the store has.
    package var latent: Int?

    package init() {}

    /// Whether the command line says where to begin.
    var isGiven: Bool { filter != nil || sort != nil || latent != nil }

    /// The first view of a store; nil for the default.
    func view(of saved: SavedView?) -> SavedView? {
      let saved = isFresh ? nil : saved
      guard isGiven else { return saved }
      var view = saved ?? SavedView()
      // A user who names something wants to see it instead of the saved list.
      (view.filter, view.sort, view.reversed) = (filter ?? "", LatentSort.chatSpecificity.name, false)
      if let sort { view.sort = sort.name }
      view.place = latent.map { Place(screen: .latent, latent: $0) } ?? Place(screen: .latents)
      view.selected = latent
      return view
    }
  }

  private let store: Store
  private let settings: Settings
  private let configurationPath: String
  private let beginning: Beginning
  private let laboratory: @Sendable (Store) throws -> any Laboratory

  /// - Parameters:
  ///   - store: the open store, which the caller closes.
  ///   - configurationPath: the file of the user's configuration, which can be edited.
  ///   - laboratory: makes the laboratory for a store; it is called again when another store takes the place of this one.
  package init(
    store: Store, settings: Settings, configurationPath: String, beginning: Beginning,
    laboratory: @escaping @Sendable (Store) throws -> any Laboratory
  ) {
    (self.store, self.settings, self.configurationPath) = (store, settings, configurationPath)
    (self.beginning, self.laboratory) = (beginning, laboratory)
  }

  /// Runs until the user quits or a signal ends it.
  /// - Returns: 0, or the number of the signal.
  /// - Throws: `TerminalTooSmall`, and what the store and the terminal throw.
  package func run() async throws -> Int32 {
    let (summary, runner) = try begun()
    let savedState = SavedState.usualPath()
    let view = beginning.view(of: SavedState(path: savedState).stores[store.path])
    // A user who has seen neither the tour nor this store sees the tour, unless the command line names a place.
    // A store without latents has nothing that the tour could show; what its models differ in comes first.
    let hasLatents = summary.nLatents > 0
    let showsTour = hasLatents && view == nil && !beginning.isGiven && !SavedState(path: savedState).hasSeenTour
    let (ending, seen, last) = try await explore(summary, runner) { state in
      state.apply(settings)
      if let view { state.restore(view) }
      if showsTour { state.tour = Tour() }
      if !hasLatents { state.startingPlace = Place(screen: .differences) }
    }
    SavedState.save(seen, of: store.path, seenTour: showsTour, path: savedState)
    last.close()
    return ending
  }

  /// What the explorer begins with. Another store may have taken the place of this one since it was opened.
  private func begun() throws -> (StoreSummary, EffectRunner) {
    do { return (try Self.summary(of: store), try runner(on: store)) } catch StorageError.replaced {
      return try reopened()
    }
  }

  /// Opens the store again, and with it everything that works on it.
  private func reopened() throws -> (StoreSummary, EffectRunner) {
    try Store.opened(
      path: store.path, access: store.isWritable ? .readWrite : .readOnly, session: store.session,
      reading: { (try Self.summary(of: $0), try runner(on: $0)) }
    ).value
  }

  private static func summary(of store: Store) throws -> StoreSummary {
    let pair = try store.modelPair()
    return StoreSummary(
      name: URL(filePath: store.path).lastPathComponent, base: pair.base, chat: pair.chat, layer: pair.layer,
      nLatents: try store.latentCount(), dictionary: pair.crosscoder?.sha256, isWritable: store.isWritable,
      metrics: try store.metricNames(), coherenceLimit: try store.knownCoherenceLimit(),
      steersByDirections: try pair.crosscoder == nil && store.hasPublishedDirections(),
      lossRecovered: LossRecovered(try store.reconstructionLoss()))
  }

  private func runner(on store: Store) throws -> EffectRunner {
    EffectRunner(store: store, laboratory: try laboratory(store), filters: .ofUser())
  }

  /// - Returns: 0 or the signal that ended it, the last view of the store, and the store that was open last.
  @MainActor
  private func explore(
    _ summary: StoreSummary, _ runner: EffectRunner, prepare: @Sendable (inout ExplorerState) -> Void
  ) async throws -> (Int32, SavedView, Store) {
    let termName = ProcessInfo.processInfo.environment["TERM"] ?? ""
    let terminal = try Terminal(termName: termName, palette: settings.palette, usesMouse: settings.usesMouse)
    defer { terminal.close() }
    let smallest = ExplorerState.smallest
    guard terminal.size.columns >= smallest.columns, terminal.size.rows >= smallest.rows else {
      throw TerminalTooSmall(size: terminal.size)
    }
    let loop = ExplorerLoop(
      store: summary, runner: runner, terminal: terminal, configurationPath: configurationPath, reopen: reopened
    ) { state in
      prepare(&state)
      if let entry = terminal.standIn {
        state.tell(
          "there is no terminfo entry for TERM=\(termName), so \(entry) is used; ncurses-term or your terminal's package has one"
        )
      }
    }
    let ending = await loop.run()
    return (ending, SavedView(loop.state), loop.store)
  }
}

/// The explorer has no room to draw.
package struct TerminalTooSmall: Error, Equatable, CustomStringConvertible {
  let size: Size

  package var description: String {
    "the terminal is \(size.columns)×\(size.rows), but the explorer needs 40×10: enlarge it and start again"
  }
}
