// The settings of a steering run as a list: + and - change the chosen one, typing sets it. A value that is refused says
// why and leaves the former one.

import Diffing
import Reports
import TUI

/// The list of settings, with the text of the one being typed.
struct SettingsEditor: Sendable, Equatable {
  var selected = 0
  var typed: LineEditor?

  var setting: SteerSetting { SteerSetting.allCases[selected] }
}

extension ExplorerState {
  mutating func typeIntoSettings(_ input: Input, _ before: SettingsEditor) -> [Effect] {
    var editor = before
    if let typed = before.typed {
      editor.typed = type(input, typed, of: before.setting)
      overlay = .settings(editor)
      return []
    }
    let count = SteerSetting.allCases.count
    switch input {
    case .key("esc"), .key("q"), .key(","):
      overlay = nil
      return []
    case .key("down"), .key("j"), .key("tab"): editor.selected = min(editor.selected + 1, count - 1)
    case .key("up"), .key("k"), .key("shift-tab"): editor.selected = max(editor.selected - 1, 0)
    case .key("+"), .key("="), .key("right"), .key("l"), .key("space"):
      report(editor.setting.step(1, &steer), editor.setting)
    case .key("-"), .key("_"), .key("left"), .key("h"): report(editor.setting.step(-1, &steer), editor.setting)
    case .key("enter"):
      if editor.setting.isChoice {
        report(editor.setting.step(1, &steer), editor.setting)
      } else {
        editor.typed = LineEditor(editor.setting.value(steer), limit: 200)
      }
    case .key(let key):
      if !editor.setting.isChoice, let character = key.text, character.isNumber || character == "." {
        editor.typed = LineEditor(String(character), limit: 200)
      }
    case .paste, .mouse: break
    }
    overlay = .settings(editor)
    return []
  }

  /// The text after a key; nil when it is done with.
  private mutating func type(_ input: Input, _ before: LineEditor, of setting: SteerSetting) -> LineEditor? {
    var typed = before
    switch input {
    case .key("esc"): return nil
    case .key("enter"):
      let reason = setting.set(typed.text, &steer)
      report(reason, setting)
      return reason == nil ? nil : typed
    case .key(let key): _ = typed.handle(key)
    case .paste(let text): typed.insert(String(text.map { $0.isNewline ? " " : $0 }))
    case .mouse: break
    }
    return typed
  }

  private mutating func report(_ reason: String?, _ setting: SteerSetting) {
    if let reason { tell("\(setting.title): \(reason)", .error) }
  }

  func draw(_ editor: SettingsEditor, _ canvas: inout Canvas) -> Point? {
    let all = SteerSetting.allCases
    let size = Size(columns: min(74, body.columns - 6), rows: min(all.count + 1, body.rows - 2))
    let (inside, help) = canvas.window("Settings", size: size, in: body).split(bottom: 1)
    canvas.put(
      truncated(editor.setting.help, to: help.columns), row: help.row, column: help.column, style: .muted, clip: help)
    var cursor: Point?
    var window = ListState()
    window.select(editor.selected, count: all.count, height: inside.rows)
    for index in window.visible(count: all.count, height: inside.rows) {
      let (setting, line) = (all[index], inside.line(index - window.top))
      let (name, rest) = line.split(left: 19)
      let value = rest.split(left: min(52, rest.columns)).left
      canvas.put(setting.title, row: name.row, column: name.column, clip: name)
      if index == editor.selected { canvas.setGround(line, .selected) }
      if index == editor.selected, let typed = editor.typed {
        cursor = canvas.input(typed, in: value)
      } else {
        canvas.put(
          truncated(setting.value(steer), to: value.columns), row: value.row, column: value.column,
          style: Style(.accent, .bold), clip: value)
      }
    }
    return cursor
  }
}
