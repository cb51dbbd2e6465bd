// The screen Differences shows what two models differ in, which needs no latents: at the left the findings, at the right the one that is
// selected. From a token it leads to the latents whose contexts hold it, from a direction to the latents that point its way, from a
// text to the prompt screen.

import Experiments
import Reports
import Storage
import TUI

enum DifferencesScreen {
  static let definition = ScreenDefinition(
    title: { _ in "Differences" },
    bindings: [
      Binding(
        ["enter", "l", "right"], .open, "look", "go to the right, then to what is under the cursor",
        unavailable: nothing),
      Binding(["tab"], .nextFocus, "side", "go to the other side", unavailable: nothing),
      Binding(["h", "left"], .left, nil, "go back to the left, or a token to the left"),
      Binding(
        ["P"], .promptActivations, "prompt", "show all latents that fire on the text, on the prompt screen",
        unavailable: noText),
      Binding(["f"], .followFilter, "latents", "list the latents whose contexts hold this token", unavailable: noToken),
      Binding(["s"], .steer, "steer", "steer with the latent alone", unavailable: Unavailable.noLatent),
      Binding(
        ["V"], .addDirection, "steer with δ", "steer with the selected δ itself",
        unavailable: { direction($0) == nil ? "no δ is selected" : nil }),
    ] + GeneralBindings.moving,
    perform: perform,
    mouse: mouse,
    appear: { state in
      state.differences.document == nil ? [.loadDifferences] : []
    },
    draw: draw,
    latent: { state in if case .latent(let id)? = item(state) { id } else { nil } },
    open: { _, state in state.show(.differences) },
    back: { state in
      guard state.differences.isInside else { return nil }
      state.differences.isInside = false
      return []
    })

  @Sendable private static func nothing(_ state: ExplorerState) -> String? {
    state.differences.entry == nil ? "there is nothing to look at: crosscope differences compares the models" : nil
  }

  @Sendable private static func noText(_ state: ExplorerState) -> String? {
    if case .text? = state.differences.entry?.kind { nil } else { "no text is selected" }
  }

  @Sendable private static func noToken(_ state: ExplorerState) -> String? {
    token(state) == nil ? "no token is selected: Enter goes to the right" : nil
  }

  /// The lines at the right.
  static func lines(_ state: ExplorerState) -> DifferenceLines? {
    guard let document = state.differences.found, let entry = state.differences.entry else { return nil }
    let layout = DifferencesLayout(state)
    return DifferenceLines(
      entry, document, width: layout.right.columns, cursor: state.differences.isInside ? state.differences.item : nil,
      asciiOnly: state.asciiOnly)
  }

  static func item(_ state: ExplorerState) -> DifferenceItem? {
    guard state.differences.isInside, let items = lines(state)?.items, items.indices.contains(state.differences.item)
    else { return nil }
    return items[state.differences.item]
  }

  /// The selected δ, by its name in the store.
  @Sendable private static func direction(_ state: ExplorerState) -> String? {
    switch state.differences.entry?.kind {
    case .lens(let index)?: return state.differences.found?.lenses[index].name
    case .effect(let index)?: return state.differences.found?.effects[index].direction
    default: return nil
    }
  }

  /// The text of the token under the cursor.
  private static func token(_ state: ExplorerState) -> String? {
    switch item(state) {
    case .token(let token)?: return token.text
    case .place(let place)?:
      guard case .text(let index)? = state.differences.entry?.kind else { return nil }
      return state.differences.found?.texts[index].tokens[place].text
    default: return nil
    }
  }

