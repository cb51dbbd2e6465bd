// A store's directions, looked up by the names that plans use.

import Diffing
import Foundation
import Inference
import Storage

extension DirectionRecord {
  /// The direction as steering uses it.
  /// - Throws: `DiffingError.notFinite`.
  package func known() throws(DiffingError) -> StreamDirection {
    try StreamDirection(layer: layer, unit: unit, vector: vector)
  }
}

extension Store {
  /// The direction of a name.
  /// - Throws: `DiffingError.settingInvalid` naming those that are there.
  package func direction(named name: String) throws -> DirectionRecord {
    if let found = try storedDirection(named: name) { return found }
    let all = try directions()
    let names = all.prefix(8).map(\.name).joined(separator: ", ") + (all.count > 8 ? ", …" : "")
    throw DiffingError.settingInvalid(
      name: Setting("direction \(String(name.prefix(80)))", .directions),
      expected: all.isEmpty ? "in the store, which has none (`crosscope direction` makes them)" : "one of \(names)",
      found: "another name")
  }

  /// The plan with its directions looked up.
  /// - Throws: `DiffingError.settingInvalid` for an unknown name, and for a direction that has changed since a run.
  package func lookingUp(_ plan: SteeringPlan) throws -> SteeringPlan {
    var plan = plan
    for index in plan.directions.indices {
      let item = plan.directions[index]
      let known = try direction(named: item.name).known()
      if let wanted = item.sha256, wanted != known.sha256 {
        throw DiffingError.settingInvalid(
          name: Setting("direction \(item.name)", .directions),
          expected: "as in the saved run, with the SHA-256 \(wanted.prefix(12))…",
          found: "another one of that name (\(known.sha256.prefix(12))…)")
      }
      plan.directions[index].known = known
      plan.directions[index].sha256 = known.sha256
    }
    return plan
  }
}
