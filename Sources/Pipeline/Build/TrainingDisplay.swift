// Where a training run is shown: a block that is drawn again a few times a second on a terminal, plain lines of progress
// every few seconds elsewhere. Owns: when to draw, on stderr. `TrainingView` has what is drawn.

import Foundation
import Reports
import TUI

/// Shows a run while it goes.
package struct TrainingDisplay {
  package private(set) var view: TrainingView
  private var block = LineBlock { ProcessInfo.processInfo.environment[$0] }
  private var progress: ProgressLine?
  private let title: String
  private let clock = ContinuousClock()
  private let start = ContinuousClock().now
  private var lastDrawn = -1.0

  /// - Parameter done: steps that an earlier run had finished.
  package init(title: String, steps: Int, done: Int = 0) {
    self.title = title
    view = TrainingView(title: title, steps: steps)
    // The rate counts from here; a watcher learns the number of steps from the log.
    if steps > 0 { progress = ProgressLine(title, total: steps, unit: "steps", done: done) }
  }

  /// Seconds since the display began.
  package var seconds: Double { (clock.now - start).seconds }

  /// Takes a step, and draws if it is time.
  package mutating func update(_ line: TrainingLogLine) {
    let now = seconds
    view.add(line, at: now)
    guard block != nil else {
      if progress == nil { progress = ProgressLine(title, total: view.steps, unit: "steps", done: line.step + 1) }
      progress?.update(line.step + 1, note: view.note)
      return
    }
    if view.isFinished || now - lastDrawn >= 0.25 { draw() }
  }

  /// Takes steps that were made before.
  package mutating func add(earlier lines: [TrainingLogLine]) { for line in lines { view.add(line, at: nil) } }

  /// Draws now, on a terminal.
  package mutating func draw(idle: Int = 0) {
    view.idle = idle
    lastDrawn = seconds
    guard let drawn = block.map({ view.canvas(in: LineBlock.size, asciiOnly: $0.asciiOnly) }) else { return }
    writeError(block?.escapes(showing: drawn) ?? "", end: "")
  }
}
