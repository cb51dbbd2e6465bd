// The lines of a latent's page, from the store's records: what each number means is said beside it.

import Storage
import TUI

/// A line of the page; lines of one item are selected together.
struct PageLine: Sendable {
  var spans: FlowLine
  /// Which context or neighbour it belongs to.
  var item: Int?

  init(_ spans: FlowLine, item: Int? = nil) {
    self.spans = spans
    self.item = item
  }

  /// A title on a rule.
  var heading: (title: String, note: String)?

  static func heading(_ title: String, note: String = "") -> PageLine {
    var line = PageLine([])
    line.heading = (title, note)
    return line
  }
}

/// A page laid out: all in one scrolled column, or on wide terminals metrics at the left and contexts at the right.
struct LatentPageLayout {
  let aside: [PageLine]
  let asideRect: Rect
  /// First visible line of the aside: it is scrolled only as far as the selected neighbour needs.
  let asideTop: Int
  let scrolled: [PageLine]
  let scrolledRect: Rect

  init(_ page: LatentPage, _ state: ExplorerState) {
    let body = state.body.inset(columns: 1)
    let lines = LatentLines(page: page, state: state)
    if body.columns >= 108 {
      let (left, right) = body.split(left: 52, gap: 3)
      asideRect = left
      scrolledRect = right
      aside =
        lines.summary(width: left.columns) + lines.otherMetrics(width: left.columns)
        + lines.neighbours(width: left.columns)
      scrolled = lines.contexts(width: right.columns)
    } else {
      asideRect = Rect(row: body.row, column: body.column, rows: 0, columns: 0)
      scrolledRect = body
      aside = []
      scrolled =
        lines.summary(width: body.columns) + lines.contexts(width: body.columns)
        + lines.otherMetrics(width: body.columns) + lines.neighbours(width: body.columns)
    }
    let end = aside.lastIndex { $0.item == state.latent.selected } ?? 0
    asideTop = max(0, end + 1 - max(1, asideRect.rows))
  }
}

/// Makes lines.
struct LatentLines {
  let page: LatentPage
  let state: ExplorerState

  private var latent: LatentRecord { page.latent }

  private static let labelWidth = 11

  private func label(_ text: String) -> FlowSpan {
    FlowSpan(text: text.rightPadded(to: Self.labelWidth), style: .muted)
  }

  private func text(_ text: String, _ style: Style = .plain) -> FlowSpan { FlowSpan(text: text, style: style) }

  // MARK: Summary

  /// Class, tags, note, metrics and logit lens.
  func summary(width: Int) -> [PageLine] {
    let tags =
      page.tags.isEmpty ? text("no tags", .muted) : text(page.tags.joined(separator: ", "), Style(.tag, .bold))
    let rank = latent.chatSpecificity.map { "  rank \($0) by chat-specificity  " } ?? "  "
    var lines = [PageLine([text(latent.latentClass.rawValue, Style(.chat, .bold)), text(rank, .muted), tags])]
    if let note = page.note { lines += wrapped("note", note, width) }
    for explanation in page.explanations {
      let score = explanation.detectionScore.map { " \(fixed($0, 2))" } ?? ""
      lines += wrapped(explanation.source + score, explanation.text, width)
    }
    lines.append(.heading("Metrics"))
    lines += metrics(width: width)
    guard !page.logits.isEmpty else { return lines }
    lines.append(.heading("Logit lens", note: "tokens that the directions promote, suppress"))
    for direction in [LogitDirection.chat, .base] { lines += lens(direction, width: width) }
    return lines
  }

  private func wrapped(_ name: String, _ body: String, _ width: Int) -> [PageLine] {
    let lines = flowLines([FlowToken(body)], width: max(10, width - Self.labelWidth))
    return lines.enumerated().map { index, spans in
      PageLine([label(index == 0 ? truncated(name, to: Self.labelWidth - 1) : "")] + spans)
    }
  }

