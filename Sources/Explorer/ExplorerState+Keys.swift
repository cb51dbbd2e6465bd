// Decides what a key does: it is text that is typed, an action of the bindings, a step to another screen, or the way back.

import Inference
import Reports
import Storage
import TUI

extension ExplorerState {
  /// Takes an event of the terminal.
  mutating func take(_ event: TerminalEvent) -> [Effect] {
    switch event {
    case .input(.key(let key)): return take(key)
    case .input(.paste(let text)): return isTooSmall ? [] : type(.paste(text)) ?? []
    case .input(.mouse(let mouse)):
      guard !isTooSmall, overlay == nil else { return [] }
      return screen.definition.mouse(mouse, &self)
    case .resized(let size):
      self.size = size
      return screen.definition.appear(&self)
    case .resumed: return []
    case .interrupted: return interrupt()
    case .terminate(let signal):
      ending = signal
      return experiments.unsaved.saveAgain()
    }
  }

  private mutating func take(_ key: Key) -> [Effect] {
    message = nil
    if key == "ctrl-c" { return interrupt() }
    if isTooSmall {
      if key == "q" { quit() }
      return []
    }
    if let effects = type(.key(key)) { return effects }
    guard overlay == nil else { return [] }
    if let effects = takePrefix(key) { return effects }
    if tour != nil, key == "esc" {
      tour = nil
      return []
    }
    defer { count = nil }
    for binding in bindings where binding.keys.contains(key) {
      if let reason = binding.unavailable(self) {
        tell(reason)
        return []
      }
      return performCounted(binding.action)
    }
    return []
  }

  /// Text and keys of what is being typed; nil if they are not for it.
  private mutating func type(_ input: Input) -> [Effect]? {
    guard let overlay else { return screen.definition.type(input, &self) }
    // Help comes over whatever is open.
    return input == .key("f1") && !(overlay is HelpPage) ? perform(.help) : overlay.type(input, &self)
  }

  /// Performs an action by name.
  mutating func perform(_ action: Action) -> [Effect] {
    tour?.performed(action)
    if let effects = performShell(action) { return effects }
    switch action {
    case .quit, .back: return goBack(mayQuit: action == .quit)
    case .help: overlay = HelpPage(over: overlay)
    case .undo, .redo: return screen.definition.undo?(action == .redo, &self) ?? [action == .undo ? .undo : .redo]
    case .tag: return openTagPicker()
    case .note: return openNote()
    case .steer, .steerToo: return SteerState.steerTargets(alone: action == .steer, &self)
    case .goToLatent: overlay = LatentNumber(purpose: .page)
    case .palette: overlay = Chooser(.actions, self)
    default:
      let top = TopScreen.all.first { $0.action == action }
      return top?.screen.definition.open(nil, &self) ?? screen.definition.perform(action, &self)
    }
    return []
  }

  /// Puts a screen on top. If it is open already, it moves to the top.
  mutating func show(_ screen: Screen) -> [Effect] {
    if screen != self.screen { self.screen.definition.leave(&self) }
    screens.removeAll { $0 == screen && $0 != .bottom }
    screens.append(screen)
    return screen.definition.appear(&self)
  }

  /// Shows the table and closes every screen that was open over it.
  mutating func showLatents() -> [Effect] {
    if screen != .bottom { screen.definition.leave(&self) }
    screens = [.bottom]
    return screen.definition.appear(&self)
  }

  private mutating func goBack(mayQuit: Bool) -> [Effect] {
    if let effects = screen.definition.back(&self) { return effects }
    if screens.count > 1 {
      screen.definition.leave(&self)
      screens.removeLast()
      return screen.definition.appear(&self)
    }
    if mayQuit {
      quit()
    } else {
      return screen.definition.perform(.back, &self)
    }
    return []
  }

  /// Ctrl-C closes the overlay, where a note may be half written; else it stops running work; else it quits. If several
  /// screens have running work, the last one in the list of screens stops.
  private mutating func interrupt() -> [Effect] {
    if let overlay {
      overlay.close(&self)
      return []
    }
    for screen in Screen.allCases.reversed() {
      if let effects = screen.definition.cancel(&self) { return effects }
    }
    quit()
    return []
  }
}
