// The log of a training has one JSON object a line for each step, which other tools can plot (docs/training.md lists the
// fields). The log of a resumed run has every step once.

import Diffing
import Experiments
import Foundation
import Inference

/// A step of a training run. Fields that the method does not have are left out.
package struct TrainingLogLine: Codable, Equatable {
  /// The number of the step, from 0 on.
  package let step: Int
  /// The number of steps of the whole run.
  package var steps: Int?
  /// The number of tokens trained on so far, including this step's.
  package var tokens: Int?
  package let loss: Double
  package var reconstruction, reconstruction_base, reconstruction_chat: Double?
  package var auxiliary, sparsity: Double
  package var fve, fve_base, fve_chat: Double?
  /// The explained variance of each nested part of a Matryoshka dictionary, the smallest first.
  package var fve_levels_base, fve_levels_chat: [Double]?
  package let l0: Double
  package let dead: Int
  package let gradient_norm: Double
  package var threshold, threshold_chat: Float?
  package let learning_rate: Double
  /// Loss recovered in each model, at steps after which the state is saved and at the last.
  package var loss_recovered_base, loss_recovered_chat: Double?
}

extension TrainingLogLine {
  /// Adds loss recovered, where it was measured.
  package mutating func add(_ loss: ReconstructionLoss?) {
    loss_recovered_base = loss?.base?.loss_recovered?.value
    loss_recovered_chat = loss?.chat?.loss_recovered?.value
  }

  /// The line for a trainer's losses.
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
    if pair, !losses.levels.isEmpty {
      (fve_levels_base, fve_levels_chat) = (losses.levels.map { $0.fve[0] }, losses.levels.map { $0.fve[1] })
    }
    (l0, dead, gradient_norm) = (losses.l0, losses.dead, losses.gradientNorm)
    (threshold, threshold_chat) = (losses.thresholds.first, losses.thresholds.dropFirst().first)
    learning_rate = losses.learningRate
  }
}

/// Appends a line for each step. A resumed run first drops lines after its saved state, and a line that a kill cut
/// short.
package struct TrainingLog {
  private let path: String
  private let handle: FileHandle

  /// - Parameter keepingSteps: lines of steps below this number are kept from an earlier run.
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