  /// Ratios with what they mean, then activity: side by side where there is room.
  private func metrics(width: Int) -> [PageLine] {
    let isPaired = width >= 76
    let left = isPaired ? width / 2 + 2 : width
    let ratios = [
      metric("Δ norm", latent.deltaNorm, Meaning.deltaNorm(latent.deltaNorm)),
      metric("ν^ε", latent.nuError, Meaning.nuError(latent.nuError)),
      metric("ν^r", latent.nuReconstruction, Meaning.nuReconstruction(latent.nuReconstruction)),
      metric("cosine", latent.cosBaseChat, "base to chat direction"),
    ]
    let activity = activity(width: isPaired ? width - left : width)
    guard isPaired else { return (ratios + activity).map { PageLine($0) } }
    return (0..<max(ratios.count, activity.count)).map { index in
      let first = ratios.indices.contains(index) ? ratios[index] : []
      let second = activity.indices.contains(index) ? activity[index] : []
      let used = first.reduce(0) { $0 + displayWidth($1.text) }
      return PageLine(first + [text(String(repeating: " ", count: max(1, left - used)))] + second)
    }
  }

  /// The store's metrics beyond the columns, by name, in two columns where there is room.
  func otherMetrics(width: Int) -> [PageLine] {
    guard !latent.metrics.isEmpty else { return [] }
    let perLine = width >= 76 ? 2 : 1
    let room = max(12, width / perLine - 12)
    let cells = latent.metrics.sorted { $0.key < $1.key }.map { name, value in
      [
        text(truncated(termSafe(name), to: room - 1).rightPadded(to: room), .muted),
        text(shortNumber(value).leftPadded(to: 10) + "  "),
      ]
    }
    return [.heading("More metrics", note: "as they were published")]
      + stride(from: 0, to: cells.count, by: perLine).map { start in
        PageLine(cells[start..<min(start + perLine, cells.count)].flatMap { $0 })
      }
  }

  private func metric(_ title: String, _ value: Double?, _ meaning: String) -> FlowLine {
    [
      FlowSpan(text: ScreenDefinition.plain(title, state).rightPadded(to: 7), style: .muted),
      text(fixed(value, 2).leftPadded(to: 5) + "  "), text(meaning, .muted),
    ]
  }

  private func activity(width: Int) -> [FlowLine] {
    var lines: [FlowLine] = [
      [label("activation"), text("max \(fixed(latent.maxActivation, 1)), mean \(fixed(latent.meanActivation, 1))")],
      [
        label("frequency"), text(latent.dead ? "dead" : percent(latent.frequency)),
        text("  template \(percent(latent.templateShare))", .muted),
      ],
    ]
    for histogram in page.histograms {
      let share =
        histogram.corpus == "plain" ? latent.frequencyPlain : histogram.corpus == "chat" ? latent.frequencyChat : nil
      let bins = merged(histogram.counts.map(Double.init), into: max(8, width - Self.labelWidth - 8))
      lines.append([
        label(histogram.corpus), text(sparkline(bins.map { $0 > 0 ? 1 + $0.squareRoot() : 0 }), Style(.accent)),
        text(share.map { " " + percent($0) } ?? "", .muted),
      ])
    }
    return lines
  }

  /// Neighbouring bins added up until there are no more than `count`.
  private func merged(_ bins: [Double], into count: Int) -> [Double] {
    let perBin = max(1, (bins.count + count - 1) / count)
    return stride(from: 0, to: bins.count, by: perBin).map { bins[$0..<min(bins.count, $0 + perBin)].reduce(0, +) }
  }

  private func lens(_ direction: LogitDirection, width: Int) -> [PageLine] {
    guard let logits = page.logits.first(where: { $0.direction == direction }) else { return [] }
    let style = Style(direction == .base ? .base : .chat, .bold)
    func line(_ sign: String, _ scores: [TokenScore]) -> PageLine {
      PageLine(
        [text(direction.rawValue.rightPadded(to: 5), style), text(sign.rightPadded(to: 5), .muted)]
          + lensSpans(scores, page, width: width - 10))
    }
    return [line("+", logits.promoted), line("−", logits.suppressed)]
  }

  // MARK: Contexts and neighbours

