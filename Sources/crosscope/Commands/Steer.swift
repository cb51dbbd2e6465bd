// `crosscope steer` prints the chat model's answer without and with interventions; a sweep answers at several strengths at
// once. Several prompts run one after another on models that are loaded once. SteerReport prints the answers.

import ArgumentParser
import Diffing
import Experiments
import Explorer
import Foundation
import Inference
import Kernels
import Pipeline
import Reports
import Storage

extension SteeringMode: ExpressibleByArgument {}
extension TokenPositions: ExpressibleByArgument {}
extension PairModel: ExpressibleByArgument {}

struct Steer: AsyncParsableCommand {
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

      A latent may have conditions of its own, each begun with @: --latent '3330:0.5' --latent '2898:0.5:add@>20@12<3' \
      adds 3330 everywhere, and 2898 at tokens where its own activation is above 20 and that of 12 below 3. --when is for \
      all latents, wherever it stands.

      --direction steers with a direction that `crosscope direction` or `differences` keeps in the store, after the \
      direction's own block: add moves h by strength × the direction's unit along it, project takes out strength × its part \
      of h − mean. The name of a family, such as that of a control vector, means all of its directions.

      --amplify goes beyond chat, or back towards base, in what fine-tuning changed, beside latents or without any. \
      logits:A chooses tokens from z + A (z − z of base); -1 is base. weights:L computes with W of base + L (W − W of base); \
      attention:L and mlp:L do so with one half of the blocks, and mlp@8-15:L with these blocks alone; 0 is base, and later \
      ones replace earlier ones. --sweep multiplies the distance from chat, A and L − 1. With a temperature, --min-p 0.05 \
      keeps junk out of amplified logits.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A latent to steer, with its strength (default 1), its own mode, and conditions on it alone: '12:0.5:add@>20'.",
      valueName: "id[:strength[:mode]][@[id]>v]"),
    transform: LatentStrength.init)
  var latent: [LatentStrength] = []
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A direction of the store to steer with, by its name, with its strength (default 1) and mode, add or project.",
      valueName: "name[:strength[:mode]]"), transform: DirectionStrength.init)
  var direction: [DirectionStrength] = []
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Amplify what fine-tuning changed: logits:A, weights:L, attention:L or mlp:L, perhaps of blocks (mlp@8-15:0).",
      valueName: "part[@blocks]:number"), transform: AmplificationTerm.init)
  var amplify: [AmplificationTerm] = []
  @Option(parsing: .unconditionalSingleValue, help: "What the user says; may be given several times.")
  var prompt: [String] = []
  @Option(help: "A file of prompts: one JSON object a line, its text under \"prompt\".") var promptFile: String?
  @Option(help: "The mode of latents that name none.") var mode: SteeringMode = .add
  @Option(help: "The tokens to steer; last is the prompt's last one.") var positions: TokenPositions = .all
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Steer with any latent only at tokens where this one's activation is above a value, or below (ID<V); all must hold.",
      valueName: "id>v"), transform: LatentCondition.naming)
  var when: [LatentCondition] = []
  @Option(help: "The decoder whose directions are used; difference uses both.") var decoder: PairModel = .chat
  @Flag(help: "Add the same vector after every block above, too (mode add).") var allLayers = false
  @Flag(help: "Take strengths as ‖Δh‖ itself, not as multiples of the largest activation (mode add).") var rawStrength =
    false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Try these strengths, at most 32, which multiply those of the latents.", valueName: "from:to:step"),
    transform: StrengthSweep.init)
  var sweep: StrengthSweep?
  @Flag(help: "Replace the residual stream by base's, which is the ceiling of what difference can take away.")
  var swapBase = false
  @Flag(
    help:
      "Steer once more with the baseline's attention weights above the layer, which shows what values and MLPs do alone."
  )
  var frozenAttention = false
  @Option(
    parsing: .unconditionalSingleValue,
    help: "A phrase whose log-probability at the start of the answer is reported (default: I can't, I cannot).")
  var watch: [String] = []
  @OptionGroup(title: "Prompt sets") var promptSet: PromptSetOptions
  @OptionGroup(title: "Behaviours") var counted: BehaviourOptions
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var sampling: SamplingOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Keep the run in the store as an experiment; `rerun` makes it again.") var save = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    guard !prompt.isEmpty || promptFile != nil || promptSet.prompts != nil else {
      throw ValidationError("--prompt, --prompt-file or --prompts is needed")
    }
    if promptSet.prompts != nil {
      guard prompt.isEmpty, promptFile == nil, watch.isEmpty, sampling.samples == 1 else {
        throw ValidationError("--prompt, --prompt-file, --watch and --samples are not for --prompts")
      }
      guard !(json && promptSet.csv) else { throw ValidationError("--json and --csv exclude each other") }
    }
    let hasVectors = !latent.isEmpty || !direction.isEmpty
    guard hasVectors || swapBase || !amplify.isEmpty else {
      throw ValidationError("--latent is needed (or --direction, --amplify or --swap-base)")
    }
    guard !latent.isEmpty || decoder == .chat, hasVectors || (!allLayers && !rawStrength) else {
      throw ValidationError("--decoder, --all-layers and --raw-strength change nothing without --latent")
    }
    guard hasVectors || !amplify.isEmpty || sweep == nil else {
      throw ValidationError("--sweep changes nothing without --latent, --direction or --amplify")
    }
    guard hasVectors || swapBase || (positions == .all && when.isEmpty) else {
      throw ValidationError("--positions and --when change nothing without --latent or --direction")
    }
    guard !latent.isEmpty || (promptSet.random == 0 && promptSet.against == nil) else {
      throw ValidationError("--random and --against replace latents; give --latent")
    }
    guard amplify.count(where: { $0.part == .logits }) <= 1 else {
      throw ValidationError("--amplify: logits are amplified once")
    }
    guard promptSet.prompts != nil || counted.behaviours != nil || counted.coherent == nil else {
      throw ValidationError("--coherent changes nothing without --prompts or --behaviours")
    }
    guard !watch.contains("") else { throw ValidationError("--watch: a phrase must have at least one character") }
  }

  func run() async throws {
    let store = try Store(path: store, access: save ? .readWrite : .readOnly)
    try promptSet.out.map(promptSet.output.check)
    let counter = try counted.counter("steer")
    try warnOfDefault(store)
    let directions = try store.steered(direction)
    let laboratory = try engine.laboratory(on: store, files, computing)
    if let set = promptSet.prompts { return try await runSet(set, request("", directions), laboratory, store, counter) }
    var judgeFailure: (any Error)?
    try await report(to: store) { prompt in
      let document = try await laboratory.outcome(of: SweepJob(request(prompt, directions))).document
      guard counted.behaviours != nil else { return document }
      let (report, failure) = await counter.counting(document)
      judgeFailure = judgeFailure ?? failure
      return report
    }
    if let judgeFailure { throw judgeFailure }
  }

  /// Answers the prompts, prints the answers and saves the runs.
  private func report(to store: Store, _ answer: (String) async throws -> SteeringDocument) async throws {
    var documents: [SteeringDocument] = []
    var unsaved: StorageError?
    for prompt in try prompts() {
      let document = try await answer(prompt)
      if !json { document.printShort() }
      if save, unsaved == nil {
        do {
          writeError("the run is saved as experiment \(try store.save(document.record()).id)")
        } catch {
          // The computed answer is printed even if it cannot be saved.
          unsaved = error
        }
      }
      documents.append(document)
    }
    defer { if save { store.close() } }
    if json {
      if promptFile == nil, documents.count == 1 {
        try printJSON(documents[0])
      } else {
        try printJSON(["runs": documents])
      }
    }
    if let unsaved { throw unsaved }
  }

  /// Warns if the default strength is one that breaks this pair's text.
  private func warnOfDefault(_ store: Store) throws {
    guard sweep == nil, !rawStrength, let limit = try store.knownCoherenceLimit(), limit < 1 else { return }
    let bare = latent.filter { $0.ownStrength == nil && [.add, .clamp].contains($0.mode ?? mode) }.map(\.id)
    guard let first = bare.first else { return }
    writeError(
      """
      steer: the default strength 1 is beyond this pair's limit of \(compact(limit)), from which answers stop being \
      text; a strength follows the latent: --latent \(first):\(compact(KnobNotch.last(within: limit)))
      """)
  }

  /// The request for a prompt.
  private func request(_ prompt: String, _ directions: [SteeredDirection]) -> SteeringRequest {
    SteeringRequest(
      prompt: prompt,
      plan: SteeringPlan(
        interventions: interventions, directions: directions, positions: positions, swapsBase: swapBase,
        decoder: decoder,
        blocks: allLayers ? .ownAndAbove : .own, unit: rawStrength ? .norm : .maxActivation,
        conditions: when.map(\.condition), amplification: Amplification(amplify)),
      sampling: sampling.settings, strengths: sweep?.values ?? [1],
      watched: watch.isEmpty ? SteeringRequest.usuallyWatched : watch, freezesAttention: frozenAttention)
  }

  private var interventions: [Intervention] {
    latent.map {
      Intervention(latent: $0.id, mode: $0.mode ?? mode, strength: $0.strength, conditions: $0.conditions)
    }
  }

  private func prompts() throws -> [String] {
    guard let promptFile else { return prompt }
    return try prompt + SetPrompt.read(promptFile).map(\.prompt)
  }

  /// Runs a whole set of prompts and reports figures.
  private func runSet(
    _ path: String, _ request: SteeringRequest, _ laboratory: any Laboratory, _ store: Store,
    _ counter: BehaviourCounter
  ) async throws {
    var job = PromptSetJob(
      request, prompts: try promptSet.chosen(from: path), name: path, random: promptSet.random)
    job.against = try promptSet.against.map { SteeredDirection(name: try store.direction(named: $0).name) }
    let partial = promptSet.out.map { $0 + ".partial.jsonl" }
    let finished = try partial.map { try FinishedPrompts(path: $0) }
    job.skipped = (finished?.outcomes ?? []).map(\.index)
    job.tellsOutcomes = finished != nil
    var progress: ProgressLine?
    let answered = try await laboratory.outcome(of: job) { event in
      switch event {
      case .settings(let settings): try finished?.check(settings: settings)
      case .outcome(let outcome): try finished?.append(outcome)
      case .progress(let done, let total):
        if progress == nil {
          if done > 0 { writeError("steer: \(done) of \(total) prompts are there already") }
          progress = ProgressLine("steer", total: total, unit: "prompts", done: done)
        } else {
          progress?.update(done)
        }
      case .finished: progress?.update(job.prompts.count)
      }
    }
    let (report, judgeFailure) = await counter.counting(answered.adding(finished?.outcomes ?? []))
    if let out = promptSet.out {
      try promptSet.output.write(storedJSON(report) + "\n", to: out)
      if let partial { try FileManager.default.removeItem(atPath: partial) }
    }
    if save {
      writeError("the run is saved as experiment \(try store.save(report.record()).id)")
      store.close()
    }
    if json {
      try printJSON(report)
    } else {
      writeOut(promptSet.csv ? report.csv : report.text(asciiOnly: promptSet.ascii))
    }
    if let judgeFailure { throw judgeFailure }
  }
}
