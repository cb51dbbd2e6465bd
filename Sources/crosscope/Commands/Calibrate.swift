// `crosscope calibrate`: the strength of mode add from which answers of this pair stop being text, kept in the store for
// the steer screen's warnings.
//   limit = where the mean over latents and prompts of log-perplexity, of the steered answer under the unsteered model,
//           crosses `ceiling`, interpolated between strengths
// Owns: which latents and prompts stand for all. Refuses: a model whose own answers are above the ceiling.

import ArgumentParser
import Diffing
import Foundation
import Inference
import Kernels
import Storage

struct Calibrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Find the strength from which steered answers stop being text, and keep it in the store.",
    discussion: """
      The most chat-specific latents and as many random ones are added at strengths 0.5 to 4. Answers above a perplexity \
      of \(Int(exp(ceiling).rounded())) under the unsteered model, about that of ordinary text, count as broken. The steer \
      screen warns from the strength at which the mean passes that.
      """)

  @Argument(help: "The store.") var store: String
  @Option(help: "Latents to try; half of them the most chat-specific, half drawn at random.") var latents = 8
  @Option(help: "File of prompts: one JSON object a line, its text under \"prompt\".") var prompts: String?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 32
  @Option(help: "Seed of the draw.") var seed: UInt64 = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document.") var json = false

  /// Nats a token.
  static let ceiling = 3.0
  private static let strengths = stride(from: 0.5, through: 4, by: 0.5).map { $0 }
  private static let usualPrompts = [
    "What is the capital of France?", "How do I boil an egg?", "Tell me about the moon.",
    "Write a short poem about a river.", "Why is the sky blue?",
  ]

  func validate() throws {
    guard latents > 1, maxTokens > 3 else { throw ValidationError("at least 2 latents and 4 tokens") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readWrite)
    let context = try SteeringContext.load(
      store: store, files: files.locations, precision: computing.precision ?? .fast)
    let prompts = try prompts.map { try SetPrompt.read($0).map(\.prompt) } ?? Self.usualPrompts
    let chosen = try chosen(store, context)
    var unsteered: [Double] = []
    var steered = [[Double]](repeating: [], count: Self.strengths.count)
    for (index, latent) in chosen.enumerated() {
      writeError("latent \(latent.id), \(index + 1) of \(chosen.count)")
      let answers = SteeredAnswers(
        engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer,
        plans: Self.strengths.map {
          SteeringPlan(interventions: [Intervention(latent: Int(latent.id), mode: .add, strength: $0)])
        }, settings: GenerationSettings(maxTokens: maxTokens),
        maxActivations: { context.activation(latent.maxActivation, of: $0) })
      for prompt in prompts {
        let found = try answers.answer(context.engine.encodePrompt(prompt)).map(\.logPerplexity)
        unsteered.append(found[0])
        for (place, value) in found.dropFirst().enumerated() { steered[place].append(value) }
      }
    }
    let curve = zip([0] + Self.strengths, [unsteered] + steered).map { strength, values in
      (strength: strength, value: values.reduce(0, +) / Double(values.count))
    }
    let limit = try Self.limit(curve, model: context.pair.chat)
    try store.setMeta(Store.coherenceLimit, "\(limit)")
    store.close()
    try report(curve, limit, chosen)
  }

  /// Where a curve from strength 0 on crosses the ceiling; its last strength if it never does.
  static func limit(_ curve: [(strength: Double, value: Double)], model: String) throws -> Double {
    guard let first = curve.first, first.value < ceiling else {
      throw CommandError.inputInvalid(
        source: model, expected: "unsteered answers of a perplexity below \(Int(exp(ceiling).rounded()))",
        found: "\(Int(exp(curve.first?.value ?? 0).rounded()))")
    }
    for (before, after) in zip(curve, curve.dropFirst()) where after.value >= ceiling {
      let share = (ceiling - before.value) / (after.value - before.value)
      return ((before.strength + share * (after.strength - before.strength)) * 100).rounded() / 100
    }
    return curve[curve.count - 1].strength
  }

  private func chosen(_ store: Store, _ context: SteeringContext) throws -> [LatentRecord] {
    let norms = context.crosscoder.chatNorms
    let living = try store.latentIDs(sortedBy: .chatSpecificity, matching: Filter("not dead")).filter {
      norms[Int($0)] > 0
    }
    guard living.count >= latents else {
      throw CommandError.inputInvalid(
        source: store.path, expected: "\(latents) living latents", found: "\(living.count)")
    }
    let top = living.prefix(latents / 2)
    var generator = SplitMix64(seed: seed)
    let random = living.dropFirst(top.count).shuffled(using: &generator).prefix(latents - top.count)
    return try store.latents(ids: Array(top) + random)
  }

  private func report(_ curve: [(strength: Double, value: Double)], _ limit: Double, _ chosen: [LatentRecord]) throws {
    struct Report: Encodable {
      struct Point: Encodable { let strength, log_perplexity: Double }
      let coherence_limit: Double
      let latents: [Int32]
      let curve: [Point]
    }
    guard !json else {
      let points = curve.map { Report.Point(strength: $0.strength, log_perplexity: $0.value) }
      return try printJSON(Report(coherence_limit: limit, latents: chosen.map(\.id), curve: points))
    }
    var table = TextTable([.init(title: "strength", isNumber: true), .init(title: "perplexity", isNumber: true)])
    for point in curve { table.add([shortNumber(point.strength), String(format: "%.1f", exp(point.value))]) }
    writeOut(table.text + "coherence limit \(limit), kept in \(store)\n")
  }
}
