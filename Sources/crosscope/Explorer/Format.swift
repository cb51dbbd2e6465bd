// Numbers and tokens as the screens write them. A value that was not computed is –, never 0.

import Foundation
import Storage
import TUI

/// Fixed decimals; – for a missing or non-finite value.
func fixed(_ value: Double?, _ digits: Int) -> String {
  guard let value, value.isFinite else { return "–" }
  return String(format: "%.\(digits)f", value)
}

/// Fixed decimals with a sign.
func signed(_ value: Double, _ digits: Int = 2) -> String { String(format: "%+.\(digits)f", value) }

/// At most six digits, and no more than the number has: 0.8, 1, 1e-05.
func compact(_ value: Double) -> String { String(format: "%g", value) }

/// As many digits as are needed to read the same number again: 0.02, 20, 1e-05.
func exact(_ value: Double) -> String {
  let text = "\(value)"
  return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
}

/// A share as percentage, with as many decimals as small shares need.
func percent(_ share: Double?) -> String {
  guard let share, share.isFinite else { return "–" }
  let value = share * 100
  if value == 0 { return "0%" }
  return String(format: value < 0.1 ? "%.3f%%" : value < 10 ? "%.2f%%" : "%.1f%%", value)
}

/// A count with thin groups of three: 73 728.
func grouped(_ count: Int) -> String {
  var digits = Array(String(count.magnitude))
  var at = digits.count - 3
  while at > 0 {
    digits.insert(" ", at: at)
    at -= 3
  }
  return (count < 0 ? "-" : "") + String(digits)
}

/// The texts of a token sequence: a character split over several tokens is shown by the last of them.
func tokenTexts(_ ids: [Int32], _ tokens: [Int32: TokenRecord]) -> [String] {
  var open: [UInt8] = []
  return ids.enumerated().map { index, id in
    guard let token = tokens[id] else {
      open = []
      return "⟨\(id)⟩"
    }
    open += token.bytes
    let rest = index + 1 < ids.count ? incompleteTail(open) : 0
    let text = String(decoding: open.dropLast(rest), as: UTF8.self)
    open = Array(open.suffix(rest))
    return text
  }
}

/// How many bytes at the end begin a UTF-8 character whose rest is missing.
private func incompleteTail(_ bytes: [UInt8]) -> Int {
  for back in 1...3 where back <= bytes.count {
    let byte = bytes[bytes.count - back]
    if byte & 0xC0 == 0x80 { continue }
    let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
    return length > back ? back : 0
  }
  return 0
}

/// A token in a list: blanks made visible.
func visibleToken(_ id: Int32, _ tokens: [Int32: TokenRecord]) -> String {
  visible(tokens[id]?.text ?? "⟨\(id)⟩")
}

/// A token's text in a list: blanks made visible.
func visible(_ text: String) -> String {
  text.isEmpty ? "∅" : text.replacingOccurrences(of: " ", with: "␣")
}

/// A row of small bars, one a value, scaled to the largest.
func sparkline(_ values: [Double]) -> String {
  guard let largest = values.max(), largest > 0 else { return String(repeating: " ", count: values.count) }
  let steps = Array(" ▁▂▃▄▅▆▇█")
  return String(values.map { $0 <= 0 ? " " : steps[max(1, Int(($0 / largest * 8).rounded()))] })
}

/// A row of small bars, one a value, from the least to the largest of them; flat where they are all the same.
func trend(_ values: [Double]) -> String {
  guard let least = values.min(), let largest = values.max(), (largest - least).isFinite else { return "" }
  let steps = Array("▁▂▃▄▅▆▇█")
  return String(
    values.map { largest > least ? steps[Int((($0 - least) / (largest - least) * 7).rounded())] : steps[0] })
}

/// Greek letters spelled out where only ASCII is drawn.
func plain(_ title: String, _ state: ExplorerState) -> String {
  guard state.asciiOnly else { return title }
  switch title {
  case "Δ norm": return "delta"
  case "ν^ε": return "nu_err"
  case "ν^r": return "nu_rec"
  default: return title.replacing("β", with: "beta").replacing("ε", with: "err").replacing("‖", with: "|")
  }
}

/// The signs of norms spelled in ASCII.
func plainNorms(_ text: String) -> String {
  text.replacing("‖Δh‖", with: "|dh|").replacing("‖h‖", with: "|h|")
}

/// An ISO 8601 date as `2026-11-24 21:30`.
func when(_ created: String) -> String { String(created.map { $0 == "T" ? " " : $0 }.prefix(16)) }

/// A count with its noun: "1 copy", "2 copies".
func counted(_ count: Int, _ one: String, _ several: String) -> String {
  "\(grouped(count)) \(count == 1 ? one : several)"
}

extension String {
  /// The text with blanks in front, up to a width.
  func leftPadded(to count: Int) -> String { String(repeating: " ", count: max(0, count - displayWidth(self))) + self }
  /// The text with blanks behind, up to a width.
  func rightPadded(to count: Int) -> String { self + String(repeating: " ", count: max(0, count - displayWidth(self))) }
}
