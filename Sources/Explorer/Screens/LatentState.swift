// The view state of a latent's page: which context or latent is selected, what is unfolded, where in a text the cursor
// is, how far the page is scrolled.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

/// View state of the page.
struct LatentState: Sendable, Equatable {
  /// What the colour of a token is relative to.
  enum Scale: Sendable { case latent, context }

  /// How latents are looked at; stays when another latent is opened.
  struct Choices: Sendable, Equatable {
    var scale = Scale.latent
    var ranking = ContextRanking.Options()
    /// Whether the contrast is unfolded; nil where nobody has asked: on wide terminals it is.
    var showsContrast: Bool?
    /// All tokens of the logit lens, not only one line.
    var showsWholeLens = false
    /// How often a latent was picked at random.
    var picks: UInt64 = 0
  }

  var id: Int32?
  var choices = Choices()
  /// Index among the things that can be selected, see `LatentPageContent.items`.
  var selected = 0
  /// Contexts shown in full.
  var unfolded: Set<PageItem> = []
  /// The token under the cursor, where the cursor is inside the selected context.
  var token: Int?
  /// First visible line of the scrolled part.
  var top = 0
  /// Read after the page, for it alone.
  var surroundings: LatentSurroundings?

  /// Shows a latent's page on top.
  static func open(_ id: Int32, _ state: inout ExplorerState) -> [Effect] {
    turn(to: id, &state)
    return state.show(.latent)
  }

  /// Turns to another latent, looked at in the same way.
  static func turn(to id: Int32, _ state: inout ExplorerState) {
    if state.latent.id != id { state.latent = LatentState(id: id, choices: state.latent.choices) }
  }

  /// What is still to be read for the page.
  static func missing(_ state: ExplorerState) -> [Effect] {
    guard let id = state.latent.id else { return [] }
    return (state.pages[id] == nil ? [.loadPage(id)] : [])
      + (state.latent.surroundings == nil ? [.loadSurroundings(id)] : [])
  }

  static func surroundingsArrived(_ surroundings: LatentSurroundings, _ state: inout ExplorerState) {
    guard surroundings.latent == state.latent.id else { return }
    // What is above the arrived lines stays selected: contrast comes before the neighbours.
    let item = state.latent.selectedItem(state)
    state.latent.surroundings = surroundings
    select(item, &state)
    keepInView(&state)
  }

  /// The thing under the cursor.
  func selectedItem(_ state: ExplorerState) -> PageItem? {
    guard let id, let page = state.pages[id] else { return nil }
    let items = LatentPageContent(page, state).items
    return items.indices.contains(selected) ? items[selected] : nil
  }

  /// Puts the cursor on a thing again after the page has changed; where it is gone the place stays.
  static func select(_ item: PageItem?, _ state: inout ExplorerState) {
    guard let item, let id = state.latent.id, let page = state.pages[id] else { return }
    if let index = LatentPageContent(page, state).items.firstIndex(of: item) {
      state.latent.selected = index
    } else {
      state.latent.token = nil
    }
  }

  /// Keeps the selection inside the page and its lines inside the window.
  static func keepInView(_ state: inout ExplorerState) {
    guard let id = state.latent.id, let page = state.pages[id] else { return }
    let count = LatentPageContent(page, state).items.count
    state.latent.selected = min(max(0, state.latent.selected), max(0, count - 1))
    let layout = LatentPageLayout(page, state)
    let own = layout.scrolled.indices.filter { layout.scrolled[$0].item == state.latent.selected }
    let height = layout.scrolledRect.rows
    if let first = own.first, let last = own.last {
      if last >= state.latent.top + height { state.latent.top = last - height + 1 }
      if first < state.latent.top { state.latent.top = first }
      // Of a text longer than the window the line with the cursor shows.
      if let line = own.first(where: { layout.scrolled[$0].cursorColumn != nil }) {
        state.latent.top = min(max(state.latent.top, line - height + 1), line)
      }
    }
    state.latent.top = min(max(0, state.latent.top), max(0, layout.scrolled.count - height))
  }
}

extension ExplorerState {
  /// The context under the cursor of the latent's page.
  var selectedContext: Context? {
    guard let page = latent.id.flatMap({ pages[$0] }), case .context(let index) = latent.selectedItem(self) else {
      return nil
    }
    return page.contexts[index]
  }
}
