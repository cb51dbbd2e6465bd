// Asks for the file to which an experiment or the screen is written. The field stays open until the file is written, so that a
// name that exists or is wrong can be corrected.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import TUI

/// A path being typed.
struct ExportPath: Sendable, Equatable {
  /// The content of the file.
  enum Content: Sendable, Equatable {
    case experiment(Int64)
    /// A run, which may not be in the store.
    case run(SteeringDocument)
    /// A sweep over a set of prompts, which may not be in the store.
    case set(DoseResponse)
    case unsaved(SavedRun)
    case comparison(SavedRun, SavedRun)
    /// The screen as text, as it was when the export began.
    case display(String)
  }

  var content: Content
  var text: LineEditor
}

extension ExportPath: OverlayContent {
  var hints: [KeyHint] { [KeyHint("Enter", "write"), KeyHint("Esc", "close")] }

  func type(_ input: Input, _ state: inout ExplorerState) -> [Effect] {
    var editor = self
    switch input {
    case .key("esc"):
      state.overlay = nil
      return []
    case .key("enter"): return [.export(editor.content, path: editor.text.text.trimmed)]
    default: _ = editor.text.take(input, lineBreaks: .dropped)
    }
    state.overlay = editor
    return []
  }

  func draw(_ state: ExplorerState, _ canvas: inout Canvas) -> Point? {
    let (title, names, about) =
      switch content {
      case .experiment(let id):
        ("Export experiment \(id)", "name.md or name.json", ".md for people, .json for programs; ")
      case .comparison(let first, let second):
        (
          "Export the comparison of \(first.name) and \(second.name)", "name.md or name.json",
          ".md for people, .json for programs; "
        )
      case .run, .set, .unsaved: ("Export the run", "name.md or name.json", ".md for people, .json for programs; ")
      case .display: ("Save the screen", "name.txt", "the characters, without colours; ")
      }
    let inside = canvas.window(title, size: Size(columns: min(70, state.body.columns - 6), rows: 2), in: state.body)
    let (field, hint) = inside.split(top: 1)
    canvas.put(
      truncated(about + "an existing file stays as it is", to: hint.columns), row: hint.row, column: hint.column,
      style: .muted, clip: hint)
    return canvas.input(text, label: "file ", placeholder: names, in: field)
  }
}

extension ExplorerState {
  /// Asks for the name of the file, with a name proposed.
  mutating func openExport(_ content: ExportPath.Content) {
    let name =
      switch content {
      case .experiment(let id): "experiment-\(id).md"
      case .run(let document): "\(document.record().kind).md"
      case .set: "prompt-set.md"
      case .unsaved(let run): "\(run.record.kind.replacing(" ", with: "-")).md"
      case .comparison(let first, let second):
        "experiments-\([first, second].map { $0.name.replacing("!", with: "unsaved-") }.joined(separator: "-")).md"
      case .display: "\(screen.rawValue).txt"
      }
    overlay = ExportPath(content: content, text: LineEditor(name, limit: 1000))
  }
}
