// What `crosscope evidence` measures, as a JSON file says it. Every choice of a latent and of a strength is made on prompts of
// its own (`choose`); the figures are those of other prompts (`prompts`) that no choice has seen. Paths are relative to the file.

import Diffing
import Foundation
import Inference

/// The measurements of one pair of models, by section.
package struct EvidencePlan: Codable, Sendable, Equatable {
  /// How often both models show a behaviour, unsteered.
  package struct Shown: Codable, Sendable, Equatable {
    package var name: String
    package var behaviour: String
    package var prompts: String
    /// The kinds of prompts that are taken from files; nil for all.
    package var kinds: [String]?
    /// Whether answers without the behaviour are counted.
    package var without: Bool
  }

  /// One latent is added: which one, and how strongly, is chosen among the most chat-specific ones that `filter` lets through.
  package struct Added: Codable, Sendable, Equatable {
    package var name: String
    package var behaviour: String
    package var filter: String
    package var latents: Int
    package var strengths: [Double]
    /// The positions at which latents are added; each is tried with each strength.
    package var positions: [TokenPositions]
    package var choose: String
    /// How many prompts of the choice, evenly spread, all latents are tried on first; the best 6 of them then
    /// answer all of its prompts. nil tries every latent on every prompt.
    package var screen: Int?
    package var prompts: String
    /// The kinds of prompts that are taken from files; nil for all.
    package var kinds: [String]?
    /// The number of random latents that are added with the same ‖Δh‖.
    package var random: Int
  }

  /// The differences of several latents are taken away (mode difference, −1).
  package struct Removed: Codable, Sendable, Equatable {
    package var name: String
    package var behaviour: String
    package var filter: String
    /// The store's metric whose largest values come first; nil puts the most chat-specific latents first.
    package var order: String?
    /// How many of the first latents; each number is an arm, with as many random latents beside it.
    package var latents: [Int]
    package var prompts: String
    /// The kinds of prompts that are taken from files; nil for all.
    package var kinds: [String]?
  }

  /// Which latents tell kinds of prompts apart before the answer begins.
  package struct Triggers: Codable, Sendable, Equatable {
    package var filter: String
    package var latents: Int
    package var kinds: [String]
    /// Files of prompts, on which the latents are chosen and measured.
    package var choose: [String]
    package var prompts: [String]
  }

  /// Whether chat-specific latents make base's residual stream act like chat's.
  package struct Causal: Codable, Sendable, Equatable {
    package var chats: String
    package var latents: Int
    package var random: Int
    package var limit: Int?
  }

  /// The file of behaviours.
  package var behaviours: String
  package var maxTokens: Int
  /// The largest perplexity under the unsteered model at which an answer counts as coherent.
  package var perplexity: Double
  package var seed: UInt64
  package var shown: [Shown]
  package var added: [Added]
  package var removed: [Removed]
  package var triggers: Triggers?
  package var causal: Causal?

  /// Reads a plan; its paths become absolute.
  /// - Throws: `InputError.invalid` naming file and field, `InferenceError` for an unreadable file.
  package static func read(_ path: String) throws -> EvidencePlan {
    let data = try MappedFile(path: path).contents()
    var plan: EvidencePlan
    do {
      plan = try JSONDecoder().decode(EvidencePlan.self, from: data)
    } catch let error as JSONFieldError {
      throw InputError.invalid(source: path, expected: "a plan of evidence", found: error.description)
    } catch let error as DecodingError {
      throw InputError.invalid(source: path, expected: "a plan of evidence", found: error.clause)
    }
    let folder = URL(filePath: path).deletingLastPathComponent()
    plan.resolve { URL(filePath: $0, relativeTo: folder).standardizedFileURL.path }
    return plan
  }

  private mutating func resolve(_ path: (String) -> String) {
    behaviours = path(behaviours)
    for index in shown.indices { shown[index].prompts = path(shown[index].prompts) }
    for index in added.indices {
      added[index].choose = path(added[index].choose)
      added[index].prompts = path(added[index].prompts)
    }
    for index in removed.indices { removed[index].prompts = path(removed[index].prompts) }
    if var section = triggers {
      (section.choose, section.prompts) = (section.choose.map(path), section.prompts.map(path))
      triggers = section
    }
    if let chats = causal?.chats { causal?.chats = path(chats) }
  }
}

