// Choosing the set of prompts that a sweep goes over: one of those beside the store, or a path that is typed; how many
// of its prompts, and how many random draws beside. Owns: the choice. Refuses: reading files; an effect does.

import Experiments
import Reports
import TUI

/// What is chosen so far.
struct PromptSetPicker: Sendable, Equatable {
  /// The sets beside the store; nil until they are found.
  var files: [PromptSetFile]?
  /// One of the files, or after the last one the path to be typed.
  var selected = 0
  var most = 12
  var random = 2
  /// The path being typed.
  var typed: LineEditor?

  static let (fewestPrompts, mostPrompts, promptStep) = (4, 400, 4)
  static let mostRandom = 8

  var file: PromptSetFile? {
    guard let files, files.indices.contains(selected) else { return nil }
    return files[selected]
  }

  mutating func select(_ index: Int) { selected = min(max(0, index), files?.count ?? 0) }
}

extension ExplorerState {
  /// Opens the choice, as it was made last.
  mutating func openPromptSets() -> [Effect] {
    overlay = .promptSet(steer.promptSet)
    return [.findPromptSets]
  }

  mutating func promptSetsArrived(_ files: [PromptSetFile]) {
    guard case .promptSet(var picker) = overlay else { return }
    picker.files = files
    picker.select(picker.selected)
    overlay = .promptSet(picker)
  }

  mutating func typeIntoPromptSet(_ input: Input, _ before: PromptSetPicker) -> [Effect] {
    var picker = before
    if let typed = picker.typed { return typePath(input, typed, picker) }
    switch input {
    case .key("esc"), .key("q"):
      overlay = nil
      return []
    case .key("down"), .key("j"), .key("tab"): picker.select(picker.selected + 1)
    case .key("up"), .key("k"), .key("shift-tab"): picker.select(picker.selected - 1)
    case .key("+"), .key("="): picker.most = min(picker.most + PromptSetPicker.promptStep, PromptSetPicker.mostPrompts)
    case .key("-"), .key("_"):
      picker.most = max(picker.most - PromptSetPicker.promptStep, PromptSetPicker.fewestPrompts)
    case .key("]"): picker.random = min(picker.random + 1, PromptSetPicker.mostRandom)
    case .key("["): picker.random = max(picker.random - 1, 0)
    case .key("enter"):
      // Before they are found nobody has seen what is chosen.
      guard picker.files != nil else { break }
      if let file = picker.file { return sweep(file.path, picker) }
      picker.typed = LineEditor(limit: 1000)
    default: break
    }
    overlay = .promptSet(picker)
    return []
  }

  private mutating func typePath(_ input: Input, _ before: LineEditor, _ picker: PromptSetPicker) -> [Effect] {
    var (picker, typed) = (picker, before)
    switch input {
    case .key("enter"):
      if !typed.isEmpty { return sweep(typed.text.trimmed, picker) }
    case .key(let key): _ = typed.handle(key)
    case .paste(let text): typed.insert(text.filter { !$0.isNewline })
    case .mouse: break
    }
    picker.typed = input == .key("esc") ? nil : typed
    overlay = .promptSet(picker)
    return []
  }

  private mutating func sweep(_ path: String, _ picker: PromptSetPicker) -> [Effect] {
    steer.promptSet = picker
    (steer.promptSet.files, steer.promptSet.typed) = (nil, nil)
    overlay = nil
    return SteerSweep.start(over: PromptSetChoice(path: path, most: picker.most, random: picker.random), &self)
  }

  func draw(_ picker: PromptSetPicker, _ canvas: inout Canvas) -> Point? {
    let files = picker.files ?? []
    let size = Size(columns: min(74, body.columns - 6), rows: min(files.count + 3, body.rows - 2))
    let (list, notes) = canvas.window("Sweep over a set of prompts", size: size, in: body).split(bottom: 2)
    var cursor: Point?
    var window = ListState()
    window.select(picker.selected, count: files.count + 1, height: list.rows)
    for index in window.visible(count: files.count + 1, height: list.rows) {
      let line = list.line(index - window.top)
      if index == picker.selected { canvas.setGround(line, .selected) }
      if index < files.count {
        canvas.put(truncated(files[index].name, to: line.columns - 14), row: line.row, column: line.column, clip: line)
        canvas.put(
          "\(files[index].count) prompts", row: line.row, endingBefore: line.endColumn, style: .muted, clip: line)
      } else if let typed = picker.typed {
        cursor = canvas.input(typed, label: "file ", placeholder: "name.jsonl", in: line)
      } else {
        let text = picker.files == nil ? "looking beside the store…" : "another file: Enter, then its path"
        canvas.put(truncated(text, to: line.columns), row: line.row, column: line.column, style: .muted, clip: line)
      }
    }
    let draws =
      picker.random == 0
      ? "no random latents" : "random latents \(picker.random == 1 ? "once" : "\(picker.random) times") beside"
    for (index, text) in [
      "at most \(picker.most) prompts, evenly; \(draws)",
      "strengths −1 to 2 times those set, up to \(steer.sampling.maxTokens) tokens each",
    ].enumerated() where index < notes.rows {
      canvas.put(
        truncated(text, to: notes.columns), row: notes.row + index, column: notes.column, style: .muted, clip: notes)
    }
    return cursor
  }
}
