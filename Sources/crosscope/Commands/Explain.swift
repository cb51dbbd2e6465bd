// `crosscope explain` says what latents are about. Without an endpoint it lists the tokens that they fire on and promote; with
// an endpoint it asks a model for a sentence and tests how well the sentence tells contexts apart.

import ArgumentParser
import Diffing
import Experiments
import Foundation
import Inference
import Pipeline
import Reports
import Storage
import TUI

struct Explain: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explain latents in words, and test the explanations.",
    discussion: """
      With --endpoint (or CROSSCOPE_ENDPOINT) contexts of each latent are sent to that OpenAI-compatible address. Half of \
      them go with the question what they have in common; the others, mixed with texts without the latent, test the answer \
      (detection score: balanced accuracy, 0.5 is chance). Without an endpoint nothing is sent anywhere: each latent gets a \
      summary of the tokens that it fires on and promotes. Latents already explained by the same model are passed over, \
      so a run that was interrupted goes on.
      """)

  @Argument(help: .store, completion: .stores) var store: String
  @Option(parsing: .upToNextOption, help: ArgumentHelp("Explain only these latents.", valueName: "id")) var latent:
    [Int] = []
  @Option(
    help: ArgumentHelp("Explain only latents that fulfil this condition (see latents --help).", valueName: "expr"))
  var filter = "not dead"
  @Option(help: ArgumentHelp("Explain at most this many, the most chat-specific first.", valueName: "n")) var limit:
    Int?
  @Option(
    help: ArgumentHelp(
      "The base address, such as http://localhost:8000/v1 (default: CROSSCOPE_ENDPOINT).", valueName: "url"))
  var endpoint: String?
  @Option(help: ArgumentHelp("The model's name there (default: CROSSCOPE_ENDPOINT_MODEL).", valueName: "name"))
  var endpointModel: String?
  @Option(
    help: ArgumentHelp(
      "The API key; CROSSCOPE_ENDPOINT_KEY is a better place, since others see arguments.", valueName: "key"))
  var endpointKey: String?
  @Option(help: ArgumentHelp("The number of contexts shown for an explanation.", valueName: "n")) var shown = 10
  @Option(
    help: ArgumentHelp("The number of contexts an explanation is tested on, with as many other texts.", valueName: "n"))
  var tested = 10
  @Option(help: ArgumentHelp("The number of latents explained at the same time.", valueName: "n")) var parallel = 4
  @Flag(help: "Explain again what is explained already.") var again = false
  @Flag(help: "Print one JSON document with the explanations made.") var json = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
    guard (1...100).contains(shown), (1...100).contains(tested), (1...64).contains(parallel) else {
      throw ValidationError("--shown and --tested must be 1 to 100, and --parallel 1 to 64")
    }
    _ = try endpointGiven()
  }

  func run() async throws {
    let store = try Store(path: store, access: .readWrite)
    guard store.isWritable else { throw StorageError.readOnly(path: store.path) }
    let made: [ExplanationRecord]
    let failures: Int
    if let endpoint = try endpointGiven() {
      var settings = ExplainSettings()
      (settings.shown, settings.tested) = (shown, tested)
      (made, failures) = try await explain(Explainer(store: store, endpoint: endpoint, settings: settings))
    } else {
      (made, failures) = (try summarise(store), 0)
    }
    if json {
      try printJSON(["explanations": made.map(PageJSON.ExplanationJSON.init)])
    } else {
      writeError(
        "\(counted(made.count, "latent is", "latents are")) explained\(failures > 0 ? ", \(failures) could not be" : "")"
      )
    }
    if failures > 0 { throw ExitCode.failure }
  }

  /// The endpoint that the flags and the environment name; nil if there is none.
  private func endpointGiven() throws -> ChatEndpoint? {
    let environment = ProcessInfo.processInfo.environment
    func value(_ flag: String?, _ name: String) -> String? {
      (flag ?? environment["CROSSCOPE_ENDPOINT" + name]).flatMap { $0.isEmpty ? nil : $0 }
    }
    guard let address = value(endpoint, "") else {
      if endpointModel != nil || endpointKey != nil {
        throw ValidationError("the options of an endpoint need --endpoint; give it too")
      }
      return nil
    }
    guard let model = value(endpointModel, "_MODEL") else {
      throw ValidationError("--endpoint-model (or CROSSCOPE_ENDPOINT_MODEL) is needed with an endpoint")
    }
    guard model != Store.tokenSource else { throw ValidationError("\(quoted(model)) is not a model") }
    do {
      return try ChatEndpoint(base: address, model: model, key: value(endpointKey, "_KEY"))
    } catch {
      throw ValidationError(error.description)
    }
  }

  private func chosen(_ store: Store, source: String) throws -> [Int] {
    var ids = latent
    if ids.isEmpty {
      ids = try store.latentIDs(matching: Filter(argument: filter, of: store))
      if !again {
        let done = try store.latentsExplained(by: source)
        ids.removeAll { done.contains($0) }
      }
    } else {
      _ = try store.latents(ids: ids)
    }
    return Array(ids.prefix(limit ?? ids.count))
  }

  /// Makes summaries from tokens and saves a thousand at a time.
  private func summarise(_ store: Store) throws -> [ExplanationRecord] {
    let ids = try chosen(store, source: Store.tokenSource)
    var progress = ProgressLine("summarise", total: ids.count, unit: "latents")
    var made: [ExplanationRecord] = []
    for start in stride(from: 0, to: ids.count, by: 1000) {
      let part = try ids[start..<min(start + 1000, ids.count)].compactMap { id -> ExplanationRecord? in
        let page = try store.page(of: id)
        return TokenSummary(page).text { page.tokens[$0]?.text }
          .map { ExplanationRecord(latent: id, source: Store.tokenSource, text: $0) }
      }
      try store.save(explanations: part)
      made += part
      progress.update(min(start + 1000, ids.count))
    }
    return made
  }

  /// Asks a model for explanations and saves each one as it arrives.
  private func explain(_ explainer: Explainer) async throws -> (made: [ExplanationRecord], failures: Int) {
    let ids = try chosen(explainer.store, source: explainer.source)
    return try await withThrowingTaskGroup(of: Result<ExplanationRecord, any Error>.self) { group in
      var waiting = ids[...]
      func next() {
        guard let id = waiting.popFirst() else { return }
        group.addTask {
          do { return .success(try await explainer.explain(id)) } catch { return .failure(error) }
        }
      }
      for _ in 0..<parallel { next() }
      var (made, failures): ([ExplanationRecord], Int) = ([], 0)
      var fatal: (any Error)?
      while let result = try await group.next() {
        switch result {
        case .success(let explanation):
          try explainer.store.save(explanations: [explanation])
          made.append(explanation)
          if !json { writeOut(Self.line(explanation) + "\n") }
        case .failure(let error):
          // An error that every other latent would meet ends the run. Questions that were sent are waited for: cancelling one
          // in Foundation's URLSession can crash it on Linux.
          if (error as? EndpointError)?.isFatal ?? (error is StorageError) {
            waiting = []
            fatal = fatal ?? error
          } else {
            writeError(termSafe("\(error)"))
            failures += 1
          }
        }
        next()
      }
      if let fatal { throw fatal }
      return (made, failures)
    }
  }

  private static func line(_ explanation: ExplanationRecord) -> String {
    "\(explanation.latent)  \(fixed(explanation.detectionScore, 2))  \(termSafe(explanation.text))"
  }
}
