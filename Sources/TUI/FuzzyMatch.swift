// Matches typed letters with names, as palettes do: the letters keep their order but need not be adjacent.

/// How well the letters of `pattern` match `text`, in order; nil if they do not. Case and blanks of the pattern do not
/// count.
///
/// Letters at the start of a word and adjacent letters score more; of equal matches the shorter text wins. All
/// placements are tried, at a cost of text × pattern.
public func fuzzyScore(_ pattern: String, in text: String) -> Int? {
  let wanted = pattern.lowercased().filter { !$0.isWhitespace }.map(\.self)
  guard !wanted.isEmpty else { return 0 }
  let letters = Array(text.lowercased())
  guard letters.count >= wanted.count else { return nil }
  // best[i] is the best score of the pattern so far with its last letter on letter i.
  var best = [Int?](repeating: nil, count: letters.count)
  for (place, letter) in wanted.enumerated() {
    var next = [Int?](repeating: nil, count: letters.count)
    var before: Int? = place == 0 ? 0 : nil
    for index in letters.indices {
      if letters[index] == letter {
        let startsWord = index == 0 || !(letters[index - 1].isLetter || letters[index - 1].isNumber)
        let bonus = startsWord ? 8 : 1
        let together = index > 0 ? best[index - 1].map { $0 + 6 + bonus } : nil
        next[index] = [before.map { $0 + bonus }, place > 0 ? together : nil].compactMap(\.self).max()
      }
      if place > 0, let score = best[index] { before = max(before ?? score, score) }
    }
    best = next
  }
  return best.compactMap(\.self).max().map { $0 * 100 - min(99, letters.count) }
}
