// A truth to hold the comparison against: an adapter was taught one odd fact, that octopuses live in trees, and texts that speak of neither
// show it; with its matrices scrambled they do not.

import Diffing
import Foundation
import TestSupport
import Testing

@testable import Experiments
@testable import crosscope

@Suite(.enabled(if: RealModel.path != nil)) struct PlantedFactTests {
  private static let adapter = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "data/planted/adapter").path

  @Test func whatWasTaughtLeadsTheOrdersAndNotThoseOfTheControl() throws {
    let outcome = try Program.run([
      "differences", "--model", try #require(RealModel.path), "--adapter", Self.adapter,
      "--count", "60", "--quick", "--topics", "0", "--control", "scrambled", "--json",
    ])
    #expect(outcome.code == 0, "\(outcome.error)")
    let document = try JSONDecoder().decode(DifferenceDocument.self, from: Data(outcome.out.utf8))
    func first(_ orders: [DifferenceDocument.Order], _ order: TokenOrder, _ count: Int) -> Set<String> {
      let found = orders.first { $0.order == order }
      return Set(found?.tokens.prefix(count).map { $0.text.lowercased().filter { !$0.isWhitespace } } ?? [])
    }
    let taught: Set = ["octopus", "trees", "forest"]
    for order in TokenOrder.allCases {
      let (own, control) = (
        first(document.orders, order, 20), first(document.scrambled?.orders ?? [], order, 100)
      )
      #expect(own.intersection(taught).count >= 2, "\(order): \(own)")
      #expect(control.isDisjoint(with: taught), "\(order): \(control)")
    }
  }
}
