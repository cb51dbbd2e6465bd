// Makes the lines of a latent's page from the store's records and explains each number. Summary, metrics and logit lens are
// here; contexts and neighbours have files of their own.

import Experiments
import Inference
import Reports
import Storage
import TUI

/// Makes the lines.
struct LatentLines {
  let page: LatentPage
  let state: ExplorerState
  let content: LatentPageContent

  init(page: LatentPage, state: ExplorerState) {
    self.page = page
    self.state = state
    content = LatentPageContent(page, state)
  }

  var latent: LatentRecord { page.latent }

  private static let labelWidth = 11

  private func label(_ text: String) -> FlowSpan {
    FlowSpan(text: text.rightPadded(to: Self.labelWidth), style: .muted)
  }

  func text(_ text: String, _ style: Style = .plain) -> FlowSpan { FlowSpan(text: text, style: style) }

  // MARK: Summary

  /// Class, tags, note, metrics, histograms and logit lens.
  func summary(width: Int, showsChart: Bool) -> [PageLine] {
    let tags =
      page.tags.isEmpty
      ? FlowToken("no tags", style: .muted) : FlowToken(page.tags.joined(separator: ", "), style: Style(.tag, .bold))
    let level = latent.metrics[LatentMetric.level].map { "  level \(shortNumber($0))" } ?? ""
    let rank = latent.chatSpecificity.map { "  rank \($0) by chat-specificity  " } ?? "  "
    var lines = flowLines(
      [
        FlowToken(latent.latentClass.rawValue, style: Style(.chat, .bold)), FlowToken(level + rank, style: .muted),
        tags,
      ],
      width: width
    ).map { PageLine($0) }
    if let note = page.note { lines += wrapped("note", note, width) }
    for explanation in page.explanations {
      let score = explanation.detectionScore.map { " \(fixed($0, 2))" } ?? ""
      // The long name of a source gets a line of its own, since its score at the end would be cut.
      let name = explanation.source + score
      if displayWidth(name) < Self.labelWidth {
        lines += wrapped(name, explanation.text, width)
      } else {
        lines += flowLines([FlowToken(name, style: .muted)], width: width).map { PageLine($0) }
        lines += wrapped("", explanation.text, width)
      }
    }
    lines.append(.heading("Metrics"))
    let chart = showsChart ? ActivationChart(page, width: width) : nil
    lines += metrics(width: width, showsHistograms: chart == nil)
    if let chart {
      lines.append(.heading("Activations", note: "tokens, both scales logarithmic"))
      lines += chart.lines.map { PageLine($0) }
    }
    return lines + logitLens(width: width)
  }

  private func wrapped(_ name: String, _ body: String, _ width: Int) -> [PageLine] {
    PageLine.named(name, body, label: Self.labelWidth, width: width)
  }

  /// Ratios with their meaning, and activity, side by side if there is room.
  private func metrics(width: Int, showsHistograms: Bool) -> [PageLine] {
    let isPaired = width >= 76
    let left = isPaired ? width / 2 + 2 : width
    let ratios =
      latent.metrics[LatentMetric.nuActivation].map(differenceRatios) ?? [
        metric("Δ norm", latent.deltaNorm, Meaning.deltaNorm(latent.deltaNorm)),
        metric("ν^ε", latent.nuError, Meaning.nuError(latent.nuError)),
        metric("ν^r", latent.nuReconstruction, Meaning.nuReconstruction(latent.nuReconstruction)),
        metric("cosine", latent.cosBaseChat, "base to chat direction"),
      ] + baseProbe
    let activity = activity(width: isPaired ? width - left : width, showsHistograms: showsHistograms)
    guard isPaired else { return (ratios + activity).map { PageLine($0) } }
    return (0..<max(ratios.count, activity.count)).map { index in
      let first = ratios.indices.contains(index) ? ratios[index] : []
      let second = activity.indices.contains(index) ? activity[index] : []
      let used = first.reduce(0) { $0 + displayWidth($1.text) }
      return PageLine(first + [text(String(repeating: " ", count: max(1, left - used)))] + second)
    }
  }

