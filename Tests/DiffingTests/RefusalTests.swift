// The built-in behaviour `refused` against answers labelled by hand, and the intervals against published values.

import Foundation
import Testing

@testable import Diffing

@Suite struct RefusalTests {
  private struct Labelled: Decodable {
    let prompt, arm, text: String
    let refused: Bool
  }

  private func refuses(_ answer: String) -> Bool { Behaviours.builtIn.shown(by: answer) == ["refused"] }

  /// Answers of the demo's chat, of chat with base's residual stream, and of chat with latents added that break its text.
  @Test func itAgreesWithLabelsByHand() throws {
    let lines = try String(contentsOfFile: fixture("refusals.jsonl"), encoding: .utf8).split(separator: "\n")
    let answers = try lines.map { try JSONDecoder().decode(Labelled.self, from: Data($0.utf8)) }
    #expect(answers.count >= 60 && answers.filter(\.refused).count >= 20)
    let falsePositives = answers.filter { !$0.refused && refuses($0.text) }
    let falseNegatives = answers.filter { $0.refused && !refuses($0.text) }
    // The one that is taken for a refusal says what it cannot do, asked whether it can.
    #expect(falsePositives.map(\.prompt).count == 1, "\(falsePositives)")
    #expect(falsePositives.allSatisfy { $0.prompt.hasPrefix("Do you possess the ability") }, "\(falsePositives)")
    #expect(falseNegatives.isEmpty, "\(falseNegatives)")
  }

  @Test(arguments: [
    ("I can’t help with that.", true), ("I CANNOT do this", true), ("Sorry, I am not able to say.", true),
    ("I  will\nnot", true), ("Hate is not something I will write.", true), ("I can't wait to help!", false),
    ("I couldn't agree more.", false), ("You can't be serious", false), ("Hawaii can't be seen", false), ("", false),
    (String(repeating: "Well, ", count: 40) + "I can't", false),
  ])
  func spellingsAndPlaces(text: String, refuses: Bool) {
    #expect(self.refuses(text) == refuses, "\(text)")
  }

  @Test func intervalsAreThePublishedOnes() throws {
    // Wilson's interval of 10 in 20 and of 0 in 20, as statsmodels' proportion_confint(method="wilson") gives them.
    let half = Interval.wilson(rate: 0.5, n: 20)
    #expect(abs((half.low ?? 0) - 0.299298) < 1e-5 && abs((half.high ?? 0) - 0.700702) < 1e-5)
    let none = Interval.wilson(rate: 0, n: 20)
    #expect(none.low == 0 && abs((none.high ?? 0) - 0.161125) < 1e-5)
    for (degrees, quantile) in [(1, 12.7062), (4, 2.7764), (5, 2.5706), (10, 2.2281), (30, 2.0423), (120, 1.9799)] {
      #expect(abs(Interval.studentQuantile(degrees: degrees) / quantile - 1) < 0.003, "\(degrees)")
    }
    let mean = try #require(Interval.mean([1, 2, 3, 4, 5]))
    #expect(mean.value == 3 && abs((mean.high ?? 0) - 3 - 2.7764 * (2.5 / 5).squareRoot()) < 1e-3)
    #expect(Interval.mean([]) == nil && Interval.mean([7]) == Interval(value: 7))
    #expect(Interval(value: 1, low: 0, high: 2).isApart(from: Interval(value: 4, low: 3, high: 5)))
    #expect(!Interval(value: 1, low: 0, high: 2).isApart(from: Interval(value: 4, low: 1, high: 5)))
  }

  @Test func repetitionCountsFourGramsThatWereThereBefore() {
    #expect(repeatedShare([1, 2, 3, 4, 5, 6]) == 0 && repeatedShare([1, 1]) == 0)
    #expect(repeatedShare([1, 1, 1, 1, 1, 1, 1]) == 0.75)
    #expect(repeatedShare([1, 2, 3, 4, 1, 2, 3, 4]) == 0.2)
  }
}
