// Normalization Form C of names and texts (Unicode Standard Annex 15), by which equal ones are found again. The standard
// library's: Foundation's on Linux cuts scalars to 16 bits and leaves Hangul syllables in pieces.

@_spi(_Unicode) import Swift

extension String {
  /// The text in Normalization Form C.
  var composed: String { String(String.UnicodeScalarView(_nfc)) }
}
