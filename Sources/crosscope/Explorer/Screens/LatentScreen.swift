// A latent's page: metrics with their meaning, logit lens, contexts by band, neighbours, tags and note.
// Owns: which context or neighbour is selected, what is unfolded, how far the page is scrolled. The lines themselves
// are made in LatentScreen+Lines.swift from the page that the store gave.

import Storage
import TUI

/// View state of the page.
struct LatentState: Sendable, Equatable {
  /// What the colour of a token is relative to.
  enum Scale: Sendable { case latent, context }

  var id: Int32?
  /// Index among the things that can be selected: contexts, then neighbours.
  var selected = 0
  /// Contexts shown in full.
  var unfolded: Set<Int> = []
  var scale = Scale.latent
  /// First visible line of the scrolled part.
  var top = 0

  /// Shows a latent's page on top.
  static func open(_ id: Int32, _ state: inout ExplorerState) -> [Effect] {
    if state.latent.id != id { state.latent = LatentState(id: id, scale: state.latent.scale) }
    return state.show(.latent)
  }

  /// Keeps the selection inside the page and its lines inside the window.
  static func keepInView(_ state: inout ExplorerState) {
    guard let id = state.latent.id, let page = state.pages[id] else { return }
    let count = page.contexts.count + page.neighbours.count
    state.latent.selected = min(max(0, state.latent.selected), max(0, count - 1))
    let layout = LatentPageLayout(page, state)
    let own = layout.scrolled.indices.filter { layout.scrolled[$0].item == state.latent.selected }
    let height = layout.scrolledRect.rows
    if let first = own.first, let last = own.last {
      if last >= state.latent.top + height { state.latent.top = last - height + 1 }
      if first < state.latent.top { state.latent.top = first }
    }
    state.latent.top = min(max(0, state.latent.top), max(0, layout.scrolled.count - height))
  }
}

extension ScreenDefinition {
  static let latent = ScreenDefinition(
    title: { "Latent \($0.latent.id.map(String.init) ?? "")" },
    bindings: [
      Binding(
        ["enter"], .open, "unfold", "unfold the context, or open the neighbour", unavailable: Unavailable.noLatent),
      Binding(["s"], .steer, "steer", "steer with this latent", unavailable: Unavailable.noLatent),
      Binding(["t"], .tag, "tag", "tag this latent", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["n"], .note, "note", "write a note", unavailable: Unavailable.noLatentOrReadOnly),
      Binding(["l", "right", "]"], .nextLatent, "next", "the next latent of the list"),
      Binding(["h", "left", "["], .previousLatent, "prev", "the latent before it in the list"),
      Binding(["w"], .contextLength, "whole", "whole contexts or one line each"),
      Binding(["c"], .colourScale, "scale", "colours relative to the latent's maximum or the context's"),
      Binding(["m"], .mapScreen, nil, "where it lies on the map"),
      Binding(["S"], .steerScreen, nil, "to the steer screen"),
    ] + GeneralBindings.moving,
    perform: performOnLatent,
    type: { _, _ in nil },
    mouse: { mouse, state in
      switch mouse.kind {
      case .wheelUp: return scrollLatent(-3, &state)
      case .wheelDown: return scrollLatent(3, &state)
      default: return []
      }
    },
    appear: { state in
      LatentState.keepInView(&state)
      guard let id = state.latent.id, state.pages[id] == nil else { return [] }
      return [.loadPage(id)]
    },
    draw: drawLatent, copy: copyLatent,
    cursor: RowCursor(
      selected: { $0.latent.selected },
      select: { item, state in
        state.latent.selected = item
        LatentState.keepInView(&state)
        return []
      }))

  @Sendable private static func performOnLatent(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    guard let id = state.latent.id else { return [] }
    switch action {
    case .nextLatent: return step(1, from: id, &state)
    case .previousLatent: return step(-1, from: id, &state)
    default: break
    }
    guard let page = state.pages[id] else { return [] }
    let height = LatentPageLayout(page, state).scrolledRect.rows
    switch action {
    case .down: state.latent.selected += 1
    case .up:
      if state.latent.selected == 0 { return scrollLatent(-1, &state) }
      state.latent.selected -= 1
    case .pageDown: return scrollLatent(height - 1, &state)
    case .pageUp: return scrollLatent(1 - height, &state)
    case .first:
      state.latent.selected = 0
      state.latent.top = 0
      return []
    case .last: state.latent.selected = Int.max
    case .contextLength:
      let all = Set(page.contexts.indices)
      state.latent.unfolded = state.latent.unfolded == all ? [] : all
    case .colourScale:
      state.latent.scale = state.latent.scale == .latent ? .context : .latent
      state.tell("colours relative to the \(state.latent.scale == .latent ? "latent's" : "context's") maximum")
    case .open: return open(page, &state)
    default: break
    }
    LatentState.keepInView(&state)
    return []
  }

  private static func open(_ page: LatentPage, _ state: inout ExplorerState) -> [Effect] {
    let index = state.latent.selected
    if page.contexts.indices.contains(index) {
      if state.latent.unfolded.remove(index) == nil { state.latent.unfolded.insert(index) }
      LatentState.keepInView(&state)
      return []
    }
    let neighbour = index - page.contexts.count
    let neighbours = page.neighboursByKind
    guard neighbours.indices.contains(neighbour) else { return [] }
    return LatentState.open(neighbours[neighbour].other, &state)
  }

  /// Moves the window; the selection follows to the nearest item that shows.
  private static func scrollLatent(_ step: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let id = state.latent.id, let page = state.pages[id] else { return [] }
    let layout = LatentPageLayout(page, state)
    let height = layout.scrolledRect.rows
    let top = min(max(0, state.latent.top + step), max(0, layout.scrolled.count - height))
    state.latent.top = top
    let items = layout.scrolled.dropFirst(top).prefix(height).compactMap(\.item)
    if let low = items.min(), let high = items.max() {
      state.latent.selected = min(max(state.latent.selected, low), high)
    }
    return []
  }

  /// The neighbour in the table's order; the table's own cursor follows.
  private static func step(_ step: Int, from id: Int32, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids, let index = ids.firstIndex(of: id) else {
      state.tell("latent \(id) is not in the list: clear the filter to go on from here")
      return []
    }
    guard ids.indices.contains(index + step) else {
      state.tell(step > 0 ? "this is the last latent of the list" : "this is the first latent of the list")
      return []
    }
    let effects = LatentsState.select(index + step, &state)
    state.latent = LatentState(id: ids[index + step], scale: state.latent.scale)
    return effects + (state.pages[ids[index + step]] == nil ? [.loadPage(ids[index + step])] : [])
  }
}
