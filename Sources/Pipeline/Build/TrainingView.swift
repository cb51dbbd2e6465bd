// Draws a training run as a block of lines: its progress, its losses and figures with their trend over the last steps. It is a
// value without terminal and clock: it is fed with lines of the log and with times, so that the run's own terminal and a
// watching one show the same.

import Experiments
import Foundation
import Reports
import TUI

/// The visible state of a run.
package struct TrainingView: Equatable {
  package let title: String
  /// The number of steps of the whole run; 0 if it is unknown.
  package private(set) var steps: Int
  /// The last steps in order, the newest at the end.
  package private(set) var lines: [TrainingLogLine] = []
  private var marks: [Mark] = []
  /// The seconds without a new step, which a watcher sets.
  package var idle = 0

  /// The numbers of steps and tokens at a time, from which the rate follows.
  private struct Mark: Equatable {
    var seconds: Double
    var step, tokens: Int
  }

  private static let kept = 240
  /// The rate is measured over this many seconds.
  private static let window = 20.0

  package init(title: String, steps: Int = 0) { (self.title, self.steps) = (title, steps) }

  package var last: TrainingLogLine? { lines.last }
  package var isFinished: Bool { steps > 0 && (last?.step ?? -1) + 1 >= steps }

  /// Takes the figures of a step.
  /// - Parameter seconds: the time of the step from any origin; nil if it is unknown.
  package mutating func add(_ line: TrainingLogLine, at seconds: Double?) {
    steps = line.steps ?? steps
    lines.append(line)
    if lines.count > Self.kept { lines.removeFirst(lines.count - Self.kept) }
    guard let seconds else { return }
    if let mark = marks.last, seconds - mark.seconds < 0.2 { return }
    marks.append(Mark(seconds: seconds, step: line.step, tokens: line.tokens ?? 0))
    marks.removeAll { seconds - $0.seconds > Self.window }
  }

  private var rates: (steps: Double, tokens: Double)? {
    guard let first = marks.first, let last = marks.last, last.seconds > first.seconds, last.step > first.step else {
      return nil
    }
    let seconds = last.seconds - first.seconds
    return (Double(last.step - first.step) / seconds, Double(last.tokens - first.tokens) / seconds)
  }

  /// The rate and the remaining time, as text.
  package var pace: String {
    if isFinished { return "finished" }
    if idle >= 10 { return "no new step for \(idle) s" }
    guard let rates else { return "" }
    let speed = rates.tokens > 0 ? "\(grouped(Int(rates.tokens))) tokens/s" : "\(fixed(rates.steps, 1)) steps/s"
    guard steps > 0, let last else { return speed }
    return speed + ", " + Self.duration(Double(steps - last.step - 1) / rates.steps) + " left"
  }

  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "–" }
    let (hours, minutes, rest) = (Int(seconds) / 3600, Int(seconds) / 60 % 60, Int(seconds) % 60)
    return hours > 0 ? "\(hours) h \(minutes) min" : minutes > 0 ? "\(minutes) min \(rest) s" : "\(rest) s"
  }

  /// The figures in the order in which they are shown. Figures that the method does not have are left out.
  private var figures: [(label: String, style: Style, digits: (Double) -> String, value: (TrainingLogLine) -> Double?)]
  {
    func number(_ value: Double) -> String { fixed(value, abs(value) < 10 ? 4 : abs(value) < 1000 ? 2 : 0) }
    func share(_ value: Double) -> String { fixed(100 * value, 2) + "%" }
    func threshold(_ value: Double) -> String { value < 0 ? "not set" : number(value) }
    let all: [(String, Style, (Double) -> String, (TrainingLogLine) -> Double?)] = [
      ("loss", .title, number, { $0.loss }),
      ("reconstruction", .plain, number, { $0.reconstruction }),
      ("  of base", Style(.base), number, { $0.reconstruction_base }),
      ("  of chat", Style(.chat), number, { $0.reconstruction_chat }),
      ("auxiliary", .plain, number, { $0.threshold == nil ? nil : $0.auxiliary }),
      ("sparsity", .plain, number, { $0.threshold == nil ? $0.sparsity : nil }),
      ("variance expl.", .plain, share, { $0.fve }),
      ("variance, base", Style(.base), share, { $0.fve_base }),
      ("variance, chat", Style(.chat), share, { $0.fve_chat }),
      ("L0", .plain, { fixed($0, 1) }, { $0.l0 }),
      ("dead latents", .plain, { grouped(Int($0)) }, { Double($0.dead) }),
      ("threshold", .plain, threshold, { $0.threshold.map(Double.init) }),
      ("  of chat", .plain, threshold, { $0.threshold_chat.map(Double.init) }),
      ("learning rate", .plain, { String(format: "%.2e", $0) }, { $0.learning_rate }),
    ]
    return all.filter { figure in last.map { figure.3($0) != nil } ?? false }
      .map { (label: $0.0, style: $0.1, digits: $0.2, value: $0.3) }
  }

  /// The block. It is one column narrower than the terminal, so that no line wraps, and has fewer lines than it.
  package func canvas(in size: Size, asciiOnly: Bool) -> Canvas {
    let figures = figures
    let rows = max(1, min(figures.count + 2, size.rows - 1))
    var canvas = Canvas(size: Size(columns: max(1, size.columns - 1), rows: rows), asciiOnly: asciiOnly)
    guard let last else {
      canvas.put("\(title): waiting for the first step", row: 0, column: 0, style: .muted)
      return canvas
    }
    let done = steps > 0 ? "step \(grouped(last.step + 1)) of \(grouped(steps))" : "step \(grouped(last.step + 1))"
    canvas.heading("\(title)  \(done)", note: pace, in: canvas.bounds.line(0))
    if rows > 1, steps > 0 {
      let share = Double(last.step + 1) / Double(steps)
      let area = canvas.bounds.line(1)
      let bar = Rect(row: area.row, column: 0, rows: 1, columns: max(0, area.columns - 6))
      if asciiOnly { canvas.fill(bar, style: .muted, with: ".") }
      canvas.bar(share, in: bar)
      canvas.put("\(Int(100 * share))%", row: 1, endingBefore: area.endColumn)
    }
    for (index, figure) in figures.prefix(max(0, rows - 2)).enumerated() {
      let row = index + 2
      canvas.put(figure.label, row: row, column: 0, style: figure.style)
      canvas.put(figure.value(last).map(figure.digits) ?? "", row: row, endingBefore: 26)
      let room = canvas.size.columns - 28
      guard room > 0 else { continue }
      let values = lines.suffix(room).compactMap(figure.value)
      canvas.put(trend(values), row: row, column: 28, style: Style(.accent))
    }
    return canvas
  }

  /// The run in one line, for output that is no terminal.
  package var note: String {
    guard let last else { return "" }
    func share(_ value: Double) -> String { fixed(100 * value, 1) + "%" }
    let variance =
      if let base = last.fve_base, let chat = last.fve_chat { "base \(share(base)) chat \(share(chat))" } else {
        last.fve.map(share) ?? "–"
      }
    return "FVE \(variance)  L0 \(Int(last.l0))  dead \(last.dead)"
  }
}
