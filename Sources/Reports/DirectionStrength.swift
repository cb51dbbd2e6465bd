// Reads directions as people write them on the command line and on the steer screen: NAME, NAME:STRENGTH or
// NAME:STRENGTH:MODE. Names may hold colons and blanks, so the text is read from its end.

import Diffing
import Experiments
import Storage

/// A direction with its strength and mode.
package struct DirectionStrength: Equatable {
  package let name: String
  /// Nil if the argument has no strength.
  package let ownStrength: Double?
  package var strength: Double { ownStrength ?? 1 }
  package let mode: SteeredDirection.Mode

  /// - Throws: `WrittenFormError` that says what is wrong.
  package init(_ argument: String) throws {
    var parts = argument.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    var (mode, strength): (SteeredDirection.Mode?, Double?)
    if parts.count > 2, let last = SteeredDirection.Mode(rawValue: parts[parts.count - 1]) {
      mode = last
      parts.removeLast()
    }
    if parts.count > 1, let last = Double(parts[parts.count - 1]) {
      guard last.isFinite else {
        throw WrittenFormError("\(quoted(argument)): a strength is a finite number, as in refusal:0.5")
      }
      strength = last
      parts.removeLast()
    } else if mode != nil {
      throw WrittenFormError("\(quoted(argument)): a mode follows a strength, as in refusal:1:project")
    }
    name = parts.joined(separator: ":")
    guard !name.isEmpty else { throw WrittenFormError("\(quoted(argument)): a direction's name is expected") }
    (ownStrength, self.mode) = (strength, mode ?? .add)
  }
}

extension Store {
  /// The directions that are meant by names of single ones, or of a whole family: `happy` means `happy 1`, `happy 2`, …
  /// if no direction has the name itself, as a control vector has one for each block.
  /// - Throws: `DiffingError.settingInvalid` for a name that means none.
  package func steered(_ terms: [DirectionStrength]) throws -> [SteeredDirection] {
    guard !terms.isEmpty else { return [] }
    let all = try directions().map(\.name)
    return try terms.flatMap { term -> [SteeredDirection] in
      let family = all.filter { $0.hasPrefix(term.name + " ") && Int($0.dropFirst(term.name.count + 1)) != nil }
      let names = all.contains(term.name) || family.isEmpty ? [try direction(named: term.name).name] : family
      return names.map { SteeredDirection(name: $0, mode: term.mode, strength: term.strength) }
    }
  }
}
