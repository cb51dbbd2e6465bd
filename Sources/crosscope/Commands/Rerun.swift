// `crosscope rerun` repeats a saved experiment and compares it with the saved one, token for token. Before it computes anything
// it names what has changed since. A record without all that a run needs is an error. The exit code is 0 if all tokens agree
// and 1 if they do not. Sets of prompts and causal checks are in Rerun+Figures.swift.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Reports
import Storage

struct Rerun: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run a saved steering experiment again and compare the tokens.",
    discussion: """
      On a processor with the same kernels, with the same files and precision, all tokens are the same. What is not the \
      same is named first, with what that means. The exit code is 0 if every token is as saved, and 1 if some differ.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Argument(help: "The experiment's number.") var id: Int64
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Print one JSON document: what differs, arm by arm, and the new run.") var json = false

  func validate() throws { try engine.exclude(files, computing) }

  func run() async throws {
    let store = try Store(path: store, access: .readOnly)
    let record = try store.experiments(ids: [id])[0]
    switch record.kind {
    case DoseResponse.kind: return try await rerunSet(record, store)
    case CausalCheckReport.kind: return try await rerunCheck(record, store)
    default: break
    }
    let saved = try SteeringDocument(record)
    let (laboratory, changes) = try await prepare(saved.versions, layer: saved.basis.layer, store)
    var request = saved.request
    request.plan.interventions.removeAll { !$0.isOn }
    request.maxActivations = saved.basis.maxActivations
    var again = try await laboratory.outcome(of: SweepJob(request)).document
    if let behaviours = saved.outputs.behaviours {
      again = again.counting(
        behaviours, coherent: saved.outputs.coherent?.perplexity ?? CoherentStrengths.usualPerplexity)
    }
    let arms = ArmComparison.all(saved, again)
    if json {
      try printJSON(
        RerunReport(experiment: id, match: arms.allSatisfy(\.match), changes: changes, arms: arms, run: again))
    } else {
      for arm in arms { writeOut(try arm.line(store) + "\n") }
    }
    guard arms.allSatisfy(\.match) else { throw ExitCode(1) }
  }

  /// Makes the models ready and names what has changed since the saved run.
  func prepare(
    _ versions: [String: String], layer: Int?, _ store: Store
  ) async throws -> (laboratory: any Laboratory, changes: [RunChange]) {
    let laboratory = try engine.laboratory(
      on: store, files, computing, precision: versions["precision"].flatMap(Precision.init) ?? .fast)
    let changes = RunChange.between(
      versions, try await laboratory.versions(), layer: layer, now: try laboratory.identity.layer)
    if !json { for change in changes { writeError("differs: \(change.description)") } }
    return (laboratory, changes)
  }
}

/// The result of a repeated run.
struct RerunReport<Run: Encodable>: Encodable {
  let experiment: Int64
  let match: Bool
  let changes: [RunChange]
  let arms: [ArmComparison]
  /// The measures, if the run is a causal check.
  var figures: [FigureComparison]?
  let run: Run
}

/// Something that a saved run records and that has changed since.
struct RunChange: Encodable, Equatable, CustomStringConvertible {
  let what, saved, now, meaning: String

  var description: String { "\(what): saved \(short(saved)), now \(short(now)); \(meaning)" }

  private func short(_ text: String) -> String {
    text.isEmpty ? "nothing" : text.count == 64 ? "\(text.prefix(12))…" : termSafeLines(text)
  }

  /// The meaning of each recorded version for a run.
  private static let meanings = [
    "program": "another version may compute otherwise",
    "model": "other weights: the tokens cannot be expected to match",
    "adapter": "another chat model: the tokens cannot be expected to match",
    "base_model": "another base: what reads activations cannot be expected to match",
    "crosscoder": "other directions: steered tokens cannot be expected to match",
    "precision": "rounding differs: tokens match up to the first near tie",
    "kernels": "sums are rounded otherwise on this processor: tokens match up to the first near tie",
    "openblas": "products are rounded otherwise on this processor: tokens match up to the first near tie",
    "threads": "products are cut elsewhere, which may change last bits: tokens match up to the first near tie",
  ]

  /// Older records lack these, which is not a change.
  private static let recordedLater: Set<String> = ["openblas", "threads"]

  /// The changes, ordered by name.
  static func between(
    _ versions: [String: String], _ now: [String: String], layer: Int?, now nowLayer: Int
  ) -> [RunChange] {
    var changes = meanings.sorted { $0.key < $1.key }.compactMap { what, meaning -> RunChange? in
      guard let before = versions[what] ?? (recordedLater.contains(what) ? nil : "") else { return nil }
      let after = now[what] ?? ""
      return before == after ? nil : RunChange(what: what, saved: before, now: after, meaning: meaning)
    }
    if let layer, layer != nowLayer {
      changes.append(
        RunChange(
          what: "layer", saved: "\(layer)", now: "\(nowLayer)",
          meaning: "steered elsewhere: the tokens cannot be expected to match"))
    }
    return changes
  }
}

/// One answer compared with the saved one.
struct ArmComparison: Encodable, Equatable {
  let arm: String
  let seed: UInt64
  let tokens: Int
  let match: Bool
  /// The position, counted from 0, of the first token that differs from the saved one.
  let firstDifference: Int?
  let savedToken, token: Int32?
  /// The largest difference of a log-probability before the first different token; nil if none was saved.
  let logProbabilityDifference: Double?

  private enum CodingKeys: String, CodingKey {
    case arm, seed, tokens, match, token
    case firstDifference = "first_difference"
    case savedToken = "saved_token"
    case logProbabilityDifference = "log_probability_difference"
  }

  static func all(_ saved: SteeringDocument, _ again: SteeringDocument) -> [ArmComparison] {
    func arms(_ outputs: SteeringDocument.Outputs) -> [(String, SteeringDocument.Answer)] {
      [("baseline", outputs.baseline)] + outputs.steered.map { ("steered ×\(shortNumber($0.strength ?? 1))", $0) }
        + (outputs.frozenAttention ?? []).map { ("frozen attention ×\(shortNumber($0.strength ?? 1))", $0) }
    }
    let pairs = zip(arms(saved.outputs), arms(again.outputs)).map { ($0.0, $0.1, $1.1) }
    return pairs.flatMap { name, before, after in
      zip(before.samples, after.samples).map { ArmComparison(name, $0, $1) }
    }
  }

  private init(_ arm: String, _ saved: SteeringDocument.Sample, _ again: SteeringDocument.Sample) {
    let common = zip(saved.ids, again.ids).prefix { $0 == $1 }.count
    self.init(
      arm, seed: again.seed ?? 0, saved.ids, again.ids,
      logProbabilityDifference: saved.logProbabilities.map { before in
        zip(before, again.logProbabilities ?? []).prefix(common).map { abs($0 - $1) }.max() ?? 0
      })
  }

  init(_ arm: String, seed: UInt64, _ saved: [Int32], _ again: [Int32], logProbabilityDifference: Double? = nil) {
    (self.arm, self.seed, self.logProbabilityDifference) = (arm, seed, logProbabilityDifference)
    tokens = saved.count
    let common = zip(saved, again).prefix { $0 == $1 }.count
    match = saved == again
    firstDifference = match ? nil : common
    savedToken = match || common >= saved.count ? nil : saved[common]
    token = match || common >= again.count ? nil : again[common]
  }

  /// The comparison in words; the texts of tokens come from the store.
  func line(_ store: Store) throws -> String {
    let name = "\(arm), seed \(seed): "
    let tokens = try store.tokens([savedToken, token].compactMap { $0 })
    func shown(_ id: Int32?) -> String {
      id.map { "\($0) \(quoted(tokens[$0]?.text ?? ""))" } ?? "the end"
    }
    let logs = logProbabilityDifference.map { ", log-probabilities within \(shortNumber($0))" } ?? ""
    guard let firstDifference else { return name + "match, \(self.tokens) tokens" + logs }
    return name + "mismatch at token \(firstDifference): saved \(shown(savedToken)), now \(shown(token))" + logs
  }
}
