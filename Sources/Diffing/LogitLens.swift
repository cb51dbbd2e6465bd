// The logit lens: which tokens a direction in the residual stream promotes and suppresses.
//   logits = W_U (w ⊙ d/‖d‖), w the final norm's weight; centred over the vocabulary, since softmax ignores a constant
// The product is computed block by block. Shape letters: n directions, d width, V vocabulary, F latents.

import Inference
import Kernels

/// A token with its centred logit.
public struct LensToken: Sendable, Equatable, Codable {
  public let token: Int32
  /// The logit of the unit direction minus the mean over the vocabulary.
  public let logit: Float
}

/// What the lens shows for one direction.
public struct LensReading: Sendable, Equatable, Codable {
  /// The tokens with the largest logits, the largest first.
  public var promoted: [LensToken]
  /// The tokens with the most negative logits, the most negative first.
  public var suppressed: [LensToken]
}

/// The readings of one latent. One with a single direction, in chat's place, has only that one.
public struct LatentLens: Sendable, Equatable, Codable {
  public var base: LensReading?
  public var chat: LensReading
  /// The reading of d^chat − d^base.
  public var difference: LensReading?
}

/// Computes readings through one model's final norm and unembedding.
public struct LogitLens {
  /// The caller's logits `[n, V]` of directions `[n, d]`, with the final norm's weight, without bias or normalisation.
  public typealias Logits = (Matrix) -> Matrix
  private let logits: Logits

  /// A lens whose logits the caller computes, for instance with quantised weights.
  public init(logits: @escaping Logits) { self.logits = logits }

  /// A lens from the final norm's weight `[d]` and the unembedding `[V, d]`.
  public init(finalNormWeight: [Float], unembedding: Matrix) {
    precondition(finalNormWeight.count == unembedding.columns, "the final norm has another width than the unembedding")
    self.init { directions in
      var scaled = directions
      for row in 0..<scaled.rows {
        for column in 0..<scaled.columns { scaled[row, column] *= finalNormWeight[column] }
      }
      return scaled.times(unembedding, .asStored, .transposed)
    }
  }

  /// The readings of directions `[n, d]`, each of which is first made a unit vector.
  public func readings(_ directions: Matrix, top: Int = 10) -> [LensReading] {
    var unit = directions
    for row in 0..<unit.rows {
      let norm = unit.row(row).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
      guard norm > 0 else { continue }
      for column in 0..<unit.columns { unit[row, column] = Float(Double(unit[row, column]) / norm) }
    }
    let result = logits(unit)
    precondition(
      result.rows == directions.rows, "there are logits of \(result.rows) directions, not of \(directions.rows)")
    var readings = [LensReading](repeating: LensReading(promoted: [], suppressed: []), count: result.rows)
    readings.withUnsafeMutableBufferPointer { readings in
      result.values.withUnsafeBufferPointer { values in
        inPieces(of: 4, count: result.rows) { rows in
          for row in rows {
            readings[row] = Self.reading(
              UnsafeBufferPointer(rebasing: values[row * result.columns..<(row + 1) * result.columns]), top: top)
          }
        }
      }
    }
    return readings
  }

  /// The readings of some latents' directions and, if they have two, of their difference, in blocks of 32 latents.
  /// - Parameter progress: is called with the number of latents that are done.
  public func read(
    _ decoder: DecoderRows, latents: Range<Int>, top: Int = 10, progress: (Int) -> Void = { _ in }
  ) -> [LatentLens] {
    var result: [LatentLens] = []
    for start in stride(from: latents.lowerBound, to: latents.upperBound, by: 32) {
      let block = start..<min(start + 32, latents.upperBound)
      var rows: [Float] = []
      for latent in block {
        guard let chat = decoder.direction(latent, .chat) else { preconditionFailure("every latent has a direction") }
        guard let base = decoder.direction(latent, .base) else {
          rows += chat
          continue
        }
        rows += base
        rows += chat
        rows += zip(base, chat).map { $1 - $0 }
      }
      let each = decoder.has(.base) ? 3 : 1
      let readings = readings(Matrix(rows: each * block.count, columns: decoder.dModel, values: rows), top: top)
      for first in stride(from: 0, to: readings.count, by: each) {
        result.append(
          each == 1
            ? LatentLens(chat: readings[first])
            : LatentLens(base: readings[first], chat: readings[first + 1], difference: readings[first + 2]))
      }
      progress(result.count)
    }
    return result
  }

  private static func reading(_ logits: UnsafeBufferPointer<Float>, top: Int) -> LensReading {
    let mean = Float(logits.reduce(0.0) { $0 + Double($1) } / Double(max(1, logits.count)))
    func strongest(_ sign: Float) -> [LensToken] {
      strongestIndices(logits, sign: sign, count: top).map {
        LensToken(token: Int32($0), logit: logits[$0] - mean)
      }
    }
    return LensReading(promoted: strongest(1), suppressed: strongest(-1))
  }
}
