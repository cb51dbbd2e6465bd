// Shows a training run on stderr: on a terminal as a block that is redrawn a few times a second, elsewhere as a line of
// progress every few seconds. `TrainingView` decides what is drawn.

import Foundation
import Reports
import TUI

/// Shows a run in progress.
package struct TrainingDisplay {
  package private(set) var view: TrainingView
  private var block = LineBlock { ProcessInfo.processInfo.environment[$0] }
  private var progress: ProgressLine?
  private let title: String
  private let clock = ContinuousClock()
  private let start = ContinuousClock().now
  private var lastDrawn = -1.0

  /// - Parameter done: the number of steps that an earlier run finished.
  package init(title: String, steps: Int, done: Int = 0) {
    self.title = title
    view = TrainingView(title: title, steps: steps)
    // The rate counts from here. Without a number of steps this is a watcher, which learns it from the log.
    if steps > 0 { progress = ProgressLine(title, total: steps, unit: "steps", done: done) }
  }

  /// Seconds since the display began.
  package var seconds: Double { (clock.now - start).seconds }

  /// Takes a step and draws if enough time has passed.
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

  /// Takes steps of an earlier run.
  package mutating func add(earlier lines: [TrainingLogLine]) { for line in lines { view.add(line, at: nil) } }

  /// Draws now if stderr is a terminal.
  package mutating func draw(idle: Int = 0) {
    view.idle = idle
    lastDrawn = seconds
    guard let drawn = block.map({ view.canvas(in: LineBlock.size, asciiOnly: $0.asciiOnly) }) else { return }
    writeError(block?.escapes(showing: drawn) ?? "", end: "")
  }
}