  /// The ratios of the base probe, which latents have that are stronger in base.
  private var baseProbe: [FlowLine] {
    let (error, reconstruction) = (
      latent.metrics[LatentMetric.nuErrorProbeBase], latent.metrics[LatentMetric.nuReconstructionProbeBase]
    )
    return [
      error.map { metric("ν^ε", $0, Meaning.nuErrorOfBase($0)) },
      reconstruction.map { metric("ν^r", $0, Meaning.nuReconstructionOfBase($0)) },
    ].compactMap(\.self)
  }

  /// How much of a direction of chat − base each model has, where the latent is on.
  private func differenceRatios(_ ratio: Double) -> [FlowLine] {
    [
      metric("β base", latent.betaActivationBase, "of the direction in base"),
      metric("β chat", latent.betaActivationChat, "of the direction in chat"),
      metric("ratio", ratio, Meaning.nuActivation(ratio)),
    ]
  }

  /// The store's metrics beyond the columns, by name, in two columns if there is room.
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
    return [.heading("More metrics", note: "beyond the usual columns")]
      + stride(from: 0, to: cells.count, by: perLine).map { start in
        PageLine(cells[start..<min(start + perLine, cells.count)].flatMap { $0 })
      }
  }

  private func metric(_ title: String, _ value: Double?, _ meaning: String) -> FlowLine {
    [
      FlowSpan(text: plain(title, state).rightPadded(to: 7), style: .muted),
      text(fixed(value, 2).leftPadded(to: 5) + "  "), text(meaning, .muted),
    ]
  }

  private func activity(width: Int, showsHistograms: Bool) -> [FlowLine] {
    var lines: [FlowLine] = [
      [label("activation"), text("max \(fixed(latent.maxActivation, 1)), mean \(fixed(latent.meanActivation, 1))")],
      [
        label("frequency"), text(latent.dead ? "dead" : percent(latent.frequency)),
        text("  template \(percent(latent.templateShare))", .muted),
      ],
    ]
    for histogram in showsHistograms ? page.histograms : [] {
      let bins = merged(histogram.counts.map(Double.init), into: max(8, width - Self.labelWidth - 8))
      lines.append([
        label(histogram.corpus), text(sparkline(bins.map { $0 > 0 ? 1 + $0.squareRoot() : 0 }), Style(.accent)),
        text(latent.frequency(of: histogram.corpus).map { " " + percent($0) } ?? "", .muted),
      ])
    }
    return lines
  }

  /// Neighbouring bins are added up until there are at most `count`.
  private func merged(_ bins: [Double], into count: Int) -> [Double] {
    let perBin = max(1, (bins.count + count - 1) / count)
    return stride(from: 0, to: bins.count, by: perBin).map { bins[$0..<min(bins.count, $0 + perBin)].reduce(0, +) }
  }

  // MARK: Logit lens

  /// Whether the latent has a direction in base, too; a store from before norms were known is taken to have both.
  private var hasTwoDirections: Bool { latent.decNormBase != nil || latent.decNormChat == nil }

  private func logitLens(width: Int) -> [PageLine] {
    guard !page.logits.isEmpty else { return [] }
    return [.heading("Logit lens", note: "tokens that the directions promote, suppress")]
      + LensRow.all.filter { $0.direction == .chat || hasTwoDirections }.flatMap { row in
        row.lines(page, width: width, isWhole: state.latent.choices.showsWholeLens).map { PageLine($0) }
      }
  }
}

extension LatentPage {
  /// Neighbours by chat direction first, twins last.
  var neighboursByKind: [NeighbourRecord] {
    [.chat, .base, .twin].flatMap { kind in neighbours.filter { $0.kind == kind } }
  }
}

extension LatentRecord {
  /// The share of tokens of one corpus on which the latent fires, if the store has it.
  func frequency(of corpus: String) -> Double? {
    switch corpus {
    case "plain": frequencyPlain
    case "chat": frequencyChat
    default: nil
    }
  }
}
