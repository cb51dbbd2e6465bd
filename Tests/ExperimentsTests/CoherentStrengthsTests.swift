// The best coherent strength of a behaviour, and reports of older versions, which count refusals alone.

import Diffing
import Foundation
import Inference
import Testing

@testable import Experiments

@Suite struct CoherentStrengthsTests {
  private func row(
    _ arm: EvidenceArm.Kind, _ strength: Double, refused: Double, perplexity: Double?
  ) -> DoseResponse.Row {
    DoseResponse.Row(
      arm: arm, strength: strength, draws: 1,
      behaviours: [.init(name: "refused", rate: .wilson(rate: refused, n: 10))], kl: nil,
      perplexity: perplexity.map { Interval(value: $0) }, repetition: nil, relativeChange: nil)
  }

  @Test func brokenTextIsNeverTheBest() throws {
    let rows = [
      row(.baseline, 0, refused: 0.2, perplexity: 1.5), row(.steered, 0, refused: 0.2, perplexity: 1.5),
      row(.steered, -1, refused: 0.1, perplexity: 2), row(.steered, 0.5, refused: 0.6, perplexity: 3),
      row(.steered, 1, refused: 0.6, perplexity: 4), row(.steered, 2, refused: 1, perplexity: 4.01),
      row(.steered, 3, refused: 1, perplexity: nil), row(.random, 0.5, refused: 0.3, perplexity: 9),
    ]
    let found = CoherentStrengths(rows, perplexity: 4)
    #expect(found.strengths == [-1, 0.5, 1] && found.lowest == .init(strength: -1, perplexity: 2))
    let best = try #require(found.best.first)
    // Of equal changes the weaker strength is the best; random latents are shown with their own perplexity.
    #expect(best.strength == 0.5 && best.steered?.value == 0.6 && best.baseline.value == 0.2)
    #expect(best.random?.value == 0.3 && best.randomPerplexity?.value == 9 && best.perplexity?.value == 3)
    #expect(CoherentStrengths(rows, perplexity: 5).best[0].strength == 2)
    #expect(CoherentStrengths(rows, perplexity: 2).best[0].strength == -1, "a rate may fall, too")
  }

  @Test func withoutACoherentStrengthThereIsNoBest() throws {
    let rows = [row(.baseline, 0, refused: 0.2, perplexity: 1.5), row(.steered, 1, refused: 1, perplexity: 7)]
    let found = CoherentStrengths(rows, perplexity: 4)
    #expect(found.isEmpty && found.lowest == .init(strength: 1, perplexity: 7))
    #expect(found.best == [.init(behaviour: "refused", baseline: .wilson(rate: 0.2, n: 10))])
    #expect(CoherentStrengths([], perplexity: 4).best.isEmpty)
  }

  /// An answer and a row as documents had them before there were behaviours.
  @Test func olderDocumentsCountRefusalsAlone() throws {
    let answer = try JSONDecoder().decode(
      SteeredAnswer.self,
      from: Data(
        #"{"text": "a", "ids": [1], "finished": true, "refused": true, "kl": 0, "log_perplexity": 1, "repetition": 0}"#
          .utf8))
    #expect(answer.behaviours == ["refused"] && answer.refused && answer.relativeChange == nil)
    let row = try JSONDecoder().decode(
      DoseResponse.Row.self,
      from: Data(#"{"arm": "steered", "strength": 1, "draws": 1, "refused": {"value": 0.5, "low": 0.1}}"#.utf8))
    #expect(row.behaviours == [.init(name: "refused", rate: Interval(value: 0.5, low: 0.1))])
    #expect(try JSONDecoder().decode(DoseResponse.Row.self, from: JSONEncoder().encode(row)) == row)
    #expect(try JSONDecoder().decode(SteeredAnswer.self, from: JSONEncoder().encode(answer)) == answer)
  }

  @Test func behavioursAreCountedInAnswersThatExist() throws {
    let texts = ["I can't do that.", "Hello, my friend."]
    let outcomes = texts.enumerated().map { index, text in
      PromptOutcome(
        settings: "", index: index, prompt: "p\(index)",
        answers: [text, "Hello."].map {
          SteeredAnswer(
            text: $0, ids: [1], finished: true, behaviours: [], kl: 0, logPerplexity: 0, repetition: 0,
            relativeChange: nil)
        })
    }
    let greets = Behaviour(
      name: "greets", about: "It greets.", classifier: .expressions(.init([try #require(.init("hello"))])))
    let judged = Behaviour(
      name: "kind", about: "It is kind.", classifier: .judge(.init(url: "http://a/v1", model: "m", question: "Kind?")))
    let counted = outcomes.showing(try Behaviours([greets])).showing(judged, [false, true, true, false])
    #expect(
      counted.map { $0.answers.map(\.behaviours) } == [
        [["refused"], ["greets", "kind"]], [["greets", "kind"], ["greets"]],
      ])
    #expect(counted.texts[1] == AnswerText(prompt: "p0", answer: "Hello."))
    let arms = [
      EvidenceArm(kind: .baseline, strength: 0, latents: []), EvidenceArm(kind: .steered, strength: 1, latents: [1]),
    ]
    let rows = DoseResponse.rows(arms, counted, try Behaviours([greets]).adding(judged))
    #expect(rows.map { $0.behaviours.map(\.name) } == [["refused", "greets", "kind"], ["refused", "greets", "kind"]])
    #expect(rows[0].refused.value == 0.5 && rows[1].rate(of: "greets") == .wilson(rate: 1, n: 2))
  }
}
