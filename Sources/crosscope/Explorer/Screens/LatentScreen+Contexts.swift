// The contexts on a latent's page: by band with the peak in the middle, the contrast below them, template set apart.

import Experiments
import Reports
import Storage
import TUI

extension LatentLines {
  private static let leadWidth = 9

  // MARK: Contexts

  /// Contexts, strongest band first, with what is left out said on top.
  func contexts(width: Int) -> [PageLine] {
    guard !page.contexts.isEmpty else {
      return [
        .heading("Contexts"), PageLine([text(latent.dead ? "dead: it never fired" : "none in this store", .muted)]),
      ]
    }
    var lines: [PageLine] = []
    var band: Int?
    for (item, entry) in content.ranking.entries.enumerated() {
      if entry.band != band {
        band = entry.band
        lines.append(
          .heading((item == 0 ? "Contexts " : "") + Meaning.band(entry.band), note: item == 0 ? rankingNote : ""))
      }
      lines += contextLines(entry, item: item, width: width)
    }
    if page.contextCount > page.contexts.count {
      let counts = "\(page.contexts.count) of \(grouped(page.contextCount)) contexts were read: the store's strongest"
      lines.append(PageLine([text(counts, .muted)]))
    }
    return lines
  }

  /// Which ranking is in force and what it leaves out.
  private var rankingNote: String {
    let ranking = content.ranking
    let order: String
    if ranking.countsTemplate {
      order = state.latent.choices.ranking.countsTemplate ? "template counted" : "fires on template only"
    } else {
      order = ranking.templateOnly > 0 ? "no template, \(ranking.templateOnly) left out" : "no template"
    }
    if state.latent.choices.ranking.showsDuplicates { return order + "; copies shown" }
    return ranking.duplicates > 0 ? order + "; \(counted(ranking.duplicates, "copy", "copies")) hidden" : order
  }

  private func contextLines(_ entry: ContextRanking.Entry, item: Int, width: Int) -> [PageLine] {
    let context = page.contexts[entry.index]
    let largest =
      state.latent.choices.scale == .latent
      ? latent.maxActivation ?? Double(context.maxActivation) : Double(context.maxActivation)
    let isSelected = item == state.latent.selected
    return lines(
      context.sequence, activations: context.activations, largest: largest, focus: entry.peak, item: item,
      key: .context(entry.index), lead: fixed(Double(entry.activation), 1), width: width,
      cursor: isSelected ? state.latent.token : nil,
      place: "\(context.sequence.corpus), sequence \(context.sequence.id), peak at token \(entry.peak)",
      tokens: page.tokens)
  }

  // MARK: Contrast

  /// Contexts in which it is silent; only a heading where they are folded.
  func contrast(width: Int) -> [PageLine] {
    guard !page.contexts.isEmpty else { return [] }
    guard let contrast = state.latent.surroundings?.contrast else {
      return [.heading("Contrast", note: "reading…")]
    }
    let count = contrast.contexts.count
    guard count > 0 else { return [.heading("Contrast", note: "no other context in this store")] }
    guard LatentPageContent.showsContrast(state) else {
      return [.heading("Contrast", note: "x shows \(counted(count, "context", "contexts")) without it")]
    }
    let proven = contrast.contexts.count(where: \.isSilent)
    let note =
      proven == count
      ? "silent here" : proven == 0 ? "not among its stored contexts" : "0 silent, – not among its stored contexts"
    let first = content.ranking.entries.count
    return [.heading("Contrast", note: note)]
      + contrast.contexts.enumerated().flatMap { index, context in
        contrastLines(context, contrast.tokens, at: index, item: first + index, width: width)
      }
  }

