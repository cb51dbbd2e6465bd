import Foundation
import Testing

@testable import Storage

@Suite struct BlobTests {
  @Test func idsComeBackForAllLengthsOfTheirSpelling() {
    for shift in 0..<31 {
      for number in [Int32(1) << shift, (Int32(1) << shift) - 1, 0, .max] {
        #expect(Blob.readIDs(Blob.ids([number, 5, number])) == [number, 5, number])
      }
    }
    #expect(Blob.readIDs(Data()) == [])
  }

  @Test func positionsComeBackAndStaySmall() {
    let positions: [Int32] = [0, 1, 2, 63, 64, 1000]
    let data = Blob.positions(positions)
    #expect(data.count == 7)
    #expect(Blob.readPositions(data, below: 1001) == positions)
    #expect(Blob.readPositions(data, below: 1000) == nil)
  }

  @Test func sharesComeBackCloseAndTheScaleExactly() throws {
    var random = SeededGenerator(1)
    for _ in 0..<500 {
      let scale = Float.random(in: 0...1, using: &random) * (Bool.random(using: &random) ? 1e30 : 1e-3)
      let values = (0..<6).map { _ in Float.random(in: -scale...scale, using: &random) } + [scale, -scale, 0]
      let back = try #require(Blob.readShares(Blob.shares(values, of: scale), of: scale))
      for (value, found) in zip(values, back) { #expect(abs(value - found) <= scale / 65533) }
      #expect(back.suffix(3) == [scale, -scale, 0])
      let own = try #require(Blob.readScaled(Blob.scaled(values)))
      #expect(own == back)
    }
    #expect(Blob.readScaled(Blob.scaled([])) == [])
    #expect(Blob.readScaled(Blob.scaled([0, 0])) == [0, 0])
    #expect(Blob.readScaled(Data([0, 0, 0x80, 0x7F, 1, 0])) == nil, "an infinite scale")
    #expect(Blob.readScaled(Data([0, 0, 0x80])) == nil)
    #expect(Blob.readShares(Data([1, 2, 3]), of: 1) == nil)
    #expect(Blob.readShares(Data([0, 0x80]), of: 1) == nil, "beyond the scale")
  }

  @Test func masksComeBackForEveryLength() {
    for count in 0..<40 {
      let mask = (0..<count).map { $0 % 3 == 1 }
      #expect(Blob.readMask(Blob.mask(mask), count: count) == mask)
    }
    #expect(Blob.mask([Bool](repeating: false, count: 100)).isEmpty)
    #expect(Blob.readMask(Data([1]), count: 9) == nil)
    #expect(Blob.readMask(Data([0b1000]), count: 3) == nil, "a bit beyond the end")
  }

  @Test func malformedIDsAreRefused() {
    #expect(Blob.readIDs(Data([0x80])) == nil, "ends within a number")
    #expect(Blob.readIDs(Data([0xFF, 0xFF, 0xFF, 0xFF, 0x0F])) == nil, "above Int32.max")
    #expect(Blob.readIDs(Data([0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])) == nil, "too long")
    #expect(Blob.readIDs(Data([0x81, 0x00])) == nil, "a longer spelling of 1")
  }

  @Test func anyBytesAreReadOrRefusedWithoutTrapping() {
    var random = SeededGenerator(3)
    for _ in 0..<5000 {
      let data = Data(
        (0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
      if let ids = Blob.readIDs(data) { #expect(Blob.ids(ids) == data) }
      if let positions = Blob.readPositions(data, below: 4096) { #expect(Blob.positions(positions) == data) }
      if let values = Blob.readShares(data, of: 2.5) { #expect(Blob.shares(values, of: 2.5) == data) }
      _ = Blob.readScaled(data)
      _ = Blob.readMask(data, count: 37)
    }
  }
}