  /// Contexts, strongest band first.
  func contexts(width: Int) -> [PageLine] {
    guard !page.contexts.isEmpty else {
      return [
        .heading("Contexts"), PageLine([text(latent.dead ? "dead: it never fired" : "none in this store", .muted)]),
      ]
    }
    var lines: [PageLine] = []
    var band: Int?
    for (index, context) in page.contexts.enumerated() {
      if context.example.quantile != band {
        band = context.example.quantile
        let title = index == 0 ? "Contexts " : ""
        lines.append(.heading(title + Meaning.band(context.example.quantile)))
      }
      lines += contextLines(context, at: index, width: width)
    }
    return lines
  }

  private func contextLines(_ context: Context, at index: Int, width: Int) -> [PageLine] {
    let largest =
      state.latent.scale == .latent
      ? latent.maxActivation ?? Double(context.maxActivation) : Double(context.maxActivation)
    let tokens = contextTokens(context, page, largest: largest)
    let isSelected = index == state.latent.selected
    let lead = text(
      (isSelected ? "›" : " ") + fixed(Double(context.maxActivation), 1).leftPadded(to: 6) + "  ",
      isSelected ? Style(.accent, .bold) : .muted)
    let room = max(10, width - 9)
    guard state.latent.unfolded.contains(index) else {
      return [
        PageLine(
          [lead] + flowWindow(tokens, around: context.peak, width: room, asciiMarkers: state.asciiOnly), item: index)
      ]
    }
    let whole = flowLines(tokens, width: room, asciiMarkers: state.asciiOnly)
    let body = whole.enumerated().map { PageLine([$0 == 0 ? lead : text("         ")] + $1, item: index) }
    let place = "\(context.sequence.corpus), sequence \(context.sequence.id), peak at token \(context.peak)"
    return body + [PageLine([text("         " + place, .muted)], item: index)]
  }

  /// Similar latents and the twin.
  func neighbours(width: Int) -> [PageLine] {
    guard !page.neighbours.isEmpty else { return [] }
    var lines: [PageLine] = [.heading("Most similar latents")]
    for (index, neighbour) in page.neighboursByKind.enumerated() {
      let item = page.contexts.count + index
      let isSelected = item == state.latent.selected
      let meaning =
        switch neighbour.kind {
        case .chat: "chat directions"
        case .base: "base directions"
        case .twin: "twin: its chat direction and the other's base direction"
        }
      lines.append(
        PageLine(
          [
            text(isSelected ? "›" : " ", Style(.accent, .bold)), text(String(neighbour.other).leftPadded(to: 6)),
            text("  cos \(fixed(neighbour.cosine, 2))  "), text(truncated(meaning, to: max(8, width - 20)), .muted),
          ], item: item))
    }
    return lines
  }
}

extension LatentPage {
  /// Neighbours by chat direction first, twins last.
  var neighboursByKind: [NeighbourRecord] {
    [.chat, .base, .twin].flatMap { kind in neighbours.filter { $0.kind == kind } }
  }
}

/// Tokens of a logit lens in one line, as many as fit.
func lensSpans(_ scores: [TokenScore], _ page: LatentPage, width: Int) -> FlowLine {
  var spans: FlowLine = []
  var used = 0
  for score in scores {
    let token = truncated(visibleToken(score.token, page.tokens), to: 20)
    let cells = displayWidth(token) + (spans.isEmpty ? 0 : 2)
    guard used + cells <= width else { break }
    if !spans.isEmpty { spans.append(FlowSpan(text: "  ", style: .plain)) }
    spans.append(FlowSpan(text: token, style: .plain))
    used += cells
  }
  return spans
}

/// A context's tokens with the steps of their activations; template and special tokens recede.
func contextTokens(_ context: Context, _ page: LatentPage, largest: Double) -> [FlowToken] {
  let texts = tokenTexts(context.sequence.tokenIDs, page.tokens)
  let activations = context.activations
  return texts.indices.map { index in
    let isTemplate =
      context.sequence.templateMask[index] || page.tokens[context.sequence.tokenIDs[index]]?.isSpecial == true
    return FlowToken(
      texts[index], level: FlowToken.level(Double(activations[index]), of: largest), style: isTemplate ? .muted : .plain
    )
  }
}