// MARK: - Fields

extension EvidencePlan {
  private static let fieldNames = [
    "behaviours", "max_tokens", "perplexity", "seed", "shown", "added", "removed", "triggers", "causal",
  ]

  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: Self.fieldNames)
    self.init(
      behaviours: try fields.required("behaviours"), maxTokens: try fields.value("max_tokens", in: 1...1024) ?? 32,
      perplexity: try fields.value("perplexity", in: 1...1e6) ?? 4, seed: try fields.value("seed") ?? 0,
      shown: try fields.value("shown") ?? [], added: try fields.value("added") ?? [],
      removed: try fields.value("removed") ?? [], triggers: try fields.value("triggers"),
      causal: try fields.value("causal"))
    let names = shown.map(\.name) + added.map(\.name) + removed.map(\.name)
    guard Set(names).count == names.count else { throw fields.invalid("added", "two sections have one name") }
    // All arms of a prompt are answered in one batch with the unsteered one.
    for section in removed where 2 * section.latents.count + 1 >= AnswerLimits.mostStreams {
      throw fields.invalid("removed", "\(section.name) has too many numbers of latents")
    }
  }
}

extension EvidencePlan.Shown {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["name", "behaviour", "prompts", "kinds", "without"])
    self.init(
      name: try fields.required("name"), behaviour: try fields.required("behaviour"),
      prompts: try fields.required("prompts"), kinds: try fields.value("kinds"),
      without: try fields.value("without") ?? false)
  }
}

extension EvidencePlan.Added {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(
      decoder,
      known: [
        "name", "behaviour", "filter", "latents", "strengths", "positions", "choose", "screen", "prompts", "kinds",
        "random",
      ])
    self.init(
      name: try fields.required("name"), behaviour: try fields.required("behaviour"),
      filter: try fields.value("filter") ?? "", latents: try fields.value("latents", in: 1...1000) ?? 25,
      strengths: try fields.required("strengths"), positions: try fields.value("positions") ?? [.all],
      choose: try fields.required("choose"), screen: try fields.value("screen", in: 1...1000),
      prompts: try fields.required("prompts"), kinds: try fields.value("kinds"),
      random: try fields.value("random", in: 1...64) ?? 10)
    guard (1...32).contains(strengths.count), strengths.allSatisfy({ $0.isFinite && $0 != 0 }) else {
      throw fields.invalid("strengths", "expected 1 to 32 numbers other than 0")
    }
    guard !positions.isEmpty else { throw fields.invalid("positions", "expected at least one") }
  }
}

extension EvidencePlan.Removed {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(
      decoder, known: ["name", "behaviour", "filter", "order", "latents", "prompts", "kinds"])
    self.init(
      name: try fields.required("name"), behaviour: try fields.required("behaviour"),
      filter: try fields.value("filter") ?? "", order: try fields.value("order"),
      latents: try fields.required("latents"), prompts: try fields.required("prompts"), kinds: try fields.value("kinds")
    )
    guard !latents.isEmpty, latents.allSatisfy({ (1...SteeringPlan.mostInterventions).contains($0) }) else {
      throw fields.invalid("latents", "expected numbers in 1…\(SteeringPlan.mostInterventions)")
    }
  }
}

extension EvidencePlan.Triggers {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["filter", "latents", "kinds", "choose", "prompts"])
    self.init(
      filter: try fields.value("filter") ?? "", latents: try fields.value("latents", in: 1...100_000) ?? 100,
      kinds: try fields.required("kinds"), choose: try fields.required("choose"),
      prompts: try fields.required("prompts"))
  }
}

extension EvidencePlan.Causal {
  package init(from decoder: any Decoder) throws {
    let fields = try JSONFields(decoder, known: ["chats", "latents", "random", "limit"])
    self.init(
      chats: try fields.required("chats"), latents: try fields.value("latents", in: 1...100_000) ?? 20,
      random: try fields.value("random", in: 1...50) ?? 5, limit: try fields.value("limit", in: 1...100_000))
  }
}
