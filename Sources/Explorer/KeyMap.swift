// The bindings of all screens with the keys that the user has given them. A configuration refers to a binding by its name;
// unknown names, unknown keys and a key with two meanings on a screen are errors. The bindings themselves are in the screens'
// files and in GeneralBindings.swift.

import Experiments
import Inference
import Reports
import TUI

/// The bindings in use.
struct KeyMap: Sendable {
  private let own: [Screen: [Binding]]
  /// The bindings that hold on every screen.
  let general: [Binding]

  /// The bindings as the screens define them.
  static let usual = KeyMap()

  /// The bindings of one screen alone, including those that move.
  func own(_ screen: Screen) -> [Binding] { own[screen] ?? [] }

  /// All bindings that hold on a screen. Where an action has several, the first one is shown.
  func all(_ screen: Screen) -> [Binding] { own(screen) + general }

  private init() {
    own = Dictionary(uniqueKeysWithValues: Screen.allCases.map { ($0, $0.definition.bindings) })
    general = GeneralBindings.always
  }

  /// The usual bindings with other keys.
  ///
  /// The name of a binding is its action (`undo`), or for one screen the screen and the action (`latents.steer`). Keys
  /// are written with blanks between them; an empty text takes all keys away.
  /// - Throws: `InputError.invalid` naming `source` and the binding.
  init(_ changes: [String: String], source: String) throws(InputError) {
    let known = Set(Self.usual.names.map(\.name))
    var keys: [String: [Key]] = [:]
    for (name, text) in changes.sorted(by: { $0.key < $1.key }) {
      // The name of an action alone means that action on every screen that has it.
      let isAction = known.contains { $0 == name || $0.hasSuffix(".\(name)") }
      guard known.contains(name) || isAction || Self.isMoving(name) else {
        throw .invalid(
          source: source, expected: "under keys only names that `crosscope config` prints",
          found: quoted(name))
      }
      keys[name] = try Self.keys(text, of: name, source: source)
    }
    general = GeneralBindings.always.map { $0.with(keys[$0.action.rawValue]) }
    let generalActions = Set(general.map(\.action))
    own = Dictionary(
      uniqueKeysWithValues: Screen.allCases.map { screen in
        let bindings = screen.definition.bindings.map { binding in
          let plain = generalActions.contains(binding.action) ? nil : keys[binding.action.rawValue]
          return binding.with(keys["\(screen.rawValue).\(binding.action.rawValue)"] ?? plain)
        }
        return (screen, bindings)
      })
    for screen in Screen.allCases { try refuseConflicts(on: screen, source: source) }
  }

  /// The names of all bindings in a configuration, with their keys. The name of a binding that does not hold on every
  /// screen contains the screen.
  var names: [(name: String, keys: String)] {
    let moving = Set(GeneralBindings.moving.map(\.action))
    let screens = Screen.allCases.flatMap { screen in
      own(screen).filter { !moving.contains($0.action) }.map { ("\(screen.rawValue).\($0.action.rawValue)", $0) }
    }
    let shared = (GeneralBindings.moving + general).map { ($0.action.rawValue, $0) }
    return (shared + screens).map { ($0.0, $0.1.keys.map(\.name).joined(separator: " ")) }
  }

  private static func isMoving(_ name: String) -> Bool {
    let action = name.split(separator: ".", maxSplits: 1).last.map(String.init) ?? name
    let screen = name.split(separator: ".", maxSplits: 1).first.map(String.init) ?? name
    return GeneralBindings.moving.contains { $0.action.rawValue == action }
      && (screen == name || Screen(rawValue: screen) != nil)
  }

  private static func keys(_ text: String, of name: String, source: String) throws(InputError) -> [Key] {
    var keys: [Key] = []
    for part in text.split(separator: " ") {
      guard let key = Key(name: String(part)) else {
        throw .invalid(
          source: source, expected: "in keys.\(name) names of keys such as q, ctrl-r, space, pgup, f5",
          found: quoted(String(part)))
      }
      keys.append(key)
    }
    return keys
  }

  private func refuseConflicts(on screen: Screen, source: String) throws(InputError) {
    var actions: [Key: Action] = [:]
    for binding in all(screen) {
      for key in binding.keys {
        if let other = actions[key], other != binding.action {
          throw .invalid(
            source: source, expected: "each key for one action on a screen",
            found: "\(key.name) for \(other.rawValue) and \(binding.action.rawValue) on \(screen.rawValue)")
        }
        actions[key] = binding.action
      }
    }
  }
}

extension Binding {
  /// The same binding with other keys, if there are any.
  fileprivate func with(_ keys: [Key]?) -> Binding {
    keys.map { Binding($0, action, short, help, unavailable: unavailable) } ?? self
  }
}
