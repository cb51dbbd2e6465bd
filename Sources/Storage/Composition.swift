// Brings names and texts into Normalization Form C (Unicode Standard Annex 15), so that equal ones are found again. The
// standard library does it: Foundation on Linux cuts scalars to 16 bits and leaves Hangul syllables in pieces.

@_spi(_Unicode) import Swift

extension String {
  /// The text in Normalization Form C.
  var composed: String { String(String.UnicodeScalarView(_nfc)) }
}
