// Asking for the file that an experiment is written to. The field stays until the file is there: a name that is taken or
// wrong can be mended.

import Foundation
import Inference
import Storage
import TUI

/// A path being typed.
struct ExportPath: Sendable, Equatable {
  var experiment: Int64
  var text: LineEditor
}

extension ExplorerState {
  mutating func openExport(_ id: Int64) {
    overlay = .export(ExportPath(experiment: id, text: LineEditor("experiment-\(id).md", limit: 1000)))
  }

  mutating func typeIntoExport(_ input: Input, _ before: ExportPath) -> [Effect] {
    var editor = before
    switch input {
    case .key("esc"):
      overlay = nil
      return []
    case .key("enter"): return [.export(editor.experiment, path: editor.text.text.trimmed)]
    case .key(let key): _ = editor.text.handle(key)
    case .paste(let text): editor.text.insert(String(text.filter { !$0.isNewline }))
    case .mouse: break
    }
    overlay = .export(editor)
    return []
  }

  func draw(_ editor: ExportPath, _ canvas: inout Canvas) -> Point? {
    let inside = canvas.window(
      "Export experiment \(editor.experiment)", size: Size(columns: min(70, body.columns - 6), rows: 2), in: body)
    let (field, hint) = inside.split(top: 1)
    canvas.put(
      truncated(".md for people, .json for programs; an existing file stays as it is", to: hint.columns), row: hint.row,
      column: hint.column, style: .muted, clip: hint)
    return canvas.input(editor.text, label: "file ", placeholder: "name.md or name.json", in: field)
  }
}

extension SavedRun {
  /// Writes the experiment to a new file, in the form that the file's name asks for.
  /// - Returns: the path, with `~` resolved.
  /// - Throws: `CommandError` for another ending, `InferenceError.fileUnwritable` also where a file is there already.
  func export(to path: String) throws -> String {
    let path = path.hasPrefix("~/") ? NSHomeDirectory() + path.dropFirst(1) : path
    let text: String
    switch URL(filePath: path).pathExtension.lowercased() {
    case "md", "markdown": text = markdown
    case "json":
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
      text = String(decoding: try encoder.encode(ExperimentJSON(record: record)), as: UTF8.self) + "\n"
    default:
      throw CommandError.inputInvalid(
        source: path.isEmpty ? "the name of the file" : path, expected: "a name that ends in .md or .json",
        found: "another")
    }
    let file = try AtomicFile(path: path)
    try file.write(Array(text.utf8))
    try file.commit(replacing: false)
    return path
  }
}
