// A saved experiment as the explorer and the command line show it: its JSON documents read into what is known of them.
// Owns: reading, and what a run is called. Refuses: to hide what it cannot read; such a run says so and still has its
// prompt, and its documents are exported as they are. Settings are in RunSettings.swift, figures in RunFigures.swift,
// Markdown in SavedRun+Markdown.swift.

import Diffing
import Foundation
import Storage
import TUI

/// What an experiment's documents say.
struct SavedRun: Sendable, Equatable {
  let record: ExperimentRecord
  let interventions: [Intervention]?
  let parameters: SteeringDocument.Parameters?
  let baseline: SteeringDocument.Answer?
  let steered: [SteeringDocument.Answer]
  /// Steered with the baseline's attention weights, strength for strength; empty where that was not asked for.
  let frozen: [SteeringDocument.Answer]
  /// The figures of a causal check, or of a sweep over a set of prompts, which are no single prompt's answers.
  let check: CausalCheckReport?
  let set: DoseResponse?
  /// Name and version of program and models, by name.
  let versions: [(name: String, version: String)]

  init(_ record: ExperimentRecord) {
    func read<T: Decodable>(_ type: T.Type, _ text: String) -> T? {
      try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
    self.record = record
    interventions = read([Intervention].self, record.interventions)
    parameters = read(SteeringDocument.Parameters.self, record.parameters)
    let outputs = read(SteeringDocument.Outputs.self, record.outputs)
    (baseline, steered, frozen) = (outputs?.baseline, outputs?.steered ?? [], outputs?.frozenAttention ?? [])
    check = outputs == nil ? read(CausalCheckReport.self, record.outputs) : nil
    set = outputs == nil && check == nil ? read(DoseResponse.self, record.outputs) : nil
    versions =
      read([String: String].self, record.versions)?.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } ?? []
  }

  static func == (left: SavedRun, right: SavedRun) -> Bool { left.record == right.record }

  /// `5 add +1.00, 42 difference -1.00 where f>20`.
  var interventionsText: String {
    interventions?.text(conditions: parameters?.conditions ?? []) ?? "interventions of another form"
  }

  /// What the steer screen would have to be asked for; nil where the documents do not say it, or say more than the screen
  /// can be set to.
  var request: SteeringRequest? {
    guard let interventions, let parameters else { return nil }
    guard !parameters.swapsBase, set == nil else { return nil }
    let settings = parameters.settings
    return SteeringRequest(
      prompt: record.prompt, turns: parameters.turns,
      interventions: interventions.filter(\.isOn).map { SteeringIntervention($0) }, positions: parameters.positions,
      decoder: parameters.decoder,
      blocks: parameters.steersAllLayers ? .ownAndAbove : .own,
      unit: parameters.takesRawStrength ? .norm : .maxActivation,
      conditions: parameters.conditions, maxTokens: settings.maxTokens, temperature: settings.temperature,
      seed: settings.seed, topP: settings.topP, minP: settings.minP, frequencyPenalty: settings.frequencyPenalty,
      samples: settings.samples, watched: baseline?.watched.map(\.text) ?? [], freezesAttention: !frozen.isEmpty)
  }

  /// Of a set of prompts or a causal check: the answers to each prompt, in the order of the arms.
  var outcomes: [PromptOutcome]? { self.set?.outcomes ?? check?.answers }

  /// What the answers to a prompt are called, arm by arm.
  func armNames(_ outcome: PromptOutcome) -> [String] {
    let arms = set?.arms ?? check?.arms ?? []
    return outcome.answers.indices.map { index in
      guard arms.indices.contains(index) else { return "answer \(index + 1)" }
      let arm = arms[index]
      let latents = arm.kind == .random ? " (\(arm.latents.map(String.init).joined(separator: ", ")))" : ""
      return arm.kind.title + latents + (arm.kind == .baseline ? "" : " ×\(compact(arm.strength))")
    }
  }
}

/// An experiment as JSON: the store's columns, its documents not as text but as what they hold.
struct ExperimentJSON: Encodable {
  let record: ExperimentRecord

  private enum Key: String, CodingKey {
    case id, created, prompt, kind, interventions, parameters, outputs, versions
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(record.id, forKey: .id)
    try fields.encode(record.created, forKey: .created)
    try fields.encode(record.prompt, forKey: .prompt)
    try fields.encode(record.kind, forKey: .kind)
    for (key, text) in [
      (Key.interventions, record.interventions), (.parameters, record.parameters), (.outputs, record.outputs),
      (.versions, record.versions),
    ] {
      // A document that is not JSON, in a store of somebody else, goes out as the text that it is.
      if let document = try? JSONDecoder().decode(JSONDocument.self, from: Data(text.utf8)) {
        try fields.encode(document, forKey: key)
      } else {
        try fields.encode(text, forKey: key)
      }
    }
  }
}

/// Any JSON, to be passed on.
private indirect enum JSONDocument: Codable {
  case null, bool(Bool), integer(Int64), large(UInt64), number(Double), string(String), list([JSONDocument])
  case object([String: JSONDocument])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let found = try? value.decode(Bool.self) {
      self = .bool(found)
    } else if let found = try? value.decode(Int64.self) {
      self = .integer(found)
    } else if let found = try? value.decode(UInt64.self) {
      self = .large(found)
    } else if let found = try? value.decode(Double.self) {
      self = .number(found)
    } else if let found = try? value.decode(String.self) {
      self = .string(found)
    } else if let found = try? value.decode([JSONDocument].self) {
      self = .list(found)
    } else {
      self = .object(try value.decode([String: JSONDocument].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .null: try value.encodeNil()
    case .bool(let found): try value.encode(found)
    case .integer(let found): try value.encode(found)
    case .large(let found): try value.encode(found)
    case .number(let found): try value.encode(found)
    case .string(let found): try value.encode(found)
    case .list(let found): try value.encode(found)
    case .object(let found): try value.encode(found)
    }
  }
}
