// The layouts of the store's blobs, chosen for size: a store of 4096 latents × 20 contexts must stay below 11 MB, of
// which the index of examples by sequence takes less than 1. Reading accepts only bytes that are exactly one list.
//   ids        each number as LEB128 (7 bits a byte, low bits first, high bit = more follow)
//   positions  strictly rising numbers: the first, then the gaps to the next, as LEB128
//   shares     each value as a share of a scale ≥ its magnitude: Int16, little endian, 32767 = the scale. The error is
//              at most 1/65534 of the scale, and a value equal to the scale comes back exactly
//   scaled     a float32 scale, little endian, then the shares of it
//   floats     each value as float32, little endian
//   mask       one bit a token, low bit first; no bytes at all if no bit is set

import Foundation

enum Blob {
  /// Writes numbers 0…Int32.max as LEB128.
  static func ids(_ numbers: some Sequence<Int32>) -> Data {
    // An array of bytes is used, since Data takes far longer for each append.
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * numbers.underestimatedCount)
    for number in numbers {
      precondition(number >= 0, "an id is negative")
      append(UInt32(number), to: &bytes)
    }
    return Data(bytes)
  }

  /// Writes strictly rising numbers as gaps.
  static func positions(_ numbers: some Sequence<Int32>) -> Data {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * numbers.underestimatedCount)
    var last: Int32 = -1
    for number in numbers {
      precondition(number > last, "positions must rise")
      append(UInt32(number - last - 1), to: &bytes)
      last = number
    }
    return Data(bytes)
  }

  /// Writes values as shares of `scale`, which is at least the magnitude of each.
  static func shares(_ values: some Sequence<Float>, of scale: Float) -> Data {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * values.underestimatedCount)
    for value in values {
      precondition(abs(value) <= scale, "a value is beyond its scale")
      let share = scale == 0 ? 0 : Int16((Double(value) / Double(scale) * 32767).rounded())
      bytes.append(UInt8(truncatingIfNeeded: share))
      bytes.append(UInt8(truncatingIfNeeded: share >> 8))
    }
    return Data(bytes)
  }

  /// Writes the largest magnitude of the values and the values as shares of it; no bytes for no values.
  static func scaled(_ values: [Float]) -> Data {
    guard let scale = values.map(abs).max() else { return Data() }
    return withUnsafeBytes(of: scale.bitPattern.littleEndian) { Data($0) } + shares(values, of: scale)
  }

  /// Writes one bit for each token; no bytes if all are false.
  static func mask(_ bits: [Bool]) -> Data {
    guard bits.contains(true) else { return Data() }
    var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
    for (index, bit) in bits.enumerated() where bit { bytes[index / 8] |= 1 << (index % 8) }
    return Data(bytes)
  }

  /// Reads the numbers of `ids`; nil if the bytes end within a number or a number is above Int32.max.
  static func readIDs(_ data: Data) -> [Int32]? {
    var numbers: [Int32] = []
    numbers.reserveCapacity(data.count / 2)
    var value: UInt64 = 0
    var shift: UInt64 = 0
    for byte in data {
      value |= UInt64(byte & 0x7F) << shift
      guard value <= UInt64(Int32.max) else { return nil }
      if byte & 0x80 == 0 {
        if byte == 0, shift > 0 { return nil }  // a longer spelling of the same number
        numbers.append(Int32(value))
        value = 0
        shift = 0
      } else {
        shift += 7
        guard shift <= 28 else { return nil }
      }
    }
    return shift == 0 ? numbers : nil
  }

  /// Reads the numbers of `positions`; nil if they are not well formed or one is not below `limit`.
  static func readPositions(_ data: Data, below limit: Int) -> [Int32]? {
    guard var numbers = readIDs(data) else { return nil }
    var last = -1
    for index in numbers.indices {
      last += Int(numbers[index]) + 1
      guard last < limit else { return nil }
      numbers[index] = Int32(last)
    }
    return numbers
  }

  /// Reads the values of `shares`; nil if the length is odd or a share is beyond the scale.
  static func readShares(_ data: Data, of scale: Float) -> [Float]? {
    guard data.count.isMultiple(of: 2), scale.isFinite, scale >= 0 else { return nil }
    return data.withUnsafeBytes { bytes in
      var values: [Float] = []
      values.reserveCapacity(bytes.count / 2)
      for offset in stride(from: 0, to: bytes.count, by: 2) {
        let share = Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int16.self))
        guard share != .min else { return nil }
        values.append(Float(Double(share) / 32767 * Double(scale)))
      }
      return values
    }
  }

  /// Reads the values of `scaled`; nil if they are not well formed.
  static func readScaled(_ data: Data) -> [Float]? {
    if data.isEmpty { return [] }
    guard data.count > 4 else { return nil }
    let bits = data.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
    return readShares(data.dropFirst(4), of: Float(bitPattern: bits))
  }

  /// Writes values as they are.
  static func floats(_ values: [Float]) -> Data {
    var data = Data(capacity: 4 * values.count)
    for value in values { withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
    return data
  }

  /// Reads the values of `floats`; nil if the length does not fit or a value is not finite.
  static func readFloats(_ data: Data) -> [Float]? {
    guard data.count.isMultiple(of: 4) else { return nil }
    let values = data.withUnsafeBytes { bytes in
      (0..<data.count / 4).map {
        Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
      }
    }
    return values.allSatisfy(\.isFinite) ? values : nil
  }

  /// Reads `count` bits of a `mask`; nil if the length does not fit or a bit beyond the end is set.
  static func readMask(_ data: Data, count: Int) -> [Bool]? {
    if data.isEmpty { return [Bool](repeating: false, count: count) }
    guard data.count == (count + 7) / 8 else { return nil }
    let bytes = [UInt8](data)
    if count % 8 != 0, bytes[bytes.count - 1] >> (count % 8) != 0 { return nil }
    return (0..<count).map { bytes[$0 / 8] >> ($0 % 8) & 1 == 1 }
  }

  private static func append(_ number: UInt32, to data: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
      data.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    data.append(UInt8(rest))
  }
}
