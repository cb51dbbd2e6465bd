// Runs activations of any shape through a dictionary on disk: [N, d] for one that reads one vector of a token, [N, H, d] for
// one that reads H places, [N, 2, d] for a pair, of which an SAE reads its model's half or chat − base.
// Shape letters: N tokens, H places, F latents, d width.

import Inference
import Kernels

/// What a dictionary makes of activations, as tensors.
public struct EncodedActivations: Sendable {
  /// Raw codes: `[N, F]`, or `[N, H, F]` where each place has its own.
  public let f: [Float]
  public let codesShape: [Int]
  /// Codes times decoder norms: `[N, F]`, or `[N, H, F]`.
  public let scaled: [Float]
  public let scaledShape: [Int]
  /// The reconstruction, in the shape of the activations.
  public let reconstruction: [Float]
  /// Whether the tokens were one batch, whose largest codes were kept.
  public var isOneBatch = false
  /// Whether the reconstruction is of another place than the activations.
  public var predictsOther = false
  /// The mean norms by which the inputs were scaled, base's and chat's, if the files leave them open.
  public var meanNorms: [Double]?
}

extension CrosscoderFile {
  /// Encodes activations and decodes the codes.
  /// - Throws: `DiffingError.shapeMismatch` for activations of another shape, `.notFinite` naming the token, and the
  ///   errors of reading the dictionary.
  public func encode(_ x: [Float], shape: [Int]) throws(DiffingError) -> EncodedActivations {
    if let dictionary = try headed() { return try Self.encode(x, shape, dictionary) }
    let isFlat = target != .pair && shape.count == 2
    try Self.require(shape, isFlat ? [dModel] : [2, dModel])
    let pairs = PairedActivations(dModel: dModel, values: isFlat ? widened(x) : x)
    let input = isFlat ? pairs : inPlace(pairs)
    var crosscoder = try crosscoder()
    var norms: [Double]?
    if crosscoder.card.inputScaling != nil, crosscoder.normaliser == nil {
      norms = input.meanNorms
      crosscoder = try crosscoder.scalingInputs(meanNorms: input.meanNorms)
    }
    let codes = try crosscoder.encode(input)
    let decoded = crosscoder.decode(codes, of: input)
    let flat = [input.tokens, nLatents]
    var result = EncodedActivations(
      f: codes.selections == nil ? codes.dense() : codes.denseByModel(),
      codesShape: codes.selections == nil ? flat : [input.tokens, 2, nLatents],
      scaled: codes.dense(crosscoder.scaled(codes)), scaledShape: flat,
      reconstruction: isFlat ? narrowed(decoded) : inPlace(decoded).values)
    (result.predictsOther, result.meanNorms) = (crosscoder.readsElsewhere != nil, norms)
    return result
  }

  private static func encode(
    _ x: [Float], _ shape: [Int], _ dictionary: HeadedDictionary
  ) throws(DiffingError) -> EncodedActivations {
    let (H, d) = (dictionary.heads.count, dictionary.dModel)
    let isFlat = H == 1 && shape.count == 2
    try require(shape, isFlat ? [d] : [H, d])
    let codes = try dictionary.encode(x)
    let codesShape = isFlat ? [shape[0], dictionary.nLatents] : [shape[0], H, dictionary.nLatents]
    var result = EncodedActivations(
      f: dictionary.dense(codes), codesShape: codesShape, scaled: dictionary.denseScaled(codes),
      scaledShape: codesShape, reconstruction: dictionary.decode(codes, of: x))
    result.isOneBatch = dictionary.ranksBatch
    return result
  }

  private static func require(_ shape: [Int], _ expected: [Int]) throws(DiffingError) {
    guard !shape.isEmpty, Array(shape.dropFirst()) == expected else {
      throw .shapeMismatch(
        path: "activations", tensor: "x", expected: [shape.first ?? 0] + expected, found: shape)
    }
  }

  /// The activations of a pair, or a reconstruction. For an SAE of base, which takes chat's place, the halves are
  /// exchanged.
  public func inPlace(_ x: PairedActivations) -> PairedActivations {
    guard target == .base else { return x }
    let d = x.dModel
    var result = x
    for token in 0..<x.tokens {
      for model in PairModel.allCases {
        let (from, to) = ((2 * token + model.index) * d, (2 * token + 1 - model.index) * d)
        result.values.replaceSubrange(to..<to + d, with: x.values[from..<from + d])
      }
    }
    return result
  }

  /// `[N, 2, d]` of what a dictionary of one vector reads, `[N, d]`: in chat's place, or in base's for base − chat.
  private func widened(_ x: [Float]) -> [Float] {
    var result = [Float](repeating: 0, count: 2 * x.count)
    for index in x.indices { result[(2 * (index / dModel) + (isTurned ? 0 : 1)) * dModel + index % dModel] = x[index] }
    return result
  }

  /// The reconstruction `[N, d]` of what such a dictionary reads.
  private func narrowed(_ x: PairedActivations) -> [Float] {
    (0..<x.tokens).flatMap { x.vector(token: $0, model: .chat).map { isTurned ? -$0 : $0 } }
  }
}
