// The clipboard of the desktop that the program runs on, beside the terminal's own (see TUI's ClipboardSequence). No
// program for it is run over SSH, where that would be another machine's clipboard, or where no desktop is running.

import Foundation
import Glibc
import TUI

enum Clipboard {
  /// The program that takes text on its standard input, and its arguments; nil if there is none to use.
  static func tool(
    _ environment: [String: String] = ProcessInfo.processInfo.environment,
    exists: (String) -> Bool = { FileManager.default.isExecutableFile(atPath: $0) }
  ) -> [String]? {
    func has(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
    guard !has("SSH_CONNECTION"), !has("SSH_TTY") else { return nil }
    var candidates: [[String]] = []
    if has("WAYLAND_DISPLAY") { candidates.append(["wl-copy"]) }
    if has("DISPLAY") { candidates.append(["xclip", "-selection", "clipboard"]) }
    candidates.append(["pbcopy"])
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for candidate in candidates {
      if let path = folders.map({ $0 + "/" + candidate[0] }).first(where: exists) {
        return [path] + candidate.dropFirst()
      }
    }
    return nil
  }

  /// Hands text to the desktop's clipboard, if there is one.
  ///
  /// The text goes through a file without a name, since the reader of a pipe may be gone. Foundation's `Process` is not
  /// used: it waits for the processes that the tool leaves behind, and these tools leave one that keeps the text.
  /// - Returns: the tool's name; nil if there is none or it failed.
  static func copy(_ text: String, with tool: [String]? = tool()) -> String? {
    guard let tool, let path = tool.first, let input = tmpfile() else { return nil }
    defer { fclose(input) }
    let bytes = Array(text.utf8)
    guard fwrite(bytes, 1, bytes.count, input) == bytes.count, fflush(input) == 0 else { return nil }
    rewind(input)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, fileno(input), 0)
    for output in [Int32(1), 2] { posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0) }
    var words = tool.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var process = pid_t()
    guard posix_spawn(&process, path, &actions, nil, &words, environ) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 { guard errno == EINTR else { return nil } }
    return status == 0 ? URL(filePath: path).lastPathComponent : nil
  }

  /// Copies the text and reports what was copied, and where to.
  static func report(_ copied: CopiedText, tool: String?) -> String {
    let fitting = ClipboardSequence.fitting(copied.text)
    let size = copied.text.utf8.count
    var text = "copied \(copied.what), \(size) byte\(size == 1 ? "" : "s")"
    if let tool { text += ", with \(tool)" }
    if fitting.isCut, tool == nil { text += "; terminals take no more than the first \(fitting.text.utf8.count)" }
    return text
  }
}
