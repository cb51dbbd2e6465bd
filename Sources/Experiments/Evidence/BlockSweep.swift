// Which blocks carry a behaviour: of one block at a time the change by fine-tuning counts λ times, usually 0, and the answers to
// a set of prompts are compared with chat's and base's. A behaviour that goes with a block is carried by it, as far as no other
// block makes up for it.

import Diffing
import Foundation
import Inference

/// The finished report.
package struct BlockSweep: Sendable, Equatable {
  /// Whose answers a row has.
  package enum Kind: String, Codable, Sendable { case chat, base, block }

  /// One arm.
  package struct Arm: Codable, Sendable, Equatable {
    package var kind: Kind
    /// The block that is changed, counted from 0; nil for chat and base.
    package var block: Int?
    /// The half of the block that is changed; nil for both.
    package var module: BlockModule?

    package init(_ kind: Kind, block: Int? = nil, module: BlockModule? = nil) {
      (self.kind, self.block, self.module) = (kind, block, module)
    }

    /// The arm's name, such as `block 3 attention`.
    package var name: String {
      ([block.map { "block \($0)" } ?? kind.rawValue] + (module.map { [$0.rawValue] } ?? [])).joined(separator: " ")
    }
  }

  /// The figures of an arm.
  package struct Row: Encodable, Sendable, Equatable {
    package let arm: Arm
    /// The share of answers that show each behaviour, in the order of the report's list.
    package let behaviours: [DoseResponse.Rate]
    /// KL(chat ‖ arm) in nats a token, along chat's answer.
    package let kl: Interval?
    /// The perplexity of the answers under chat, as the geometric mean over prompts.
    package let perplexity: Interval?

    /// The rate of a behaviour; nil if it was not counted.
    package func rate(of behaviour: String) -> Interval? { behaviours.first { $0.name == behaviour }?.rate }
  }

  /// The name of the set of prompts.
  package let promptFile: String
  /// λ of the changed block.
  package let factor: Double
  package let sampling: GenerationSettings
  package let versions: [String: String]
  /// Chat, base, then block by block.
  package let arms: [Arm]
  package let outcomes: [ArmAnswers]
  package private(set) var behaviours = Behaviours.builtIn

  package init(
    promptFile: String, factor: Double, sampling: GenerationSettings, versions: [String: String], arms: [Arm],
    outcomes: [ArmAnswers]
  ) {
    (self.promptFile, self.factor, self.sampling) = (promptFile, factor, sampling)
    (self.versions, self.arms, self.outcomes) = (versions, arms, outcomes)
  }

  package var rows: [Row] {
    arms.enumerated().map { index, arm in
      let answers = outcomes.map { [$0.answers[index]] }
      return Row(
        arm: arm, behaviours: behaviours.names.map { .init(name: $0, rate: answers.rate(of: $0)) },
        kl: .mean(answers.means(\.kl)), perplexity: answers.perplexity)
    }
  }

  /// The arms of a pair beside chat, each with its plan. Blocks that an adapter leaves alone are left out.
  /// - Parameter splitsModules: whether attention and MLP have arms of their own.
  package static func arms(of engine: Engine, factor: Double, splitsModules: Bool) -> [(arm: Arm, plan: SteeringPlan)] {
    let blocks = engine.adapter?.layers ?? Array(0..<engine.model.configuration.nLayers)
    let modules: [BlockModule?] = splitsModules ? BlockModule.allCases : [nil]
    func plan(_ factor: WeightFactor) -> SteeringPlan {
      SteeringPlan(interventions: [], amplification: Amplification(weights: [factor]))
    }
    return [(Arm(.base), plan(WeightFactor(0)))]
      + blocks.flatMap { block in
        modules.map {
          (Arm(.block, block: block, module: $0), plan(WeightFactor(factor, blocks: block...block, module: $0)))
        }
      }
  }
}

extension BlockSweep: Encodable {
  private enum CodingKeys: String, CodingKey {
    case promptFile = "prompt_file"
    case prompts, factor, sampling, versions, rows, outcomes, behaviours
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: CodingKeys.self)
    try fields.encode(promptFile, forKey: .promptFile)
    try fields.encode(outcomes.count, forKey: .prompts)
    try fields.encode(factor, forKey: .factor)
    var settings = fields.nestedContainer(keyedBy: FieldName.self, forKey: .sampling)
    try sampling.write(to: &settings, hasSamples: false)
    try fields.encode(versions, forKey: .versions)
    try fields.encode(rows, forKey: .rows)
    try fields.encode(outcomes, forKey: .outcomes)
    try fields.encode(behaviours, forKey: .behaviours)
  }
}

extension BlockSweep: BehaviourReport {
  package var texts: [AnswerText] {
    outcomes.flatMap { outcome in outcome.answers.map { AnswerText(prompt: outcome.prompt.prompt, answer: $0.text) } }
  }

  /// There is no strength to choose here, so the bound has no effect.
  package func counting(_ behaviours: Behaviours, coherent bound: Double) -> BlockSweep {
    changed(behaviours.told) { answer, _ in answer.behaviours = behaviours.told.shown(by: answer.text) }
  }

  package func counting(_ behaviour: Behaviour, _ verdicts: [Bool]) -> BlockSweep {
    changed(behaviours.adding(behaviour)) { answer, index in
      if verdicts[index] { answer.behaviours.append(behaviour.name) }
    }
  }

  /// The report with other behaviours.
  /// - Parameter change: is given every answer with its place among `texts`.
  private func changed(_ behaviours: Behaviours, _ change: (inout SteeredAnswer, Int) -> Void) -> BlockSweep {
    var (outcomes, index) = (outcomes, 0)
    for prompt in outcomes.indices {
      for arm in outcomes[prompt].answers.indices {
        change(&outcomes[prompt].answers[arm], index)
        index += 1
      }
    }
    var report = BlockSweep(
      promptFile: promptFile, factor: factor, sampling: sampling, versions: versions, arms: arms, outcomes: outcomes)
    report.behaviours = behaviours
    return report
  }
}
