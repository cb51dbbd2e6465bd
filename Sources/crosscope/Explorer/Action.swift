// Everything a key can do, by name, and the form of a binding.
// Bindings are data: help, key bar and the reason why something does not work now are all made from them.

import TUI

/// A named action. The name is what help shows and what a test may call it by.
enum Action: String, CaseIterable, Sendable {
  case quit, back, help, undo, redo
  case up, down, pageUp, pageDown, first, last
  case open, steer, steerToo, steerScreen, tag, note
  case filter, clearFilter, sortNext, sortPrevious, reverse, mark, unmarkAll
  case sortBy, thenBy, nextClass, columns, scrollLeft, scrollRight, overview, savedFilters
  case markDown, markUp, markRange, markAll, invertMarks
  case followFilter
  case nextLatent, previousLatent, contextLength, colourScale
  case run, cancel, nextFocus, editPrompt, toggle, stronger, weaker, strength, mode, addLatent, deleteLatent,
    clearLatents
  case temperature, seed, answerLength
  case trace, nextSample, cursorRight, cursorLeft, continueBaseline, continueSteered, sweep, sweepWithControl,
    nextMeasure
  case slightlyStronger, slightlyWeaker, settings, positions, condition, decoder, blocks, unit, tryAgain
  case freezeAttention, sweepSet
  case latentsScreen, mapScreen, experimentsScreen, palette
  case left, right, corner, zoomIn, zoomOut, usualRange, wholeRange, xAxis, yAxis, swapAxes, glyphs, chatMarks
  case templateTokens, duplicates, contrast, wholeLens, nextSection, previousSection
  case randomLatent, goToLatent, compareLatents, swapSides
  case causalCheck
  case promptScreen, tracePrompt, answer, nextWord, previousWord, firstToken, lastToken, toPeak
  case wholeText, aggregation, chatSpecificOnly, frequencyCut, rawText
  case setMark, goToMark, placeBack, placeForth, copy, copyWhole, externalEditor
  case redraw, saveDisplay, editConfiguration, keyBar, tour
  case compare, runAgain, export, deleteExperiment, otherAnswer, nextAnswer, nextExperiment, previousExperiment
  case saveAgain
}

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
}

/// Reasons that several bindings share.
enum Unavailable {
  @Sendable static func readOnly(_ state: ExplorerState) -> String? {
    state.store.isWritable ? nil : "this store is open read-only: nothing can be saved in it"
  }

  /// The steer screen's list is no part of the store.
  @Sendable static func undo(_ state: ExplorerState) -> String? { state.screen == .steer ? nil : readOnly(state) }

  @Sendable static func noLatent(_ state: ExplorerState) -> String? {
    state.currentLatent == nil ? "no latent is selected" : nil
  }

  @Sendable static func noLatentOrReadOnly(_ state: ExplorerState) -> String? { readOnly(state) ?? noLatent(state) }
}
