// The view state of a latent's page: the selected context or latent, the unfolded parts, the cursor in a text, and how far the
// page is scrolled.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

/// View state of the page.
struct LatentState: Sendable, Equatable {
  /// The activation to which the colour of a token is relative.
  enum Scale: Sendable { case latent, context }

  /// How latents are shown; the choices stay when another latent is opened.
  struct Choices: Sendable, Equatable {
    var scale = Scale.latent
    var ranking = ContextRanking.Options()
    /// Whether the contrast is unfolded; nil until the user chooses, and then it is unfolded on wide terminals.
    var showsContrast: Bool?
    /// Whether the logit lens shows all tokens instead of one line.
    var showsWholeLens = false
    /// The number of random picks so far.
    var picks: UInt64 = 0
  }

  var id: Int?
  var choices = Choices()
  /// The index in `LatentPageContent.items`.
  var selected = 0
  /// The contexts that are shown in full.
  var unfolded: Set<PageItem> = []
  /// The token under the cursor, if the cursor is inside the selected context.
  var token: Int?
  /// The first visible line of the scrolled part.
  var top = 0
  /// The lower parts of the page, which are read after it.
  var surroundings: LatentSurroundings?

  /// Opens a latent's page on top.
  static func open(_ id: Int, _ state: inout ExplorerState) -> [Effect] {
    turn(to: id, &state)
    return state.show(.latent)
  }

  /// Turns to another latent and shows it in the same way.
  static func turn(to id: Int, _ state: inout ExplorerState) {
    if state.latent.id != id { state.latent = LatentState(id: id, choices: state.latent.choices) }
  }

  /// The effects that read the missing parts of the page.
  static func missing(_ state: ExplorerState) -> [Effect] {
    guard let id = state.latent.id else { return [] }
    return (state.pages[id] == nil ? [.loadPage(id)] : [])
      + (state.latent.surroundings == nil ? [.loadSurroundings(id)] : [])
  }

  static func surroundingsArrived(_ surroundings: LatentSurroundings, _ state: inout ExplorerState) {
    guard surroundings.latent == state.latent.id else { return }
    // The arrived lines are inserted, so the selection must be found again by its item.
    let item = state.latent.selectedItem(state)
    state.latent.surroundings = surroundings
    select(item, &state)
    keepInView(&state)
  }

  /// The part under the cursor.
  func selectedItem(_ state: ExplorerState) -> PageItem? {
    guard let id, let page = state.pages[id] else { return nil }
    let items = LatentPageContent(page, state).items
    return items.indices.contains(selected) ? items[selected] : nil
  }

  /// Puts the cursor back on a part after the page has changed; if the part is gone, the index stays.
  static func select(_ item: PageItem?, _ state: inout ExplorerState) {
    guard let item, let id = state.latent.id, let page = state.pages[id] else { return }
    if let index = LatentPageContent(page, state).items.firstIndex(of: item) {
      state.latent.selected = index
    } else {
      state.latent.token = nil
    }
  }

  /// Keeps the selection on the page and its lines in the window.
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
      // If a text is longer than the window, the line with the cursor is shown.
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
