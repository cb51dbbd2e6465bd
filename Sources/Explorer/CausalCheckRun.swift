// The causal check of a latent in the explorer: its start, progress, end and saving, and its figures in a window over the page.
// The method is in CausalCheckJob.

import Diffing
import Experiments
import Inference
import Reports
import Storage
import TUI

/// A check and its result.
struct CausalCheckRun: Sendable, Equatable {
  enum Phase: Sendable, Equatable {
    /// The present work, in words.
    case running(String)
    case finished(CausalCheckReport)
    case cancelled
    case failed(String)
  }

  var latent: Int
  /// Numbers the checks, so that a former one's late events are dropped.
  var number: Int
  var phase = Phase.running("")

  /// The present work while the check runs.
  var progress: String? { if case .running(let what) = phase { what } else { nil } }

  var report: CausalCheckReport? { if case .finished(let report) = phase { report } else { nil } }
}

extension CausalCheckRun {
  /// Shows the check of the latent on view, or starts one, which replaces any other.
  static func showOrStart(_ latent: Int, _ state: inout ExplorerState) -> [Effect] {
    if let check = state.check, check.latent == latent, let report = check.report {
      state.overlay = CausalCheckPage(report: report)
      return []
    }
    return start(latent, &state)
  }

  static func start(_ latent: Int, _ state: inout ExplorerState) -> [Effect] {
    if let reason = unavailable(state) {
      state.tell(reason)
      return []
    }
    let cancelled: [Effect] = state.check?.progress == nil ? [] : [.cancel(.causalCheck)]
    let number = (state.check?.number ?? 0) + 1
    state.check = CausalCheckRun(latent: latent, number: number)
    state.tell("the check compares latent \(latent), added and taken away, with random ones")
    return cancelled + [.start(.causalCheck(latent), number: number)]
  }

  static func cancel(_ state: inout ExplorerState) -> [Effect] {
    state.check?.phase = .cancelled
    state.tell("the check is cancelled: nothing of it is kept")
    return [.cancel(.causalCheck)]
  }

  /// Takes progress or the end of the check with this number. The figures appear if the user waits for them.
  static func take(_ event: CausalCheckEvent, number: Int, _ state: inout ExplorerState) -> [Effect] {
    guard let check = state.check, check.number == number, check.progress != nil else { return [] }
    switch event {
    case .progress(let done, let total): state.check?.phase = .running("checking \(check.latent), \(done) of \(total)")
    case .finished(let report):
      state.check?.phase = .finished(report)
      if state.screen == .latent, state.latent.id == check.latent, state.overlay == nil {
        state.overlay = CausalCheckPage(report: report)
      } else {
        state.tell("latent \(check.latent) is checked: K on its page shows the figures", .good)
      }
      return [.save(report.record())]
    }
    return []
  }

  static func loading(_ what: String, number: Int, _ state: inout ExplorerState) {
    guard state.check?.number == number, state.check?.progress != nil else { return }
    state.check?.phase = .running(what)
  }

  static func failed(_ reason: String, number: Int, _ state: inout ExplorerState) {
    guard state.check?.number == number, state.check?.progress != nil else { return }
    state.check?.phase = .failed(reason)
    state.tell(reason, .error)
  }

  /// The reason why the latent on view cannot be checked now: a run and a check would wait for each other.
  @Sendable static func unavailable(_ state: ExplorerState) -> String? {
    guard let latent = state.latent.id, let page = state.pages[latent] else { return "the page is not read yet" }
    if page.latent.maxActivation ?? 0 <= 0 { return "this latent never fired: there is nothing to check" }
    if state.check?.latent == latent, state.check?.progress != nil { return "it is being checked; Esc cancels that" }
    return state.steer.isBusy ? "a steering run is under way: let it end, or cancel it on its screen" : nil
  }

  /// The reason why the steer screen cannot run anything while a latent is checked.
  static func blocksRuns(_ state: ExplorerState) -> String? {
    guard let check = state.check, check.progress != nil else { return nil }
    return "latent \(check.latent) is being checked: let it end, or press Ctrl-C"
  }
}

extension CausalCheckReport {
  /// A line of the shown figures: the head of a group, or a measure.
  enum Line: Sendable {
    case group(String)
    case effect(name: String, Effect)
    case note(String)
  }

  /// The width of an interval in cells.
  fileprivate static let intervalWidth = 22

  /// The measures, grouped by what was done to the latent.
  var lines: [Line] {
    var lines: [Line] = []
    var group: Substring?
    for effect in effects {
      // A measure's name has two parts: what was done and what was measured.
      let parts = effect.measure.split(separator: ": ", maxSplits: 1)
      if parts.count == 2, parts[0] != group {
        group = parts[0]
        lines.append(.group(String(parts[0])))
      }
      lines.append(.effect(name: String(parts.last ?? ""), effect))
    }
    return [.group("")] + lines + (coherent?.sentences ?? []).map { .note($0) } + [
      .note("means with 95% intervals; apart: the intervals share no value"), .note(sizeText),
    ]
  }
}

extension CausalCheckReport {
  /// The figures with one line for each measure. A measure whose intervals are apart stands out.
  func flow(width: Int) -> [FlowLine] {
    let columns = [
      TableColumn("", width: nil), TableColumn("latent", width: Self.intervalWidth),
      TableColumn("random", width: Self.intervalWidth), TableColumn("apart", width: 5),
    ]
    // Figures stay near their names on wide terminals.
    let areas = TableColumn.areas(columns, in: Rect(row: 0, column: 0, rows: 1, columns: min(76, width)))
    func cells(_ texts: [String], _ style: Style) -> [FlowLine] {
      let shown = zip(texts, areas).filter { !$1.isEmpty }.map { text, area in
        truncated(text, to: area.columns).rightPadded(to: area.columns)
      }
      return [[FlowSpan(text: shown.joined(separator: " "), style: style)]]
    }
    return lines.flatMap { line -> [FlowLine] in
      switch line {
      case .group(""): cells(["", "latent \(latent)", "\(random.count) random latents", "apart"], .muted)
      case .group(let text), .note(let text): flowLines([FlowToken(text, style: .muted)], width: width)
      case .effect(let name, let effect):
        cells(
          [name, effect.latent.shown, effect.random.shown, effect.apart ? "yes" : "no"],
          effect.apart ? Style(.accent, .bold) : .plain)
      }
    }
  }
}

extension Interval? {
  /// The interval as `0.123 [0.045, 0.201]`, with as many digits as fit the column.
  fileprivate var shown: String {
    guard let interval = self else { return fixed(nil, 3) }
    return [3, 2, 1].map { interval.text($0) }.first { $0.count <= CausalCheckReport.intervalWidth } ?? interval.text(0)
  }
}
