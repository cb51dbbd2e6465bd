// How strongly latents fire on a prompt before its answer begins, and how well that tells kinds of prompts apart.
//   a_j(prompt) = max of f_j n_j over the tokens of the last message and of the answer's opening
//   AUC_j = P(a_j(own) > a_j(other)) + ½ P(a_j(own) = a_j(other)),  own and other drawn from two sets of prompts
// AUC is 1 where latent j fires harder on every prompt of its own kind than on any other, and ½ where it says nothing.
//   c_j(prompt) = Σ_t f_j(t) (d_j^chat − d_j^base)·δ_t / Σ_t ‖δ_t‖²,  δ_t = h_chat − h_base over the same tokens
// c_j is the share of the models' difference on the prompt that latent j carries; the shares of all latents and the bias add up
// to what the crosscoder explains of the difference along itself.

import Inference
import Kernels

/// What latents do on one prompt; latents that do not fire are left out.
public struct PromptReading: Sendable, Equatable {
  /// a_j, in scaled units.
  public var largest: [Int: Float] = [:]
  /// c_j, which is negative where a latent works against the difference.
  public var carried: [Int: Float] = [:]
}

/// Reads prompts one after another. It has one owner at a time.
public final class PromptReader {
  private let harvester: Harvester
  private let crosscoder: Crosscoder

  /// - Throws: `DiffingError.settingInvalid` if engine, crosscoder and layer do not fit.
  public init(engine: Engine, crosscoder: Crosscoder, layer: Int) throws(DiffingError) {
    try crosscoder.checkFit(engine.model.configuration, layer: layer)
    self.crosscoder = crosscoder
    harvester = Harvester(engine: engine, layer: layer)
  }

  /// a_j and c_j of every latent that fires.
  /// - Throws: `DiffingError.file` with the error of the forward pass.
  public func read(_ prompt: RenderedChat) throws(DiffingError) -> PromptReading {
    let activations = try reading { () throws(InferenceError) in try harvester.activations(of: [prompt.ids])[0] }
    let codes = try crosscoder.encode(text: activations)
    let scaled = crosscoder.scaled(codes)
    let d = crosscoder.dModel
    var reading = PromptReading()
    var whole = 0.0
    for token in Self.start(of: prompt)..<prompt.ids.count {
      let row = activations.values[2 * d * token..<2 * d * (token + 1)]
      let delta = zip(row.suffix(d), row.prefix(d)).map { $0 - $1 }
      let entries = codes.entries(of: token)
      // Tokens of outlying norm have no codes, and would outweigh all others.
      if !entries.isEmpty { whole += delta.reduce(0) { $0 + Double($1) * Double($1) } }
      // d_j^chat·δ − d_j^base·δ is one product with a row of the decoder, of which a decoupled code adds only a part.
      let signed = delta.map { -$0 } + delta
      for entry in entries {
        let latent = Int(codes.latents[entry])
        reading.largest[latent] = max(reading.largest[latent] ?? 0, scaled[entry])
        let columns = codes.models(of: entry).columns(dModel: d)
        let start = 2 * d * latent
        let decoder = crosscoder.decoder.values[start + columns.lowerBound..<start + columns.upperBound]
        let along = zip(decoder, signed[columns]).reduce(Float(0)) { $0 + $1.0 * $1.1 }
        reading.carried[latent, default: 0] += codes.values[entry] * along
      }
    }
    reading.carried = reading.carried.mapValues { whole > 0 ? Float(Double($0) / whole) : 0 }
    return reading
  }

  /// Where the last message begins: the first token of the last run of tokens that belong to the user.
  static func start(of prompt: RenderedChat) -> Int {
    guard let end = prompt.roles.lastIndex(of: .user) else { return 0 }
    return prompt.roles[..<end].lastIndex { $0 != .user }.map { $0 + 1 } ?? 0
  }
}

/// The area under the curve of a score that should be larger for `own` than for `others`; nil where either is empty.
public func areaUnderCurve(own: [Float], others: [Float]) -> Double? {
  guard !own.isEmpty, !others.isEmpty else { return nil }
  let sorted = others.sorted()
  var sum = 0.0
  for value in own {
    // The numbers of others below the value, and up to it.
    let (below, upTo) = (sorted.partitioningIndex { $0 >= value }, sorted.partitioningIndex { $0 > value })
    sum += Double(below) + 0.5 * Double(upTo - below)
  }
  return sum / Double(own.count) / Double(others.count)
}

extension [Float] {
  /// The first index of a sorted array at which the predicate holds; the count where it holds nowhere.
  fileprivate func partitioningIndex(_ belongs: (Float) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if belongs(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
