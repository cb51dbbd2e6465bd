// Counts behaviours in answers that exist already. Answers come back from every laboratory as text, so that behaviours are
// counted where the report is made, and a service needs to know nothing of them.

import Diffing

extension [PromptOutcome] {
  /// The outcomes with the behaviours that the answers show by their words.
  package func showing(_ behaviours: Behaviours) -> [PromptOutcome] {
    map { outcome in
      var outcome = outcome
      for arm in outcome.answers.indices {
        outcome.answers[arm].behaviours = behaviours.shown(by: outcome.answers[arm].text)
      }
      return outcome
    }
  }

  /// The outcomes with another behaviour, which the answers show that a judge says yes to.
  /// - Parameter verdicts: what the judge said of all answers, prompt by prompt and arm by arm.
  package func showing(_ behaviour: Behaviour, _ verdicts: [Bool]) -> [PromptOutcome] {
    precondition(reduce(0) { $0 + $1.answers.count } == verdicts.count, "there is a verdict on every answer")
    var verdicts = verdicts[...]
    return map { outcome in
      var outcome = outcome
      for arm in outcome.answers.indices where verdicts.popFirst() == true {
        outcome.answers[arm].behaviours.append(behaviour.name)
      }
      return outcome
    }
  }

  /// Every answer with its prompt, prompt by prompt and arm by arm.
  package var texts: [AnswerText] {
    flatMap { outcome in outcome.answers.map { AnswerText(prompt: outcome.prompt, answer: $0.text) } }
  }
}

/// An answer and what it answers.
package struct AnswerText: Sendable, Hashable {
  package var prompt: String
  package var answer: String

  package init(prompt: String, answer: String) { (self.prompt, self.answer) = (prompt, answer) }
}

/// A report in whose answers behaviours can be counted.
package protocol BehaviourReport: Sendable {
  /// All answers, in the order of the verdicts of a judge.
  var texts: [AnswerText] { get }

  /// The report with those behaviours counted that expressions tell, and with a bound of the perplexity.
  func counting(_ behaviours: Behaviours, coherent bound: Double) -> Self

  /// The report with another behaviour, which a judge decided.
  /// - Parameter verdicts: what the judge said of each of `texts`.
  func counting(_ behaviour: Behaviour, _ verdicts: [Bool]) -> Self
}
