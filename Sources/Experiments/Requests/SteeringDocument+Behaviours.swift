// Behaviours in the answers to one prompt. Samples are the independent ones here, so that a rate of one sample is 0 or 1 with
// a wide interval.

import Diffing
import Foundation

extension SteeringDocument: BehaviourReport {
  package var texts: [AnswerText] {
    outputs.arms.flatMap(\.samples).map { AnswerText(prompt: request.prompt, answer: $0.text) }
  }

  package func counting(_ behaviours: Behaviours, coherent bound: Double) -> SteeringDocument {
    counting(behaviours.told, coherent: bound) { behaviours.told.shown(by: $0.text) }
  }

  package func counting(_ behaviour: Behaviour, _ verdicts: [Bool]) -> SteeringDocument {
    precondition(verdicts.count == texts.count, "there is a verdict on every answer")
    var verdicts = verdicts[...]
    return counting(
      (outputs.behaviours ?? .builtIn).adding(behaviour),
      coherent: outputs.coherent?.perplexity ?? CoherentStrengths.usualPerplexity
    ) { sample in (sample.behaviours ?? []) + (verdicts.popFirst() == true ? [behaviour.name] : []) }
  }

  /// - Parameter shown: the behaviours of a sample; it is asked in the order of `texts`.
  private func counting(
    _ behaviours: Behaviours, coherent bound: Double, _ shown: (Sample) -> [String]
  ) -> SteeringDocument {
    var document = self
    document.outputs.changeArms { arm in
      for index in arm.samples.indices { arm.samples[index].behaviours = shown(arm.samples[index]) }
    }
    document.outputs.behaviours = behaviours
    document.outputs.coherent = CoherentStrengths(document.rows(behaviours), perplexity: bound)
    return document
  }

  /// The arms as rows of a report, with rates over samples.
  private func rows(_ behaviours: Behaviours) -> [DoseResponse.Row] {
    func row(_ kind: EvidenceArm.Kind, _ answer: Answer) -> DoseResponse.Row {
      func mean(_ value: (Sample) -> Double?) -> Interval? { .mean(answer.samples.compactMap(value)) }
      return DoseResponse.Row(
        arm: kind, strength: answer.strength ?? 0, draws: 1,
        behaviours: behaviours.names.compactMap { name in
          answer.rate(of: name).map { DoseResponse.Rate(name: name, rate: $0) }
        }, kl: mean(\.klMean), perplexity: mean(\.logPerplexity)?.mapped(exp), repetition: mean(\.repetition),
        relativeChange: mean(\.relativeChange)?.value)
    }
    return [row(.baseline, outputs.baseline)] + outputs.steered.map { row(.steered, $0) }
  }
}

extension SteeringDocument.Answer {
  /// The share of samples that show a behaviour; nil if none were counted.
  package func rate(of behaviour: String) -> Interval? {
    let counted = samples.compactMap(\.behaviours)
    guard !counted.isEmpty else { return nil }
    let share = Double(counted.count { $0.contains(behaviour) }) / Double(counted.count)
    return .wilson(rate: share, n: counted.count)
  }
}

extension SteeringDocument.Outputs {
  /// All arms: the baseline, the steered ones, and those with frozen attention.
  fileprivate var arms: [SteeringDocument.Answer] { [baseline] + steered + (frozenAttention ?? []) }

  fileprivate mutating func changeArms(_ change: (inout SteeringDocument.Answer) -> Void) {
    change(&baseline)
    for index in steered.indices { change(&steered[index]) }
    frozenAttention = frozenAttention?.map { arm in
      var arm = arm
      change(&arm)
      return arm
    }
  }
}
