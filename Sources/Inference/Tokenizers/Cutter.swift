// Cuts normalized text between added tokens into the pieces within which pairs are merged. It cuts by a family's
// pattern, after an optional space in front (ByteLevel), or as Metaspace does, which writes "▁" for a space. Source:
// the library's pre_tokenizers/byte_level.rs and metaspace.rs.

/// Cuts normalized text into pieces.
struct Cutter: Sendable {
  /// When a space, or "▁", is put before a stretch of text that does not begin with it.
  enum Prefix: String, CaseIterable, Sendable { case never, first, always }

  var pattern: PreTokenizer
  var prefix = Prefix.never
  /// Whether spaces become "▁", and so does the prefix.
  var marksSpaces = false
  /// Whether every "▁" begins a piece.
  var cutsAtMarks = false

  /// Passes the pieces of `text` to `piece`, in order, with their origins.
  /// - Parameters:
  ///   - text: a stretch of normalized text, valid UTF-8.
  ///   - origin: the origin of `text`.
  func cut(
    _ text: UnsafeBufferPointer<UInt8>, origin: TextOrigin,
    _ piece: (UnsafeBufferPointer<UInt8>, TextOrigin) -> Void
  ) {
    guard !text.isEmpty else { return }
    let wanted = marksSpaces ? Normalizer.mark : Normalizer.space
    var isPrefixed = prefix == .always || prefix == .first && origin[0] == 0
    if isPrefixed {
      let start = marksSpaces && text[0] == UInt8(ascii: " ") ? Normalizer.mark : Array(text.prefix(wanted.count))
      isPrefixed = start != wanted
    }
    guard isPrefixed || marksSpaces && text.contains(UInt8(ascii: " ")) else { return split(text, origin, piece) }
    var aligned = AlignedText(text)
    if marksSpaces { aligned.replace(Normalizer.space, by: Normalizer.mark) }
    if isPrefixed { aligned.prepend(wanted) }
    aligned.bytes.withUnsafeBufferPointer { split($0, origin.through(aligned), piece) }
  }

  private func split(
    _ text: UnsafeBufferPointer<UInt8>, _ origin: TextOrigin,
    _ piece: (UnsafeBufferPointer<UInt8>, TextOrigin) -> Void
  ) {
    func give(_ range: Range<Int>) {
      guard !range.isEmpty else { return }
      piece(UnsafeBufferPointer(rebasing: text[range]), origin.from(range.lowerBound))
    }
    guard cutsAtMarks else { return pattern.split(text, give) }
    var start = 0
    for index in text.indices where PieceAlphabet.isMark(UnsafeRawBufferPointer(text), at: index) {
      give(start..<index)
      start = index
    }
    give(start..<text.count)
  }
}
