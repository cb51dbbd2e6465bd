import Testing

@testable import TUI

/// A generator with a fixed seed, so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Text that mixes letters with everything that troubles terminals.
  mutating func text(_ count: Int) -> String {
    let troubles: [ClosedRange<UInt32>] = [
      0...0x1F, 0x7F...0x9F, 0x20...0x7E, 0x300...0x36F, 0x590...0x6FF, 0x900...0x97F, 0x1100...0x11FF, 0x200B...0x200F,
      0x2028...0x202E, 0x2060...0x2069, 0x3040...0x30FF, 0x4E00...0x4EFF, 0xFE00...0xFE0F, 0xFF00...0xFFEF,
      0x1F1E6...0x1F1FF, 0x1F3FB...0x1F3FF, 0x1F400...0x1F64F, 0xE0000...0xE007F, 0...0x10FFFF,
    ]
    var view = String.UnicodeScalarView()
    while view.count < count {
      let range = troubles[Int.random(in: 0..<troubles.count, using: &self)]
      if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &self)) { view.append(scalar) }
    }
    return String(view)
  }
}

@Suite struct TermSafeTests {
  @Test func plainTextPassesUnchanged() {
    #expect(termSafe("What is your name? ~!{}") == "What is your name? ~!{}")
    #expect(termSafe("Grüße, 漢字, שלום, Привет") == "Grüße, 漢字, שלום, Привет")
    #expect(termSafe("") == "")
  }

  @Test(arguments: [
    ("\n", "↵"), ("\t", "⇥"), ("\r\n", "\u{240D}↵"), ("\0", "\u{2400}"), ("\u{7F}", "\u{2421}"),
    ("\u{1B}[31mred", "\u{241B}[31mred"), ("\u{9B}2J", "⟨U+009B⟩2J"), ("a\u{202E}b", "a⟨U+202E⟩b"),
    ("\u{2066}x\u{2069}", "⟨U+2066⟩x⟨U+2069⟩"), ("\u{FEFF}", "⟨U+FEFF⟩"), ("a\u{200B}b", "a⟨U+200B⟩b"),
    ("\u{2028}", "⟨U+2028⟩"), ("x\u{E0041}", "x⟨U+E0041⟩"), ("\u{FFFD}", "\u{FFFD}"), ("\u{3164}", "⟨U+3164⟩"),
    ("\u{378}", "⟨U+0378⟩"), ("\u{10FFFF}", "⟨U+10FFFF⟩"),
  ])
  func dangerousAndInvisibleCharactersBecomeSymbols(input: String, shown: String) {
    #expect(termSafe(input) == shown)
  }

  @Test(arguments: [
    ("👩‍👩‍👧", "👩", 2), ("👍🏽", "👍", 2), ("🇩🇪", "DE", 2), ("❤\u{FE0F}", "❤", 1), ("1\u{FE0F}\u{20E3}", "1", 1),
    ("e\u{301}", "e\u{301}", 1), ("\u{301}", "\u{25CC}\u{301}", 1), ("か\u{3099}", "か\u{3099}", 2),
    ("e\u{301}\u{302}\u{303}\u{304}\u{305}", "e\u{301}\u{302}\u{303}", 1), ("漢", "漢", 2), ("नि", "नि", 2),
  ])
  func aClusterIsOneBaseScalarWithItsMarks(input: String, shown: String, width: Int) {
    #expect(Array(termSafe(input).unicodeScalars) == Array(shown.unicodeScalars))
    #expect(displayWidth(input) == width)
  }

  @Test func itIsIdempotentAndWidthIsThatOfTheResult() {
    var generator = SeededGenerator(seed: 1)
    for _ in 0..<2000 {
      let text = generator.text(12)
      let once = termSafe(text)
      #expect(termSafe(once) == once, "\(Array(text.unicodeScalars))")
      #expect(displayWidth(once) == displayWidth(text))
      #expect(!once.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
      #expect(!once.unicodeScalars.contains { $0.properties.isBidiControl })
    }
  }

  @Test func truncationFitsAndShowsThatItCut() {
    #expect(truncated("refusal", to: 7) == "refusal")
    #expect(truncated("refusal", to: 6) == "refus…")
    #expect(truncated("漢字", to: 3) == "漢…")
    #expect(truncated("漢字", to: 2) == "…")
    #expect(truncated("x", to: 0) == "")
    var generator = SeededGenerator(seed: 2)
    for width in 0..<30 { #expect(displayWidth(truncated(generator.text(20), to: width)) <= width) }
  }
}
