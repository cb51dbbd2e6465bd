// The strength of mode add from which answers of a pair stop being text, from several latents and prompts:
//   broken = max(log-perplexity of the answer under the unsteered model ÷ `ceiling`, its repetition ÷ `mostRepetition`)
//   limit  = the strength, interpolated, at which the mean of broken comes to 1
// Repetition counts because text that goes in circles is likely text. Latents are the independent samples: each one's
// mean over prompts counts once, and the limit's 95 % interval is the percentile bootstrap over latents (Efron, 1979).
// Owns: the curve, its intervals, and when it has gone far enough. Refuses: a model whose own answers are no text.

import Diffing
import Foundation
import Inference
import Storage

/// What was measured at each strength, by latent.
struct Calibration {
  /// Of one answer, or means over several.
  struct Figures: Equatable {
    var logPerplexity: Double
    var repetition: Double
    var broken: Double

    init(logPerplexity: Double, repetition: Double) {
      (self.logPerplexity, self.repetition) = (logPerplexity, repetition)
      broken = max(logPerplexity / Calibration.ceiling, repetition / Calibration.mostRepetition)
    }

    init(meanOf all: [Figures]) {
      func mean(_ value: (Figures) -> Double) -> Double {
        all.reduce(0) { $0 + value($1) } / Double(max(1, all.count))
      }
      (logPerplexity, repetition, broken) = (mean(\.logPerplexity), mean(\.repetition), mean(\.broken))
    }
  }

  /// Nats a token; about that of ordinary text.
  static let ceiling = 3.0
  /// Share of 4-grams that occurred before.
  static let mostRepetition = 0.4
  /// Tried in this order, so many at a time, until the answers are certainly broken.
  static let strengths = stride(from: 0.25, through: 4, by: 0.25).map { $0 }
  static let strengthsAtOnce = 4
  /// Draws of the bootstrap.
  private static let draws = 2000

  /// Of the answers without steering.
  let unsteered: Figures
  /// From weak to strong: a strength, and what each latent did there.
  private(set) var points: [(strength: Double, latents: [Figures])] = []

  /// - Throws: `CommandError.inputInvalid` where unsteered answers are broken already.
  init(unsteered: Figures, model: String) throws {
    self.unsteered = unsteered
    guard unsteered.broken < 1 else {
      throw CommandError.inputInvalid(
        source: model,
        expected: """
          unsteered answers of a perplexity below \(Int(exp(Self.ceiling).rounded())) that do not go in circles
          """,
        found: String(
          format: "a perplexity of %.1f, %.0f %% repeated", exp(unsteered.logPerplexity), unsteered.repetition * 100))
    }
  }

  mutating func add(_ strength: Double, _ latents: [Figures]) { points.append((strength, latents)) }

  /// Whether answers at the last strength are broken beyond doubt: more would move neither limit nor interval.
  var isFarEnough: Bool {
    guard let broken = points.last.flatMap({ Interval.mean($0.latents.map(\.broken)) }) else { return false }
    return broken.low ?? broken.value >= 1
  }

  /// Where the latents of these places stop saying text; the last strength if they do not.
  private func limit(of places: [Int]) -> Double {
    var before = (strength: 0.0, broken: unsteered.broken)
    for point in points {
      let broken = places.reduce(0) { $0 + point.latents[$1].broken } / Double(max(1, places.count))
      if broken >= 1 {
        return before.strength
          + (1 - before.broken) / (broken - before.broken) * (point.strength - before.strength)
      }
      before = (point.strength, broken)
    }
    return before.strength
  }

  /// The limit and its interval, to two digits; without an interval for a single latent.
  var limit: Interval {
    func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
    let count = points.first?.latents.count ?? 0
    let value = rounded(limit(of: Array(0..<count)))
    guard count > 1 else { return Interval(value: value) }
    var generator = SplitMix64(seed: 0)
    let drawn = (0..<Self.draws).map { _ in
      limit(of: (0..<count).map { _ in Int.random(in: 0..<count, using: &generator) })
    }.sorted()
    let tail = Self.draws / 40
    return Interval(value: value, low: rounded(drawn[tail]), high: rounded(drawn[Self.draws - 1 - tail]))
  }
}

