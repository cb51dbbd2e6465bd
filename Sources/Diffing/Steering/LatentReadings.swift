// The activations of some latents at the tokens that the streams of a run generate, read while they are generated. They
// come from both models' true streams, before steering changes chat's, so they equal the activations of the finished
// answer.

import Inference
import Kernels

/// The activations that were read so far. It has one owner at a time.
final class LatentReadings {
  private let readers: [LatentReader]
  private let normLimit: Double
  private let d: Int
  /// For each stream and each of its tokens, the scaled activation of each latent.
  private(set) var values: [[[Float]]]

  /// Prepares the reading of latents.
  /// - Throws: `DiffingError.settingInvalid` for a latent that the crosscoder lacks, `.codesUndefined`.
  init(of latents: [Int], _ crosscoder: Crosscoder, streams: Int) throws(DiffingError) {
    for latent in latents where !(0..<crosscoder.nLatents).contains(latent) {
      throw .settingInvalid(
        name: Setting("latent", .interventions), expected: "0…\(crosscoder.nLatents - 1)", found: "\(latent)")
    }
    readers = try latents.map { (latent) throws(DiffingError) in try LatentReader(latent, crosscoder) }
    (normLimit, d) = (crosscoder.card.normLimit, crosscoder.dModel)
    values = [[[Float]]](repeating: [], count: streams)
  }

  /// Reads the next token of a stream; the activations are 0 where codes mean nothing.
  /// - Parameters:
  ///   - chat: chat's residual stream `[d]`, unchanged.
  ///   - base: base's residual stream at the same token; nil for a dictionary that reads only chat.
  func read(chat: UnsafePointer<Float>, base: UnsafePointer<Float>?, stream: Int) {
    let norms = [chat, base].map { $0.map { squareSum($0, count: d).squareRoot() } ?? 0 }
    let hasMeaning = norms.allSatisfy { $0 <= normLimit }
    values[stream].append(
      readers.map { hasMeaning ? Float($0.scaled($0.code(base: base, chat: chat))) : 0 })
  }
}
