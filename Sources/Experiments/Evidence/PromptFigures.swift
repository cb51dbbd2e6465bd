// Figures over prompts. Prompts are the independent samples: where a prompt has several answers, as under several random draws,
// their mean counts once.

import Diffing
import Foundation

/// The answers to each prompt.
extension [[SteeredAnswer]] {
  /// The mean of a value over each prompt's answers.
  func means(_ value: (SteeredAnswer) -> Double) -> [Double] {
    map { answers in answers.reduce(0) { $0 + value($1) } / Double(answers.count) }
  }

  /// The share of answers that show a behaviour, with Wilson's interval.
  func rate(of behaviour: String) -> Interval {
    let shares = means { $0.shows(behaviour) ? 1 : 0 }
    return .wilson(rate: shares.reduce(0, +) / Double(Swift.max(1, shares.count)), n: shares.count)
  }

  /// The perplexity under the unsteered chat model, as the geometric mean; nil without prompts.
  var perplexity: Interval? { Interval.mean(means(\.logPerplexity))?.mapped(exp) }
}
