// Text edited in the user's own editor: $VISUAL, $EDITOR, else vi, as other programs do. The temporary file is for its
// owner alone and is removed afterwards. A text that is too long or not UTF-8 is an error, and the text that was there
// before stays. The terminal runs the program.

import Diffing
import Foundation
import Glibc
import Inference
import Reports
import Storage
import TUI

/// Something to be edited outside.
struct EditRequest: Sendable, Equatable {
  enum Subject: Sendable, Equatable {
    case note(Int)
    case prompt
  }

  var subject: Subject
  var text: String
}

/// The reason why nothing was edited.
enum EditorError: Error, Equatable, CustomStringConvertible {
  case noTemporaryFile(folder: String, reason: String)
  case failed(editor: String, status: Int?)
  case tooLarge(bytes: Int)
  case notText

  var description: String {
    switch self {
    case .noTemporaryFile(let folder, let reason):
      "\(folder): \(reason); set TMPDIR to a folder that can be written"
    case .failed(let editor, 127?): "the editor \(editor) was not found; set VISUAL or EDITOR to one that is installed"
    case .failed(let editor, let status?): "the editor \(editor) ended with status \(status); nothing was changed"
    case .failed(let editor, nil): "the editor \(editor) was killed or could not be started; nothing was changed"
    case .tooLarge(let bytes):
      "the edited text has \(bytes) bytes, but at most \(ExternalEditor.longest) are taken; nothing was changed"
    case .notText: "the edited file is not UTF-8 text; nothing was changed"
    }
  }
}

enum ExternalEditor {
  /// The largest number of bytes that an edited text may have.
  static let longest = 1 << 20

  /// The name of the user's editor.
  static func name(_ environment: [String: String]) -> String {
    [environment["VISUAL"], environment["EDITOR"]].compactMap(\.self).first { !$0.isEmpty } ?? "vi"
  }

  /// Edits a text.
  /// - Parameters:
  ///   - ending: the extension of the file's name, by which editors recognise the format.
  ///   - run: gives the terminal to a command and returns its exit status, nil if it was killed.
  static func edit(
    _ text: String, ending: String = ".md", environment: [String: String] = ProcessInfo.processInfo.environment,
    run: ([String]) -> Int?
  ) throws -> String {
    let folder = environment["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    var template = Array("\(folder)/crosscope-XXXXXX\(ending)".utf8CString)
    // Readable for its owner only; mkstemps takes care of that.
    let descriptor = mkstemps(&template, Int32(ending.utf8.count))
    guard descriptor >= 0 else {
      throw EditorError.noTemporaryFile(folder: folder, reason: String(cString: strerror(errno)))
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { unlink(path) }
    let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
    try edit(file: path, environment: environment, run: run)
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    guard size <= longest else { throw EditorError.tooLarge(bytes: size) }
    guard let edited = String(data: try Data(contentsOf: URL(filePath: path)), encoding: .utf8) else {
      throw EditorError.notText
    }
    // Editors end the last line with a line break that is not a part of the text.
    return edited.hasSuffix("\n") && !text.hasSuffix("\n") ? String(edited.dropLast()) : edited
  }

  /// Edits a file in place. The shell splits the editor's name into words, as git has it done.
  static func edit(
    file: String, environment: [String: String] = ProcessInfo.processInfo.environment, run: ([String]) -> Int?
  ) throws(EditorError) {
    let editor = name(environment)
    let status = run(["/bin/sh", "-c", editor + " \"$@\"", editor, file])
    guard status == 0 else { throw .failed(editor: editor, status: status) }
  }
}

extension ExplorerState {
  /// Gives the screen's own text, or the note of the current latent, to the user's editor.
  mutating func editOutside() -> [Effect] {
    if let request = screen.definition.outside?(self) { return [.edit(request)] }
    if let reason = Unavailable.noLatentOrReadOnly(self) {
      tell(reason)
      return []
    }
    let effects = openNote()
    guard let editor = overlay as? NoteEditor else { return effects }
    return [.edit(EditRequest(subject: .note(editor.latent), text: editor.text.text))]
  }

  /// Puts an edited text back to where it came from. A note is saved as if it had been typed.
  mutating func edited(_ request: EditRequest) {
    switch request.subject {
    case .note(let latent):
      guard var editor = overlay as? NoteEditor, editor.latent == latent else { return }
      editor.text.text = request.text
      overlay = editor
    case .prompt: steer.prompt.text = request.text
    }
  }
}