  @Sendable private static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    switch action {
    case .nextFocus: state.differences.isInside.toggle()
    case .left:
      if case .place? = item(state), state.differences.item > 0 {
        move(to: state.differences.item - 1, &state)
      } else {
        state.differences.isInside = false
      }
    case .open:
      guard state.differences.isInside else {
        state.differences.isInside = true
        move(to: state.differences.item, &state)
        return []
      }
      switch item(state) {
      case .latent(let id)?: return LatentState.open(id, &state)
      case .token?: return filterByToken(&state)
      case .place?: move(to: state.differences.item + 1, &state)
      case nil: break
      }
    case .followFilter: return filterByToken(&state)
    case .addDirection:
      return direction(state).map { SteerState.steer(with: $0, &state) } ?? []
    case .promptActivations:
      guard case .text(let index)? = state.differences.entry?.kind, let text = state.differences.found?.texts[index]
      else { return [] }
      return PromptScreen.read(text, &state)
    default: moved(action, &state)
    }
    return []
  }

  /// Moves the cursor of the side that takes keys.
  private static func moved(_ action: Action, _ state: inout ExplorerState) {
    let layout = DifferencesLayout(state)
    guard state.differences.isInside else {
      let (list, count) = (state.differences.list, state.differences.entries.count)
      if let row = list.row(after: action, count: count, height: layout.rows.rows) { select(row, &state) }
      return
    }
    let count = lines(state)?.items.count ?? 0
    if count == 0 {
      if let step = PageScroll.lines(action, page: max(1, layout.right.rows - 1)) { scroll(step, &state) }
      return
    }
    let list = ListState(selected: state.differences.item)
    // In a text a line holds many tokens.
    if case .place? = item(state), let step = PageScroll.lines(action, page: 40) {
      move(to: state.differences.item + (abs(step) == 1 ? step * 8 : step), &state)
    } else if let row = list.row(after: action, count: count, height: max(1, layout.right.rows - 1)) {
      move(to: row, &state)
    }
  }

  static func select(_ row: Int, _ state: inout ExplorerState) {
    let layout = DifferencesLayout(state)
    state.differences.list.select(row, count: state.differences.entries.count, height: layout.rows.rows)
    (state.differences.item, state.differences.top) = (0, 0)
  }

  /// Goes to an item at the right and brings it into view.
  private static func move(to item: Int, _ state: inout ExplorerState) {
    let count = lines(state)?.items.count ?? 0
    // A step beyond either end is one to the end.
    state.differences.item = min(max(0, item), max(0, count - 1))
    guard let lines = lines(state)?.lines, let line = lines.firstIndex(where: { $0.item == state.differences.item })
    else { return }
    let height = DifferencesLayout(state).right.rows
    // The heading above the first item stays in view.
    let first = state.differences.item == 0 ? 0 : line
    if first < state.differences.top { state.differences.top = first }
    if line >= state.differences.top + height { state.differences.top = line - height + 1 }
  }

  private static func scroll(_ step: Int, _ state: inout ExplorerState) {
    let count = lines(state)?.lines.count ?? 0
    let most = max(0, count - DifferencesLayout(state).right.rows)
    state.differences.top = min(max(0, state.differences.top.addingReportingOverflow(step).partialValue), most)
  }

  @Sendable private static func mouse(_ mouse: Mouse, _ state: inout ExplorerState) -> [Effect] {
    let layout = DifferencesLayout(state)
    if let row = state.differences.list.row(after: mouse, in: layout.rows, count: state.differences.entries.count) {
      if layout.right.contains(mouse.point), let lines = PageScroll.lines(mouse) {
        scroll(lines, &state)
      } else {
        select(row, &state)
      }
    }
    return []
  }

  /// Shows the table with the latents whose contexts hold the token.
  private static func filterByToken(_ state: inout ExplorerState) -> [Effect] {
    guard let text = token(state)?.trimmed, !text.isEmpty else {
      state.tell("the token is blank")
      return []
    }
    guard state.store.nLatents > 0 else {
      state.tell("this store has no latents yet: crosscope build makes them")
      return []
    }
    return LatentsState.show(filter: "\"\(text.replacing("\"", with: ""))\"", &state)
  }
}
