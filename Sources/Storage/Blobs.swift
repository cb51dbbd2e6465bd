// The layouts of the store's blobs, chosen for size: a store of 4096 latents × 20 contexts must stay below 10 MB.
// Owns: writing and checked reading of number lists. Refuses, on reading, anything that is not exactly one list.
//   ids        each number as LEB128 (7 bits a byte, low bits first, high bit = more follow)
//   positions  strictly rising numbers: the first, then the gaps to the next, as LEB128
//   values     IEEE float32, little endian
//   mask       one bit a token, low bit first; no bytes at all if no bit is set

import Foundation

enum Blob {
  /// Numbers 0…Int32.max as LEB128.
  static func ids(_ numbers: some Sequence<Int32>) -> Data {
    var data = Data()
    for number in numbers {
      precondition(number >= 0, "a negative number in a list of ids")
      append(UInt32(number), to: &data)
    }
    return data
  }

  /// Strictly rising numbers as gaps.
  static func positions(_ numbers: some Sequence<Int32>) -> Data {
    var data = Data()
    var last: Int32 = -1
    for number in numbers {
      precondition(number > last, "positions must rise")
      append(UInt32(number - last - 1), to: &data)
      last = number
    }
    return data
  }

  /// Values as float32, little endian.
  static func values(_ numbers: some Sequence<Float>) -> Data {
    var data = Data()
    for number in numbers { withUnsafeBytes(of: number.bitPattern.littleEndian) { data.append(contentsOf: $0) } }
    return data
  }

  /// One bit a token; empty if all are false.
  static func mask(_ bits: [Bool]) -> Data {
    guard bits.contains(true) else { return Data() }
    var bytes = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
    for (index, bit) in bits.enumerated() where bit { bytes[index / 8] |= 1 << (index % 8) }
    return Data(bytes)
  }

  /// The numbers of `ids`; nil if the bytes end within a number or a number is above Int32.max.
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

  /// The numbers of `positions`; nil if they are not well formed or one is not below `limit`.
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

  /// The numbers of `values`; nil if the length is not a multiple of 4 or a number is not finite.
  static func readValues(_ data: Data) -> [Float]? {
    guard data.count.isMultiple(of: 4) else { return nil }
    var numbers: [Float] = []
    numbers.reserveCapacity(data.count / 4)
    let ok = data.withUnsafeBytes { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 4) {
        let bits = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        let number = Float(bitPattern: bits)
        guard number.isFinite else { return false }
        numbers.append(number)
      }
      return true
    }
    return ok ? numbers : nil
  }

  /// `count` bits of a `mask`; nil if the length does not fit or a bit beyond the end is set.
  static func readMask(_ data: Data, count: Int) -> [Bool]? {
    if data.isEmpty { return [Bool](repeating: false, count: count) }
    guard data.count == (count + 7) / 8 else { return nil }
    let bytes = [UInt8](data)
    if count % 8 != 0, bytes[bytes.count - 1] >> (count % 8) != 0 { return nil }
    return (0..<count).map { bytes[$0 / 8] >> ($0 % 8) & 1 == 1 }
  }

  private static func append(_ number: UInt32, to data: inout Data) {
    var rest = number
    while rest >= 0x80 {
      data.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    data.append(UInt8(rest))
  }
}
