// Asks for a latent's id, to open the latent or to compare it with another.

import Storage
import TUI

/// An id being typed.
struct LatentNumber: Sendable, Equatable {
  /// The purpose of the number.
  enum Purpose: Sendable, Equatable {
    case page
    case comparison(with: Int)
  }

  var purpose: Purpose
  var text = LineEditor(limit: 9)
}

extension LatentNumber: OverlayContent {
  var hints: [KeyHint] { [KeyHint("Enter", "take it"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var number = self
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("enter"):
      guard let id = Int(number.text.text), id >= 0, id < state.store.nLatents else {
        state.tell("a latent's id is a number from 0 to \(state.store.nLatents - 1)", .error)
        return []
      }
      state.overlay = nil
      switch number.purpose {
      case .page: return LatentState.open(id, &state)
      case .comparison(let first): return LatentComparisonState.open(first, id, &state)
      }
    case .key(let key): if key.text?.isNumber ?? true { _ = number.text.handle(key) }
    case .paste(let text): number.text.insert(text.filter(\.isNumber))
    case .mouse: break
    }
    state.overlay = number
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let title =
      switch purpose {
      case .page: "Open a latent"
      case .comparison(let first): "Compare \(first) with"
      }
    let inside = canvas.window(title, size: Size(columns: 34, rows: 1), in: state.body)
    return canvas.input(text, label: "id ", placeholder: "0 to \(state.store.nLatents - 1)", in: inside)
  }
}
