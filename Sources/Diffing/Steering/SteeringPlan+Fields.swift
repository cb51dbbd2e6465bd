// A steering plan as the fields of a JSON object, in requests, documents and saved runs alike.

import Inference

extension SteeringPlan {
  /// The fields that hold a plan.
  public static let fieldNames = [
    "interventions", "conditions", "positions", "decoder", "all_layers", "raw_strength", "swap_base",
    "amplification", "directions",
  ]
  /// Conditions that a request may name at most.
  public static let mostConditions = 512

  /// Whether the plan asks for any change.
  public var isSteered: Bool { changesStream || amplification != nil }
  /// Whether the plan has strengths, which a sweep can multiply.
  public var hasStrengths: Bool { !interventions.isEmpty || !directions.isEmpty || amplification != nil }
  /// Whether the plan asks for a change of the residual stream.
  public var changesStream: Bool { swapsBase || !interventions.isEmpty || !directions.isEmpty }

  /// A plan as an object's fields say it; settings that are absent are the usual ones.
  public init(_ fields: JSONFields) throws {
    self.init(
      interventions: try fields.value("interventions") ?? [], directions: try fields.value("directions") ?? [],
      positions: try fields.choice("positions") ?? .all,
      swapsBase: try fields.value("swap_base") ?? false, decoder: try fields.choice("decoder") ?? .chat,
      blocks: try fields.value("all_layers") ?? false ? .ownAndAbove : .own,
      unit: try fields.value("raw_strength") ?? false ? .norm : .maxActivation,
      conditions: try fields.value("conditions") ?? [], amplification: try fields.value("amplification"))
  }

  /// Refuses what makes no sense in a request: too many interventions or conditions, and settings of steering where
  /// nothing is steered.
  /// - Throws: `JSONFieldError`.
  public func checkRequest(_ fields: JSONFields) throws {
    let allConditions = conditions.count + interventions.reduce(0) { $0 + $1.conditions.count }
    for (name, count, most) in [
      ("interventions", interventions.count, Self.mostInterventions),
      ("directions", directions.count, Self.mostInterventions),
      ("conditions", allConditions, Self.mostConditions),
    ] where count > most {
      throw fields.invalid(name, "expected at most \(most), found \(count)")
    }
    guard !changesStream else { return }
    for name in Self.fieldNames where !["interventions", "directions", "swap_base", "amplification"].contains(name) {
      guard try fields.isAbsent(name) else {
        throw fields.invalid(name, "it changes nothing without interventions or directions")
      }
    }
  }

  /// Writes the whole plan. Settings without effect are left out, since the reader refuses them.
  public func write(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    try fields.write(interventions, "interventions")
    if changesStream {
      try writeSettings(to: &fields)
    } else {
      try fields.write(swapsBase, "swap_base")
      if let amplification { try fields.write(amplification, "amplification") }
    }
  }

  /// Writes the settings of the plan, but for its interventions.
  public func writeSettings(to fields: inout KeyedEncodingContainer<FieldName>) throws {
    if !directions.isEmpty { try fields.write(directions, "directions") }
    try fields.write(positions, "positions")
    try fields.write(conditions, "conditions")
    try fields.write(decoder, "decoder")
    try fields.write(blocks == .ownAndAbove, "all_layers")
    try fields.write(unit == .norm, "raw_strength")
    try fields.write(swapsBase, "swap_base")
    if let amplification { try fields.write(amplification, "amplification") }
  }
}
