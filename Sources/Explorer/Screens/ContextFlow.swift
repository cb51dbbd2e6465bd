// Draws the tokens of a stored context, coloured by activation, and distinguishes the chat template from the text.

import Inference
import Reports
import Storage
import TUI

/// The drawn tokens of a text. Words of the chat template (role names, line feeds) stand in ‹…›, so that they are
/// distinct without colours; control tokens are distinct by their spelling.
struct ContextFlow {
  private(set) var tokens: [FlowToken] = []
  /// For each token of the range, its index in `tokens`.
  private var places: [Int] = []
  private let start: Int

  /// - Parameters:
  ///   - range: the tokens of the sequence that may be needed.
  ///   - shortensRoles: a stretch of template in which the latent is silent becomes its role, ‹assistant›.
  init(
    _ sequence: SequenceRecord, in range: Range<Int>, activations: [Float], largest: Double,
    _ vocabulary: [Int32: TokenRecord], cursor: Int? = nil, shortensRoles: Bool
  ) {
    start = range.lowerBound
    var own = contextTokens(sequence, in: range, activations: activations, largest: largest, vocabulary)
    if let cursor, range.contains(cursor) { own[cursor - start].isSelected = true }
    var index = range.lowerBound
    while index < range.upperBound {
      guard sequence.isTemplate(index, vocabulary) else {
        add(own[index - start])
        index += 1
        continue
      }
      var end = index + 1
      while end < range.upperBound, sequence.isTemplate(end, vocabulary) { end += 1 }
      let run = own[index - start..<end - start]
      let names = sequence.tokenIDs[index..<end].map { vocabulary[$0]?.isSpecial == true }
      if shortensRoles, run.allSatisfy({ $0.level == 0 && !$0.isSelected }), let role = Self.role(Array(run), names) {
        tokens.append(FlowToken("‹\(role)›", style: .muted))
        places += run.map { _ in tokens.count - 1 }
      } else {
        add(run, bracketed: zip(run, names).contains { !$1 && !$0.text.trimmed.isEmpty })
      }
      index = end
    }
  }

  /// The index in `tokens` of a token of the sequence; a token outside of the range has the index of the nearer end.
  func place(of position: Int) -> Int {
    places.isEmpty ? 0 : places[min(max(0, position - start), places.count - 1)]
  }

  private mutating func add(_ token: FlowToken) {
    places.append(tokens.count)
    tokens.append(token)
  }

  /// Adds a stretch of template; the closing bracket comes before line feeds at its end.
  private mutating func add(_ run: ArraySlice<FlowToken>, bracketed: Bool) {
    let blanks = run.reversed().prefix { $0.text.allSatisfy(\.isWhitespace) }.count
    if bracketed { tokens.append(FlowToken("‹", style: .muted)) }
    for (offset, token) in run.enumerated() {
      if bracketed, offset == run.count - blanks { tokens.append(FlowToken("›", style: .muted)) }
      add(token)
    }
    if bracketed, blanks == 0 { tokens.append(FlowToken("›", style: .muted)) }
  }

  /// The role with which a stretch of template ends: the first line after its last control token that is not empty.
  private static func role(_ run: [FlowToken], _ isControl: [Bool]) -> String? {
    let pieces = zip(run, isControl).split { $0.1 }.map { $0.map(\.0.text).joined().trimmed }
    let role = pieces.last { !$0.isEmpty }?.split(whereSeparator: \.isNewline).first.map(String.init)
    return role.flatMap { $0.count <= 16 ? $0 : nil }
  }
}

/// A context's tokens with the steps of their activations; template and control tokens are drawn faintly.
func contextTokens(_ context: Context, _ page: LatentPage, largest: Double) -> [FlowToken] {
  contextTokens(
    context.sequence, in: context.sequence.tokenIDs.indices, activations: context.activations, largest: largest,
    page.tokens)
}

private func contextTokens(
  _ sequence: SequenceRecord, in range: Range<Int>, activations: [Float], largest: Double,
  _ vocabulary: [Int32: TokenRecord]
) -> [FlowToken] {
  zip(range, tokenTexts(Array(sequence.tokenIDs[range]), vocabulary)).map { index, text in
    FlowToken(
      text, level: FlowToken.level(Double(activations[index]), of: largest),
      style: sequence.isTemplate(index, vocabulary) ? .muted : .plain)
  }
}
