// Replacements for characters on terminals that show ASCII only. A symbol becomes one that looks alike, a letter
// becomes the letters of its name, so that text in any script stays text. Other characters become `*`, or `[]` if they
// cover two cells; `?` is not used, since it would look like a question.

/// Returns ASCII of the same width: one character, or two for a wide cluster.
func asciiLikeness(of cluster: CellCluster) -> String {
  guard let scalar = cluster.text.unicodeScalars.first else { return String(repeating: " ", count: cluster.width) }
  let name = letterName(scalar)
  if cluster.width == 2 {
    // A syllable becomes its first two letters: か becomes ka.
    guard let name, !scalar.properties.isIdeographic else { return "[]" }
    return name.count == 1 ? name + " " : String(name.prefix(2))
  }
  return symbol(scalar) ?? name.map { String($0.prefix(1)) } ?? "*"
}

/// The letter's own name, which ends its Unicode name: nu for GREEK SMALL LETTER NU, e for LATIN SMALL LETTER E WITH
/// ACUTE. Names such as er, with a vowel before the sound, give r.
private func letterName(_ scalar: Unicode.Scalar) -> String? {
  guard scalar.properties.isAlphabetic, let name = scalar.properties.name else { return nil }
  let words = name.split(separator: " ")
  guard let kind = words.lastIndex(where: { ["LETTER", "SYLLABLE", "LIGATURE", "FINAL", "SHORT"].contains($0) }),
    kind + 1 < words.count
  else { return nil }
  var own = String(words[kind + 1])
  let isVowel = own.map { "AEIOUY".contains($0) }
  if isVowel == [true, false] { own.removeFirst() }
  return words.contains("CAPITAL") ? own : own.lowercased()
}

private func symbol(_ scalar: Unicode.Scalar) -> String? {
  switch scalar {
  case "█", "▉", "▊", "▋", "■": "#"
  case "▌", "▍", "▎", "▏": "="
  case "▁", "▂": "."
  case "▃", "▄": ":"
  case "▅", "▆": "+"
  case "▇": "*"
  case "─", "━", "–", "—", "‐", "−": "-"
  case "│", "┃", "‖": "|"
  case "┌", "┐", "└", "┘", "├", "┤", "┬", "┼", "±": "+"
  case "›", "▸", "▶", "→", "⟩", "≥", "»": ">"
  case "‹", "◂", "◀", "←", "⟨", "≤", "«": "<"
  case "▲", "↑": "^"
  case "▼", "↓": "v"
  case "●", "•", "✓": "*"
  case "○", "°": "o"
  case "·": "."
  case "…", "≈": "~"
  case "␣": "_"
  case "∅": "0"
  case "²": "2"
  case "³": "3"
  case "↵": "$"
  case "⇥": ">"
  case "×", "✗": "x"
  case "“", "”", "„": "\""
  case "‘", "’": "'"
  case "\u{A0}": " "
  case "¿": "?"
  case "¡": "!"
  default: nil
  }
}
