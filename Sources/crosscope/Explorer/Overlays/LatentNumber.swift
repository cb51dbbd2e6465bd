// Asking for a latent by its id: to open it, or to set it beside another.

import Storage
import TUI

/// An id being typed.
struct LatentNumber: Sendable, Equatable {
  /// What is done with the latent.
  enum Purpose: Sendable, Equatable {
    case page
    case comparison(with: Int32)
  }

  var purpose: Purpose
  var text = LineEditor(limit: 9)
}

extension ExplorerState {
  mutating func typeIntoNumber(_ input: Input, _ before: LatentNumber) -> [Effect] {
    var number = before
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("enter"):
      guard let id = Int32(number.text.text), id >= 0, Int(id) < store.nLatents else {
        tell("a latent's id is a number from 0 to \(store.nLatents - 1)", .error)
        return []
      }
      overlay = nil
      switch number.purpose {
      case .page: return LatentState.open(id, &self)
      case .comparison(let first): return LatentComparisonState.open(first, id, &self)
      }
    case .key(let key): if key.text?.isNumber ?? true { _ = number.text.handle(key) }
    case .paste(let text): number.text.insert(text.filter(\.isNumber))
    case .mouse: break
    }
    overlay = .latentNumber(number)
    return []
  }

  func draw(_ number: LatentNumber, _ canvas: inout Canvas) -> Point? {
    let title =
      switch number.purpose {
      case .page: "Open a latent"
      case .comparison(let first): "Compare \(first) with"
      }
    let inside = canvas.window(title, size: Size(columns: 34, rows: 1), in: body)
    return canvas.input(number.text, label: "id ", placeholder: "0 to \(store.nLatents - 1)", in: inside)
  }
}
