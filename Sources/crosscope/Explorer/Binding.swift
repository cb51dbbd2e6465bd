// Bindings are data: help, key bar and the reason why something does not work now are all made from them.

import TUI

/// Keys that do something on a screen.
struct Binding: Sendable {
  let keys: [Key]
  let action: Action
  /// A word or two for the key bar; nil keeps it out of the bar.
  let short: String?
  /// What it does, for help.
  let help: String
  /// Why it cannot be done now; nil when it can.
  let unavailable: @Sendable (ExplorerState) -> String?

  init(
    _ keys: [Key], _ action: Action, _ short: String? = nil, _ help: String,
    unavailable: @escaping @Sendable (ExplorerState) -> String? = { _ in nil }
  ) {
    self.keys = keys
    self.action = action
    self.short = short
    self.help = help
    self.unavailable = unavailable
  }

  /// The keys as people write them, `j ↓`; for what has none, what to type.
  var label: String { keys.isEmpty ? ": \(action.title)" : keys.map(\.label).joined(separator: " ") }
}

/// Bindings of all screens.
enum GeneralBindings {
  static let moving = [
    Binding(["j", "down"], .down, nil, "down"),
    Binding(["k", "up"], .up, nil, "up"),
    Binding(["pgdn", "ctrl-f"], .pageDown, nil, "a page down"),
    Binding(["pgup", "ctrl-b"], .pageUp, nil, "a page up"),
    Binding(["g", "home"], .first, nil, "to the first"),
    Binding(["G", "end"], .last, nil, "to the last"),
  ]

  /// Keys that are no bindings: the terminal takes Ctrl-Z before anything here sees it, Ctrl-C works also where keys
  /// are text.
  static let beneath = [
    KeyHint("1 … 9", "a count: 5j goes down five, 12G to the twelfth"),
    KeyHint("Ctrl-C", "close what is open, else stop the run, else quit"),
    KeyHint("Ctrl-Z", "suspend; `fg` in the shell returns"),
  ]

  /// F1 is help also where `?` is text.
  static let always: [Binding] =
    [
      Binding(
        ["u"], .undo, nil,
        "undo the last change of tags, notes or experiments; on the steer screen, of which latents are listed",
        unavailable: Unavailable.undo),
      Binding(["ctrl-r"], .redo, nil, "redo what was undone", unavailable: Unavailable.undo),
      Binding([":"], .palette, nil, "all commands of this screen, found by typing"),
      Binding(["#"], .goToLatent, nil, "open a latent by its id"),
      Binding(["?", "f1"], .help, "help", "this list"),
      Binding(["esc"], .back, nil, "back"),
      Binding(["q"], .quit, "back", "back; on the first screen, quit"),
    ] + TopScreen.all.map(\.binding) + shell

  /// Of the shell, on every screen.
  static let shell = [
    Binding(["y"], .copy, nil, "copy what is selected"),
    Binding(["Y"], .copyWhole, nil, "copy all of it: the row, the page, the answers"),
    Binding(["\""], .setMark, nil, "mark this place; a letter names the mark"),
    Binding(["'"], .goToMark, nil, "go to a mark by its letter; '' goes back"),
    Binding(["alt-left", "ctrl-o"], .placeBack, nil, "back through the places visited"),
    Binding(["alt-right"], .placeForth, nil, "forth again"),
    Binding(["E"], .externalEditor, nil, "edit the note or the prompt in $VISUAL or $EDITOR"),
    Binding(["ctrl-l"], .redraw, nil, "draw the screen anew"),
    Binding([], .saveDisplay, nil, "save the screen as text to a file"),
    Binding([], .editConfiguration, nil, "edit the configuration: keys, theme, mouse"),
    Binding([], .keyBar, nil, "show or hide the bar of keys"),
    Binding([], .tour, nil, "a tour in seven steps"),
  ]
}

/// Reasons that several bindings share.
enum Unavailable {
  @Sendable static func readOnly(_ state: ExplorerState) -> String? {
    state.store.isWritable ? nil : "this store is open read-only: nothing can be saved in it"
  }

  /// A screen may have something to undo that is no part of the store.
  @Sendable static func undo(_ state: ExplorerState) -> String? {
    state.screen.definition.undo == nil ? readOnly(state) : nil
  }

  @Sendable static func noLatent(_ state: ExplorerState) -> String? {
    state.currentLatent == nil ? "no latent is selected" : nil
  }

  @Sendable static func noLatentOrReadOnly(_ state: ExplorerState) -> String? { readOnly(state) ?? noLatent(state) }
}
