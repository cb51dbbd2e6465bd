// Makes untrusted text safe for a terminal and measures the cells it covers. Controls, escapes, bidirectional overrides
// and other invisible characters become visible symbols. termSafe, displayWidth and Canvas share one walk over cell
// clusters, so they cannot disagree. A cluster has one base scalar: terminals and ncurses disagree on joined emoji,
// flags and variation selectors, and one disagreement shifts all later updates of the row. Widths are those of the C
// library, as in ncurses.

import CTerminal

/// A unit that covers one or two cells: a base scalar with at most three combining marks.
struct CellCluster: Equatable {
  /// The text that is sent to the terminal; never empty.
  var text: String
  /// 1 or 2.
  var width: Int
}

/// Text of a model, a corpus or a user in a form that is safe to show: controls, escapes, bidirectional and other
/// invisible characters become visible symbols, joined emoji become their first part, flags their two letters.
/// Idempotent.
public func termSafe(_ text: String) -> String {
  if isPlain(text) { return text }
  var safe = ""
  forEachCluster(of: text) { cluster in
    safe += cluster.text
    return true
  }
  return safe
}

/// The number of cells that `termSafe(text)` covers in one row.
public func displayWidth(_ text: String) -> Int {
  if isPlain(text) { return text.utf8.count }
  var width = 0
  forEachCluster(of: text) { cluster in
    width += cluster.width
    return true
  }
  return width
}

/// The longest beginning of `text` that fits `columns` cells, ending in `…` if something was cut off.
public func truncated(_ text: String, to columns: Int) -> String {
  guard columns > 0 else { return "" }
  guard displayWidth(text) > columns else { return termSafe(text) }
  var short = ""
  var width = 0
  forEachCluster(of: text) { cluster in
    guard width + cluster.width <= columns - 1 else { return false }
    short += cluster.text
    width += cluster.width
    return true
  }
  return short + "…"
}

/// Calls `body` with each cluster of `text` in its shown form, until `body` returns false.
func forEachCluster(of text: String, _ body: (CellCluster) -> Bool) {
  for character in text {
    for cluster in clusters(of: character) where !body(cluster) { return }
  }
}

/// Whether the text is printable ASCII, the usual case, which needs no work.
private func isPlain(_ text: String) -> Bool {
  text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
}

private func clusters(of character: Character) -> [CellCluster] {
  let scalars = character.unicodeScalars
  guard let base = scalars.first else { return [] }
  if base.isASCII, base.value >= 0x20, base.value < 0x7F, scalars.count == 1 {
    return [CellCluster(text: String(character), width: 1)]
  }
  let opensWithEmoji = isEmoji(base)
  var result: [CellCluster] = []
  var marks = 0
  for (index, scalar) in scalars.enumerated() {
    if index > 0, isDroppedInside(scalar) || (opensWithEmoji && isDroppedAfterEmoji(scalar)) { continue }
    if let symbol = visibleSymbol(for: scalar) ?? (result.isEmpty ? standIn(for: scalar) : nil) {
      result += symbol.unicodeScalars.map { CellCluster(text: String(Character($0)), width: 1) }
      marks = 3
      continue
    }
    let cells = width(of: scalar)
    if cells > 0 {
      result.append(CellCluster(text: String(Character(scalar)), width: cells))
      marks = 0
    } else if result.isEmpty {
      result.append(CellCluster(text: "\u{25CC}" + String(Character(scalar)), width: 1))
      marks = 1
    } else if marks < 3 {
      result[result.count - 1].text.unicodeScalars.append(scalar)
      marks += 1
    }
  }
  return result
}

private func width(of scalar: Unicode.Scalar) -> Int { Int(ct_width(scalar.value)) }

/// Whether this is an emoji of two cells; scalars joined to it in its cluster are not shown.
private func isEmoji(_ scalar: Unicode.Scalar) -> Bool {
  scalar.properties.isEmojiPresentation && width(of: scalar) == 2 && !isRegionalIndicator(scalar)
}

private func isRegionalIndicator(_ scalar: Unicode.Scalar) -> Bool { (0x1F1E6...0x1F1FF).contains(scalar.value) }

/// Whether this is a joiner, variation selector, skin tone or keycap: allowed in a cluster, but a cause of shifted
/// rows.
private func isDroppedInside(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x200C, 0x200D, 0x20E3, 0xFE00...0xFE0F, 0x1F3FB...0x1F3FF: true
  default: false
  }
}

/// The symbol for a scalar that must not reach the terminal; nil if the scalar may.
private func visibleSymbol(for scalar: Unicode.Scalar) -> String? {
  let value = scalar.value
  switch value {
  case 0x0A: return "↵"
  case 0x09: return "⇥"
  case 0x00..<0x20: return Unicode.Scalar(0x2400 + value).map { String(Character($0)) }
  case 0x7F: return "\u{2421}"
  case 0x1F1E6...0x1F1FF: return Unicode.Scalar(value - 0x1F1E6 + 0x41).map { String(Character($0)) }
  case 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0: break  // these letters and signs show nothing
  case 0x1F3FB...0x1F3FF: break  // this is a skin tone without its emoji
  default:
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .surrogate: break
    default:
      let isVariation = (0xFE00...0xFE0F).contains(value) || (0xE0100...0xE01EF).contains(value)
      if !isVariation, width(of: scalar) >= 0 { return nil }
    }
  }
  return code(of: scalar)
}

private func code(of scalar: Unicode.Scalar) -> String {
  "⟨U+" + String(scalar.value, radix: 16, uppercase: true).leftPadded(to: 4) + "⟩"
}

/// Replaces a letter of no width that has no base, such as a Korean vowel sign alone.
private func standIn(for scalar: Unicode.Scalar) -> String? {
  let category = scalar.properties.generalCategory
  let isMark = category == .nonspacingMark || category == .enclosingMark
  return width(of: scalar) > 0 || isMark ? nil : code(of: scalar)
}

/// Whether this continues an emoji: a further emoji of a joined sequence, a mark, or a tag that names a flag.
private func isDroppedAfterEmoji(_ scalar: Unicode.Scalar) -> Bool {
  width(of: scalar) == 0 || (scalar.properties.isEmoji && !scalar.isASCII) || (0xE0020...0xE007F).contains(scalar.value)
}

extension String {
  fileprivate func leftPadded(to count: Int) -> String {
    String(repeating: "0", count: max(0, count - self.count)) + self
  }
}
