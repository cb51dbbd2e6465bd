// Help lists the keys of the screen from its bindings, and says why a key does nothing now.

import Inference
import TUI

/// The scrolled list of keys.
struct HelpPage: Sendable {
  var top = 0
  /// The overlay that help was opened over, if there is one; it comes back when help is closed.
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

  /// The sections of help. If it lies over another overlay, the keys of that overlay come first.
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
