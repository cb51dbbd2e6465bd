// Where tests find the real model. Tests that need it are skipped, with a message, where it is absent.

import Foundation
import Inference

enum DemoModel {
  /// Path of SmolLM2-135M-Instruct.Q4_1.gguf, or nil.
  static let path: String? = {
    let environment = ProcessInfo.processInfo.environment
    let cache = environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
    let candidates = [environment["CROSSCOPE_MODEL"], cache + "/crosscope/SmolLM2-135M-Instruct.Q4_1.gguf"]
    return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
  }()

  static let skipped: String = "needs SmolLM2-135M-Instruct.Q4_1.gguf (scripts/fetch-model, or CROSSCOPE_MODEL)"
  static var isPresent: Bool { path != nil }
}

/// The path of a file copied into Fixtures.
func fixture(_ name: String) -> String { Bundle.module.bundlePath + "/Fixtures/" + name }
