// `crosscope check`: looks at every row of a store, and at the files that it was made with.

import ArgumentParser
import Foundation
import Inference
import Storage
import TUI

struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look for damage in a store.",
    discussion: """
      Checks SQLite's integrity, references, the type, length and range of every value, and that the model, adapter or base model, \
      crosscoder and tokenizer beside the store are the ones it was made with. Changes nothing. Exit code 1 if \
      anything is found.
      """)

  @Argument(help: ArgumentHelp("The store, a .crosscope file.", valueName: "store")) var store: String
  @Flag(help: "Print one JSON document.") var json = false

  private struct Finding: Encodable {
    var table: String
    var detail: String
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    var findings = try store.check().map { Finding(table: $0.table, detail: $0.detail) }
    if findings.isEmpty { findings = try changedFiles(of: store) }
    if json {
      try printJSON(["findings": findings])
    } else {
      for finding in findings { writeOut("\(termSafe(finding.table)): \(termSafe(finding.detail))\n") }
      if findings.isEmpty { writeOut("\(termSafe(store.path)): whole\n") }
    }
    if !findings.isEmpty { throw ExitCode.failure }
  }

  /// The files beside the store that are not those it was made with. A file that is not there is only mentioned.
  private func changedFiles(of store: Store) throws -> [Finding] {
    let pair = try store.modelPair()
    let folder = (store.path as NSString).deletingLastPathComponent
    return try pair.files.compactMap { name, file -> Finding? in
      guard let file, let expected = file.sha256 else { return nil }
      let isModel = name != "adapter" && name != "crosscoder"
      guard
        let path = try? isModel
          ? ModelFiles.locate(file.path, besides: folder) : ModelFiles.beside(file.path, folder: folder)
      else {
        writeError("\(name) \(termSafe(file.path)) is not there, not compared")
        return nil
      }
      // An adapter is a folder of two files.
      let found = name == "adapter" ? try Adapter.sha256(folder: path) : try ModelSource.sha256(path: path)
      guard found.lowercased() != expected.lowercased() else { return nil }
      return Finding(
        table: "model_pair", detail: "\(name) \(file.path) is not the file this store was made with (SHA-256 \(found))")
    }
  }
}
