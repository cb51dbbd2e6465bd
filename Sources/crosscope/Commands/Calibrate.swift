// `crosscope calibrate`: the strength of mode add from which answers of this pair stop being text, kept in the store for
// the steer screen's first strength and its warnings. The method is Calibration.
// Owns: which latents and prompts stand for all, the report.

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
      The most chat-specific latents and as many random ones are added to neutral prompts, at strengths from 0.25 on, until \
      the answers are certainly broken. An answer counts as broken at a perplexity of \
      \(Int(exp(Calibration.ceiling).rounded())) under the unsteered model, about that of ordinary text, or where \
      \(Int(Calibration.mostRepetition * 100)) % of its 4-grams occurred before, as much more or less as it is further away. \
      The limit is where the mean over latents comes there, its 95 % interval is over latents. The steer screen starts \
      latents below it and warns from it on.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(help: "Latents to try; half of them the most chat-specific, half drawn at random.") var latents = 16
  @Option(help: "File of prompts: one JSON object a line, its text under \"prompt\" (default: 8 neutral ones).")
  var prompts: String?
  @Option(help: "Tokens of an answer at most.") var maxTokens = 32
  @Option(help: "Seed of the draw.") var seed: UInt64 = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    guard latents > 1, maxTokens > 3 else { throw ValidationError("at least 2 latents and 4 tokens") }
  }

  func run() throws {
    let store = try Store(path: store, access: .readWrite)
    let context = try SteeringContext.load(
      store: store, files: files.locations, precision: computing.precision ?? .fast)
    let prompts = try prompts.map { try SetPrompt.read($0).map(\.prompt) } ?? Array(neutralPrompts.prefix(8))
    let chosen = try chosen(store, context)
    var line: Progress?
    let calibration = try Calibration.measure(chosen, on: prompts, maxTokens: maxTokens, context: context) {
      strengths, done, total in
      if done == 0 {
        let span = [strengths.first, strengths.last].map(shortNumber).joined(separator: " to ")
        line = Progress("calibrate, strengths \(span)", total: total, unit: "answers")
      } else {
        line?.update(done)
      }
    }
    try store.setMeta(Store.coherenceLimit, "\(calibration.limit.value)")
    store.close()
    try report(calibration, chosen, prompts: prompts.count)
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

  private func report(_ calibration: Calibration, _ chosen: [LatentRecord], prompts: Int) throws {
    struct Report: Encodable {
      struct Point: Encodable {
        let strength: Double
        let perplexity, repetition, broken: Interval?

        init(_ strength: Double, _ latents: [Calibration.Figures]) {
          self.strength = strength
          perplexity = Interval.mean(latents.map(\.logPerplexity)).map { $0.mapped(exp) }
          repetition = .mean(latents.map(\.repetition))
          broken = .mean(latents.map(\.broken))
        }
      }
      let coherence_limit: Interval
      let latents: [Int32]
      let prompts: Int
      let max_tokens: Int
      let curve: [Point]
    }
    let report = Report(
      coherence_limit: calibration.limit, latents: chosen.map(\.id), prompts: prompts, max_tokens: maxTokens,
      curve: [.init(0, [calibration.unsteered])] + calibration.points.map { .init($0.strength, $0.latents) })
    guard !json else { return try printJSON(report) }
    func cell(_ interval: Interval?, _ digits: Int, times factor: Double = 1) -> String {
      guard let interval else { return "-" }
      func number(_ value: Double) -> String { String(format: "%.\(digits)f", value * factor) }
      guard let low = interval.low, let high = interval.high else { return number(interval.value) }
      return "\(number(interval.value)) [\(number(low)), \(number(high))]"
    }
    var table = TextTable([
      .init(title: "strength", isNumber: true), .init(title: "perplexity"), .init(title: "repeated, %"),
      .init(title: "broken"),
    ])
    for point in report.curve {
      table.add([
        String(format: "%.2f", point.strength), cell(point.perplexity, 1), cell(point.repetition, 0, times: 100),
        cell(point.broken, 2),
      ])
    }
    writeOut(
      table.text + "\(chosen.count) latents, \(prompts) prompts; 95 % intervals over latents\n"
        + "coherence limit \(cell(report.coherence_limit, 2)), kept in \(store)\n")
  }
}
