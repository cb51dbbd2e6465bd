// Help: the keys of the screen, made from its bindings. What is not possible now says why.

import Inference
import TUI

/// The list of keys, from a line on.
struct HelpPage: Sendable {
  var top = 0
  /// What help was asked about, if that is an overlay; it comes back when help is closed.
  var over: (any OverlayContent)?
}

extension HelpPage: OverlayContent {
  var hints: [KeyHint] { [KeyHint("j k", "scroll"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var page = self
    let count = sections(state).reduce(0) { $0 + $1.hints.count + 2 } - 1
    let height = state.body.rows - 2
    func scroll(_ step: Int) { page.top = min(max(0, top + step), max(0, count - height)) }
    switch input {
    case .key("down"), .key("j"): scroll(1)
    case .key("up"), .key("k"): scroll(-1)
    case .key("pgdn"), .key("space"): scroll(height)
    case .key("pgup"): scroll(-height)
    case .key("esc"), .key("q"), .key("?"), .key("f1"), .key("enter"):
      close(&state)
      return []
    default: break
    }
    state.overlay = page
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    canvas.help(sections(state), title: "Keys", top: top, in: state.body)
    return nil
  }

  func close(_ state: inout ExplorerState) { state.overlay = over }

  /// What help lists. Where it lies over another overlay, the keys of that one come first.
  func sections(_ state: ExplorerState) -> [HelpSection] {
    func hints(_ bindings: [Binding]) -> [KeyHint] {
      bindings.map { binding in
        KeyHint(binding.label, binding.help + (binding.unavailable(state).map { " (\($0))" } ?? ""))
      }
    }
    let isMoving = { (binding: Binding) in GeneralBindings.moving.contains { $0.action == binding.action } }
    let definition = state.screen.definition
    let own = state.keyMap.own(state.screen)
    var sections = [
      HelpSection(definition.title(state), hints(own.filter { !isMoving($0) })),
      HelpSection("Moving", hints(own.filter(isMoving))),
      HelpSection("Everywhere", hints(state.keyMap.general) + GeneralBindings.beneath),
    ]
    if let keys = definition.typing(state)?.help { sections.insert(HelpSection("While typing", keys), at: 0) }
    if let over { sections.insert(HelpSection("Here", over.hints), at: 0) }
    return sections
  }
}
