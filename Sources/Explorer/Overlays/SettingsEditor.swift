// The settings of a steering run as a list: + and - change the chosen one, typing sets it. If a value is refused, the former
// one stays and the reason is shown.

import Diffing
import Reports
import TUI

/// The list of settings, and the text of the one that is typed.
struct SettingsEditor: Sendable, Equatable {
  var selected = 0
  var typed: LineEditor?

  var setting: SteerSetting { SteerSetting.allCases[selected] }
}

extension SettingsEditor: OverlayContent {
  var hints: [KeyHint] {
    typed == nil
      ? [KeyHint("↑ ↓", "choose"), KeyHint("+ -", "change"), KeyHint("Enter", "type"), KeyHint("Esc", "close")]
      : [KeyHint("Enter", "set"), KeyHint("Esc", "leave it")]
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var editor = self
    if let typed {
      editor.typed = text(after: input, typed, &state)
      state.overlay = editor
      return []
    }
    let count = SteerSetting.allCases.count
    switch input {
    case .key("esc"), .key("q"), .key(","):
      state.overlay = nil
      return []
    case .key("down"), .key("j"), .key("tab"): editor.selected = min(editor.selected + 1, count - 1)
    case .key("up"), .key("k"), .key("shift-tab"): editor.selected = max(editor.selected - 1, 0)
    case .key("+"), .key("="), .key("right"), .key("l"), .key("space"):
      step(1, &state)
    case .key("-"), .key("_"), .key("left"), .key("h"): step(-1, &state)
    case .key("enter"):
      if setting.isChoice {
        step(1, &state)
      } else {
        editor.typed = LineEditor(setting.value(state.steer), limit: 200)
      }
    case .key(let key):
      if !setting.isChoice, let character = key.text, character.isNumber || character == "." {
        editor.typed = LineEditor(String(character), limit: 200)
      }
    case .paste, .mouse: break
    }
    state.overlay = editor
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let all = SteerSetting.allCases
    let size = Size(columns: min(74, state.body.columns - 6), rows: min(all.count + 1, state.body.rows - 2))
    let (inside, help) = canvas.window("Settings", size: size, in: state.body).split(bottom: 1)
    canvas.put(
      truncated(setting.help, to: help.columns), row: help.row, column: help.column, style: .muted, clip: help)
    var cursor: Point?
    var window = ListState()
    window.select(selected, count: all.count, height: inside.rows)
    for index in window.visible(count: all.count, height: inside.rows) {
      let (setting, line) = (all[index], inside.line(index - window.top))
      let (name, rest) = line.split(left: 19)
      let value = rest.split(left: min(52, rest.columns)).left
      canvas.put(setting.title, row: name.row, column: name.column, clip: name)
      if index == selected { canvas.setGround(line, .selected) }
      if index == selected, let typed {
        cursor = canvas.input(typed, in: value)
      } else {
        canvas.put(
          truncated(setting.value(state.steer), to: value.columns), row: value.row, column: value.column,
          style: Style(.accent, .bold), clip: value)
      }
    }
    return cursor
  }

  /// Changes the chosen setting by a step.
  private func step(_ direction: Int, _ state: inout ExplorerState) {
    report(setting.step(direction, &state.steer), &state)
  }

  /// The text after a key; nil when typing has ended.
  private func text(after input: Input, _ before: LineEditor, _ state: inout ExplorerState) -> LineEditor? {
    var typed = before
    switch input {
    case .key("esc"): return nil
    case .key("enter"):
      let reason = setting.set(typed.text, &state.steer)
      report(reason, &state)
      return reason == nil ? nil : typed
    default: _ = typed.take(input)
    }
    return typed
  }

  private func report(_ reason: String?, _ state: inout ExplorerState) {
    if let reason { state.tell("\(setting.title): \(reason)", .error) }
  }
}
