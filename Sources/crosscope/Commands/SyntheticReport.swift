// The report of `crosscope synthetic`: a row for every crosscoder, and tables of means over worlds with lowest–highest.

import Diffing
import Experiments
import Foundation
import Pipeline
import Reports
import Storage

/// The findings of all worlds.
struct SyntheticReport: Encodable {
  /// The findings about one crosscoder. The keys of dictionaries are kinds of concepts or scores.
  struct Row: Encodable {
    let seed: UInt64
    let method: String
    let mu: Double?
    /// Whether this L1 run has the L0 nearest to BatchTopK's.
    let chosen: Bool
    let l0, fve_base, fve_chat: Double
    let living, matched, twins: Int
    let concepts, found, chat_only, chat_specific: [String: Int]
    let nu_error, nu_reconstruction: [String: Double]
    let auc, auc_chat_only: [String: Double]
  }

  private(set) var runs: [Row] = []

  mutating func add(_ outcome: SyntheticExperiment.Outcome, seed: UInt64) {
    for run in outcome.l1Runs { runs.append(row(run, "l1", chosen: run.mu == outcome.l1.mu, outcome.world, seed)) }
    runs.append(row(outcome.batchTopK, "batchtopk", chosen: true, outcome.world, seed))
  }

  private func row(
    _ run: SyntheticExperiment.Run, _ method: String, chosen: Bool, _ world: SyntheticWorld, _ seed: UInt64
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
    return Row(
      seed: seed, method: method, mu: run.mu, chosen: chosen, l0: findings.l0, fve_base: findings.fve[0],
      fve_chat: findings.fve[1], living: findings.living, matched: findings.latents.count, twins: findings.twins,
      concepts: byKind { kind in world.concepts.count { $0.kind == kind } }, found: byKind { findings.found($0) },
      chat_only: byKind { findings.calledChatOnly($0) }, chat_specific: byKind { findings.calledChatSpecific($0) },
      nu_error: byKind { findings.median($0, \.nuError) },
      nu_reconstruction: byKind { findings.median($0, \.nuReconstruction) },
      auc: byScore(amongChatOnly: false), auc_chat_only: byScore(amongChatOnly: true))
  }

  /// Three tables: each method's result for each kind, how well each score ranks, and L1 at every μ.
  var text: String {
    let methods = [("L1", chosen("l1")), ("BatchTopK", chosen("batchtopk"))]
    var kinds = TextTable(
      [.init(title: "method")] + ["concepts", "planted", "found", "chat-only", "specific", "ν^ε", "ν^r"].map(number))
    for (name, rows) in methods {
      for kind in SyntheticWorld.Kind.allCases.map(\.rawValue) {
        func counts(_ path: KeyPath<Row, [String: Int]>) -> String {
          spread(rows.compactMap { $0[keyPath: path][kind].map(Double.init) }, digits: 1)
        }
        kinds.add([
          name, kind, counts(\.concepts), counts(\.found), counts(\.chat_only), counts(\.chat_specific),
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
        + ["μ", "chosen", "L0", "FVE base", "FVE chat", "twins", "true chat-only", "false chat-only"].map(number))
    let truth = SyntheticWorld.Kind.chatOnly.rawValue
    for (method, mu) in Set(runs.map { Pair(method: $0.method, mu: $0.mu) }).sorted().map({ ($0.method, $0.mu) }) {
      let rows = runs.filter { $0.method == method && $0.mu == mu }
      all.add([
        method, mu.map { "\($0)" } ?? "-", "\(rows.count { $0.chosen })", spread(rows.map(\.l0), digits: 1),
        spread(rows.map(\.fve_base)), spread(rows.map(\.fve_chat)), spread(rows.map { Double($0.twins) }, digits: 1),
        spread(rows.map { Double($0.chat_only[truth] ?? 0) }, digits: 1),
        spread(
          rows.map { row in Double(row.chat_only.reduce(0) { $0 + ($1.key == truth ? 0 : $1.value) }) }, digits: 1),
      ])
    }
    return kinds.text + "\n" + scores.text + "\n" + all.text
  }

  private struct Pair: Hashable, Comparable {
    let method: String
    let mu: Double?
    static func < (a: Pair, b: Pair) -> Bool { (b.method, a.mu ?? 0) < (a.method, b.mu ?? 0) }
  }

  private func chosen(_ method: String) -> [Row] { runs.filter { $0.method == method && $0.chosen } }

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
