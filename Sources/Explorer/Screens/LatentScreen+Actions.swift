// The actions of keys and the mouse on a latent's page.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension LatentScreen {
  @Sendable static func perform(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    guard let id = state.latent.id else { return [] }
    if state.latent.token != nil, moveToken(action, &state) { return [] }
    switch action {
    case .nextLatent: return step(1, from: id, &state)
    case .previousLatent: return step(-1, from: id, &state)
    case .randomLatent: return pick(&state)
    case .causalCheck: return CausalCheckRun.showOrStart(id, &state)
    case .promptActivations:
      guard let page = state.pages[id], let context = state.selectedContext else { return [] }
      return PromptScreen.read(context, of: page, &state)
    default: break
    }
    guard let page = state.pages[id] else { return [] }
    let height = LatentPageLayout(page, state).scrolledRect.rows
    switch action {
    case .pageDown: return scroll(height - 1, &state)
    case .pageUp: return scroll(1 - height, &state)
    case .up where state.latent.selected == 0 && state.latent.token == nil: return scroll(-1, &state)
    case .open: return open(page, &state)
    case .compareLatents: return compare(id, page, &state)
    case .templateTokens, .duplicates, .contrast, .wholeLens, .colourScale: choose(action, &state)
    default: move(action, page, &state)
    }
    LatentState.keepInView(&state)
    return []
  }

  /// Moves among contexts and latents and leaves the text in which the cursor was.
  private static func move(_ action: Action, _ page: LatentPage, _ state: inout ExplorerState) {
    let content = LatentPageContent(page, state)
    state.latent.token = nil
    switch action {
    case .down: state.latent.selected += 1
    case .up: state.latent.selected -= 1
    case .first:
      state.latent.selected = 0
      state.latent.top = 0
    case .last: state.latent.selected = Int.max
    case .nextSection:
      state.latent.selected = content.sectionStarts.first { $0 > state.latent.selected } ?? state.latent.selected
    case .previousSection:
      state.latent.selected = content.sectionStarts.last { $0 < state.latent.selected } ?? 0
    case .contextLength:
      let all = Set(content.items.filter(\.isContext))
      state.latent.unfolded = state.latent.unfolded == all ? [] : all
    default: break
    }
  }

  /// Changes how the page is shown; the cursor stays on the same part.
  private static func choose(_ action: Action, _ state: inout ExplorerState) {
    let item = state.latent.selectedItem(state)
    switch action {
    case .templateTokens: state.latent.choices.ranking.countsTemplate.toggle()
    case .duplicates: state.latent.choices.ranking.showsDuplicates.toggle()
    case .contrast: state.latent.choices.showsContrast = !LatentPageContent.showsContrast(state)
    case .wholeLens: state.latent.choices.showsWholeLens.toggle()
    case .colourScale:
      state.latent.choices.scale = state.latent.choices.scale == .latent ? .context : .latent
      state.tell(
        "colours are relative to the \(state.latent.choices.scale == .latent ? "latent's" : "context's") maximum")
    default: break
    }
    LatentState.select(item, &state)
  }

  private static func open(_ page: LatentPage, _ state: inout ExplorerState) -> [Effect] {
    guard let item = state.latent.selectedItem(state) else { return [] }
    switch item {
    case .latent(let other, _): return LatentState.open(other, &state)
    case .contrast: if state.latent.unfolded.remove(item) == nil { state.latent.unfolded.insert(item) }
    case .context(let index):
      if state.latent.token != nil {
        state.latent.token = nil
        state.latent.unfolded.remove(item)
      } else {
        state.latent.unfolded.insert(item)
        let entry = LatentPageContent(page, state).ranking.entries.first { $0.index == index }
        state.latent.token = entry?.peak
        tellToken(page.contexts[index], page, &state)
      }
    }
    LatentState.keepInView(&state)
    return []
  }

  /// Moves the cursor inside a text; false if the action leads out of it.
  private static func moveToken(_ action: Action, _ state: inout ExplorerState) -> Bool {
    guard let token = state.latent.token, let id = state.latent.id, let page = state.pages[id],
      case .context(let index) = state.latent.selectedItem(state)
    else { return false }
    let context = page.contexts[index]
    let active = context.example.positions.map(Int.init)
    switch action {
    case .nextLatent: state.latent.token = token + 1
    case .previousLatent: state.latent.token = token - 1
    case .nextSection: state.latent.token = active.first { $0 > token } ?? token
    case .previousSection: state.latent.token = active.last { $0 < token } ?? token
    case .first: state.latent.token = 0
    case .last: state.latent.token = context.sequence.tokenIDs.count
    default: return false
    }
    state.latent.token = state.latent.token.map { min(max(0, $0), context.sequence.tokenIDs.count - 1) }
    tellToken(context, page, &state)
    LatentState.keepInView(&state)
    return true
  }

  /// Shows a message about the token under the cursor.
  private static func tellToken(_ context: Context, _ page: LatentPage, _ state: inout ExplorerState) {
    guard let token = state.latent.token else { return }
    let id = context.sequence.tokenIDs[token]
    let activation = Double(context.activations[token])
    let share = page.latent.maxActivation.map { ", \(percent(activation / $0)) of max" } ?? ""
    state.tell(
      "\(truncated(visibleToken(id, page.tokens), to: 20))  id \(id)  "
        + (activation > 0 ? "\(fixed(activation, 1))\(share)" : "silent")
        + "  token \(token) of \(context.sequence.tokenIDs.count)"
        + (context.sequence.isTemplate(token, page.tokens) ? ", template" : ""))
  }

  private static func compare(_ id: Int, _ page: LatentPage, _ state: inout ExplorerState) -> [Effect] {
    if case .latent(let other, _) = state.latent.selectedItem(state) {
      return LatentComparisonState.open(id, other, &state)
    }
    state.overlay = LatentNumber(purpose: .comparison(with: id))
    return []
  }

  @Sendable static func mouse(_ mouse: Mouse, _ state: inout ExplorerState) -> [Effect] {
    switch mouse.kind {
    case .wheelUp: return scroll(-3, &state)
    case .wheelDown: return scroll(3, &state)
    case .press:
      guard let id = state.latent.id, let page = state.pages[id],
        let item = LatentPageLayout(page, state).item(at: mouse.point, top: state.latent.top)
      else { return [] }
      // A press on the selected part opens it, as in lists.
      if item == state.latent.selected { return state.perform(.open) }
      state.latent.selected = item
      state.latent.token = nil
      LatentState.keepInView(&state)
      return []
    case .release: return []
    }
  }

  /// Moves the window; the selection follows to the nearest visible part.
  private static func scroll(_ step: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let id = state.latent.id, let page = state.pages[id] else { return [] }
    let layout = LatentPageLayout(page, state)
    let height = layout.scrolledRect.rows
    let top = min(max(0, state.latent.top + step), max(0, layout.scrolled.count - height))
    state.latent.top = top
    let items = layout.scrolled.dropFirst(top).prefix(height).compactMap(\.item)
    if let low = items.min(), let high = items.max() {
      let selected = min(max(state.latent.selected, low), high)
      if selected != state.latent.selected { state.latent.token = nil }
      state.latent.selected = selected
    }
    return []
  }

  /// Goes to the next or previous latent in the table's order.
  private static func step(_ step: Int, from id: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids, let index = ids.firstIndex(of: id) else {
      state.tell("latent \(id) is not in the list: clear the filter to go on from here")
      return []
    }
    guard ids.indices.contains(index + step) else {
      state.tell(step > 0 ? "this is the last latent of the list" : "this is the first latent of the list")
      return []
    }
    return turn(toRow: index + step, of: ids, &state)
  }

  /// Opens a random latent of the table. Each session picks the same ones, so that a sample can be repeated.
  private static func pick(_ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids, !ids.isEmpty else { return [] }
    state.latent.choices.picks += 1
    var generator = SplitMix64(seed: state.latent.choices.picks)
    return turn(toRow: Int(generator.next() % UInt64(ids.count)), of: ids, &state)
  }

  /// Opens a latent of the table and moves the table's cursor to it.
  private static func turn(toRow row: Int, of ids: [Int], _ state: inout ExplorerState) -> [Effect] {
    let effects = LatentsState.select(row, &state)
    LatentState.turn(to: ids[row], &state)
    return effects + LatentState.missing(state).filter { !effects.contains($0) }
  }
}
