import Foundation
import TestSupport
import Testing

@testable import Inference

/// Composition against Unicode's own NormalizationTest.txt (15.0, Debian's unicode-data), of which
/// Fixtures/normalization.txt has the pairs that change, and of the regular Hangul syllables some.
@Suite struct NormalizationTests {
  static let normalizer = Normalizer(steps: [.compose])

  func composed(_ text: String) -> String {
    String(decoding: Self.normalizer.normalized(Array(text.utf8)), as: UTF8.self)
  }

  @Test func equalsUnicodesOwnTest() throws {
    let lines = try String(decoding: fixture("normalization.txt"), as: UTF8.self).split(separator: "\n")
    #expect(lines.count > 4800)
    func text(_ part: Substring) -> String {
      let scalars = part.split(separator: " ").compactMap { UInt32($0, radix: 16) }.compactMap(Unicode.Scalar.init)
      return String(String.UnicodeScalarView(scalars))
    }
    for line in lines {
      let parts = line.split(separator: ";")
      let (given, wanted) = (text(parts[0]), text(parts[1]))
      #expect(composed(given).utf8.elementsEqual(wanted.utf8), "\(line)")
      #expect(composed(wanted).utf8.elementsEqual(wanted.utf8), "\(line)")
      // Among other text, too.
      #expect(composed("a" + given + "b").utf8.elementsEqual((composed("a" + given) + "b").utf8), "\(line)")
    }
  }

  /// Every byte comes from somewhere, in order, and unchanged text from where it stands.
  @Test func saysWhereTextComesFrom() {
    for text in ["abc é日", "e\u{301}x", "x e\u{301}\u{327} y", "\u{1100}\u{1161}\u{11A8}", "\u{10041}\u{301}"] {
      let bytes = Array(text.utf8)
      var aligned = bytes.withUnsafeBufferPointer { AlignedText($0) }
      aligned.compose()
      #expect(aligned.bytes.count == aligned.origins.count)
      #expect(aligned.origins == aligned.origins.sorted() && aligned.origins.allSatisfy(bytes.indices.contains))
      if aligned.bytes == bytes { #expect(aligned.origins == Array(bytes.indices)) }
    }
    var aligned = Array("a b".utf8).withUnsafeBufferPointer { AlignedText($0) }
    aligned.replace(Array(" ".utf8), by: Array("▁".utf8))
    aligned.prepend(Array("▁".utf8))
    #expect(String(decoding: aligned.bytes, as: UTF8.self) == "▁a▁b")
    #expect(aligned.origins == [0, 0, 0, 0, 1, 1, 1, 2])
  }
}
