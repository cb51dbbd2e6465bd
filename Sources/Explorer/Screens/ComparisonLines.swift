// Makes the lines of two latents side by side.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// Makes the lines.
struct ComparisonLines {
  private let pages: [LatentPage]
  private let state: ExplorerState
  private let width: Int
  private let column: Int

  private static let gap = 2
  /// The largest number of shown contexts for each latent, and for both.
  private static let mostContexts = 8

  init(_ first: LatentPage, _ second: LatentPage, _ state: ExplorerState) {
    pages = [first, second]
    self.state = state
    width = state.body.columns - 2
    column = (width - Self.gap) / 2
  }

  var lines: [PageLine] { head + metrics + directions + lens + sharedContexts + ownContexts }

  private func text(_ text: String, _ style: Style = .plain) -> FlowSpan { FlowSpan(text: text, style: style) }

  /// The lines of both latents beside each other; the shorter side ends in blanks.
  private func beside(_ make: (LatentPage) -> [FlowLine]) -> [PageLine] {
    PageLine.beside(make(pages[0]), make(pages[1]), column: column, gap: Self.gap)
  }

  // MARK: Head and metrics

  private var head: [PageLine] {
    beside { page in
      let name = "\(page.latent.id)"
      let rank = page.latent.chatSpecificity.map { "  rank \($0)" } ?? ""
      let tags =
        page.tags.isEmpty
        ? FlowToken("no tags", style: .muted) : FlowToken(page.tags.joined(separator: ", "), style: Style(.tag, .bold))
      let note = FlowToken(page.note ?? page.summary ?? "")
      return [[text(name, Style(.accent, .bold)), text("  \(page.latent.latentClass.rawValue)\(rank)", .muted)]]
        + flowLines([tags], width: column) + flowLines([note], width: column)
    }
  }

  private var metrics: [PageLine] {
    let columns: [(String, LatentColumn, Int)] = [
      ("Δ norm", .deltaNorm, 2), ("ν^ε", .nuError, 2), ("ν^r", .nuReconstruction, 2), ("cosine", .cosBaseChat, 2),
      ("max activation", .maxActivation, 1), ("mean activation", .meanActivation, 1), ("frequency", .frequency, -1),
      ("in plain text", .frequencyPlain, -1), ("in chats", .frequencyChat, -1), ("template share", .templateShare, -1),
    ]
    let names = pages.map { "\($0.latent.id)".leftPadded(to: 12) }.joined()
    let title = PageLine([text("".rightPadded(to: 17) + names, .muted), text("difference".leftPadded(to: 14), .muted)])
    return [.heading("Metrics", note: "difference: left − right"), title]
      + columns.map { name, column, digits in
        let values = pages.map { $0.latent[column] }
        func written(_ value: Double?) -> String { digits < 0 ? percent(value) : fixed(value, digits) }
        var difference = "–"
        if let first = values[0], let second = values[1] {
          difference = (first < second ? "−" : "+") + written(abs(first - second))
        }
        return PageLine([
          text(plain(name, state).rightPadded(to: 17), .muted),
          text(values.map { written($0).leftPadded(to: 12) }.joined()), text(difference.leftPadded(to: 14)),
        ])
      }
  }

  /// Cosines, if one of the two is among the other's most similar latents.
  private var directions: [PageLine] {
    let known = zip(pages, pages.reversed()).flatMap { page, other in
      page.neighbours.filter { $0.other == other.latent.id }
    }
    let lines = NeighbourKind.allCases.compactMap { kind in
      known.first { $0.kind == kind }.map {
        PageLine([text("cos \(fixed($0.cosine, 2))  "), text(truncated(kind.meaning, to: width - 12), .muted)])
      }
    }
    let none = PageLine([text("neither is among the other's most similar: the store has no cosine", .muted)])
    return [.heading("Directions")] + (lines.isEmpty ? [none] : lines)
  }

  private var lens: [PageLine] {
    guard pages.contains(where: { !$0.logits.isEmpty }) else { return [] }
    return [.heading("Logit lens", note: "tokens that the directions promote, suppress")]
      + LensRow.all.flatMap { row in
        beside { row.lines($0, width: column, isWhole: state.latent.choices.showsWholeLens) }
      }
  }

  // MARK: Contexts

  /// Contexts that the store has for both, with each latent's activations on a line of its own and the text aligned.
  private var sharedContexts: [PageLine] {
    let second = Dictionary(
      pages[1].contexts.map { ($0.sequence.id, $0) }, uniquingKeysWith: { first, _ in first })
    let shared = pages[0].contexts.compactMap { context in second[context.sequence.id].map { (context, $0) } }
    guard !shared.isEmpty else { return [.heading("Contexts of both", note: "this store has none")] }
    let common = shared.reduce(0) { count, pair in
      count + Set(pair.0.example.positions).intersection(pair.1.example.positions).count
    }
    let note = counted(shared.count, "text", "texts") + ", " + counted(common, "common token", "common tokens")
    return [.heading("Contexts of both", note: note)]
      + shared.prefix(Self.mostContexts).flatMap { first, second in
        zip(pages, [first, second]).map { page, context in
          let lead = "\(page.latent.id)".leftPadded(to: 6) + fixed(Double(context.maxActivation), 1).leftPadded(to: 8)
          return PageLine(
            [text(lead + "  ", .muted)]
              + window(context, of: page, around: first.peak, width: width - 16, shortensRoles: false))
        }
      }
  }

  private var ownContexts: [PageLine] {
    [.heading("Contexts of each", note: "strongest first")]
      + beside { page in
        let ranking = ContextRanking(page, state.latent.choices.ranking)
        return ranking.entries.prefix(Self.mostContexts).map { entry in
          [text(fixed(Double(entry.activation), 1).leftPadded(to: 6) + "  ", .muted)]
            + window(page.contexts[entry.index], of: page, around: entry.peak, width: column - 8, shortensRoles: true)
        }
      }
  }

  private func window(
    _ context: Context, of page: LatentPage, around peak: Int, width: Int, shortensRoles: Bool
  ) -> FlowLine {
    let flow = ContextFlow(
      context.sequence, in: context.sequence.tokenIDs.indices, activations: context.activations,
      largest: page.latent.maxActivation ?? Double(context.maxActivation), page.tokens, shortensRoles: shortensRoles)
    return flowWindow(flow.tokens, around: flow.place(of: peak), width: width, asciiMarkers: state.asciiOnly)
  }
}
