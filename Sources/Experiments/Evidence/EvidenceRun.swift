// Measures what a plan of evidence asks for, section by section, on any laboratory. A finished section is kept in a folder
// beside the report under the hash of all that decides it, so that a killed run resumes at the section where it was.

import Diffing
import Foundation
import Inference
import Kernels
import Storage

/// A run over a plan.
package struct EvidenceRun {
  let plan: EvidencePlan
  let store: Store
  let laboratory: any Laboratory
  let behaviours: Behaviours
  /// The chats of a file.
  let readChats: (String) throws -> [[ChatMessage]]
  /// Receives the name of the present section, how much of it is done, and in which unit.
  let tell: (_ section: String, _ done: Int, _ of: Int, _ unit: String) -> Void
  private let parts: EvidenceParts

  /// - Parameter folder: where finished sections are kept.
  /// - Throws: `InputError.invalid` for a behaviour that the file of behaviours does not have.
  package init(
    _ plan: EvidencePlan, behaviours: Behaviours, store: Store, laboratory: any Laboratory, folder: String,
    readChats: @escaping (String) throws -> [[ChatMessage]], tell: @escaping (String, Int, Int, String) -> Void
  ) throws {
    (self.plan, self.behaviours, self.store, self.laboratory) = (plan, behaviours, store, laboratory)
    (self.readChats, self.tell) = (readChats, tell)
    parts = EvidenceParts(folder: folder)
    let named = plan.shown.map(\.behaviour) + plan.added.map(\.behaviour) + plan.removed.map(\.behaviour)
    for name in named where !behaviours.names.contains(name) {
      throw InputError.invalid(
        source: plan.behaviours, expected: "the behaviour \(name), which the plan names",
        found: behaviours.names.joined(separator: ", "))
    }
    for name in named where behaviours.all.first(where: { $0.name == name })?.judge != nil {
      throw InputError.invalid(
        source: plan.behaviours, expected: "expressions for the behaviour \(name), since no judge is asked here",
        found: "a judge")
    }
  }

  /// Measures every section that is not there yet.
  package func report() async throws -> EvidenceReport {
    var versions = try await laboratory.versions()
    // The number of threads changes no bit.
    versions["threads"] = nil
    let decisive = versions
    var report = EvidenceReport(
      store: URL(filePath: store.path).lastPathComponent, versions: versions, maxTokens: plan.maxTokens,
      perplexity: plan.perplexity)
    for section in plan.shown {
      report.shown.append(
        try await part(section.name, section, [section.prompts], decisive, []) { try await shown(section) })
    }
    for section in plan.added {
      let found = try await part(
        section.name, section, [section.choose, section.prompts], decisive, [try latents(section.filter)]
      ) {
        try await added(section)
      }
      if let found {
        report.added.append(found)
      } else {
        report.incoherent =
          (report.incoherent ?? [])
          + [.init(name: section.name, behaviour: section.behaviour, latents: section.latents)]
      }
    }
    for section in plan.removed {
      // Random latents come from all that are living.
      let lists = [try latents(section.filter, by: section.order), try latents("")]
      report.removed.append(
        try await part(section.name, section, [section.prompts], decisive, lists) { try await removed(section) })
    }
    if let section = plan.triggers {
      let lists = [try latents(section.filter)]
      report.triggers = try await part("triggers", section, section.choose + section.prompts, decisive, lists) {
        try await triggers(section)
      }
    }
    if let section = plan.causal {
      report.causal = try await part("causal", section, [section.chats], decisive, [try latents("")]) {
        try await causal(section)
      }
    }
    return report
  }

  /// A section's result: the one that is kept if nothing that decides it has changed, else a new one, which is then kept.
  /// - Parameter latents: the lists from which the section takes its latents, in their order.
  private func part<Value: Codable>(
    _ name: String, _ section: some Encodable, _ files: [String], _ versions: [String: String],
    _ latents: [[Int]], _ measure: () async throws -> Value
  ) async throws -> Value {
    let hashes = try files.map { try MappedFile(path: $0).sha256() }
    let decisive = storedJSON(
      EvidenceParts.Decisive(
        section: storedJSON(section), files: hashes, versions: versions, behaviours: storedJSON(behaviours),
        maxTokens: plan.maxTokens, perplexity: plan.perplexity, seed: plan.seed,
        latents: latents.map { "\($0)" }.joined(separator: ";")))
    let hash = Array(decisive.utf8).withUnsafeBytes { SHA256.hex(of: $0) }
    if let kept: Value = parts.read(name, hash: hash) { return kept }
    let value = try await measure()
    try parts.write(value, name, hash: hash)
    return value
  }

  /// The living latents that a filter lets through: those with the largest values of a metric first, or the most chat-specific.
  func latents(_ filter: String, by order: String? = nil) throws -> [Int] {
    let condition = filter.isEmpty ? "not dead" : "not dead and (\(filter))"
    let filter = try Filter(condition, metrics: try store.metricNames())
    guard let order else { return try store.latentIDs(sortedBy: .chatSpecificity, matching: filter) }
    return try store.latentIDs(sortedBy: .metric(order), ascending: false, matching: filter)
  }

  /// Answers prompts under arms, with the behaviours counted; several jobs if there are more arms than fit into one.
  func answers(
    _ prompts: [SetPrompt], _ arms: [NamedPlan], comparesWithBase: Bool = false, section: String
  ) async throws -> [ArmAnswers] {
    let most = 96
    let total = (arms.count + most - 1) / most * prompts.count
    var (result, done): ([ArmAnswers], Int) = ([], 0)
    for start in stride(from: 0, to: arms.count, by: most) {
      let job = ArmAnswersJob(
        prompts: prompts, arms: Array(arms[start..<min(start + most, arms.count)]),
        sampling: GenerationSettings(maxTokens: plan.maxTokens), comparesWithBase: comparesWithBase)
      let before = done
      let found = try await laboratory.outcome(of: job) { event in
        if case .progress(let now, _) = event { tell(section, before + now, total, "prompts") }
      }
      done += prompts.count
      if result.isEmpty {
        result = found
      } else {
        for index in result.indices { result[index].answers += found[index].answers.dropFirst() }
      }
    }
    for prompt in result.indices {
      for arm in result[prompt].answers.indices {
        let text = result[prompt].answers[arm].text
        result[prompt].answers[arm].behaviours = behaviours.shown(by: text)
      }
    }
    return result
  }
}

