// Reads latents, conditions and sweeps as people write them on the command line and on the steer screen. A text that is not
// fully understood is refused.

import Diffing
import Experiments
import Inference
import Storage

/// Says what is wrong with the text of a latent, a condition or a sweep.
package struct WrittenFormError: Error, Equatable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// A latent as `ID`, `ID:STRENGTH` or `ID:STRENGTH:MODE`, followed by any number of conditions `@ID>V`, `@ID<V`, `@>V`
/// or `@<V` on this latent's change; without an id, a condition is on the latent's own activation.
package struct LatentStrength: Equatable {
  package let id: Int
  /// Nil if the argument has no strength.
  package let ownStrength: Double?
  package var strength: Double { ownStrength ?? 1 }
  /// Nil if the argument has no mode, so that --mode decides.
  package let mode: SteeringMode?
  /// The latent changes a token only if all of these hold there.
  package let conditions: [SteeringCondition]

  /// - Throws: `WrittenFormError` that names the wrong part.
  package init(_ argument: String) throws {
    let gated = argument.split(separator: "@", omittingEmptySubsequences: false).map(String.init)
    let parts = gated[0].split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
    id = try latentID(parts[0], in: argument)
    guard let strength = parts.count > 1 ? Double(parts[1]) : 1, strength.isFinite else {
      throw WrittenFormError("\(quoted(argument)): a strength is a finite number, as in \(id):0.5")
    }
    ownStrength = parts.count > 1 ? strength : nil
    mode = parts.count > 2 ? SteeringMode(rawValue: parts[2]) : nil
    guard mode != nil || parts.count < 3 else {
      let modes = SteeringMode.allCases.map(\.rawValue).joined(separator: ", ")
      throw WrittenFormError("\(quoted(argument)): a mode is one of \(modes), as in \(id):1:ablate")
    }
    let own = id
    conditions = try gated.dropFirst().map { try LatentCondition($0, of: own).condition }
  }
}

/// A condition `ID>V` or `ID<V`, where V is a scaled activation in the store's units.
package struct LatentCondition: Equatable {
  package let condition: SteeringCondition

  /// - Parameter own: the latent of a condition that names none.
  /// - Throws: `WrittenFormError` that names the wrong part.
  package init(_ argument: String, of own: Int? = nil) throws {
    guard let place = argument.firstIndex(where: { $0 == ">" || $0 == "<" }) else {
      throw WrittenFormError("\(quoted(argument)): a condition is ID>VALUE or ID<VALUE, as in '12>0.5'")
    }
    let named = String(argument[..<place])
    let id = if named.isEmpty, let own { own } else { try latentID(named, in: argument) }
    let side: SteeringCondition.Side = argument[place] == ">" ? .above : .below
    guard let value = Double(argument[argument.index(after: place)...]), value.isFinite, value >= 0 else {
      throw WrittenFormError("\(quoted(argument)): an activation is a number of 0 or more, as in '\(id)>0.5'")
    }
    guard side == .above || value > 0 else {
      throw WrittenFormError("\(quoted(argument)): no activation is below 0, so nothing would be steered")
    }
    condition = SteeringCondition(latent: id, side: side, value: value)
  }

  /// Reads a condition as an option does.
  package static func naming(_ argument: String) throws -> LatentCondition { try LatentCondition(argument) }
}

private func latentID(_ text: String, in argument: String) throws -> Int {
  guard let id = Int(text), LatentRecord.possibleIDs.contains(id) else {
    throw WrittenFormError("\(quoted(argument)): a latent's number is expected, as in 12 or 12:0.5")
  }
  return id
}

/// A sweep `FROM:TO:STEP` of at most 32 strengths.
package struct StrengthSweep: Equatable {
  package let values: [Double]

  /// - Throws: `WrittenFormError` saying what is wrong.
  package init(_ argument: String) throws {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) }
    guard parts.count == 3, let from = parts[0], let to = parts[1], let step = parts[2], from.isFinite, to.isFinite,
      step.isFinite
    else { throw WrittenFormError("\(quoted(argument)): three numbers are expected, as in -1:1:0.5") }
    guard step != 0, (to - from) / step >= 0 else {
      throw WrittenFormError("\(quoted(argument)): the step does not lead from \(from) to \(to)")
    }
    guard (to - from) / step < 32 else {
      throw WrittenFormError("\(quoted(argument)): more than 32 strengths; take a larger step")
    }
    values = (0...Int(((to - from) / step + 1e-9).rounded(.down))).map { from + Double($0) * step }
  }
}
