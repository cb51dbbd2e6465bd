// Marks latents of the table for tags and steering: single ones, a range of rows, or all that are listed.

import Experiments
import Inference
import Storage
import TUI

extension LatentsScreen {
  static func mark(_ action: Action, _ state: inout ExplorerState) -> [Effect] {
    guard let ids = state.latents.ids, let id = state.latents.selectedID else { return [] }
    let row = state.latents.list.selected
    switch action {
    case .mark:
      if state.latents.marked.remove(id) == nil { state.latents.marked.insert(id) }
      return LatentsState.select(row + 1, &state)
    case .markDown, .markUp:
      state.latents.marked.insert(id)
      let effects = LatentsState.select(row + (action == .markDown ? 1 : -1), &state)
      if let next = state.latents.selectedID { state.latents.marked.insert(next) }
      return effects
    case .markRange:
      if let anchor = state.latents.anchor {
        state.latents.marked.formUnion(ids[min(anchor, row)...max(anchor, row)])
        state.latents.anchor = nil
        state.tell("\(grouped(state.latents.marked.count)) marked")
      } else {
        state.latents.anchor = row
        state.tell("go to the other end of the range: V marks it, Esc drops it")
      }
    case .markAll:
      state.latents.marked.formUnion(ids)
      state.tell("\(grouped(state.latents.marked.count)) marked")
    case .invertMarks:
      state.latents.marked.formSymmetricDifference(ids)
      state.tell("\(grouped(state.latents.marked.count)) marked")
    case .unmarkAll:
      state.latents.marked = []
      state.latents.anchor = nil
    default: break
    }
    return []
  }
}

extension LatentsState {
  /// The sign before the rank of a row that is marked, or that is in the range being marked.
  func mark(row: Int, id: Int) -> String {
    if marked.contains(id) { return "●" }
    guard let anchor, (min(anchor, list.selected)...max(anchor, list.selected)).contains(row) else { return "" }
    return "○"
  }
}