/// Sections that are finished, one file each.
struct EvidenceParts {
  /// All that decides a section.
  struct Decisive: Encodable {
    let section: String
    let files: [String]
    let versions: [String: String]
    let behaviours: String
    let maxTokens: Int
    let perplexity: Double
    let seed: UInt64
    let latents: String
  }

  private struct Part<Value: Codable>: Codable {
    let hash: String
    let value: Value
  }

  let folder: String

  private func path(_ name: String) -> String {
    // A section's name may hold anything.
    let safe = name.map { $0.isLetter || $0.isNumber || $0 == "-" ? $0 : "-" }
    return folder + "/" + String(safe) + ".json"
  }

  func read<Value: Codable>(_ name: String, hash: String) -> Value? {
    guard let data = FileManager.default.contents(atPath: path(name)),
      let part = try? JSONDecoder().decode(Part<Value>.self, from: data), part.hash == hash
    else { return nil }
    return part.value
  }

  func write<Value: Codable>(_ value: Value, _ name: String, hash: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw InferenceError.fileUnwritable(path: folder, reason: error.localizedDescription)
    }
    let file = try AtomicFile(path: path(name))
    try file.write(Array(storedJSON(Part(hash: hash, value: value)).utf8))
    try file.commit(replacing: true)
  }
}
