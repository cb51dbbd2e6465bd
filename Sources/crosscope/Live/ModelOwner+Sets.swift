// The model owner over a set of prompts: a step is one prompt under every strength, and is cancelled between two
// tokens. Refuses: what has no meaning for a set: what was said before the prompt, several samples.

import Diffing
import Storage

extension ModelOwner {
  /// Begins a sweep over a set in place of any other; nothing is computed yet.
  /// - Returns: its number, by which to ask for it, and how many prompts there are.
  /// - Throws: `CommandError.inputInvalid` for a request that sets have no use for.
  func beginSet(_ request: SetSweepRequest) throws -> (number: Int, total: Int) {
    for (what, found) in [
      ("turns before the prompt", request.run.turns.count), ("further samples", request.run.samples - 1),
    ] where found > 0 {
      throw CommandError.inputInvalid(source: "a set of prompts", expected: "no \(what)", found: "\(found)")
    }
    let run = try PromptSetRun(
      experiment(request.run, strengths: request.strengths), prompts: request.prompts, random: request.random,
      store: store)
    setSweep = PromptSetSweep(run, promptFile: request.name)
    setNumber += 1
    return (setNumber, request.prompts.count)
  }

  /// The next prompt.
  /// - Returns: nil if another sweep has begun.
  func stepSet(_ number: Int) throws -> SetSweepEvent? {
    countStep()
    guard number == setNumber, let report = try setSweep?.step() else {
      return number == setNumber ? setSweep.map { .progress(done: $0.done, of: $0.total) } : nil
    }
    setSweep = nil
    return .finished(report)
  }

  /// Forgets the sweep, unless another one has begun.
  func endSet(_ number: Int) {
    if number == setNumber { setSweep = nil }
  }
}
