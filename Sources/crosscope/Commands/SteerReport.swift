// The short form in which `crosscope steer` prints a prompt's answers and their figures.

import Diffing
import Experiments
import Foundation
import Reports

extension SteeringDocument {
  /// Writes the short form to stdout.
  func printShort() {
    writeOut("prompt    \(termSafeLines(request.prompt))\n")
    if request.plan.hasStrengths {
      writeOut("latents   \(request.steeringText)\n")
    }
    write(outputs.baseline, label: "baseline")
    for answer in outputs.steered { write(answer, label: "steered ") }
    for answer in outputs.frozenAttention ?? [] { write(answer, label: "frozen  ") }
    if let coherent = outputs.coherent { writeOut("\n" + coherent.text) }
    writeOut("\n")
  }

  private func write(_ answer: Answer, label: String) {
    var figures: [String] = []
    if let strength = answer.strength {
      figures.append("×\(strength)")
      figures.append("‖Δh‖/‖h‖ " + fixed(answer.first.relativeChange, 2))
      figures.append("KL " + fixed(answer.first.klMean, 3))
      figures.append(answer.first.firstDifference.map { "differs from token \($0)" } ?? "same tokens")
    }
    figures += answer.watched.map { "log p(\(termSafeLines($0.text))) " + fixed($0.logProbability, 2) }
    figures += (outputs.behaviours?.names ?? []).compactMap { name in
      guard let rate = answer.rate(of: name), rate.value > 0 else { return nil }
      return answer.samples.count > 1 ? "\(name) \(rate.text(0, times: 100, unit: "%"))" : name
    }
    writeOut("\(label)  \(figures.joined(separator: "  "))\n")
    for sample in answer.samples {
      let seed = answer.samples.count > 1 ? "seed \(sample.seed ?? 0): " : ""
      writeOut("          \(seed)\(termSafeLines(sample.text))\n")
      if sample.notFiniteFrom != nil, let ending = sample.ending(limit: 0) { writeOut("          \(ending)\n") }
    }
  }
}
