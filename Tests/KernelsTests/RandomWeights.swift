// Random weights in a GGUF file's layout, and their values by a naive reading of the format, one at a time.

@testable import Kernels

struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func float() -> Float { Float.random(in: -1...1, using: &self) }
  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }
}

/// Blocks of random bytes whose scales are small numbers.
struct RandomWeights {
  var bytes: [UInt8] = []
  var values: [Double] = []

  init(_ type: WeightType, rows: Int, columns: Int, using generator: inout SplitMix) {
    for _ in 0..<rows * (columns / type.blockColumns) {
      let block = Self.block(type, &generator)
      bytes += block
      values += Self.values(type, block)
    }
  }

  private static func block(_ type: WeightType, _ generator: inout SplitMix) -> [UInt8] {
    var block = (0..<type.blockBytes).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    func put(_ value: Float, at offset: Int) {
      let bits = Float16(value).bitPattern
      block[offset] = UInt8(bits & 255)
      block[offset + 1] = UInt8(bits >> 8)
    }
    switch type {
    case .f32: withUnsafeBytes(of: generator.float()) { block = Array($0) }
    case .bf16: block[1] = UInt8(generator.float().bitPattern >> 24)
    case .f16: put(generator.float(), at: 0)
    case .q6_K: put(generator.float() / 2048, at: 208)
    case .q4_1, .q5_1, .q4_K, .q5_K:
      let isSuper = type.blockColumns == 256
      put(generator.float() / (isSuper ? 512 : 16), at: 0)
      put(generator.float() / (isSuper ? 64 : 1), at: 2)
    case .q4_0, .q5_0, .q8_0: put(generator.float() / (type == .q8_0 ? 128 : 16), at: 0)
    }
    return block
  }

  /// The values of a block, as the GGUF specification describes each type.
  static func values(_ type: WeightType, _ b: [UInt8]) -> [Double] {
    func half(_ at: Int) -> Double { Double(Float16(bitPattern: UInt16(b[at]) | UInt16(b[at + 1]) << 8)) }
    func nibble(_ at: Int, _ i: Int) -> Int { i < 16 ? Int(b[at + i] & 15) : Int(b[at + i - 16] >> 4) }
    func bit(_ at: Int, _ i: Int) -> Int { Int(b[at + i / 8] >> (i % 8)) & 1 }
    /// Scale or minimum of sub-block i: 6 bits; the upper two of the last four are in the top of the first eight bytes.
    func six(_ i: Int, minimum: Bool) -> Double {
      let s = Array(b[4..<16])
      let first = minimum ? 4 : 0
      if i < 4 { return Double(s[first + i] & 63) }
      let low = minimum ? s[4 + i] >> 4 : s[4 + i] & 15
      return Double(low | (s[first + i - 4] >> 6) << 4)
    }
    switch type {
    case .f32: return [Double(b.withUnsafeBytes { $0.loadUnaligned(as: Float.self) })]
    case .bf16: return [Double(Float(bitPattern: UInt32(b[0]) << 16 | UInt32(b[1]) << 24))]
    case .f16: return [half(0)]
    case .q4_0: return (0..<32).map { half(0) * Double(nibble(2, $0) - 8) }
    case .q4_1: return (0..<32).map { half(0) * Double(nibble(4, $0)) + half(2) }
    case .q5_0: return (0..<32).map { half(0) * Double(nibble(6, $0) + 16 * bit(2, $0) - 16) }
    case .q5_1: return (0..<32).map { half(0) * Double(nibble(8, $0) + 16 * bit(4, $0)) + half(2) }
    case .q8_0: return (0..<32).map { half(0) * Double(Int8(bitPattern: b[2 + $0])) }
    case .q4_K, .q5_K:
      return (0..<256).map { i in
        let byte = b[(type == .q4_K ? 16 : 48) + i / 64 * 32 + i % 32]
        var q = Int(i % 64 < 32 ? byte & 15 : byte >> 4)
        if type == .q5_K { q += 16 * (Int(b[16 + i % 32] >> (i / 32)) & 1) }
        return half(0) * six(i / 32, minimum: false) * Double(q) - half(2) * six(i / 32, minimum: true)
      }
    case .q6_K:
      return (0..<256).map { i in
        let (part, within) = (i / 128, i % 128)
        let low = b[part * 64 + within % 64] >> (within < 64 ? 0 : 4) & 15
        let high = b[128 + part * 32 + within % 32] >> (within / 32 * 2) & 3
        return half(208) * Double(Int8(bitPattern: b[192 + i / 16])) * Double(Int(low | high << 4) - 32)
      }
    }
  }
}
