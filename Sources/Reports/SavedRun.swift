// A saved experiment as the explorer and the command line show it. Its JSON documents are read as far as possible. A run that
// cannot be read says so; it still has its prompt, and its documents are exported unchanged. Settings are in RunSettings.swift,
// figures in RunFigures.swift, Markdown in SavedRun+Markdown.swift.

import Diffing
import Experiments
import Foundation
import Storage
import TUI

/// The contents of an experiment's documents.
package struct SavedRun: Sendable, Equatable {
  package let record: ExperimentRecord
  package let interventions: [Intervention]?
  /// The settings of the request and the references of its numbers.
  package let recorded: RecordedSettings?
  package let baseline: SteeringDocument.Answer?
  package let steered: [SteeringDocument.Answer]
  /// The same arms as the steered answers, with the baseline's attention weights; empty if they were not asked for.
  package let frozen: [SteeringDocument.Answer]
  /// The figures of a causal check or of a set of prompts, which are not answers to one prompt.
  package let check: CausalCheckReport?
  package let set: DoseResponse?
  /// The names of the behaviours that were counted in the answers to one prompt.
  package let behaviours: [String]
  /// The best coherent strength of each behaviour, if any were counted.
  package let coherent: CoherentStrengths?
  /// The versions of the program and hashes of the models, by name.
  package let versions: [(name: String, version: String)]

  package init(_ record: ExperimentRecord) {
    func read<T: Decodable>(_ type: T.Type, _ text: String) -> T? {
      try? JSONDecoder().decode(type, from: Data(text.utf8))
    }
    self.record = record
    interventions = read([Intervention].self, record.interventions)
    recorded = read(RecordedSettings.self, record.parameters)
    let outputs = read(SteeringDocument.Outputs.self, record.outputs)
    (baseline, steered, frozen) = (outputs?.baseline, outputs?.steered ?? [], outputs?.frozenAttention ?? [])
    check = outputs == nil ? read(CausalCheckReport.self, record.outputs) : nil
    set = outputs == nil && check == nil ? read(DoseResponse.self, record.outputs) : nil
    behaviours = outputs?.behaviours?.names ?? []
    coherent = outputs?.coherent ?? check?.coherent ?? set?.coherent
    versions =
      read([String: String].self, record.versions)?.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } ?? []
  }

  package static func == (left: SavedRun, right: SavedRun) -> Bool { left.record == right.record }

  /// The interventions, as `5 add +1.00, 42 difference -1.00 where f>20`, the directions and the amplification.
  package var interventionsText: String {
    guard let interventions else { return "interventions of another form" }
    var plan = recorded?.request.plan ?? SteeringPlan(interventions: [])
    plan.interventions = interventions
    return plan.text
  }

  /// The request with which the steer screen would repeat the run. It is nil if the documents lack something or contain
  /// what the screen cannot be set to.
  package var request: SteeringRequest? {
    guard let interventions, var request = recorded?.request, !request.plan.swapsBase, set == nil else { return nil }
    request.prompt = record.prompt
    request.plan.interventions = interventions.filter(\.isOn)
    request.watched = baseline?.watched.map(\.text) ?? []
    request.freezesAttention = !frozen.isEmpty
    return request
  }

  /// The number that people see: `7`, or `!1` for the first run that is not saved.
  package var name: String { record.id < 0 ? "!\(-record.id)" : "\(record.id)" }

  /// The answers to each prompt of a set or a causal check, in the order of the arms.
  package var outcomes: [PromptOutcome]? { self.set?.outcomes ?? check?.answers }

  /// The names of a prompt's answers, arm by arm.
  package func armNames(_ outcome: PromptOutcome) -> [String] {
    let arms = set?.arms ?? check?.arms ?? []
    return outcome.answers.indices.map { index in
      guard arms.indices.contains(index) else { return "answer \(index + 1)" }
      let arm = arms[index]
      let latents = arm.kind == .random ? " (\(arm.latents.map(String.init).joined(separator: ", ")))" : ""
      return arm.kind.title + latents + (arm.kind == .baseline ? "" : " ×\(compact(arm.strength))")
    }
  }
}

/// An experiment as JSON: the store's columns, with documents as objects instead of text.
package struct ExperimentJSON: Encodable {
  package let record: ExperimentRecord

  package init(record: ExperimentRecord) { self.record = record }

  private enum Key: String, CodingKey {
    case id, created, prompt, kind, interventions, parameters, outputs, versions
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(record.id, forKey: .id)
    try fields.encode(record.created, forKey: .created)
    try fields.encode(record.prompt, forKey: .prompt)
    try fields.encode(record.kind, forKey: .kind)
    for (key, text) in [
      (Key.interventions, record.interventions), (.parameters, record.parameters), (.outputs, record.outputs),
      (.versions, record.versions),
    ] {
      // A store of another origin may hold a document that is not JSON, which is then written as text.
      if let document = try? JSONDecoder().decode(JSONDocument.self, from: Data(text.utf8)) {
        try fields.encode(document, forKey: key)
      } else {
        try fields.encode(text, forKey: key)
      }
    }
  }
}

/// Any JSON, which is passed on unchanged.
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
