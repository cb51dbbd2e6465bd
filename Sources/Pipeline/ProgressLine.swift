// Shows the progress of long work on stderr: a terminal has one line that is rewritten, other output a line every few seconds.

import Experiments
import Glibc
import Inference
import Reports

/// Reports the progress of a stage, its rate and the remaining time.
package struct ProgressLine {
  private let label: String
  private let total: Int
  private let unit: String
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private var last: ContinuousClock.Instant
  private var first = 0
  private let isTerminal = isatty(STDERR_FILENO) == 1

  /// - Parameter done: what an earlier run finished; it does not count for the rate.
  package init(_ label: String, total: Int, unit: String, done: Int = 0) {
    (self.label, self.total, self.unit, first) = (label, total, unit, done)
    start = ContinuousClock().now
    last = start
  }

  /// Reports that `done` of `total` are finished, at most a few times a second.
  package mutating func update(_ done: Int, note: String = "") {
    let now = clock.now
    let pause: Duration = isTerminal ? .milliseconds(250) : .seconds(10)
    guard done >= total || now - last >= pause else { return }
    last = now
    let seconds = (now - start).seconds
    let rate = seconds > 0 ? Double(done - first) / seconds : 0
    let left = rate > 0 ? Int(Double(total - done) / rate) : 0
    let percent = total > 0 ? 100 * done / total : 100
    let line =
      "\(label) \(percent)% \(done)/\(total) \(unit), \(Int(rate)) \(unit)/s, \(left / 60) min \(left % 60) s left"
      + (note.isEmpty ? "" : "  \(note)")
    if isTerminal {
      writeError("\r\u{1b}[K" + line, end: done >= total ? "\n" : "")
    } else {
      writeError(line)
    }
  }

  /// Reports that all is finished.
  package mutating func finish() { update(total) }

  /// Ends the line that is being rewritten, so that other text can follow.
  package func interrupted() {
    if isTerminal { writeError("") }
  }
}
