// The training's log: a JSON object a step, one a line, as other tools plot them.

import Diffing
import Foundation
import Glibc
import Inference

/// Appends a line a step; a resumed run drops the lines that the saved state had not reached.
struct TrainingLog {
  private let path: String
  private let handle: FileHandle

  /// - Parameter keepingSteps: lines of an earlier run to keep.
  /// - Throws: `InferenceError.fileUnwritable`.
  init(path: String, keepingSteps steps: Int) throws {
    self.path = path
    let kept =
      steps == 0
      ? ""
      : (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").prefix(steps).map { $0 + "\n" }
        .joined()
        ?? ""
    do {
      try kept.write(toFile: path, atomically: true, encoding: .utf8)
      handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seekToEnd()
    } catch {
      throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
    }
  }

  mutating func append(_ losses: BatchTopKTrainer.Losses) throws {
    let line = Line(
      step: losses.step, loss: losses.total, reconstruction_base: losses.reconstructionBase,
      reconstruction_chat: losses.reconstructionChat, auxiliary: losses.auxiliary, fve_base: losses.fveBase,
      fve_chat: losses.fveChat, l0: losses.l0, dead: losses.dead, gradient_norm: losses.gradientNorm,
      threshold: losses.threshold, learning_rate: losses.learningRate)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    do {
      try handle.write(contentsOf: encoder.encode(line) + Data("\n".utf8))
    } catch {
      throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
    }
  }

  private struct Line: Encodable {
    let step: Int
    let loss, reconstruction_base, reconstruction_chat, auxiliary, fve_base, fve_chat, l0: Double
    let dead: Int
    let gradient_norm: Double
    let threshold: Float
    let learning_rate: Double
  }
}
