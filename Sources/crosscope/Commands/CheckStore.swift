// `crosscope check` looks at every row of a store and at the files from which it was made. With --repair it makes a new store
// of all that can be read.

import ArgumentParser
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage
import TUI

struct CheckStore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Look for damage in a store.",
    discussion: """
      The command checks SQLite's integrity, references, the type, length and range of every value, and that the model, \
      adapter or base model, crosscoder and tokenizer beside the store are the ones it was made with. It changes nothing. \
      The exit code is 1 if anything is found.

      With --repair a damaged store is built anew: every row that can be read goes into a new file, with new indices, and \
      the damaged file is kept beside it under the name STORE.damaged. A whole store is left alone.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Flag(help: "Make a new store of what can be read, if the store is damaged; the damaged file is kept beside it.")
  var repair = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    if repair, json { throw ValidationError("--repair prints no JSON; leave out --json") }
  }

  private struct Finding: Encodable {
    var table: String
    var detail: String
  }

  func run() throws {
    if repair { return try repairIfDamaged() }
    let store = try Store(path: store, access: .readOnly)
    var findings = try store.check().map { Finding(table: $0.table, detail: $0.detail) }
    let isDamaged = !findings.isEmpty
    if findings.isEmpty { findings = try changedFiles(of: store) }
    if json {
      try printJSON(["findings": findings])
    } else {
      for finding in findings { writeOut("\(termSafe(finding.table)): \(termSafe(finding.detail))\n") }
      if findings.isEmpty { writeOut("\(termSafe(store.path)): the store is whole\n") }
    }
    if isDamaged {
      writeError(
        "`crosscope check --repair \(termSafe(self.store))` makes a new store of what can be read and keeps this one")
    }
    if !findings.isEmpty { throw ExitCode.failure }
  }

  private func repairIfDamaged() throws {
    // If a store cannot even be opened to read its tables, it is damaged.
    let findings = try? Store(path: store, access: .readOnly).check()
    if findings == [] {
      writeOut("\(termSafe(store)): the store is whole, and there is nothing to repair\n")
      return
    }
    let repair = try StoreRepair.run(path: store)
    for finding in repair.lost {
      writeOut("lost: \(termSafe(finding.table)): \(termSafe(finding.detail))\n")
    }
    let users = ["tag", "note", "explanation", "experiment"]
    let kept = repair.kept.filter { users.contains($0.table) }.map { "\($0.table) \($0.count)" }
    writeOut("rows kept of the user's tables: \(kept.joined(separator: ", "))\n")
    writeOut("\(termSafe(store)) is repaired; the damaged file is \(termSafe(repair.damagedPath))\n")
  }

  /// The files beside the store that differ from those it was made with. A missing file is only mentioned.
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
        writeError("\(name) \(termSafe(file.path)) is not there and was not compared")
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
