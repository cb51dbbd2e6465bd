// The report of `crosscope synthetic`: a row for every dictionary, and tables of means over worlds with lowest–highest.

import Diffing
import Experiments
import Foundation
import Pipeline
import Reports
import Storage

/// The findings of all worlds.
struct SyntheticReport: Encodable {
  /// The findings about one dictionary. The keys of dictionaries are kinds of concepts or scores.
  struct Row: Encodable {
    let seed: UInt64
    let method: SyntheticExperiment.Method
    let mu: Double?
    /// Whether this is the run that is compared, of L1's the one whose L0 is nearest to BatchTopK's.
    let chosen: Bool
    let l0: Double
    /// The explained variance of what the dictionary reconstructs.
    let fve_base, fve_chat, fve_difference: Double?
    let living, matched, twins: Int
    /// Concepts planted and found; called chat-only by Δ, by the ratios, and by both; called base-only by Δ and the base
    /// probe; found as one latent that is on at 80 % of their tokens.
    let concepts, found, chat_only, scaled, chat_specific, base_specific, whole: [String: Int]
    /// The mean number of latents that stand for a concept.
    let pieces: [String: Double]
    let nu_error, nu_reconstruction: [String: Double]
    let auc, auc_chat_only: [String: Double]
  }

  private(set) var runs: [Row] = []

  mutating func add(_ outcome: SyntheticExperiment.Outcome, seed: UInt64) {
    for run in outcome.runs {
      runs.append(row(run, chosen: outcome.chosen[run.method]?.mu == run.mu, outcome.world, seed))
    }
  }

  private func row(
    _ run: SyntheticExperiment.Run, chosen: Bool, _ world: SyntheticWorld, _ seed: UInt64
  ) -> Row {
    func byKind<Value>(_ value: (SyntheticWorld.Kind) -> Value?) -> [String: Value] {
      Dictionary(
        uniqueKeysWithValues: SyntheticWorld.Kind.allCases.compactMap { kind in value(kind).map { (kind.rawValue, $0) }
        })
    }
    func byScore(amongChatOnly: Bool) -> [String: Double] {
      Dictionary(
        uniqueKeysWithValues: WorldFindings.Score.allCases.compactMap { score in
          run.findings.rocAUC(score, amongChatOnly: amongChatOnly).map { (score.rawValue, $0) }
        })
    }
    let findings = run.findings
    let isPair = findings.fve.count == 2
    return Row(
      seed: seed, method: run.method, mu: run.mu, chosen: chosen, l0: findings.l0,
      fve_base: isPair ? findings.fve[0] : nil, fve_chat: isPair ? findings.fve[1] : nil,
      fve_difference: isPair ? nil : findings.fve[0], living: findings.living, matched: findings.latents.count,
      twins: findings.twins,
      concepts: byKind { kind in world.concepts.count { $0.kind == kind } }, found: byKind { findings.found($0) },
      chat_only: byKind { findings.calledChatOnly($0) },
      scaled: byKind { findings.found($0, where: \.isCalledSpecific) },
      chat_specific: byKind { findings.calledChatSpecific($0) },
      base_specific: byKind { findings.found($0, where: \.isCalledBaseSpecific) }, whole: byKind { findings.whole($0) },
      pieces: byKind { findings.pieces($0) },
      nu_error: byKind { findings.median($0) { $0.nuError ?? $0.nuActivation } },
      nu_reconstruction: byKind { findings.median($0, \.nuReconstruction) },
      auc: byScore(amongChatOnly: false), auc_chat_only: byScore(amongChatOnly: true))
  }

