// The report that `crosscope causal` prints: one row for each arm, as a table with bars or as JSON. Several random sets are one
// row with the mean of their divergences at each token. The intervals of ratios come from ClusteredRatio.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage
import TUI

/// The finished test.
struct CausalReport {
  /// An arm and how its latents were chosen.
  struct LatentSet {
    var name: String
    var score: CausalScore?
    var arm: PatchingArm

    /// The latents, if the arm is a choice of some.
    var latents: [Int]? {
      if case .latents(let chosen) = arm { chosen.sorted() } else { nil }
    }
  }

  /// The figures of one arm over the predictions of a scope.
  struct Figures: Encodable {
    /// The mean KL(chat ‖ patched) in nats a prediction.
    let kl: ClusteredRatio?
    /// 1 − KL ÷ KL of none.
    let closed: ClusteredRatio?
    /// How much more of the KL of none is closed than by random latents; the difference is taken for each chat.
    let closed_beyond_random: ClusteredRatio?

    /// Missing values are written as null, not left out.
    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(kl, forKey: .kl)
      try fields.encode(closed, forKey: .closed)
      try fields.encode(closed_beyond_random, forKey: .closed_beyond_random)
    }

    private enum CodingKeys: CodingKey { case kl, closed, closed_beyond_random }
  }

  struct Row: Encodable {
    let arm: String
    let score: String?
    let n: Int?
    let sets: Int
    let latents: [[Int]]?
    let all, response, first_9: Figures

    func encode(to encoder: any Encoder) throws {
      var fields = encoder.container(keyedBy: CodingKeys.self)
      try fields.encode(arm, forKey: .arm)
      try fields.encode(score, forKey: .score)
      try fields.encode(n, forKey: .n)
      try fields.encode(sets, forKey: .sets)
      try fields.encode(latents, forKey: .latents)
      try fields.encode(all, forKey: .all)
      try fields.encode(response, forKey: .response)
      try fields.encode(first_9, forKey: .first_9)
    }

    private enum CodingKeys: CodingKey { case arm, score, n, sets, latents, all, response, first_9 }

    func figures(_ scope: PatchingScope) -> Figures {
      switch scope {
      case .all: all
      case .response: response
      case .first9: first_9
      }
    }
  }

  let store, chats: String
  let layer: Int
  let precision: Precision
  let n: Int
  let seed: UInt64
  private let tokens: [String: Int]
  private let chatCount: Int
  let rows: [Row]

  /// - Parameter found: the divergences of every chat, with an arm for each set.
  init(store: String, chats: String, n: Int, seed: UInt64, sets: [LatentSet], _ found: PatchingDivergences) {
    (self.store, self.chats, self.n, self.seed) = (store, chats, n, seed)
    (layer, precision) = (found.layer, found.precision)
    let divergences = found.chats
    chatCount = divergences.count
    tokens = Dictionary(
      uniqueKeysWithValues: PatchingScope.allCases.map { scope in
        (scope.rawValue, divergences.reduce(0) { $0 + ($1.tokens[scope] ?? 0) })
      })
    /// For each chat, the sum of divergences, averaged over the arms.
    func sums(_ arms: [Int], _ scope: PatchingScope) -> [Double] {
      divergences.map { chat in
        arms.reduce(0) { $0 + (chat.sums[scope]?[$1] ?? 0) } / Double(max(1, arms.count))
      }
    }
    let none = sets.indices.filter { sets[$0].arm == .none }
    let random = sets.indices.filter { sets[$0].name == "random" }
    var groups = sets.indices.filter { !random.contains($0) }.map { [$0] }
    if !random.isEmpty { groups.append(random) }
    rows = groups.map { arms in
      func figures(_ scope: PatchingScope) -> Figures {
        let (own, nothing) = (sums(arms, scope), sums(none, scope))
        func share(_ closed: [Double]) -> ClusteredRatio? { ClusteredRatio(closed, over: nothing) }
        return Figures(
          kl: ClusteredRatio(own, over: divergences.map { Double($0.tokens[scope] ?? 0) }),
          closed: arms == none ? nil : share(zip(nothing, own).map { $0 - $1 }),
          closed_beyond_random: random.isEmpty || arms == random || sets[arms[0]].latents == nil
            ? nil : share(zip(sums(random, scope), own).map { $0 - $1 }))
      }
      let first = sets[arms[0]]
      return Row(
        arm: first.name, score: first.score?.rawValue, n: first.latents?.count, sets: arms.count,
        latents: first.latents == nil ? nil : arms.compactMap { sets[$0].latents }, all: figures(.all),
        response: figures(.response), first_9: figures(.first9))
    }
  }

  /// The table, and for each arm a bar for the KL over the responses and one over their first tokens.
  func text(asciiOnly: Bool) -> String {
    let scopes: [PatchingScope] = [.response, .first9, .all]
    let titles: [PatchingScope: String] = [.response: "response", .first9: "first 9", .all: "all text"]
    func column(_ title: String) -> TextTable.Column { TextTable.Column(title: title, isNumber: true) }
    var table = TextTable(
      [TextTable.Column(title: "arm"), column("n")]
        + scopes.flatMap { [column("KL \(titles[$0] ?? "")"), column("closed")] })
    var bars = TextTable([
      TextTable.Column(title: "arm"), TextTable.Column(title: "KL response"), TextTable.Column(title: "KL first 9"),
    ])
    let plusMinus = asciiOnly ? "+-" : "±"
    func number(_ ratio: ClusteredRatio?, _ factor: Double, _ digits: Int, _ unit: String = "") -> String {
      guard let ratio else { return "-" }
      let value = String(format: "%.\(digits)f", ratio.value * factor) + unit
      return ratio.halfWidth.map { value + " \(plusMinus) " + String(format: "%.\(digits)f", $0 * factor) } ?? value
    }
    for row in rows {
      let name = ([row.arm, row.score].compactMap { $0 } + (row.sets > 1 ? ["(mean of \(row.sets))"] : []))
        .joined(separator: " ")
      table.add(
        [name, row.n.map(String.init) ?? "-"]
          + scopes.flatMap { scope in
            let figures = row.figures(scope)
            return [number(figures.kl, 1, 4), number(figures.closed, 100, 1, "%")]
          })
      bars.add(
        [name]
          + [PatchingScope.response, .first9].map { scope in
            let largest = rows.compactMap { $0.figures(scope).kl?.value }.max() ?? 0
            let value = row.figures(scope).kl?.value ?? 0
            return barText(largest > 0 ? value / largest : 0, columns: Self.barWidth, asciiOnly: asciiOnly)
          })
    }
    let sizes = scopes.map { "\(titles[$0] ?? "") \(tokens[$0.rawValue] ?? 0)" }.joined(separator: ", ")
    return table.text + "\n" + bars.text
      + "\nKL(chat \(asciiOnly ? "||" : "‖") patched) in nats a prediction, 95% intervals clustered by chat;"
      + " \(chatCount) chats, predictions: \(sizes)\n"
  }

  private static let barWidth = 30
}

extension CausalReport: Encodable {
  private enum CodingKeys: String, CodingKey {
    case store, chats, layer, precision, n, seed, tokens, arms
    case chatCount = "chat_count"
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(store, forKey: .store)
    try fields.encode(chats, forKey: .chats)
    try fields.encode(chatCount, forKey: .chatCount)
    try fields.encode(layer, forKey: .layer)
    try fields.encode(precision, forKey: .precision)
    try fields.encode(n, forKey: .n)
    try fields.encode(seed, forKey: .seed)
    try fields.encode(tokens, forKey: .tokens)
    try fields.encode(rows, forKey: .arms)
  }
}
