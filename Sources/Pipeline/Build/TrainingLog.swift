// The training's log: a JSON object a step, one a line, as other tools plot them (docs/training.md lists the fields).
// Owns: the line, and that a resumed run's log has every step once. Refuses: a place that cannot be written.

import Diffing
import Experiments
import Foundation
import Inference

/// A step of a training run. What a method does not have is left out.
package struct TrainingLogLine: Codable, Equatable {
  /// Counted from 0.
  package let step: Int
  /// Of the whole run.
  package var steps: Int?
  /// Trained on so far, this step's included.
  package var tokens: Int?
  package let loss: Double
  package var reconstruction, reconstruction_base, reconstruction_chat: Double?
  package var auxiliary, sparsity: Double
  package var fve, fve_base, fve_chat: Double?
  package let l0: Double
  package let dead: Int
  package let gradient_norm: Double
  package var threshold, threshold_chat: Float?
  package let learning_rate: Double
}

extension TrainingLogLine {
  /// A line of what a trainer says.
  package init(_ losses: TrainingLosses, steps: Int, batch: Int) {
    let pair = losses.fve.count == 2
    (step, self.steps, tokens) = (losses.step, steps, (losses.step + 1) * batch)
    loss = losses.total
    reconstruction = pair ? nil : losses.reconstruction[0]
    (reconstruction_base, reconstruction_chat) =
      pair ? (losses.reconstruction[0], losses.reconstruction[1]) : (nil, nil)
    (auxiliary, sparsity) = (losses.auxiliary, losses.sparsity)
    fve = pair ? nil : losses.fve[0]
    (fve_base, fve_chat) = pair ? (losses.fve[0], losses.fve[1]) : (nil, nil)
    (l0, dead, gradient_norm) = (losses.l0, losses.dead, losses.gradientNorm)
    (threshold, threshold_chat) = (losses.thresholds.first, losses.thresholds.dropFirst().first)
    learning_rate = losses.learningRate
  }
}

/// Appends a line a step; a resumed run drops the lines that the saved state had not reached, and what a kill cut short.
package struct TrainingLog {
  private let path: String
  private let handle: FileHandle

  /// - Parameter keepingSteps: lines of an earlier run to keep: those of the steps below.
  /// - Throws: `InferenceError.fileUnwritable`.
  package init(path: String, keepingSteps steps: Int) throws {
    self.path = path
    let old = steps == 0 ? Data() : FileManager.default.contents(atPath: path) ?? Data()
    let decoder = JSONDecoder()
    var next = 0
    let kept = JSONLine.lines(old).map(\.content).filter { content in
      guard let line = try? decoder.decode(TrainingLogLine.self, from: content), line.step >= next, line.step < steps
      else { return false }
      next = line.step + 1
      return true
    }
    do {
      try Data(kept.map { $0 + Data("\n".utf8) }.joined()).write(to: URL(fileURLWithPath: path), options: .atomic)
      handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.seekToEnd()
    } catch {
      throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
    }
  }

  package mutating func append(_ line: TrainingLogLine) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    do {
      try handle.write(contentsOf: encoder.encode(line) + Data("\n".utf8))
    } catch {
      throw InferenceError.fileUnwritable(path: path, reason: error.localizedDescription)
    }
  }
}
