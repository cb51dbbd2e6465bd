// How strongly latents fire on a prompt before its answer begins, and how well that tells kinds of prompts apart.
//   a_j(prompt) = max of f_j n_j over the tokens of the last message and of the answer's opening
//   AUC_j = P(a_j(own) > a_j(other)) + ½ P(a_j(own) = a_j(other)),  own and other drawn from two sets of prompts
// AUC is 1 where latent j fires harder on every prompt of its own kind than on any other, and ½ where it says nothing.

import Inference

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

  /// a_j of every latent that fires, in scaled units.
  /// - Throws: `DiffingError.file` with the error of the forward pass.
  public func largest(in prompt: RenderedChat) throws(DiffingError) -> [Int: Float] {
    let activations = try reading { () throws(InferenceError) in try harvester.activations(of: [prompt.ids])[0] }
    let codes = try crosscoder.encode(text: activations)
    let scaled = crosscoder.scaled(codes)
    var largest: [Int: Float] = [:]
    for token in Self.start(of: prompt)..<prompt.ids.count {
      for entry in codes.entries(of: token) {
        let latent = Int(codes.latents[entry])
        largest[latent] = max(largest[latent] ?? 0, scaled[entry])
      }
    }
    return largest
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