  private func contrastLines(
    _ context: ContrastContext, _ tokens: [Int32: TokenRecord], at index: Int, item: Int, width: Int
  ) -> [PageLine] {
    var place = "\(context.sequence.corpus), sequence \(context.sequence.id)"
    if let similar = context.similar { place += ", from latent \(similar), which is similar" }
    if !context.isSilent { place += "; not among the stored contexts" }
    return lines(
      context.sequence, activations: context.sequence.tokenIDs.map { _ in 0 }, largest: 1, focus: context.focus,
      item: item, key: .contrast(index), lead: context.isSilent ? "0" : "–", width: width, cursor: nil, place: place,
      tokens: tokens)
  }

  // MARK: One context

  private func lines(
    _ sequence: SequenceRecord, activations: [Float], largest: Double, focus: Int, item: Int, key: PageItem,
    lead number: String, width: Int, cursor: Int?, place: String, tokens: [Int32: TokenRecord]
  ) -> [PageLine] {
    let isSelected = item == state.latent.selected
    let lead = text(
      (isSelected ? "›" : " ") + number.leftPadded(to: 6) + "  ", isSelected ? Style(.accent, .bold) : .muted)
    let room = max(10, width - Self.leadWidth)
    let isFolded = !state.latent.unfolded.contains(key)
    // Folded, what is far from the peak cannot show: a published context may have a thousand tokens.
    // The rest is for stretches of template, which become one word.
    let near = max(0, focus - room - 64)..<min(activations.count, focus + room + 64)
    let reach = isFolded ? near : activations.indices
    let flow = ContextFlow(
      sequence, in: reach, activations: activations, largest: largest, tokens, cursor: cursor,
      shortensRoles: isFolded)
    guard !isFolded else {
      let window = flowWindow(
        flow.tokens, around: flow.place(of: focus), width: room, asciiMarkers: state.asciiOnly)
      return [PageLine([lead] + window, item: item)]
    }
    let indent = text(String(repeating: " ", count: Self.leadWidth))
    let body = flowLines(flow.tokens, width: room, asciiMarkers: state.asciiOnly)
    return body.enumerated().map { PageLine([$0 == 0 ? lead : indent] + $1, item: item) }
      + [PageLine([indent, text(truncated(place, to: room), .muted)], item: item)]
  }
}

/// A text's tokens as they are drawn. What the chat template says in words (role names, line feeds) stands in ‹…›, so
/// that it is told from the text also without colours; control tokens are told by their own spelling.
struct ContextFlow {
  private(set) var tokens: [FlowToken] = []
  /// Where among `tokens` each token of the range is.
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

  /// Where a token of the sequence is among `tokens`; what is outside of the range is at its nearer end.
  func place(of position: Int) -> Int {
    places.isEmpty ? 0 : places[min(max(0, position - start), places.count - 1)]
  }

  private mutating func add(_ token: FlowToken) {
    places.append(tokens.count)
    tokens.append(token)
  }

  /// A stretch of template: the closing bracket comes before line feeds at its end.
  private mutating func add(_ run: ArraySlice<FlowToken>, bracketed: Bool) {
    let blanks = run.reversed().prefix { $0.text.allSatisfy(\.isWhitespace) }.count
    if bracketed { tokens.append(FlowToken("‹", style: .muted)) }
    for (offset, token) in run.enumerated() {
      if bracketed, offset == run.count - blanks { tokens.append(FlowToken("›", style: .muted)) }
      add(token)
    }
    if bracketed, blanks == 0 { tokens.append(FlowToken("›", style: .muted)) }
  }

  /// The role that a stretch of template ends with: the first line after its last control token that says anything.
  private static func role(_ run: [FlowToken], _ isControl: [Bool]) -> String? {
    let pieces = zip(run, isControl).split { $0.1 }.map { $0.map(\.0.text).joined().trimmed }
    let role = pieces.last { !$0.isEmpty }?.split(whereSeparator: \.isNewline).first.map(String.init)
    return role.flatMap { $0.count <= 16 ? $0 : nil }
  }
}

/// A context's tokens with the steps of their activations; template and control tokens recede.
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
