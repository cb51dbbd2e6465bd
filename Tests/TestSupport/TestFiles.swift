// Files for the tests: temporary ones, fixtures, and the real model where it is present.
import Foundation
import Testing

/// A folder that goes when the object goes.
public final class TemporaryFolder {
  public let path: String

  public init() {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("crosscope-\(UUID().uuidString)").path
    try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  public func file(_ name: String, _ bytes: [UInt8]) throws -> String {
    let path = self.path + "/" + name
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  public var names: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }
}

/// The model that parity tests need: CROSSCOPE_MODEL, else the cache that `make test` fills.
public enum RealModel {
  public static let path: String? = {
    let environment = ProcessInfo.processInfo.environment
    let name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    let candidates = [
      environment["CROSSCOPE_MODEL"],
      environment["CROSSCOPE_CACHE"].map { $0 + "/" + name },
      environment["XDG_CACHE_HOME"].map { $0 + "/crosscope/" + name },
      NSHomeDirectory() + "/.cache/crosscope/" + name,
    ]
    return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
  }()

  /// Gemma 3, for tests of its tokenizer: CROSSCOPE_GEMMA, else the cache.
  public static let gemma: String? = {
    let environment = ProcessInfo.processInfo.environment
    let cache = environment["CROSSCOPE_CACHE"] ?? NSHomeDirectory() + "/.cache/crosscope"
    let candidates = [environment["CROSSCOPE_GEMMA"], cache + "/gemma-3-270m-Q4_K_M.gguf"]
    return candidates.compactMap { $0 }.first { FileManager.default.fileExists(atPath: $0) }
  }()

  public static let gemmaMissing: Comment = "Gemma 3 is absent: set CROSSCOPE_GEMMA to gemma-3-270m-Q4_K_M.gguf"

  public static let missing: Comment = "the model is absent: run scripts/fetch-model, or set CROSSCOPE_MODEL"
}

/// A small seeded generator, so that a failing case can be repeated.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  public init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
  public mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state &* 0x2545_F491_4F6C_DD1D
  }
}
