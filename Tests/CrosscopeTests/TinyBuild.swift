// A whole build on the tiny random model: configuration, corpus and paths in a temporary folder.

import Foundation
import Storage
import TestSupport
import Testing

@testable import crosscope

/// A build configuration with everything it needs beside it.
final class TinyBuild {
  let folder = TemporaryFolder()
  var configurationPath: String { folder.path + "/build.json" }
  var storePath: String { folder.path + "/tiny.crosscope" }

  init() throws {
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
    try write()
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
    let made = try Self.made.get()
    for name in ["work", "crosscoder", "tiny.crosscope"] {
      try FileManager.default.copyItem(atPath: made + "/" + name, toPath: folder.path + "/" + name)
    }
  }

  /// Runs `crosscope build`.
  func runAnew() throws {
    let command = try Build.parse([configurationPath])
    try command.run()
  }

  /// The folder of a finished build, for as long as this process runs.
  private static let made: Result<String, any Error> = Result {
    let build = try TinyBuild()
    try build.runAnew()
    let path = build.folder.path + "-made"
    try FileManager.default.moveItem(atPath: build.folder.path, toPath: path)
    atexit { if case .success(let path) = TinyBuild.made { try? FileManager.default.removeItem(atPath: path) } }
    return path
  }

  /// The ids of the most chat-specific latents that fire; the build has run.
  func livingLatents(_ count: Int) throws -> [Int] {
    let store = try Store(path: storePath, access: .readOnly)
    return try store.latentIDs(matching: Filter(argument: "not dead", of: store)).prefix(count).map(Int.init)
  }
}
