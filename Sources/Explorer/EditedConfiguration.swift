// The configuration in the user's editor: a copy is edited, and takes the file's place only when it was changed and can
// be used. The file stays as it was where the editor ended with an error, wrote nothing, or wrote something that is no
// configuration; the next time, editing goes on from that text.

import Diffing
import Foundation
import Inference

enum EditedConfiguration {
  /// Edits the configuration. If there is no file yet, the text begins as the defaults.
  /// - Parameters:
  ///   - rejected: the text of the last edit, if it could not be used.
  ///   - run: gives the terminal to a command, as in `ExternalEditor.edit`.
  /// - Returns: the settings that are now in the file; nil if nothing was changed.
  /// - Throws: `EditorError`, or what is wrong with the text; the file is then as it was.
  static func edit(
    path: String, _ rejected: inout String?, environment: [String: String] = ProcessInfo.processInfo.environment,
    run: ([String]) -> Int?
  ) throws -> Settings? {
    // A configuration is often a link into a folder of such files: the link stays.
    let file = URL(filePath: path).resolvingSymlinksInPath().path
    let former =
      FileManager.default.fileExists(atPath: file)
      ? String(decoding: try Data(contentsOf: URL(filePath: file)), as: UTF8.self) : nil
    let begin = rejected ?? former ?? Configuration.usual.text
    let text = try ExternalEditor.edit(begin, ending: ".json", environment: environment, run: run)
    guard text != begin else { return nil }
    rejected = text
    let settings: Settings
    do { settings = try Settings(Configuration(text: text, source: path), source: path) } catch {
      throw RejectedConfiguration(reason: String(describing: error))
    }
    let folder = URL(filePath: file).deletingLastPathComponent().path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let written = try AtomicFile(path: file)
    try written.write(Array(text.utf8))
    try written.commit()
    rejected = nil
    return settings
  }
}

/// The reason why a text is not a configuration.
struct RejectedConfiguration: Error, CustomStringConvertible {
  let reason: String
  var description: String { "\(reason); the file is as it was, and editing again goes on from what you wrote" }
}
