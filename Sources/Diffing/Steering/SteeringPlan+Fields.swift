// A steering plan as the fields of a JSON object, in requests, documents and saved runs alike.

import Inference

extension SteeringPlan {
  /// The fields that hold a plan.
  public static let fieldNames = [
    "interventions", "conditions", "positions", "decoder", "all_layers", "raw_strength", "swap_base",
  ]
  /// Conditions that a request may name at most.
  public static let mostConditions = 512

  /// Whether the plan asks for any change.
  public var isSteered: Bool { swapsBase || !interventions.isEmpty }

  /// A plan as an object's fields say it; settings that are absent are the usual ones.
  public init(_ fields: JSONFields) throws {
    self.init(
      interventions: try fields.value("interventions") ?? [], positions: try fields.choice("positions") ?? .all,
      swapsBase: try fields.value("swap_base") ?? false, decoder: try fields.choice("decoder") ?? .chat,
      blocks: try fields.value("all_layers") ?? false ? .ownAndAbove : .own,
      unit: try fields.value("raw_strength") ?? false ? .norm : .maxActivation,
      conditions: try fields.value("conditions") ?? [])
  }

  /// Refuses what makes no sense in a request: too many interventions or conditions, and settings of steering where
  /// nothing is steered.
  /// - Throws: `JSONFieldError`.
  public func checkRequest(_ fields: JSONFields) throws {
    let allConditions = conditions.count + interventions.reduce(0) { $0 + $1.conditions.count }
    for (name, count, most) in [
      ("interventions", interventions.count, Self.mostInterventions),
      ("conditions", allConditions, Self.mostConditions),
    ] where count > most {
      throw fields.invalid(name, "expected at most \(most), found \(count)")
    }
    guard !isSteered else { return }
    for name in Self.fieldNames where name != "interventions" && name != "swap_base" {
      guard try fields.isAbsent(name) else { throw fields.invalid(name, "it changes nothing without interventions") }
    }
  }

  /// Writes the settings of the plan, but for its interventions.
  public func writeSettings(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try fields.write(positions, "positions")
    try fields.write(conditions, "conditions")
    try fields.write(decoder, "decoder")
    try fields.write(blocks == .ownAndAbove, "all_layers")
    try fields.write(unit == .norm, "raw_strength")
    try fields.write(swapsBase, "swap_base")
  }
}
