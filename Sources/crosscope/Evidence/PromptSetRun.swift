// Steering over a set of prompts: every prompt under the baseline, each strength, and as many random latents.
// Owns: the arms, the control, and a file of finished prompts beside the output from which a killed run goes on: one JSON
// line a prompt, each with the hash of all settings. Refuses: such a file of other settings.

import Diffing
import Foundation
import Glibc
import Inference
import Kernels
import Storage

/// One column of a dose–response table.
struct EvidenceArm: Codable, Sendable, Hashable {
  enum Kind: String, Codable, Sendable, CaseIterable {
    case baseline, steered, random
    case frozenAttention = "frozen_attention"

    /// For people.
    var title: String { rawValue.replacing("_", with: " ") }
  }
  var kind: Kind
  /// Multiplies the interventions' strengths; 0 for the baseline.
  var strength: Double
  /// The latents that are steered.
  var latents: [Int]
}

/// One prompt under every arm.
struct PromptOutcome: Codable, Sendable, Equatable {
  /// Of everything that decides the answers.
  var settings: String
  var index: Int
  var prompt: String
  var kind: String?
  /// In the order of the arms.
  var answers: [SteeredAnswer]
}

/// A run over a set, made ready.
struct PromptSetRun {
  /// What the random latents have in common with those that they stand for.
  enum Control: String, Codable, Sendable {
    /// Mode add: ‖Δh‖ of each latent.
    case equalNorm = "equal_norm"
    /// Other modes read activations: the same mode and strength, on the random latent's own activation.
    case ownActivation = "own_activation"
  }

  let experiment: SteeringExperiment
  let prompts: [SetPrompt]
  let arms: [EvidenceArm]
  let control: Control?
  let settings: String
  private let answers: SteeredAnswers

  /// Arms at most: all of them are decoded together.
  static let mostArms = 128

  /// - Parameters:
  ///   - random: how many times the latents are replaced by random living ones, drawn with the run's seed.
  /// - Throws: `CommandError.inputInvalid` where there are too many arms or too few latents.
  init(_ experiment: SteeringExperiment, prompts: [SetPrompt], random: Int, store: Store) throws {
    let own = experiment.interventions.map(\.latent)
    try self.init(
      experiment, prompts: prompts, draws: experiment.randomLatents(random, of: own.count, in: store), store: store)
  }

  /// - Parameter draws: the sets of latents that stand for the steered ones, each as many as they are.
  init(_ experiment: SteeringExperiment, prompts: [SetPrompt], draws: [[Int]], store: Store) throws {
    self.experiment = experiment
    self.prompts = prompts
    let own = experiment.interventions.map(\.latent)
    let maxima = try experiment.context.maxActivations(of: own + draws.flatMap { $0 }, in: store)
      .merging(experiment.maxActivations) { $1 }
    let isAdd = experiment.interventions.allSatisfy { $0.mode == .add }
    control = draws.isEmpty ? nil : isAdd ? .equalNorm : .ownActivation
    var arms = [EvidenceArm(kind: .baseline, strength: 0, latents: [])]
    var plans = experiment.plans
    for kind in experiment.freezesAttention ? [EvidenceArm.Kind.steered, .frozenAttention] : [.steered] {
      arms += experiment.strengths.map { EvidenceArm(kind: kind, strength: $0, latents: own) }
    }
    for draw in draws {
      for (index, strength) in experiment.strengths.enumerated() {
        arms.append(EvidenceArm(kind: .random, strength: strength, latents: draw))
        plans.append(Self.control(plans[index], draw, isAdd: isAdd, maxima))
      }
    }
    guard arms.count <= Self.mostArms else {
      throw CommandError.inputInvalid(
        source: "--sweep and --random", expected: "at most \(Self.mostArms) arms with the baseline",
        found: "\(arms.count)")
    }
    self.arms = arms
    settings = Self.hash(experiment, prompts, arms)
    let context = experiment.context
    answers = SteeredAnswers(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, plans: plans,
      settings: experiment.parameters.settings, maxActivations: { maxima[$0] })
  }

  /// A run whose report was kept, to be made again: its arms, with the random latents that it drew, and its prompts.
  init(again saved: DoseResponse, context: SteeringContext, store: Store) throws {
    func arms(_ kind: EvidenceArm.Kind) -> [EvidenceArm] { saved.arms.filter { $0.kind == kind } }
    let strengths = arms(.steered).map(\.strength)
    let random = arms(.random)
    let invalid = CommandError.inputInvalid(
      source: "the saved set of prompts", expected: "arms of one run: strengths by kind, then draw by draw",
      found: "others")
    guard random.allSatisfy({ $0.latents.count == saved.interventions.count }) else { throw invalid }
    let experiment = try SteeringExperiment(
      context: context, store: store, interventions: saved.interventions, parameters: saved.parameters,
      strengths: strengths, watch: [], freezesAttention: !arms(.frozenAttention).isEmpty)
    try self.init(
      experiment, prompts: saved.outcomes.map { SetPrompt(prompt: $0.prompt, kind: $0.kind) },
      draws: stride(from: 0, to: random.count, by: max(1, strengths.count)).map { random[$0].latents }, store: store)
    guard self.arms == saved.arms else { throw invalid }
  }

