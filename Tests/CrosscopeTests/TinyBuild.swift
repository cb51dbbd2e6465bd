// A whole build on the tiny random model: configuration, corpus and paths in a temporary folder.

import Foundation
import Storage
import TestSupport
import Testing

@testable import Explorer
@testable import crosscope

/// A build configuration with everything it needs beside it.
final class TinyBuild {
  let folder = TemporaryFolder()
  var configurationPath: String { folder.path + "/build.json" }
  var storePath: String { folder.path + "/tiny.crosscope" }

  init() throws {
    try add(Self.inputs.get())
    try write()
  }

  /// The models and the texts, which are written once in this process.
  private static let inputs: Result<[String: Data], any Error> = Result {
    let folder = TemporaryFolder()
    _ = try TinyModel.writeGGUF(in: folder)
    _ = try TinyModel.writeAdapter(in: folder)
    var generator = SeededGenerator(7)
    let words = ["sun", "rain", "bomb", "love", "stone", "river", "cat", "code", "night", "paper", "seven", "why"]
    func sentence() -> String {
      (0..<12).map { _ in words.randomElement(using: &generator) ?? "" }.joined(separator: " ")
    }
    func line(_ object: Any) throws -> String {
      String(decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys), as: UTF8.self) + "\n"
    }
    let plain = try (0..<40).map { _ in try line(["source": "test", "text": sentence()]) }.joined()
    let chat = try (0..<40).map { _ in
      try line([
        "kind": "benign",
        "messages": [["role": "user", "content": sentence()], ["role": "assistant", "content": sentence()]],
      ])
    }.joined()
    try plain.write(toFile: folder.path + "/plain.jsonl", atomically: true, encoding: .utf8)
    try chat.write(toFile: folder.path + "/chat.jsonl", atomically: true, encoding: .utf8)
    return try files(in: folder)
  }

  /// The files of a folder by their paths in it.
  private static func files(in folder: TemporaryFolder) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) {
      files[path] = FileManager.default.contents(atPath: folder.path + "/" + path)
    }
    return files
  }

  /// Writes files that are not there yet.
  private func add(_ files: [String: Data]) throws {
    for (path, data) in files {
      let url = URL(filePath: folder.path + "/" + path)
      guard !FileManager.default.fileExists(atPath: url.path) else { continue }
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try data.write(to: url)
    }
  }

  private static let usual = """
    {"model": "tiny.gguf", "adapter": "adapter", "base_name": "tiny", "chat_name": "tiny-chat", "layer": 2,
     "corpus": [{"file": "plain.jsonl", "corpus": "plain"}, {"file": "chat.jsonl", "corpus": "chat"}],
     "tokens_per_text": 96, "seed": 3, "contexts": 8,
     "training": {"latents": 64, "k": 4, "batch": 64, "steps": 80, "learning_rate": 0.002, "norm_init_scale": 0.5, "warmup_steps": 10,
                  "decay_fraction": 0.2, "dead_after_tokens": 2000},
     "work": "work", "crosscoder": "crosscoder", "store": "tiny.crosscope"}
    """

  /// Writes the configuration, with changes to its text where asked for.
  func write(_ change: (String) -> String = { $0 }) throws {
    try change(Self.usual).write(toFile: configurationPath, atomically: true, encoding: .utf8)
  }

  /// Makes what `crosscope build` makes. For the configuration that `init` wrote it is made once in this process and
  /// copied: every run makes the same bytes (`BuildTests` runs it anew each time).
  func run() throws {
    guard try String(contentsOfFile: configurationPath, encoding: .utf8) == Self.usual else { return try runAnew() }
    try add(Self.made.get())
  }

  /// Runs `crosscope build`.
  func runAnew() throws {
    let command = try Build.parse([configurationPath])
    try command.run()
  }

  /// A finished build.
  private static let made: Result<[String: Data], any Error> = Result {
    let build = try TinyBuild()
    try build.runAnew()
    return try files(in: build.folder)
  }

  /// The ids of the most chat-specific latents that fire; the build has run.
  func livingLatents(_ count: Int) throws -> [Int] {
    let store = try Store(path: storePath, access: .readOnly)
    return Array(try store.latentIDs(matching: Filter(argument: "not dead", of: store)).prefix(count))
  }
}