extension Calibration {
  /// Answers of so many streams are decoded together; a prompt's own part is computed once for all of them.
  private static let streamsAtOnce = 48

  /// Measures latents on prompts, a few strengths after the other until the answers are certainly broken.
  /// - Parameters:
  ///   - progress: of these strengths, how many answers are there, of how many.
  static func measure(
    _ latents: [LatentRecord], on prompts: [String], maxTokens: Int, context: SteeringContext,
    progress: (_ strengths: [Double], _ done: Int, _ total: Int) -> Void
  ) throws -> Calibration {
    let answers = CalibrationAnswers(latents, maxTokens: maxTokens, context: context)
    let rendered = try prompts.map { try context.engine.encodePrompt($0) }
    let unsteered = try rendered.map { try answers.figures($0, [])[0] }
    var calibration = try Calibration(unsteered: Figures(meanOf: unsteered), model: context.pair.chat)
    for start in stride(from: 0, to: strengths.count, by: strengthsAtOnce) where !calibration.isFarEnough {
      let some = Array(strengths[start..<min(strengths.count, start + strengthsAtOnce)])
      let arms = some.flatMap { strength in latents.indices.map { (latent: $0, strength: strength) } }
      var found = [[Figures]](repeating: [], count: arms.count)
      progress(some, 0, arms.count * prompts.count)
      for (index, prompt) in rendered.enumerated() {
        for first in stride(from: 0, to: arms.count, by: streamsAtOnce) {
          let part = first..<min(arms.count, first + streamsAtOnce)
          for (arm, figures) in zip(part, try answers.figures(prompt, Array(arms[part]))) {
            found[arm].append(figures)
          }
          progress(some, index * arms.count + part.upperBound, arms.count * prompts.count)
        }
      }
      for (place, strength) in some.enumerated() {
        let own = place * latents.count..<(place + 1) * latents.count
        calibration.add(strength, found[own].map { Figures(meanOf: $0) })
      }
    }
    return calibration
  }
}

/// Answers to prompts with one latent added to each.
private struct CalibrationAnswers {
  let latents: [LatentRecord]
  let maxTokens: Int
  let context: SteeringContext
  private let prefixes = PromptPrefixes(budget: 64 << 20)

  init(_ latents: [LatentRecord], maxTokens: Int, context: SteeringContext) {
    (self.latents, self.maxTokens, self.context) = (latents, maxTokens, context)
  }

  /// What was measured of each arm's answer; of the unsteered one's where there is no arm.
  func figures(_ prompt: RenderedChat, _ arms: [(latent: Int, strength: Double)]) throws -> [Calibration.Figures] {
    let (engine, layer) = (context.engine, context.pair.layer)
    let largest = Dictionary(
      arms.map { arm in
        let latent = latents[arm.latent]
        return (Int(latent.id), context.activation(latent.maxActivation, of: Int(latent.id)))
      }, uniquingKeysWith: { first, _ in first })
    let run = try SteeringRun(
      engine: engine, crosscoder: context.crosscoder, layer: layer, prompt: prompt,
      plans: arms.map {
        SteeringPlan(
          interventions: [Intervention(latent: Int(latents[$0.latent].id), mode: .add, strength: $0.strength)])
      }, settings: GenerationSettings(maxTokens: maxTokens), prefixes: prefixes,
      maxActivations: { largest[$0] ?? nil })
    if !arms.isEmpty { run.end(SteeringRun.baseline) }
    while !run.isFinished { _ = try run.step() }
    let scorer = try GivenAnswers(
      engine: engine, crosscoder: context.crosscoder, layer: layer, prompt: prompt, plans: [], prefixes: prefixes,
      maxActivations: { _ in nil })
    return try (arms.isEmpty ? [SteeringRun.baseline] : Array(1...arms.count)).map { stream in
      let ids = run.produced(stream)
      let own = try scorer.score(ids)[0]
      return Calibration.Figures(
        logPerplexity: -own.logProbability / Double(max(1, ids.count)), repetition: repeatedShare(ids))
    }
  }
}
