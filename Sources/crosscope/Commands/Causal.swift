// `crosscope causal` tests scores of chat-specificity by `ActivationPatching`: which latents, added to base's residual stream,
// close most of the divergence from chat? Each arm has the latents that a score chooses, and LatentPatchingJob measures the
// chats. Too few latents to choose from are an error.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Glibc
import Inference
import Kernels
import Pipeline
import Reports
import Storage
import TUI

/// The scores that order latents; the most chat-specific latent is the first.
enum CausalScore: String, CaseIterable, ExpressibleByArgument {
  case chatSpecificity = "chat_specificity"
  case deltaNorm = "delta_norm"
  case nuError = "nu_error"
  case nuReconstruction = "nu_reconstruction"
  case nuRankSum = "nu_rank_sum"

  init?(argument: String) { self.init(rawValue: argument.replacing("-", with: "_")) }
  static var allValueStrings: [String] { allCases.map { $0.rawValue.replacing("_", with: "-") } }

  /// The latents ordered by this score; equal ones are ordered by number.
  func order(_ latents: [LatentRecord]) -> [Int] {
    let sums = nuRankSums(
      latents.map { latent in
        guard let error = latent.nuError, let reconstruction = latent.nuReconstruction else { return nil }
        return (error, reconstruction)
      })
    let keys = latents.enumerated().map { index, latent -> Double in
      let value: Double? =
        switch self {
        case .chatSpecificity: latent.chatSpecificity.map(Double.init)
        case .deltaNorm: latent.deltaNorm.map { -$0 }
        case .nuError: latent.nuError
        case .nuReconstruction: latent.nuReconstruction
        case .nuRankSum: sums[index]
        }
      return value ?? .infinity
    }
    return latents.indices.sorted { (keys[$0], latents[$0].id) < (keys[$1], latents[$1].id) }.map {
      Int(latents[$0].id)
    }
  }
}

struct Causal: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Test which latents make base's residual stream act like chat's (KL from chat, by score).",
    discussion: """
      At the crosscoder's layer chat's residual stream is replaced by base's plus f (chat direction − base direction) of \
      some latents, and the rest of the chat model is run. The table has the mean KL divergence of its predictions from \
      chat's, and how much of that of no latents is closed: over the assistants' text (response), over each answer's \
      first 9 tokens, and over all text. Latents are chosen among the living whose ν^ε and ν^r are in −0.1…2. Intervals \
      are 95 %, from chat-clustered standard errors.
      With --engine all chats of the file are sent in one request, which the service refuses with status 413 where it is \
      larger than its --max-body, 1 MiB if not set.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help: "File of chats, one {\"messages\"} a line (default: heldout-chats.jsonl beside the store).")
  var chats: String?
  @Option(name: .customShort("n"), help: "The number of latents in each chosen set.") var n = 100
  @Option(parsing: .upToNextOption, help: "The scores to choose by (default: all of them).")
  var score: [CausalScore] = CausalScore.allCases
  @Option(help: ArgumentHelp("Choose only latents that fulfil this condition, as in latents.", valueName: "expr"))
  var filter = ""
  @Option(help: ArgumentHelp("Take at most this many chats, evenly from the file.", valueName: "chats")) var limit: Int?
  @Option(help: "The number of tokens at which a chat is cut.") var maxTokens = 512
  @Option(help: "The number of random sets of latents.") var randomSets = 5
  @Option(help: "The seed of the random sets.") var seed: UInt64 = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @OptionGroup var engine: EngineOptions
  @Flag(help: "Draw the chart in ASCII.") var ascii = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    try engine.exclude(files, computing)
    guard n > 0, maxTokens > 1, randomSets >= 0, limit ?? 1 > 0 else {
      throw ValidationError("counts must be positive, and --max-tokens at least 2")
    }
  }

  func run() async throws {
    // Ctrl-C ends the running pass instead of stopping the program in the middle of a line.
    let signals = StopSignals([SIGINT])
    let stop = signals.stream
    let work = Task { try await measured() }
    Task {
      for await _ in stop {}
      work.cancel()
    }
    defer { withExtendedLifetime(signals) {} }
    do {
      let report = try await work.value
      if json { try printJSON(report) } else { writeOut(report.text(asciiOnly: ascii)) }
    } catch _ where work.isCancelled {
      writeError("crosscope: \(InferenceError.cancelled)")
      throw ExitCode(130)
    }
  }

  private func measured() async throws -> CausalReport {
    let store = try Store(path: store, access: .readOnly)
    let sets = try sets(store)
    let path = chats ?? StorePlace.heldOutChats(of: store.path)
    let job = LatentPatchingJob(
      arms: sets.map(\.arm), chats: try CorpusReader.readChats(path), name: path, limit: limit, maxTokens: maxTokens)
    var progress: ProgressLine?
    do {
      let found = try await engine.laboratory(on: store, files, computing).outcome(of: job) { event in
        guard case .progress(let done, let total) = event else { return }
        if progress == nil { progress = ProgressLine("causal", total: total, unit: "tokens") }
        progress?.update(done)
      } loading: {
        // Nothing is printed after the line with which Ctrl-C ends.
        if !Task.isCancelled { writeError("causal: " + $0) }
      }
      return CausalReport(store: store.path, chats: path, n: n, seed: seed, sets: sets, found)
    } catch {
      progress?.interrupted()
      throw error
    }
  }

  /// The controls, then the first and last `n` by every score, then random ones.
  private func sets(_ store: Store) throws -> [CausalReport.LatentSet] {
    let ids = try store.latentIDs(matching: Filter(argument: filter, of: store))
    let pool = try store.latents(ids: ids).filter { latent in
      guard !latent.dead, latent.deltaNorm != nil, let error = latent.nuError, let other = latent.nuReconstruction
      else { return false }
      return rankedRatios.contains(error) && rankedRatios.contains(other)
    }
    guard pool.count >= n else {
      throw InputError.invalid(
        source: store.path, expected: "at least \(n) scored latents to choose from (-n takes fewer)",
        found: "\(pool.count)")
    }
    var sets: [CausalReport.LatentSet] = [
      .init(name: "none", arm: .none), .init(name: "all", arm: .all), .init(name: "error", arm: .error),
      .init(name: "template", arm: .template),
    ]
    for score in score {
      let order = score.order(pool)
      sets.append(.init(name: "top", score: score, arm: .latents(Set(order.prefix(n)))))
      sets.append(.init(name: "bottom", score: score, arm: .latents(Set(order.suffix(n)))))
    }
    var generator = SplitMix64(seed: seed)
    let numbers = pool.map(\.id).sorted()
    for _ in 0..<randomSets {
      sets.append(.init(name: "random", arm: .latents(Set(numbers.shuffled(using: &generator).prefix(n)))))
    }
    return sets
  }
}
