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

  mutating func append(_ losses: TrainingLosses) throws {
    let pair = losses.fve.count == 2
    let line = Line(
      step: losses.step, loss: losses.total, reconstruction: pair ? nil : losses.reconstruction[0],
      reconstruction_base: pair ? losses.reconstruction[0] : nil,
      reconstruction_chat: pair ? losses.reconstruction[1] : nil, auxiliary: losses.auxiliary,
      sparsity: losses.sparsity, fve: pair ? nil : losses.fve[0], fve_base: pair ? losses.fve[0] : nil,
      fve_chat: pair ? losses.fve[1] : nil, l0: losses.l0, dead: losses.dead, gradient_norm: losses.gradientNorm,
      threshold: losses.thresholds.first, threshold_chat: losses.thresholds.dropFirst().first,
      learning_rate: losses.learningRate)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    do {
      try handle.write(contentsOf: encoder.encode(line) + Data("\n".utf8))
    } catch {
      throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
    }
  }

  /// What a method does not have is left out.
  private struct Line: Encodable {
    let step: Int
    let loss: Double
    let reconstruction, reconstruction_base, reconstruction_chat: Double?
    let auxiliary, sparsity: Double
    let fve, fve_base, fve_chat: Double?
    let l0: Double
    let dead: Int
    let gradient_norm: Double
    let threshold, threshold_chat: Float?
    let learning_rate: Double
  }
}
