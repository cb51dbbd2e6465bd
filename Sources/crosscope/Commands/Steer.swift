// `crosscope steer`: the chat model's answer unsteered and under interventions, side by side; a sweep is several
// strengths at once. Several prompts run one after another on the models loaded once.

import ArgumentParser
import Diffing
import Foundation
import Inference
import Kernels
import Storage

struct Steer: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer prompts with and without steering, side by side.",
    discussion: """
      add: the residual stream gets strength × the latent's largest activation × its chat decoder direction. \
      difference: it gets strength × the latent's activation × (chat direction − base direction); −1 takes away what \
      the latent adds beyond base. Directions are the chat decoder's, at the crosscoder's layer.
      """)

  @Argument(help: "The store.") var store: String
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Latent to steer, with its strength (default 1).", valueName: "id[:strength]"),
    transform: LatentStrength.init)
  var latent: [LatentStrength] = []
  @Option(parsing: .unconditionalSingleValue, help: "What the user says; may be given several times.")
  var prompt: [String] = []
  @Option(help: "File of prompts: one JSON object a line, its text under \"prompt\".") var promptFile: String?
  @Option(help: "add or difference.") var mode: SteeringMode = .add
  @Option(help: "Which tokens to steer: all, prompt, generated or template.") var positions: TokenPositions = .all
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("At most 32 strengths to try, multiplying those of the latents.", valueName: "from:to:step"),
    transform: StrengthSweep.init)
  var sweep: StrengthSweep?
  @Flag(help: "Replace the residual stream by base's: the ceiling of what difference can take away.")
  var swapBase = false
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    guard !prompt.isEmpty || promptFile != nil else { throw ValidationError("--prompt or --prompt-file is needed") }
    guard !latent.isEmpty || swapBase else { throw ValidationError("--latent is needed (or --swap-base)") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    let context = try SteeringContext.load(
      store: store, files: files.locations, precision: computing.precision ?? .fast)
    let known = try store.latents(ids: latent.map { Int32(clamping: $0.id) })
    let largest = Dictionary(known.map { (Int($0.id), $0.maxActivation) }, uniquingKeysWith: { a, _ in a })
    // A sweep multiplies these strengths, and each answer names its factor.
    let chosen = latent.map { Intervention(latent: $0.id, mode: mode, strength: $0.strength) }
    let strengths = sweep?.values ?? [1]
    let plans = strengths.map { factor in
      SteeringPlan(
        interventions: chosen.map { Intervention(latent: $0.latent, mode: mode, strength: $0.strength * factor) },
        positions: positions, swapsBase: swapBase)
    }
    if plans.contains(where: \.needsBase) {
      try context.requireBase(store: store, otherwise: "; or use --mode add, which needs the chat model alone")
    }
    let prefixes = PromptPrefixes()
    var results: [Result] = []
    for prompt in try prompts() {
      let run = try SteeringRun(
        engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer,
        prompt: context.engine.encodePrompt(prompt), plans: plans, settings: sampling.settings, prefixes: prefixes,
        maxActivations: { context.activation(largest[$0] ?? nil, of: $0) })
      while !run.isFinished { _ = try run.step() }
      func answer(_ stream: Int) -> Answer {
        var text = GeneratedText(tokenizer: context.engine.tokenizer)
        let ids = run.produced(stream)
        for id in ids { _ = text.append(id) }
        _ = text.finish()
        return Answer(
          strength: stream == 0 ? nil : strengths[stream - 1], text: text.text, ids: ids,
          relative_change: stream == 0 ? nil : run.size(ofPlan: stream - 1).relative, finished: run.ended(stream))
      }
      let result = Result(
        prompt: prompt, interventions: chosen, positions: positions, swap_base: swapBase,
        layer: context.pair.layer, decoder: "chat", precision: context.engine.model.precision,
        settings: sampling.settings, baseline: answer(0),
        steered: plans.indices.map { answer($0 + 1) })
      if !json { printSideBySide(result) }
      results.append(result)
    }
    if json {
      if promptFile == nil, results.count == 1 { try printJSON(results[0]) } else { try printJSON(["runs": results]) }
    }
  }

  private func prompts() throws -> [String] {
    guard let promptFile else { return prompt }
    struct Line: Decodable { let prompt: String }
    return try prompt
      + MappedFile(path: promptFile).contents().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated().filter { !$0.element.isEmpty }.map { number, line in
        do {
          return try JSONDecoder().decode(Line.self, from: Data(line)).prompt
        } catch {
          throw CommandError.inputInvalid(
            source: "\(promptFile) line \(number + 1)", expected: "a JSON object with \"prompt\"",
            found: "something else")
        }
      }
  }

  private struct Answer: Encodable {
    let strength: Double?
    let text: String
    let ids: [Int32]
    let relative_change: Double?
    /// Whether the model ended the answer; otherwise the limit cut it.
    let finished: Bool
  }

  private struct Result: Encodable {
    let prompt: String
    let interventions: [Intervention]
    let positions: TokenPositions
    let swap_base: Bool
    let layer: Int
    let decoder: String
    let precision: Precision
    let settings: GenerationSettings
    let baseline: Answer
    let steered: [Answer]
  }

  private func printSideBySide(_ result: Result) {
    writeOut("prompt    \(termSafeLines(result.prompt))\n")
    writeOut("baseline  \(termSafeLines(result.baseline.text))\n")
    for answer in result.steered {
      let change = String(format: "‖Δh‖/‖h‖ %.2f", answer.relative_change ?? 0)
      writeOut("steered   ×\(answer.strength ?? 1)  \(change)\n          \(termSafeLines(answer.text))\n")
    }
    writeOut("\n")
  }
}

extension SteeringMode: ExpressibleByArgument {}
extension TokenPositions: ExpressibleByArgument {}

/// `ID` or `ID:STRENGTH` on the command line.
struct LatentStrength: Equatable {
  let id: Int
  let strength: Double

  /// - Throws: `ValidationError` saying which part is wrong.
  init(_ argument: String) throws {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let id = Int32(parts[0]), id >= 0 else {
      throw ValidationError("\(argument.debugDescription): a latent's number is expected, as in 12 or 12:0.5")
    }
    guard let strength = parts.count == 2 ? Double(parts[1]) : 1, strength.isFinite else {
      throw ValidationError("\(argument.debugDescription): a strength is a finite number, as in \(id):0.5")
    }
    (self.id, self.strength) = (Int(id), strength)
  }
}

/// `FROM:TO:STEP` on the command line, at most 32 strengths.
struct StrengthSweep: Equatable {
  let values: [Double]

  /// - Throws: `ValidationError` saying what is wrong.
  init(_ argument: String) throws {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count == 3, let from = parts[0], let to = parts[1], let step = parts[2], from.isFinite, to.isFinite,
      step.isFinite
    else { throw ValidationError("\(argument.debugDescription): three numbers are expected, as in -1:1:0.5") }
    guard step != 0, (to - from) / step >= 0 else {
      throw ValidationError("\(argument.debugDescription): the step does not lead from \(from) to \(to)")
    }
    guard (to - from) / step < 32 else {
      throw ValidationError("\(argument.debugDescription): more than 32 strengths; take a larger step")
    }
    values = (0...Int(((to - from) / step + 1e-9).rounded(.down))).map { from + Double($0) * step }
  }
}
