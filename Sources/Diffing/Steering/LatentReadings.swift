// The activations of some latents at the tokens that the streams of a run generate, as they are generated. They are
// read from both models' true streams before steering changes chat's, so that they are what a trace of the finished
// answer has.
// Owns: the encoder rows of those latents, the values by stream. Refuses: latents that the crosscoder does not have.

import Inference
import Kernels

/// What was read so far. One owner at a time.
final class LatentReadings {
  private let readers: [LatentReader]
  private let normLimit: Double
  private let d: Int
  /// By stream: of each token, the scaled activation of each latent.
  private(set) var values: [[[Float]]]

  /// - Throws: `DiffingError.settingInvalid` for an unknown latent.
  init(of latents: [Int], _ crosscoder: Crosscoder, streams: Int) throws(DiffingError) {
    for latent in latents where !(0..<crosscoder.nLatents).contains(latent) {
      throw .settingInvalid(
        name: Setting("latent", .interventions), expected: "0…\(crosscoder.nLatents - 1)", found: "\(latent)")
    }
    readers = latents.map { LatentReader($0, crosscoder) }
    (normLimit, d) = (crosscoder.card.normLimit, crosscoder.dModel)
    values = [[[Float]]](repeating: [], count: streams)
  }

  /// Reads the next token of a stream; 0 where codes mean nothing.
  /// - Parameters:
  ///   - chat: chat's residual stream `[d]`, unchanged.
  ///   - base: base's at the same token; nil for a dictionary that reads chat alone.
  func read(chat: UnsafePointer<Float>, base: UnsafePointer<Float>?, stream: Int) {
    let norms = [chat, base].map { $0.map { squareSum($0, count: d).squareRoot() } ?? 0 }
    let hasMeaning = norms.allSatisfy { $0 <= normLimit }
    values[stream].append(
      readers.map { hasMeaning ? Float($0.scaled($0.code(base: base, chat: chat))) : 0 })
  }
}
