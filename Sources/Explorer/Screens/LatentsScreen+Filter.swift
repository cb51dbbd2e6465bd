// The filter line of the table: typed text is tried at once, Tab completes it. Storage parses the language and proposes
// completions.

import Experiments
import Storage
import TUI

/// Words that fit at the cursor, and which one is chosen.
struct CompletionList: Sendable, Equatable {
  var words: FilterCompletion
  var selected = 0
}

extension LatentsScreen {
  static func clearFilter(_ state: inout ExplorerState) -> [Effect] {
    if state.latents.anchor != nil {
      state.latents.anchor = nil
      return []
    }
    guard !state.latents.filter.isEmpty || state.latents.query.isFiltered else {
      state.tell("q quits")
      return []
    }
    state.latents.filter.text = ""
    let hadClass = state.latents.query.latentClass != nil
    state.latents.query.latentClass = nil
    let effects = applyFilter(&state)
    return effects.isEmpty && hadClass ? LatentsState.restart(&state) : effects
  }

  /// The keys beside the text of the filter line.
  @Sendable static func typing(_ state: ExplorerState) -> TypingKeys? {
    guard state.latents.isTypingFilter else { return nil }
    if state.latents.completion != nil {
      return TypingKeys(bar: [KeyHint("↑ ↓", "choose"), KeyHint("Tab", "take it"), KeyHint("Esc", "close")])
    }
    return TypingKeys(bar: TypingKeys.filterLine + [KeyHint("Tab", "complete")])
  }

  /// Takes text of the filter line. Every change is tried at once; if it is not understood, the list stays.
  @Sendable static func typeFilter(_ input: Input, _ state: inout ExplorerState) -> [Effect]? {
    guard state.latents.isTypingFilter else { return nil }
    if chooseCompletion(input, &state) { return applyFilter(&state) }
    let before = state.latents.filter.text
    switch input {
    case .key("esc"):
      state.latents.isTypingFilter = false
      state.latents.filter.text = ""
    case .key("enter"):
      guard state.latents.filterError == nil else { return [] }
      state.latents.isTypingFilter = false
      let text = state.latents.filter.text
      state.latents.filter.commit()
      return text.trimmed.isEmpty || state.latents.saved.history.last == text ? [] : [.editFilters(.used(text))]
    case .key("tab"):
      complete(&state)
    default: guard state.latents.filter.take(input) else { return nil }
    }
    if state.latents.completion != nil { offerCompletions(&state) }
    return state.latents.filter.text == before ? [] : applyFilter(&state)
  }

  /// Takes the keys of the list of completions, if it is open.
  private static func chooseCompletion(_ input: Input, _ state: inout ExplorerState) -> Bool {
    guard let list = state.latents.completion, case .key(let key) = input else { return false }
    let count = list.words.items.count
    switch key {
    case "down", "ctrl-n": state.latents.completion?.selected = (list.selected + 1) % count
    case "up", "ctrl-p": state.latents.completion?.selected = (list.selected + count - 1) % count
    case "tab", "enter": take(list.words.items[list.selected], list.words, &state)
    case "esc": state.latents.completion = nil
    default: return false
    }
    return true
  }

  /// Completes the word if there is one way to do it, else lists the ways.
  private static func complete(_ state: inout ExplorerState) {
    offerCompletions(&state)
    guard let list = state.latents.completion else {
      state.tell("there is nothing to complete here")
      return
    }
    if list.words.items.count == 1 { take(list.words.items[0], list.words, &state) }
  }

  private static func take(_ item: FilterCompletion.Item, _ words: FilterCompletion, _ state: inout ExplorerState) {
    state.latents.filter.replace(words.range, with: words.entry(item, in: state.latents.filter.text))
    state.latents.completion = nil
  }

  private static func offerCompletions(_ state: inout ExplorerState) {
    let words = FilterCompletion(
      state.latents.filter.text, cursor: state.latents.filter.cursor, metrics: state.store.metrics,
      tags: state.tagNames)
    state.latents.completion = words.items.isEmpty ? nil : CompletionList(words: words)
  }

  static func applyFilter(_ state: inout ExplorerState) -> [Effect] {
    let text = state.latents.filter.text
    do {
      _ = try Filter(text, metrics: state.store.metrics)
      state.latents.filterError = nil
    } catch {
      state.latents.filterError = error.description
      if case .filter(let position, _) = error { state.latents.errorPosition = position }
      return []
    }
    guard text != state.latents.query.filter else { return [] }
    state.latents.query.filter = text
    return LatentsState.restart(&state)
  }
}

extension LatentsState {
  /// Takes the saved filters; former ones are reached by the up key in the filter line.
  static func savedFiltersArrived(_ saved: SavedFilters, _ state: inout ExplorerState) {
    if state.latents.filter.history.isEmpty, state.latents.filter.isEmpty {
      state.latents.filter = LineEditor(history: saved.history, limit: state.latents.filter.limit)
    }
    state.latents.saved = saved
  }
}
