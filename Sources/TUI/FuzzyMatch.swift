// Matching what is typed against names, letters in order but not necessarily together, as palettes do.

/// How well the letters of `pattern` are found in `text`, in order; nil if they are not. Case is not looked at, blanks
/// of the pattern are skipped.
///
/// Letters at the start of a word and letters that follow each other count more; of equal matches the shorter text
/// wins. The best of all placements is found: cost text × pattern.
public func fuzzyScore(_ pattern: String, in text: String) -> Int? {
  let wanted = pattern.lowercased().filter { !$0.isWhitespace }.map(\.self)
  guard !wanted.isEmpty else { return 0 }
  let letters = Array(text.lowercased())
  guard letters.count >= wanted.count else { return nil }
  // best[i]: the best score of the pattern so far with its last letter on letter i.
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
