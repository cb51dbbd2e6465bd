// The options for behaviours, of every command whose answers are counted. A file is read before anything runs. Judges are
// asked only with --judge, after the run; if one gives no verdict, the report is printed without its behaviour and the
// command fails at its end.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports

/// What is counted in the answers.
struct BehaviourOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Count the behaviours of this file in all answers, not refusals alone.", valueName: "file"))
  var behaviours: String?
  @Flag(help: "Ask the judges that the file of behaviours names; prompts and answers are sent to their addresses.")
  var judge = false
  @Option(
    help: ArgumentHelp(
      "Seek each behaviour's best strength where the answers' perplexity is at most this (default: 4).",
      valueName: "perplexity"))
  var coherent: Double?

  func validate() throws {
    guard behaviours != nil || !judge else { throw ValidationError("--judge changes nothing without --behaviours") }
    guard coherent.map({ $0 >= 1 && $0.isFinite }) ?? true else {
      throw ValidationError("--coherent is a perplexity, 1 or more")
    }
  }

  /// What is to be counted, before anything runs.
  /// - Throws: `InputError` for a file that cannot be read, `ValidationError` for --judge without a judge in it,
  ///   `JudgeError` for a key that is not set.
  func counter(_ command: String) throws -> BehaviourCounter {
    let chosen = try behaviours.map { try BehaviourFile(path: $0).behaviours }
    let judged = chosen?.judged ?? []
    guard !judge || !judged.isEmpty else {
      throw ValidationError("--judge changes nothing: no behaviour of \(behaviours ?? "") has a judge")
    }
    if !judge, !judged.isEmpty {
      let names = judged.map(\.name).joined(separator: ", ")
      writeError("\(command): \(names): judges are asked only with --judge; left out")
    }
    return BehaviourCounter(
      command: command, behaviours: chosen ?? .builtIn,
      judges: judge ? try judged.map { ($0, try AnswerJudge($0)) } : [],
      bound: coherent ?? CoherentStrengths.usualPerplexity)
  }
}

/// Counts behaviours in reports.
struct BehaviourCounter {
  let command: String
  let behaviours: Behaviours
  let judges: [(behaviour: Behaviour, judge: AnswerJudge)]
  let bound: Double

  /// The report with everything counted.
  /// - Returns: also the error of the first judge that gave no verdict; the report lacks its behaviour.
  func counting<Report: BehaviourReport>(_ report: Report) async -> (report: Report, failure: (any Error)?) {
    var report = report.counting(behaviours, coherent: bound)
    var failure: (any Error)?
    for (behaviour, judge) in judges {
      var progress: ProgressLine?
      do {
        let verdicts = try await judge.verdicts(on: report.texts) { done, total in
          if progress == nil { progress = ProgressLine("\(command): \(behaviour.name)", total: total, unit: "answers") }
          progress?.update(done)
        }
        report = report.counting(behaviour, verdicts)
      } catch {
        failure = failure ?? error
      }
    }
    return (report, failure)
  }
}
