// The view of a training run, cell by cell, its log, and following it. Goldens are recorded with CROSSCOPE_RECORD=1.

import Foundation
import Glibc
import Inference
import TestSupport
import Testing

@testable import Pipeline
@testable import TUI

@Suite struct TrainingViewTests {
  private func line(_ step: Int, of steps: Int, pair: Bool = true, l1: Bool = false) -> TrainingLogLine {
    let x = Double(step)
    let base: Double = 9 / (1 + x / 40)
    let chat: Double = 10 / (1 + x / 50)
    var line = TrainingLogLine(
      step: step, steps: steps, tokens: (step + 1) * 2048, loss: pair ? (base + chat) / 2 : base,
      auxiliary: l1 ? 0 : 0.9, sparsity: l1 ? 200 - x / 10 : 0, l0: 32 + Double(step % 7), dead: step * 3,
      gradient_norm: 1, learning_rate: 0.0015)
    if pair {
      (line.reconstruction_base, line.reconstruction_chat) = (base, chat)
      (line.fve_base, line.fve_chat) = (1 - base / 12, 1 - chat / 12)
    } else {
      (line.reconstruction, line.fve) = (base, 1 - base / 12)
    }
    if !l1 { line.threshold = step < 50 ? -1 : 2.5 }
    return line
  }

  private func view(_ range: Range<Int>, pair: Bool = true, l1: Bool = false, steps: Int = 3000) -> TrainingView {
    var view = TrainingView(title: "train", steps: steps)
    for step in range {
      view.add(line(step, of: steps, pair: pair, l1: l1), at: Double(step) / 4)
    }
    return view
  }

  @Test(arguments: [
    ("begin", 0..<1, 80, 24), ("middle", 0..<300, 80, 24), ("wide", 0..<300, 120, 40), ("small", 0..<300, 30, 6),
    ("end", 2900..<3000, 80, 24), ("ascii", 0..<300, 80, 24), ("l1", 0..<60, 80, 24), ("sae", 0..<60, 80, 24),
    ("nothing", 0..<0, 80, 24),
  ])
  func looksAsRecorded(name: String, steps: Range<Int>, columns: Int, rows: Int) throws {
    let canvas = view(steps, pair: name != "sae", l1: name == "l1")
      .canvas(in: Size(columns: columns, rows: rows), asciiOnly: name == "ascii")
    #expect(canvas.size.columns < columns && canvas.size.rows < rows)
    try expectGolden(canvas.styledText, "training-\(name).txt")
  }

  @Test func saysHowFastAndHowLongYet() {
    #expect(view(0..<1).pace == "")
    #expect(view(0..<101).pace == "8 192 tokens/s, 12 min 4 s left")
    #expect(view(2000..<3000).pace == "finished")
    var idle = view(0..<101)
    idle.idle = 35
    #expect(idle.pace == "no new step for 35 s")
    #expect(TrainingView.duration(7384) == "2 h 3 min" && TrainingView.duration(.infinity) == "–")
  }

  @Test func aResumedLogHasEveryStepOnce() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/log.jsonl"
    func write(_ steps: Range<Int>, keeping: Int) throws {
      var log = try TrainingLog(path: path, keepingSteps: keeping)
      for step in steps { try log.append(line(step, of: 50)) }
    }
    func steps() throws -> [Int] {
      var log = FollowedLog(path: path)
      return try log.read().map(\.step)
    }
    try write(0..<20, keeping: 0)
    // A kill in the middle of a line, after more steps than the state knows.
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(#"{"step":20,"lo"#.utf8))
    try write(12..<30, keeping: 12)
    #expect(try steps() == Array(0..<30))
    // A log that was removed meanwhile begins where the state is, and a second resume does not double it.
    try FileManager.default.removeItem(atPath: path)
    try write(30..<40, keeping: 30)
    try write(35..<50, keeping: 35)
    #expect(try steps() == Array(30..<50))
    try write(0..<3, keeping: 0)
    #expect(try steps() == [0, 1, 2])
  }

  @Test func followsALogThatGrowsAndIsReplaced() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/log.jsonl"
    var writer = try TrainingLog(path: path, keepingSteps: 0)
    var log = FollowedLog(path: path)
    #expect(try log.read().isEmpty && log.isNew)
    for step in 0..<3 { try writer.append(line(step, of: 9)) }
    #expect(try log.read().map(\.step) == [0, 1, 2] && !log.isNew)
    #expect(try log.read().isEmpty)
    var again = try TrainingLog(path: path, keepingSteps: 2)
    try again.append(line(2, of: 9))
    #expect(try log.read().map(\.step) == [0, 1, 2] && log.isNew)
    // Half a line waits for its rest; something else is named by its line.
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data("{\"st".utf8))
    #expect(try log.read().isEmpty)
    try handle.write(contentsOf: Data("ep\": 1}\n".utf8))
    let error = #expect(throws: InferenceError.self) { try log.read() }
    #expect(error?.description.contains("line 4") == true)
    var missing = FollowedLog(path: folder.path + "/none")
    #expect(throws: InferenceError.self) { try missing.read() }
    var directory = FollowedLog(path: folder.path)
    #expect(throws: InferenceError.self) { try directory.read() }
  }

  @Test func watchingAFinishedRunSaysItsEnd() throws {
    let folder = TemporaryFolder()
    var writer = try TrainingLog(path: folder.path + "/log.jsonl", keepingSteps: 0)
    for step in 0..<9 { try writer.append(line(step, of: 9)) }
    let outcome = try Program.run(["train", "--watch", folder.path + "/log.jsonl"])
    #expect(outcome.code == 0 && outcome.out == "")
    #expect(outcome.error.contains("9/9 steps") && !outcome.error.contains("\u{1b}"), "\(outcome.error)")
    try Program.run(["train", "--watch", folder.path + "/none"]).expectOneLine(saying: "none")
    try Program.run(["train"]).expectOneLine(code: 2, saying: "--watch")
  }
}
