// How well each latent tells one kind of prompts from all others before the answer begins: the area under the curve of its
// largest activation (`areaUnderCurve` in Diffing), 1 if it fires harder on every prompt of the kind than on any other.

import Diffing

/// The figures of some latents on a set of prompts.
package struct TriggerScores: Sendable, Equatable {
  package let kinds: [String]
  package let latents: [Int]
  /// The number of prompts of each kind, and of all others under `others`.
  package let prompts: [String: Int]
  /// For each kind, then for each latent in the order of `latents`.
  package let auc: [[Double]]
  /// The share of the models' difference that each latent carries, the mean over the prompts of the kind (`PromptReading`).
  package let carried: [[Double]]

  /// The name of the store's metric that keeps the figures of a kind.
  package static func metric(of kind: String) -> String { "auc_" + kind }
  /// The name of the store's metric that keeps the shares of a kind.
  package static func carriedMetric(of kind: String) -> String { "carried_" + kind }

  /// - Parameters:
  ///   - kinds: the kinds to tell apart; nil for all that the prompts have.
  ///   - findings: what the latents do on each prompt (`PromptActivationsJob`).
  ///   - groups: several kinds under one name, which are told from all others as if they were one.
  package init(
    prompts: [SetPrompt], latents: [Int], findings: [PromptFindings], kinds: [String]? = nil,
    groups: [String: [String]] = [:]
  ) {
    self.latents = latents
    let single = kinds ?? Set(prompts.compactMap(\.kind)).sorted()
    let chosen =
      single.map { (name: $0, members: [$0]) }
      + groups.sorted { $0.key < $1.key }.map { (name: $0.key, members: $0.value) }
    self.kinds = chosen.map(\.name)
    var counts = Dictionary(grouping: prompts) { single.contains($0.kind ?? "") ? $0.kind ?? "" : "others" }
      .mapValues(\.count)
    for group in groups { counts[group.key] = prompts.count { group.value.contains($0.kind ?? "") } }
    self.prompts = counts
    let parts = chosen.map { kind in
      let isOwn = prompts.map { kind.members.contains($0.kind ?? "") }
      return (own: prompts.indices.filter { isOwn[$0] }, others: prompts.indices.filter { !isOwn[$0] })
    }
    auc = parts.map { part in
      latents.indices.map { latent in
        areaUnderCurve(
          own: part.own.map { findings[$0].largest[latent] }, others: part.others.map { findings[$0].largest[latent] })
          ?? 0.5
      }
    }
    carried = parts.map { part in
      latents.indices.map { latent in
        part.own.reduce(0) { $0 + Double(findings[$1].carried[latent]) } / Double(max(1, part.own.count))
      }
    }
  }

  /// The latents that tell a kind best, as places in `latents`; of equal ones the one that comes first there.
  package func best(of kind: Int, count: Int) -> [Int] {
    Array(latents.indices.sorted { (-auc[kind][$0], $0) < (-auc[kind][$1], $1) }.prefix(count))
  }
}
