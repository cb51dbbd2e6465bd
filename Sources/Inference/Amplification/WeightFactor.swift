// Which part of the change that turns base into chat counts how much: W = W₀ + λ (W_chat − W₀), with λ by block and
// module. A list of factors says it in a few words, in options, requests and saved runs alike.

/// The two halves of a decoder block, each with the norms that belong to it.
public enum BlockModule: String, Sendable, Codable, CaseIterable {
  case attention, mlp
}

/// λ for some of a model's weights: 0 is base, 1 is chat; below 0 and above 1 are allowed.
public struct WeightFactor: Sendable, Hashable {
  /// λ.
  public var factor: Double
  /// The blocks, counted from 0; nil means all weights, with those outside of the blocks.
  public var blocks: ClosedRange<Int>?
  /// The half of the blocks; nil means both.
  public var module: BlockModule?

  public init(_ factor: Double, blocks: ClosedRange<Int>? = nil, module: BlockModule? = nil) {
    (self.factor, self.blocks, self.module) = (factor, blocks, module)
  }

  /// The factor with its distance from chat, λ − 1, multiplied: 0 gives chat.
  public func scaled(by strength: Double) -> WeightFactor {
    WeightFactor(1 + strength * (factor - 1), blocks: blocks, module: module)
  }
}

extension WeightFactor: Codable {
  public init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["factor", "blocks", "module"])
    let ends: [Int]? = try fields.value("blocks")
    if let ends, ends.count != 2 || ends[0] < 0 || ends[0] > ends[1] {
      throw fields.invalid("blocks", "expected the first and the last block, counted from 0")
    }
    self.init(
      try fields.required("factor"), blocks: ends.map { $0[0]...$0[1] }, module: try fields.choice("module"))
  }

  public func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: FieldName.self)
    try fields.write(factor, "factor")
    if let blocks { try fields.write([blocks.lowerBound, blocks.upperBound], "blocks") }
    if let module { try fields.write(module, "module") }
  }
}
