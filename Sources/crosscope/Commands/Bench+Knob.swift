// `crosscope bench --store` measures the seconds from a turn of the steer screen's knob to the next token's distribution and to
// both answers, with the models of a store. The prompt was read before, as it is while someone turns the knob.

import Diffing
import Experiments
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage

/// The benchmark of `--store`.
struct KnobBenchmark {
  let store: Store
  let precision: Precision

  /// The number of tokens of the prompt and its template.
  private static let promptLength = 50

  /// The number of tokens of each answer.
  private static let answerLength = 40

  /// Prints a CSV row for each mode and choice of positions that differs in cost: the median of `repeats` turns.
  func run(repeats: Int) throws {
    let context = try SteeringContext.load(store: store, precision: precision)
    let prompt = try Self.prompt(context.engine)
    guard let latent = try store.latentIDs().first,
      let largest = try store.latents(ids: [latent]).first?.maxActivation
    else { throw InputError.invalid(source: store.path, expected: "a latent that has fired", found: "none") }
    let prefixes = PromptPrefixes()
    let unsteered = try UnsteeredPrompt(
      engine: context.engine, layer: context.pair.layer, prompt: prompt, prefixes: prefixes)
    writeOut("measure,mode,positions,tokens,seconds,precision,kernels,threads\n")
    for (mode, positions) in [
      (SteeringMode.add, TokenPositions.all), (.difference, .all), (.add, .generated),
    ] {
      var seconds: [Double] = []
      for turn in 0...repeats {
        let plan = SteeringPlan(
          interventions: [Intervention(latent: latent, mode: mode, strength: 0.5 + 0.01 * Double(turn))],
          positions: positions)
        seconds.append(
          try elapsedSeconds {
            let preview = try SteeringPreview(
              engine: context.engine, crosscoder: context.crosscoder, unsteered: unsteered, plan: plan,
              prefixes: prefixes, maxActivations: { context.activation(largest, of: $0) })
            _ = try preview.shift(count: NextTokens.count)
          })
      }
      // The first turn is left out, since it may have to read base's part of the prompt.
      let median = seconds.dropFirst().sorted()[repeats / 2]
      writeOut(
        "knob,\(mode.rawValue),\(positions.rawValue),\(prompt.ids.count),\(median),\(precision.rawValue),"
          + "\(Compute.kernelLevel),\(Compute.threads)\n")
    }
    try answers(context, prompt, prefixes, latent: latent, largest: largest, repeats: repeats)
  }

  /// Measures from another strength to the baseline's and the steered answer, which are decoded together. The tokens
  /// are those of both answers, since either may end early.
  private func answers(
    _ context: SteeringContext, _ prompt: RenderedChat, _ prefixes: PromptPrefixes, latent: Int, largest: Double,
    repeats: Int
  ) throws {
    var (seconds, tokens): ([Double], Int) = ([], 0)
    for turn in 0..<repeats {
      let plan = SteeringPlan(
        interventions: [Intervention(latent: latent, mode: .add, strength: 0.1 + 0.01 * Double(turn))])
      seconds.append(
        try elapsedSeconds {
          let run = try SteeringRun(
            engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, prompt: prompt,
            plans: [plan], settings: GenerationSettings(maxTokens: Self.answerLength), prefixes: prefixes,
            maxActivations: { context.activation(largest, of: $0) })
          while !run.isFinished { _ = try run.step() }
          tokens = run.produced(0).count + run.produced(1).count
        })
    }
    writeOut(
      "answers,add,all,\(tokens),\(seconds.sorted()[repeats / 2]),\(precision.rawValue),"
        + "\(Compute.kernelLevel),\(Compute.threads)\n")
  }

  private static func prompt(_ engine: Engine) throws -> RenderedChat {
    var text = "Tell me a long story about a lighthouse keeper and the sea, with many details, and"
    var prompt = try engine.encodePrompt(text)
    while prompt.ids.count < promptLength {
      text += " more"
      prompt = try engine.encodePrompt(text)
    }
    return prompt
  }
}
