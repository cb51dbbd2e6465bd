// The shell's completion as bash runs it: stores for every command that takes one, orders for --sort.

import Foundation
import TestSupport
import Testing

@testable import crosscope

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"), "bash is not installed"))
struct ShellCompletionTests {
  let folder = TemporaryFolder()

  /// What bash offers for the last of some words.
  private func offered(_ words: [String]) throws -> [String] {
    let script = folder.path + "/completion.bash"
    if !FileManager.default.fileExists(atPath: script) {
      try Program.run(["--generate-completion-script", "bash"]).out.write(
        toFile: script, atomically: true, encoding: .utf8)
    }
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.currentDirectoryURL = URL(filePath: folder.path)
    process.arguments =
      [
        "--norc", "-c",
        """
        source completion.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        _crosscope crosscope "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
        """, "bash", "crosscope",
      ] + words
    let out = Pipe()
    process.standardOutput = out
    try process.run()
    let data = out.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
  }

  @Test(arguments: [
    "activations", "calibrate", "causal", "causal-check", "check", "experiments", "explain", "explore", "export",
    "import",
    "latents", "rerun", "serve", "show", "steer", "tag", "tags",
  ])
  func everyCommandThatTakesAStoreOffersStores(command: String) throws {
    for name in ["some.crosscope", "some.txt"] { try Data().write(to: URL(filePath: folder.path + "/" + name)) }
    #expect(try offered([command, "so"]) == ["some.crosscope"])
  }

  @Test(arguments: [["latents", "x", "--sort"], ["latents", "x", "--then"], ["explore", "--sort"]])
  func ordersAreOffered(words: [String]) throws {
    #expect(try offered(words + ["nu"]).sorted() == ["nu-error", "nu-reconstruction"])
  }
}
