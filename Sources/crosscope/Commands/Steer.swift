// `crosscope steer`: the chat model's answer unsteered and under interventions, side by side; a sweep is several
// strengths at once. Several prompts run one after another on the models loaded once.
// Owns: plans from arguments (SteerArguments), running them; SteerReport prints.

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
      At the crosscoder's layer the residual stream h of the chat model is changed, by each latent's mode:
      add: h + strength × the latent's largest activation × its unit direction.
      difference: h + strength × f × (chat direction − base direction), f the latent's activation; −1 takes away what it \
      adds beyond base.
      ablate: h − strength × f × direction; 1 takes the latent's contribution away.
      project: h − strength × the part of h − mean along the direction; 1 takes it out, also where the latent is off.
      clamp: the latent is held at strength × its largest activation; 0 is ablate.
      f is read from both models' true residual streams of the same tokens.
      """)

  @Argument(help: "The store.") var store: String
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Latent to steer, with its strength (default 1) and its own mode.", valueName: "id[:strength[:mode]]"),
    transform: LatentStrength.init)
  var latent: [LatentStrength] = []
  @Option(parsing: .unconditionalSingleValue, help: "What the user says; may be given several times.")
  var prompt: [String] = []
  @Option(help: "File of prompts: one JSON object a line, its text under \"prompt\".") var promptFile: String?
  @Option(help: "The mode of latents that name none.") var mode: SteeringMode = .add
  @Option(help: "Which tokens to steer; last is the prompt's last one.") var positions: TokenPositions = .all
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Steer only tokens at which a latent's activation is above a value, or below (ID<V); all must hold.",
      valueName: "id>v"), transform: LatentCondition.init)
  var when: [LatentCondition] = []
  @Option(help: "The decoder whose directions are used; difference uses both.") var decoder: PairModel = .chat
  @Flag(help: "Add the same vector after every block above, too (mode add).") var allLayers = false
  @Flag(help: "Strengths are ‖Δh‖ itself, not multiples of the largest activation (mode add).") var rawStrength = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("At most 32 strengths to try, multiplying those of the latents.", valueName: "from:to:step"),
    transform: StrengthSweep.init)
  var sweep: StrengthSweep?
  @Flag(help: "Replace the residual stream by base's: the ceiling of what difference can take away.")
  var swapBase = false
  @Option(
    parsing: .unconditionalSingleValue,
    help: "Phrase whose log-probability at the start of the answer is reported (default: I can't, I cannot).")
  var watch: [String] = []
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document.") var json = false

  /// Phrases that a refusal begins with.
  static let usuallyWatched = ["I can't", "I cannot"]

  func validate() throws {
    guard !prompt.isEmpty || promptFile != nil else { throw ValidationError("--prompt or --prompt-file is needed") }
    guard !latent.isEmpty || swapBase else { throw ValidationError("--latent is needed (or --swap-base)") }
    guard !latent.isEmpty || (decoder == .chat && !allLayers && !rawStrength && sweep == nil) else {
      throw ValidationError("--decoder, --all-layers, --raw-strength and --sweep change nothing without --latent")
    }
    guard !watch.contains("") else { throw ValidationError("--watch: a phrase has at least one character") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readOnly)
    let context = try SteeringContext.load(
      store: store, files: files.locations, precision: computing.precision ?? .fast)
    let known = try store.latents(ids: latent.map { Int32(clamping: $0.id) })
    let largest = Dictionary(known.map { (Int($0.id), $0.maxActivation) }, uniquingKeysWith: { a, _ in a })
    let plans = plans(context)
    if plans.contains(where: { $0.needsBase(context.crosscoder) }) {
      try context.requireBase(store: store, otherwise: SteeringContext.withoutBase)
    }
    let prefixes = PromptPrefixes()
    var reports: [SteerReport] = []
    for prompt in try prompts() {
      let report = try answer(prompt, plans, context, prefixes) { context.activation(largest[$0] ?? nil, of: $0) }
      if !json { report.print() }
      reports.append(report)
    }
    if json {
      if promptFile == nil, reports.count == 1 { try printJSON(reports[0]) } else { try printJSON(["runs": reports]) }
    }
  }

  /// The interventions as given; a sweep multiplies their strengths.
  private var interventions: [Intervention] {
    latent.map { Intervention(latent: $0.id, mode: $0.mode ?? mode, strength: $0.strength) }
  }

  private var strengths: [Double] { sweep?.values ?? [1] }

  /// A plan for each strength of the sweep.
  private func plans(_ context: SteeringContext) -> [SteeringPlan] {
    strengths.map { factor in
      SteeringPlan(
        interventions: interventions.map {
          Intervention(latent: $0.latent, mode: $0.mode, strength: $0.strength * factor)
        },
        positions: positions, swapsBase: swapBase, decoder: decoder, blocks: allLayers ? .ownAndAbove : .own,
        unit: rawStrength ? .norm : .maxActivation,
        conditions: context.conditions(when.map(\.condition)))
    }
  }

  private func answer(
    _ prompt: String, _ plans: [SteeringPlan], _ context: SteeringContext, _ prefixes: PromptPrefixes,
    maxActivations: (Int) -> Double?
  ) throws -> SteerReport {
    let (engine, crosscoder, layer) = (context.engine, context.crosscoder, context.pair.layer)
    let (rendered, settings) = (try engine.encodePrompt(prompt), sampling.settings)
    let run = try SteeringRun(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: rendered, plans: plans, settings: settings,
      prefixes: prefixes, recordsLogProbabilities: true, maxActivations: maxActivations)
    while !run.isFinished { _ = try run.step() }
    let given = try GivenAnswers(
      engine: engine, crosscoder: crosscoder, layer: layer, prompt: rendered, plans: plans, prefixes: prefixes,
      maxActivations: maxActivations)
    let baselines = try (0..<settings.samples).map { try given.score(run.produced(run.stream(arm: 0, sample: $0))) }
    let phrases = watch.isEmpty ? Self.usuallyWatched : watch
    let watched = try phrases.map { try given.score(engine.tokenizer.encode($0, parseSpecial: false)) }
    func answer(_ arm: Int) -> SteerReport.Answer {
      SteerReport.Answer(
        strength: arm == 0 ? nil : strengths[arm - 1],
        samples: (0..<settings.samples).map { sample in
          SteerReport.Sample(
            run, arm: arm, sample: sample, seed: settings.seed &+ UInt64(sample),
            divergences: baselines[sample][arm].divergences, tokenizer: engine.tokenizer)
        },
        watched: zip(phrases, watched).map {
          SteerReport.Watched(text: $0, log_probability: $1[arm].logProbability)
        })
    }
    let projects = interventions.contains { $0.mode == .project }
    return SteerReport(
      prompt: prompt, interventions: interventions, conditions: when.map(\.condition), positions: positions,
      swap_base: swapBase, layer: layer, decoder: decoder, all_layers: allLayers, raw_strength: rawStrength,
      project_mean: projects ? try crosscoder.residualMean(.chat).source : nil, precision: engine.model.precision,
      settings: settings, baseline: answer(0), steered: plans.indices.map { answer($0 + 1) })
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
}
