// The bindings that hold on every screen, and the keys that move in lists.

import Storage
import TUI

/// Bindings of all screens.
enum GeneralBindings {
  static let moving = [
    Binding(["j", "down"], .down, nil, "down"),
    Binding(["k", "up"], .up, nil, "up"),
    Binding(["pgdn", "ctrl-f"], .pageDown, nil, "go down a page"),
    Binding(["pgup", "ctrl-b"], .pageUp, nil, "go up a page"),
    Binding(["g", "home"], .first, nil, "go to the first"),
    Binding(["G", "end"], .last, nil, "go to the last"),
  ]

  /// Keys that are not bindings. The terminal takes Ctrl-Z before the explorer sees it; Ctrl-C also works while other
  /// keys are text.
  static let beneath = [
    KeyHint("1 … 9", "type a count first: 5j goes down five, 12G to the twelfth"),
    KeyHint("Ctrl-C", "close what is open, else stop the run, else quit"),
    KeyHint("Ctrl-Z", "suspend; `fg` in the shell returns"),
  ]

  /// The bindings that hold on every screen. F1 opens help also where `?` is text.
  static let always: [Binding] =
    [
      Binding(
        ["u"], .undo, nil,
        "undo the last change of tags, notes or experiments; on the steer screen, of which latents are listed",
        unavailable: Unavailable.undo),
      Binding(["ctrl-r"], .redo, nil, "redo what was undone", unavailable: Unavailable.undo),
      Binding([":"], .palette, nil, "find a command of this screen by typing"),
      Binding(["#"], .goToLatent, nil, "open a latent by its id"),
      Binding(["?", "f1"], .help, "help", "show this list"),
      Binding(["esc"], .back, nil, "back"),
      Binding(["q"], .quit, "back", "go back; on the first screen, quit"),
    ] + TopScreen.all.map(\.binding) + shell

  /// The bindings of the shell's actions, see ExplorerState+Shell.swift.
  static let shell = [
    Binding(["y"], .copy, nil, "copy what is selected"),
    Binding(["Y"], .copyWhole, nil, "copy all of it: the row, the page, the answers"),
    Binding(["\""], .setMark, nil, "mark this place by a letter"),
    Binding(["'"], .goToMark, nil, "go to a mark by its letter; '' goes back"),
    Binding(["alt-left", "ctrl-o"], .placeBack, nil, "go back through the places visited"),
    Binding(["alt-right"], .placeForth, nil, "go forth again"),
    Binding(["E"], .externalEditor, nil, "edit the note or the prompt in $VISUAL or $EDITOR"),
    Binding(["ctrl-l"], .redraw, nil, "draw the screen anew"),
    Binding([], .saveDisplay, nil, "save the screen as text to a file"),
    Binding([], .editConfiguration, nil, "edit the configuration: keys, theme, mouse"),
    Binding([], .keyBar, nil, "show or hide the bar of keys"),
    Binding([], .tour, nil, "take a tour in seven steps"),
  ]
}
