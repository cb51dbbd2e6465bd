// The user chooses the set of prompts of a sweep (one beside the store, or a typed path), how many of its prompts are used, how
// many random draws are the control, and which behaviours are counted: refusals, or those of the file beside the store. An
// effect reads the files. Judges are never asked here.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// The present choice.
struct PromptSetPicker: Sendable, Equatable {
  /// The sets beside the store; nil until they are found.
  var files: [PromptSetFile]?
  /// The index of a file; the index after the last one is the typed path.
  var selected = 0
  var most = 12
  var random = 2
  /// The file of behaviours beside the store, if there is one.
  var behaviours: BehaviourFile?
  /// Whether the behaviours of the file are counted.
  var countsBehaviours = true
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

extension PromptSetPicker: OverlayContent {
  var hints: [KeyHint] {
    typed == nil
      ? [KeyHint("Enter", "sweep"), KeyHint("+ -", "prompts"), KeyHint("[ ]", "random draws")]
        + (behaviours == nil ? [] : [KeyHint("b", "behaviours")]) + [KeyHint("Esc", "close")]
      : [KeyHint("Enter", "sweep"), KeyHint("Esc", "leave it")]
  }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var picker = self
    if let typed { return typePath(input, typed, &state) }
    switch input {
    case .key("esc"), .key("q"):
      state.overlay = nil
      return []
    case .key("down"), .key("j"), .key("tab"): picker.select(picker.selected + 1)
    case .key("up"), .key("k"), .key("shift-tab"): picker.select(picker.selected - 1)
    case .key("+"), .key("="): picker.most = min(picker.most + Self.promptStep, Self.mostPrompts)
    case .key("-"), .key("_"):
      picker.most = max(picker.most - Self.promptStep, Self.fewestPrompts)
    case .key("]"): picker.random = min(picker.random + 1, Self.mostRandom)
    case .key("["): picker.random = max(picker.random - 1, 0)
    case .key("b"): picker.countsBehaviours.toggle()
    case .key("enter"):
      // Before the files are found the user has not seen the choice.
      guard picker.files != nil else { break }
      if let file { return sweep(file.path, &state) }
      picker.typed = LineEditor(limit: 1000)
    default: break
    }
    state.overlay = picker
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let files = files ?? []
    let texts = notes(state)
    let rows = min(files.count + 1 + texts.count, state.body.rows - 2)
    let size = Size(columns: min(74, state.body.columns - 6), rows: rows)
    let (list, notes) = canvas.window("Sweep over a set of prompts", size: size, in: state.body)
      .split(bottom: texts.count)
    var cursor: Point?
    var window = ListState()
    window.select(selected, count: files.count + 1, height: list.rows)
    for index in window.visible(count: files.count + 1, height: list.rows) {
      let line = list.line(index - window.top)
      if index == selected { canvas.setGround(line, .selected) }
      if index < files.count {
        canvas.put(truncated(files[index].name, to: line.columns - 14), row: line.row, column: line.column, clip: line)
        canvas.put(
          "\(files[index].count) prompts", row: line.row, endingBefore: line.endColumn, style: .muted, clip: line)
      } else if let typed {
        cursor = canvas.input(typed, label: "file ", placeholder: "name.jsonl", in: line)
      } else {
        let text = self.files == nil ? "looking beside the store…" : "Enter, then the path of another file"
        canvas.put(truncated(text, to: line.columns), row: line.row, column: line.column, style: .muted, clip: line)
      }
    }
    for (index, text) in texts.enumerated() where index < notes.rows {
      canvas.put(
        truncated(text, to: notes.columns), row: notes.row + index, column: notes.column, style: .muted, clip: notes)
    }
    return cursor
  }

  /// What the sweep will do.
  private func notes(_ state: ExplorerState) -> [String] {
    let draws =
      random == 0
      ? "no random latents" : "random latents \(random == 1 ? "once" : "\(random) times") beside"
    let note = behaviours.map { file in
      let told = counted(file.behaviours.told.all.count, "behaviour", "behaviours")
      return countsBehaviours ? "counts \(told) of behaviours.json; b: refusals alone" : "counts refusals; b: \(told)"
    }
    return [
      "at most \(most) prompts, evenly; \(draws)",
      "strengths −1 to 2 times those set, up to \(state.steer.sampling.maxTokens) tokens each",
    ] + (note.map { [$0] } ?? [])
  }

  /// Takes a key or a paste for the path.
  private func typePath(_ input: Input, _ before: LineEditor, _ state: inout ExplorerState) -> [Effect] {
    var (picker, typed) = (self, before)
    switch input {
    case .key("enter"): if !typed.isEmpty { return sweep(typed.text.trimmed, &state) }
    default: _ = typed.take(input, lineBreaks: .dropped)
    }
    picker.typed = input == .key("esc") ? nil : typed
    state.overlay = picker
    return []
  }

  private func sweep(_ path: String, _ state: inout ExplorerState) -> [Effect] {
    state.steer.promptSet = self
    (state.steer.promptSet.files, state.steer.promptSet.typed) = (nil, nil)
    state.overlay = nil
    let behaviours = countsBehaviours ? behaviours?.path : nil
    return SteerSweep.start(
      over: PromptSetChoice(path: path, most: most, random: random, behaviours: behaviours), &state)
  }
}

extension ExplorerState {
  /// Opens the choice with its last values.
  mutating func openPromptSets() -> [Effect] {
    overlay = steer.promptSet
    return [.findPromptSets]
  }

  mutating func promptSetsArrived(_ files: [PromptSetFile], _ behaviours: BehaviourFile?) {
    guard var picker = overlay as? PromptSetPicker else { return }
    (picker.files, picker.behaviours) = (files, behaviours)
    picker.select(picker.selected)
    overlay = picker
  }
}
