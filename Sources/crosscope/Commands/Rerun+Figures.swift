// `crosscope rerun` for sets of prompts and causal checks, which have many answers. Answers are compared token for token,
// prompt by prompt and arm by arm. The measures of a check are compared by their values, since some come from texts without
// answers. Behaviours are counted anew in the saved answers as in those of now, by the record's own expressions, so that a
// change of the expressions is no difference; judges are not asked again.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage

extension Rerun {
  func rerunSet(_ record: ExperimentRecord, _ store: Store) async throws {
    let saved: DoseResponse = try decodeRecord(record.outputs, of: record, expected: "outputs of such a run")
    let (laboratory, changes) = try await prepare(saved.versions, layer: saved.basis.layer, store)
    let job = try PromptSetJob(again: saved)
    var progress = ProgressLine("rerun", total: job.prompts.count, unit: "prompts")
    let again = try await laboratory.outcome(of: job) { event in
      if case .progress(let done, _) = event, done > 0 { progress.update(done) }
    }.counting(saved.behaviours, coherent: saved.coherentPerplexity)
    progress.update(job.prompts.count)
    let arms = ArmComparison.all(
      saved.outcomes, again.outcomes, saved.arms, seed: saved.request.sampling.seed)
    try report(changes, arms, figures: nil, again, store)
  }

  func rerunCheck(_ record: ExperimentRecord, _ store: Store) async throws {
    let read: CausalCheckReport = try decodeRecord(record.outputs, of: record, expected: "outputs of such a run")
    let (behaviours, bound) = (read.behaviours ?? .builtIn, read.coherent?.perplexity)
    let saved = read.counting(behaviours, coherent: bound ?? CoherentStrengths.usualPerplexity)
    let size = saved.size
    guard saved.random.count == size.random, size.contexts > 0, size.tokens > 0,
      (1...neutralPrompts.count).contains(size.prompts)
    else {
      throw InputError.invalid(
        source: "experiment \(record.id) (\(record.kind))", expected: "the size of a check", found: "another")
    }
    let (laboratory, changes) = try await prepare(saved.versions, layer: nil, store)
    var progress: ProgressLine?
    let again = try await laboratory.outcome(
      of: CausalCheckJob(saved.latent, size: size, control: saved.random, against: saved.against)
    ) { event in
      guard case .progress(let done, let total) = event else { return }
      if progress == nil { progress = ProgressLine("rerun", total: total, unit: "texts") }
      progress?.update(done)
    }.counting(behaviours, coherent: bound ?? CoherentStrengths.usualPerplexity)
    progress?.finish()
    let arms = ArmComparison.all(saved.answers ?? [], again.answers ?? [], again.arms, seed: 0)
    if saved.answers == nil, !json { writeError("this record has no answers, so its measures alone are compared") }
    try report(changes, arms, figures: FigureComparison.all(saved, again), again, store)
  }

  /// Prints what does not match, and how large the differences are.
  private func report(
    _ changes: [RunChange], _ arms: [ArmComparison], figures: [FigureComparison]?, _ again: some Encodable,
    _ store: Store
  ) throws {
    let match = arms.allSatisfy(\.match) && figures?.allSatisfy(\.match) ?? true
    if json {
      try printJSON(
        RerunReport(experiment: id, match: match, changes: changes, arms: arms, figures: figures, run: again))
    } else {
      for arm in arms where !arm.match { writeOut(try arm.line(store) + "\n") }
      let same = arms.filter(\.match)
      if !arms.isEmpty {
        writeOut("\(same.count) of \(arms.count) answers match, \(same.reduce(0) { $0 + $1.tokens }) tokens\n")
      }
      for figure in figures ?? [] { writeOut(figure.line + "\n") }
    }
    guard match else { throw ExitCode(1) }
  }
}

extension ArmComparison {
  /// Every answer compared with the saved one.
  static func all(
    _ saved: [PromptOutcome], _ again: [PromptOutcome], _ arms: [EvidenceArm], seed: UInt64
  ) -> [ArmComparison] {
    var draws: [EvidenceArm: Int] = [:]
    let names = arms.map { arm -> String in
      guard arm.kind != .baseline else { return arm.kind.rawValue }
      let alike = EvidenceArm(kind: arm.kind, strength: arm.strength, latents: [])
      draws[alike, default: 0] += 1
      let draw = arm.kind == .random ? " \(draws[alike, default: 0])" : ""
      return "\(arm.kind.rawValue.replacing("_", with: " "))\(draw) ×\(shortNumber(arm.strength))"
    }
    return zip(saved, again).flatMap { before, after in
      zip(names, zip(before.answers, after.answers)).map { name, answers in
        ArmComparison("prompt \(before.index + 1), \(name)", seed: seed, answers.0.ids, answers.1.ids)
      }
    }
  }
}

/// A measure compared with the saved one.
struct FigureComparison: Encodable, Equatable {
  let measure: String
  let saved, now: [Double?]
  let match: Bool

  /// The measures of a check for the latent and the random ones. Last bits may differ if products are split in another
  /// way.
  static func all(_ saved: CausalCheckReport, _ again: CausalCheckReport) -> [FigureComparison] {
    saved.effects.map { effect in
      let other = again.effects.first { $0.measure == effect.measure }
      let (before, now) = ([effect.latent?.value, effect.random?.value], [other?.latent?.value, other?.random?.value])
      let match = zip(before, now).allSatisfy { before, now in
        guard let before, let now else { return before == nil && now == nil }
        return abs(before - now) <= 1e-4 * max(1, abs(before))
      }
      return FigureComparison(measure: effect.measure, saved: before, now: now, match: match)
    }
  }

  var line: String {
    func text(_ values: [Double?]) -> String { values.map(shortNumber).joined(separator: " against ") }
    return "\(measure): " + (match ? "match, \(text(now))" : "mismatch: saved \(text(saved)), now \(text(now))")
  }
}