  /// Three tables: each method's result for each kind, how well each score ranks, and every run, L1 at every μ.
  var text: String {
    let methods = SyntheticExperiment.Method.allCases.map { method in
      (method.rawValue, runs.filter { $0.method == method && $0.chosen })
    }
    var kinds = TextTable(
      [.init(title: "method")]
        + [
          "concepts", "planted", "found", "whole", "latents", "Δ ≥ 0.9", "by ν", "both", "base-only", "ν^ε", "ν^r",
        ].map(number))
    for (name, rows) in methods {
      for kind in SyntheticWorld.Kind.allCases.map(\.rawValue) {
        func counts(_ path: KeyPath<Row, [String: Int]>) -> String {
          spread(rows.compactMap { $0[keyPath: path][kind].map(Double.init) }, digits: 1)
        }
        kinds.add([
          name, kind, counts(\.concepts), counts(\.found), counts(\.whole),
          spread(rows.compactMap { $0.pieces[kind] }, digits: 1), counts(\.chat_only), counts(\.scaled),
          counts(\.chat_specific), counts(\.base_specific),
          spread(rows.compactMap { $0.nu_error[kind] }), spread(rows.compactMap { $0.nu_reconstruction[kind] }),
        ])
      }
    }
    var scores = TextTable([.init(title: "method")] + ["ranked by", "AUC, all", "AUC, Δ ≥ 0.9"].map(number))
    for (name, rows) in methods {
      for score in WorldFindings.Score.allCases.map(\.rawValue) {
        scores.add([
          name, score, spread(rows.compactMap { $0.auc[score] }, digits: 3),
          spread(rows.compactMap { $0.auc_chat_only[score] }, digits: 3),
        ])
      }
    }
    var all = TextTable(
      [.init(title: "method")]
        + [
          "μ", "chosen", "L0", "FVE base", "FVE chat", "FVE difference", "twins", "true, by Δ", "false", "true, by ν",
          "false",
        ].map(number))
    func called(_ counts: [String: Int], truly: Bool) -> Double {
      SyntheticWorld.Kind.allCases.reduce(0) {
        $0 + ($1.isChatOnly == truly ? Double(counts[$1.rawValue] ?? 0) : 0)
      }
    }
    for (method, mu) in Set(runs.map { Pair(method: $0.method, mu: $0.mu) }).sorted().map({ ($0.method, $0.mu) }) {
      let rows = runs.filter { $0.method == method && $0.mu == mu }
      all.add([
        method.rawValue, mu.map { "\($0)" } ?? "-", "\(rows.count { $0.chosen })", spread(rows.map(\.l0), digits: 1),
        spread(rows.compactMap(\.fve_base)), spread(rows.compactMap(\.fve_chat)),
        spread(rows.compactMap(\.fve_difference)), spread(rows.map { Double($0.twins) }, digits: 1),
        spread(rows.map { called($0.chat_only, truly: true) }, digits: 1),
        spread(rows.map { called($0.chat_only, truly: false) }, digits: 1),
        spread(rows.map { called($0.scaled, truly: true) }, digits: 1),
        spread(rows.map { called($0.scaled, truly: false) }, digits: 1),
      ])
    }
    return kinds.text + "\n" + scores.text + "\n" + all.text
  }

  private struct Pair: Hashable, Comparable {
    let method: SyntheticExperiment.Method
    let mu: Double?
    static func < (a: Pair, b: Pair) -> Bool { a.place < b.place }
    private var place: (Int, Double) {
      (SyntheticExperiment.Method.allCases.firstIndex(of: method) ?? 0, mu ?? 0)
    }
  }

  private func number(_ title: String) -> TextTable.Column { TextTable.Column(title: title, isNumber: true) }

  /// The mean, with lowest–highest if they differ; `-` if there are no values.
  private func spread(_ values: [Double], digits: Int = 2) -> String {
    guard let low = values.min(), let high = values.max() else { return "-" }
    func text(_ value: Double) -> String { String(format: "%.\(digits)f", value) }
    let mean = text(values.reduce(0, +) / Double(values.count))
    let whole = values.allSatisfy { $0 == $0.rounded() } && digits == 1
    func bound(_ value: Double) -> String { whole ? String(Int(value)) : text(value) }
    return low == high ? bound(low) : "\(mean) (\(bound(low))–\(bound(high)))"
  }
}
