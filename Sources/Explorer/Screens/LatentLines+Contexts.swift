// The contexts on a latent's page: by band with the peak in the middle, then the contrast; the template is marked.

import Experiments
import Inference
import Kernels
import Reports
import Storage
import TUI

extension LatentLines {
  private static let leadWidth = 9

  // MARK: Contexts

  /// Contexts, the strongest band first, below a note on those that are left out.
  func contexts(width: Int) -> [PageLine] {
    guard !page.contexts.isEmpty else {
      return [
        .heading("Contexts"), PageLine([text(latent.dead ? "dead: it never fired" : "this store has none", .muted)]),
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

  /// The present ranking and what it leaves out.
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

  /// Contexts in which the latent is silent; if they are folded, only a heading.
  func contrast(width: Int) -> [PageLine] {
    guard !page.contexts.isEmpty else { return [] }
    guard let contrast = state.latent.surroundings?.contrast else {
      return [.heading("Contrast", note: "reading…")]
    }
    let count = contrast.contexts.count
    guard count > 0 else { return [.heading("Contrast", note: "this store has no other context")] }
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
    // In a folded context only the surroundings of the peak show: a published context may have a thousand tokens.
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
