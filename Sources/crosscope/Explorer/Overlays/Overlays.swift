// What lies over a screen: keys go to it until it is closed. Help is here, tags and notes have files of their own.

import Reports
import TUI

extension ExplorerState {
  /// Takes a key or a paste for the open overlay. Everything is taken; Esc closes, F1 puts help over it.
  mutating func typeIntoOverlay(_ input: Input) -> [Effect]? {
    switch overlay {
    case .help(let top, let below): return typeIntoHelp(input, top, over: below)
    case .some where input == .key("f1"): return perform(.help)
    case .tags(let picker): return typeIntoTags(input, picker)
    case .note(let editor): return typeIntoNote(input, editor)
    case .latentNumber(let number): return typeIntoNumber(input, number)
    case .causalCheck(let report): return typeIntoCheck(input, report)
    case .chooser(let chooser): return typeIntoChooser(input, chooser)
    case .export(let editor): return typeIntoExport(input, editor)
    case .columns(let chooser): return typeIntoColumns(input, chooser)
    case .filters(let picker): return typeIntoFilters(input, picker)
    case .settings(let editor): return typeIntoSettings(input, editor)
    case .steerEntry(let entry): return typeIntoSteerEntry(input, entry)
    case .promptSet(let picker): return typeIntoPromptSet(input, picker)
    case .reading(let page): return typeIntoReading(input, page)
    case nil: return nil
    }
  }

  /// Takes an overlay away; below help is what help was asked about.
  mutating func close(_ overlay: Overlay) {
    if case .help(_, let below) = overlay { self.overlay = below } else { self.overlay = nil }
  }

  /// The keys of the open overlay, for the key bar.
  var overlayHints: [KeyHint] { hints(of: overlay) }

  private func hints(of overlay: Overlay?) -> [KeyHint] {
    switch overlay {
    case .help: [KeyHint("j k", "scroll"), KeyHint("Esc", "close")]
    case .tags: [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "on/off"), KeyHint("Esc", "close")]
    case .note:
      [
        KeyHint("Enter", "save"), KeyHint("Alt-Enter", "new line"), KeyHint("Alt-E", "in $EDITOR"),
        KeyHint("Esc", "keep as draft"),
      ]
    case .reading: [KeyHint("j k", "scroll"), KeyHint("y", "copy"), KeyHint("Esc", "close")]
    case .export: [KeyHint("Enter", "write"), KeyHint("Esc", "close")]
    case .latentNumber: [KeyHint("Enter", "take it"), KeyHint("Esc", "close")]
    case .causalCheck: [KeyHint("r", "check again"), KeyHint("Esc", "close")]
    case .settings(let editor):
      editor.typed == nil
        ? [KeyHint("↑ ↓", "choose"), KeyHint("+ -", "change"), KeyHint("Enter", "type"), KeyHint("Esc", "close")]
        : [KeyHint("Enter", "set"), KeyHint("Esc", "leave it")]
    case .steerEntry(let entry): entry.hints
    case .promptSet(let picker):
      picker.typed == nil
        ? [
          KeyHint("Enter", "sweep"), KeyHint("+ -", "prompts"), KeyHint("[ ]", "random draws"), KeyHint("Esc", "close"),
        ] : [KeyHint("Enter", "sweep"), KeyHint("Esc", "leave it")]
    case .chooser: [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "take it"), KeyHint("Esc", "close")]
    case .columns:
      [
        KeyHint("Space", "show/hide"), KeyHint("J K", "move"), KeyHint("+ -", "width"), KeyHint("0", "usual"),
        KeyHint("Esc", "close"),
      ]
    case .filters:
      [KeyHint("↑ ↓", "choose"), KeyHint("Enter", "take it"), KeyHint("Ctrl-D", "delete"), KeyHint("Esc", "close")]
    case nil: []
    }
  }

  /// Draws the open overlay over the body.
  func drawOverlay(_ canvas: inout Canvas) -> Point? {
    switch overlay {
    case .help(let top, _):
      canvas.help(helpSections, title: "Keys", top: top, in: body)
      return nil
    case .tags(let picker): return draw(picker, &canvas)
    case .note(let editor): return draw(editor, &canvas)
    case .latentNumber(let number): return draw(number, &canvas)
    case .causalCheck(let report):
      draw(report, &canvas)
      return nil
    case .chooser(let chooser): return draw(chooser, &canvas)
    case .export(let editor): return draw(editor, &canvas)
    case .columns(let chooser): return draw(chooser, &canvas)
    case .filters(let picker): return draw(picker, &canvas)
    case .settings(let editor): return draw(editor, &canvas)
    case .steerEntry(let entry): return draw(entry, &canvas)
    case .promptSet(let picker): return draw(picker, &canvas)
    case .reading(let page):
      draw(page, &canvas)
      return nil
    case nil: return nil
    }
  }

  /// Help is made from the bindings; what is not possible now says why. Where it lies over another overlay, the keys of
  /// that one come first.
  var helpSections: [HelpSection] {
    func hints(_ bindings: [Binding]) -> [KeyHint] {
      bindings.map { binding in
        KeyHint(binding.label, binding.help + (binding.unavailable(self).map { " (\($0))" } ?? ""))
      }
    }
    let isMoving = { (binding: Binding) in GeneralBindings.moving.contains { $0.action == binding.action } }
    let own = keyMap.own(screen)
    var sections = [
      HelpSection(screen.definition.title(self), hints(own.filter { !isMoving($0) })),
      HelpSection("Moving", hints(own.filter(isMoving))),
      HelpSection("Everywhere", hints(keyMap.general) + GeneralBindings.beneath),
    ]
    if screen == .prompt, prompt.isTyping {
      sections.insert(HelpSection("While typing", PromptState.typingHelp), at: 0)
    }
    if case .help(_, let below?) = overlay { sections.insert(HelpSection("Here", self.hints(of: below)), at: 0) }
    return sections
  }

  private mutating func typeIntoHelp(_ input: Input, _ top: Int, over below: Overlay?) -> [Effect] {
    let count = helpSections.reduce(0) { $0 + $1.hints.count + 2 } - 1
    let height = body.rows - 2
    func scrolled(_ step: Int) -> Overlay { .help(top: min(max(0, top + step), max(0, count - height)), over: below) }
    switch input {
    case .key("down"), .key("j"): overlay = scrolled(1)
    case .key("up"), .key("k"): overlay = scrolled(-1)
    case .key("pgdn"), .key("space"): overlay = scrolled(height)
    case .key("pgup"): overlay = scrolled(-height)
    case .key("esc"), .key("q"), .key("?"), .key("f1"), .key("enter"): overlay = below
    default: break
    }
    return []
  }
}
