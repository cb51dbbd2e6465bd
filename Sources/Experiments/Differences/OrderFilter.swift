// Filters of the orders of tokens: what is left out of them, and which forms of a word count as one. Each is off by default.

import Diffing
import Foundation
import Inference

package enum OrderFilter: String, Codable, Sendable, CaseIterable {
  /// Leaves out tokens that are punctuation, symbols and blanks alone.
  case punctuation
  /// Leaves out the vocabulary's special tokens, such as turn markers.
  case special
  /// Counts tokens that differ in case and in the blanks around them as one, under the form with the largest weight.
  case forms
}

extension [WeightedToken] {
  /// The order after filters, the largest weight first; equal ones keep their order.
  /// - Parameter tokenizer: what tokens mean; tokens beyond its vocabulary stay.
  package func filtered(by filters: [OrderFilter], _ tokenizer: Tokenizer) -> [WeightedToken] {
    func text(_ token: WeightedToken) -> String? {
      (0..<Int32(tokenizer.vocabularySize)).contains(token.id)
        ? String(decoding: tokenizer.bytes(of: token.id), as: UTF8.self) : nil
    }
    var kept = self
    if filters.contains(.special) { kept.removeAll { text($0) != nil && tokenizer.isSpecial($0.id) } }
    if filters.contains(.punctuation) {
      kept.removeAll { token in
        // Special tokens have letters in their names, and bytes of longer letters are no punctuation.
        text(token).map { !$0.isEmpty && !$0.contains { $0.isLetter || $0.isNumber || $0 == "\u{FFFD}" } } ?? false
      }
    }
    guard filters.contains(.forms) else { return kept }
    var (merged, places): ([WeightedToken], [String: Int]) = ([], [:])
    for token in kept {
      let form = text(token)?.trimmingCharacters(in: .whitespacesAndNewlines).lowercased() ?? ""
      if !form.isEmpty, !form.contains("\u{FFFD}"), let place = places[form] {
        merged[place] = WeightedToken(id: merged[place].id, weight: merged[place].weight + token.weight)
      } else {
        if !form.isEmpty { places[form] = merged.count }
        merged.append(token)
      }
    }
    return merged.enumerated().sorted {
      $0.element.weight == $1.element.weight ? $0.offset < $1.offset : $0.element.weight > $1.element.weight
    }.map(\.element)
  }
}
