// `crosscope causal` tests scores of chat-specificity by `ActivationPatching`: which latents, added to base's residual stream,
// close most of the divergence from chat? Each arm has the latents that a score chooses. Too few latents to choose from are an
// error, and so are chats without an answer.

import ArgumentParser
import Diffing
import Dispatch
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
      some latents, and the rest of the chat model is run. Printed is the mean KL divergence of its predictions from \
      chat's, and how much of that of no latents is closed: over the assistants' text (response), over each answer's \
      first 9 tokens, and over all text. Latents are chosen among the living whose ν^ε and ν^r are in −0.1…2. Intervals \
      are 95 %, from chat-clustered standard errors.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(
    help: "File of chats, one {\"messages\"} a line (default: heldout-chats.jsonl beside the store).")
  var chats: String?
  @Option(name: .customShort("n"), help: "Latents in each chosen set.") var n = 100
  @Option(parsing: .upToNextOption, help: "Scores to choose by (default: all of them).")
  var score: [CausalScore] = CausalScore.allCases
  @Option(help: ArgumentHelp("Only latents that fulfil this condition, as in latents.", valueName: "expr"))
  var filter = ""
  @Option(help: ArgumentHelp("At most this many chats, evenly from the file.", valueName: "chats")) var limit: Int?
  @Option(help: "Tokens at which a chat is cut.") var maxTokens = 512
  @Option(help: "Random sets of latents.") var randomSets = 5
  @Option(help: "Seed of the random sets.") var seed: UInt64 = 0
  @OptionGroup var files: ModelFileOptions
  @OptionGroup var computing: ComputeOptions
  @Flag(help: "Draw the chart in ASCII.") var ascii = false
  @Flag(help: "Print one JSON document.") var json = false

  func validate() throws {
    guard n > 0, maxTokens > 1, randomSets >= 0, limit ?? 1 > 0 else {
      throw ValidationError("counts are positive, and a chat has at least two tokens")
    }
  }

  func run() async throws {
    // Ctrl-C ends the running pass instead of stopping the program in the middle of a line.
    let (interrupts, continuation) = AsyncStream<Void>.makeStream()
    signal(SIGINT, SIG_IGN)
    let interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    interrupt.setEventHandler { continuation.yield() }
    interrupt.resume()
    let work = Task.detached { try measured() }
    Task { for await _ in interrupts { work.cancel() } }
    do {
      let report = try await work.value
      if json { try printJSON(report) } else { writeOut(report.text(asciiOnly: ascii)) }
    } catch let error as DiffingError where error == .file(.cancelled) {
      writeError("crosscope: \(InferenceError.cancelled)")
      throw ExitCode(130)
    }
  }

  private func measured() throws -> CausalReport {
    let store = try Store(path: store, access: .readOnly)
    let sets = try sets(store)
    let path = chats ?? URL(fileURLWithPath: store.path).deletingLastPathComponent().path + "/heldout-chats.jsonl"
    let context = try SteeringContext.load(
      store: store, files: files.locations, precision: computing.precision ?? .fast,
      progress: { writeError("causal: " + $0) })
    try context.requireBase(store: store)
    let texts = try answered(CorpusReader.readChats(path, limit: maxTokens, engine: context.engine), path)
    let test = try ActivationPatching(
      engine: context.engine, crosscoder: context.crosscoder, layer: context.pair.layer, arms: sets.map(\.arm))
    var progress = ProgressLine("causal", total: texts.reduce(0) { $0 + $1.ids.count }, unit: "tokens")
    var (done, divergences): (Int, [ChatDivergence]) = (0, [])
    for text in texts {
      do {
        divergences.append(try test.measure(text))
      } catch {
        progress.interrupted()
        throw error
      }
      done += text.ids.count
      progress.update(done)
    }
    return CausalReport(
      store: store.path, chats: path, layer: context.pair.layer, precision: context.engine.model.precision, n: n,
      seed: seed, sets: sets, divergences: divergences)
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
    let numbers = pool.map { Int($0.id) }.sorted()
    for _ in 0..<randomSets {
      sets.append(.init(name: "random", arm: .latents(Set(numbers.shuffled(using: &generator).prefix(n)))))
    }
    return sets
  }

  /// At most `limit` chats that have an answer, spread evenly over the file.
  private func answered(_ chats: [RenderedChat], _ path: String) throws -> [RenderedChat] {
    let answered = chats.filter { !PatchingScope.response.positions(in: $0).isEmpty }
    guard !answered.isEmpty else {
      throw InputError.invalid(
        source: path, expected: "chats with an assistant's answer within \(maxTokens) tokens", found: "none")
    }
    let count = min(limit ?? answered.count, answered.count)
    return (0..<count).map { answered[$0 * answered.count / count] }
  }
}