  /// A plan with other latents in the places of its own.
  private static func control(
    _ plan: SteeringPlan, _ draw: [Int], isAdd: Bool, _ maxima: [Int: Double]
  ) -> SteeringPlan {
    var result = plan
    for (index, latent) in draw.enumerated() {
      let own = plan.interventions[index]
      result.interventions[index].latent = latent
      if isAdd, plan.unit == .maxActivation {
        result.interventions[index].strength = own.strength * (maxima[own.latent] ?? 0)
      }
    }
    if isAdd { result.unit = .norm }
    return result
  }

  private static func hash(_ experiment: SteeringExperiment, _ prompts: [SetPrompt], _ arms: [EvidenceArm]) -> String {
    struct Settings: Encodable {
      let interventions: [Intervention]
      let parameters: SteeringDocument.Parameters
      let arms: [EvidenceArm]
      let prompts: [SetPrompt]
      let versions: [String: String]
    }
    var versions = experiment.context.versions
    versions["threads"] = nil  // last bits are no other run
    let text = storedJSON(
      Settings(
        interventions: experiment.interventions, parameters: experiment.parameters, arms: arms, prompts: prompts,
        versions: versions))
    return Array(text.utf8).withUnsafeBytes { SHA256.hex(of: $0) }
  }

  /// Answers what a file of finished prompts does not have yet, and adds each to it at once.
  /// - Parameters:
  ///   - path: of that file; nil keeps nothing.
  ///   - progress: how many prompts are finished.
  func outcomes(resuming path: String?, progress: (Int) -> Void) throws -> [PromptOutcome] {
    var finished: [Int: PromptOutcome] = [:]
    let log = try path.map { try FinishedPrompts(path: $0, settings: settings) }
    for outcome in log?.outcomes ?? [] { finished[outcome.index] = outcome }
    progress(finished.count)
    for index in prompts.indices where finished[index] == nil {
      let outcome = try outcome(index)
      try log?.append(outcome)
      finished[index] = outcome
      progress(finished.count)
    }
    return prompts.indices.compactMap { finished[$0] }
  }

  /// Answers one prompt under every arm.
  /// - Throws: `DiffingError.file(.cancelled)` between two tokens if the task is cancelled.
  func outcome(_ index: Int) throws -> PromptOutcome {
    let prompt = prompts[index]
    return PromptOutcome(
      settings: settings, index: index, prompt: prompt.prompt, kind: prompt.kind,
      answers: try answers.answer(experiment.context.engine.encodePrompt(prompt.prompt)))
  }
}

/// A run over a set that goes a prompt a step. One owner at a time.
struct PromptSetSweep {
  private let run: PromptSetRun
  private let promptFile: String
  private var outcomes: [PromptOutcome] = []

  init(_ run: PromptSetRun, promptFile: String) { (self.run, self.promptFile) = (run, promptFile) }

  var total: Int { run.prompts.count }
  var done: Int { outcomes.count }

  /// Answers the next prompt.
  /// - Returns: the report when all are answered.
  /// - Throws: as `PromptSetRun.outcome`.
  mutating func step() throws -> DoseResponse? {
    if done < total { outcomes.append(try run.outcome(done)) }
    return done == total ? DoseResponse(run, outcomes, promptFile: promptFile) : nil
  }
}

/// The finished prompts of a run that goes on. A line that a kill cut off is cut off the file.
private final class FinishedPrompts {
  let outcomes: [PromptOutcome]
  private let path: String
  private let descriptor: Int32

  init(path: String, settings: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw InferenceError.fileUnreadable(path: path, reason: "it went away")
    }
    var (outcomes, whole): ([PromptOutcome], Int) = ([], 0)
    for line in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast() {
      guard !JSONLine.isBlank(line) else {
        whole += line.count + 1
        continue
      }
      guard let outcome = try? JSONDecoder().decode(PromptOutcome.self, from: Data(line)) else { break }
      guard outcome.settings == settings else {
        throw CommandError.inputInvalid(
          source: path, expected: "finished prompts of these settings and files (remove it to begin anew)",
          found: "those of others")
      }
      outcomes.append(outcome)
      whole += line.count + 1
    }
    self.outcomes = outcomes
    guard ftruncate(descriptor, off_t(whole)) == 0 else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit { close(descriptor) }

  func append(_ outcome: PromptOutcome) throws {
    let line = Array((storedJSON(outcome) + "\n").utf8)
    guard line.withUnsafeBytes({ write(descriptor, $0.baseAddress, $0.count) }) == line.count else {
      throw InferenceError.fileUnwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }
}
