// The fields by which a request asks for steering, named as `crosscope steer --json` names them.
// Owns: reading them into a plan. What a crosscoder cannot do is refused where the plan meets it.

import Diffing
import Serving

/// What a request says of steering.
struct SteeringFields {
  static let names = [
    "interventions", "conditions", "positions", "decoder", "all_layers", "raw_strength", "swap_base",
  ]
  /// Conditions that one request may name.
  static let mostConditions = 512

  /// Conditions are in the store's units.
  let plan: SteeringPlan

  /// - Throws: `APIError`.
  init(_ fields: RequestFields) throws {
    let interventions: [RequestedIntervention] = try fields.value("interventions") ?? []
    let conditions: [RequestedCondition] = try fields.value("conditions") ?? []
    let allConditions = conditions.count + interventions.reduce(0) { $0 + $1.intervention.conditions.count }
    for (name, count, most) in [
      ("interventions", interventions.count, SteeringPlan.mostInterventions),
      ("conditions", allConditions, Self.mostConditions),
    ] where count > most {
      throw fields.invalid(name, "expected at most \(most), found \(count)")
    }
    let swapsBase: Bool = try fields.value("swap_base") ?? false
    if interventions.isEmpty, !swapsBase {
      for name in Self.names.dropFirst() where name != "swap_base" {
        guard try fields.isAbsent(name) else { throw fields.invalid(name, "it changes nothing without interventions") }
      }
    }
    plan = SteeringPlan(
      interventions: interventions.map(\.intervention), positions: try fields.choice("positions") ?? .all,
      swapsBase: swapsBase, decoder: try fields.choice("decoder") ?? .chat,
      blocks: try fields.value("all_layers") ?? false ? .ownAndAbove : .own,
      unit: try fields.value("raw_strength") ?? false ? .norm : .maxActivation,
      conditions: conditions.map(\.condition))
  }

  /// Whether anything is asked for.
  var isSteered: Bool { plan.swapsBase || !plan.interventions.isEmpty }

  private struct RequestedIntervention: Decodable {
    let intervention: Intervention

    init(from decoder: any Decoder) throws {
      let fields = try RequestFields(decoder, known: ["latent", "mode", "strength", "on", "conditions"])
      let conditions: [RequestedCondition] = try fields.value("conditions") ?? []
      intervention = Intervention(
        latent: try fields.required("latent"), mode: try fields.choice("mode") ?? .add,
        strength: try fields.value("strength") ?? 1, isOn: try fields.value("on") ?? true,
        conditions: conditions.map(\.condition))
    }
  }

  private struct RequestedCondition: Decodable {
    let condition: SteeringCondition

    init(from decoder: any Decoder) throws {
      let fields = try RequestFields(decoder, known: ["latent", "side", "value"])
      condition = SteeringCondition(
        latent: try fields.required("latent"), side: try fields.choice("side") ?? .above,
        value: try fields.required("value"))
    }
  }
}
