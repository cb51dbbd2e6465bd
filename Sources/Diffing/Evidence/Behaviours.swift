// The behaviours that a report counts. Behaviours of a list may depend on those before them: one counts only with, or only
// without, another, and of a group only the one whose words come first. The list always has `refused`, which is the
// built-in one where a file has none.

import Inference

/// Behaviours in the order in which reports show them.
public struct Behaviours: Sendable, Equatable {
  public let all: [Behaviour]

  /// The behaviours that are counted where no file is given.
  public static let builtIn = Behaviours(unchecked: [.refused])

  private init(unchecked all: [Behaviour]) { self.all = all }

  /// Makes a list; the built-in `refused` comes first if the list has none.
  /// - Throws: `JSONFieldError` for a name that occurs twice, and for a behaviour that refers to one that does not stand
  ///   before it, to a member of a group or to one with a judge.
  public init(_ behaviours: [Behaviour]) throws(JSONFieldError) {
    for (index, behaviour) in behaviours.enumerated() {
      let before = behaviours[..<index]
      func invalid(_ field: String, _ what: String) -> JSONFieldError {
        .invalid("behaviours[\(index)].\(field)", what)
      }
      guard !before.contains(where: { $0.name == behaviour.name }) else {
        throw invalid("name", "\(behaviour.name) occurs twice")
      }
      for (field, names) in [("with", behaviour.expressions?.with), ("without", behaviour.expressions?.without)] {
        for name in names ?? [] {
          guard let named = before.first(where: { $0.name == name })?.expressions, named.group == nil else {
            throw invalid(
              field, "\(name) is no behaviour with expressions and without a group that stands before \(behaviour.name)"
            )
          }
        }
      }
    }
    let hasRefused = behaviours.contains { $0.name == Behaviour.refused.name }
    self.init(unchecked: (hasRefused ? [] : [.refused]) + behaviours)
  }

  public var names: [String] { all.map(\.name) }

  /// The behaviours that expressions tell.
  public var told: Behaviours { Behaviours(unchecked: all.filter { $0.judge == nil }) }

  /// The behaviours that a judge decides.
  public var judged: [Behaviour] { all.filter { $0.judge != nil } }

  /// This list with another behaviour at its end.
  public func adding(_ behaviour: Behaviour) -> Behaviours { Behaviours(unchecked: all + [behaviour]) }

  /// The names of the behaviours that an answer shows by its words, in the order of the list. Judges are not asked.
  public func shown(by answer: String) -> [String] {
    var shown: Set<String> = []
    var leaders: [String: (name: String, start: Int)] = [:]
    for behaviour in all {
      guard let expressions = behaviour.expressions, expressions.with.allSatisfy(shown.contains),
        !expressions.without.contains(where: shown.contains), let start = behaviour.start(in: answer)
      else { continue }
      if let group = expressions.group {
        if leaders[group].map({ start < $0.start }) ?? true { leaders[group] = (behaviour.name, start) }
      } else {
        shown.insert(behaviour.name)
      }
    }
    shown.formUnion(leaders.values.map(\.name))
    return names.filter(shown.contains)
  }
}

extension Behaviours: Codable {
  /// Reads a list of behaviours.
  /// - Throws: `JSONFieldError`, `DecodingError`.
  public init(from decoder: any Decoder) throws { try self.init([Behaviour](from: decoder)) }

  public func encode(to encoder: any Encoder) throws { try all.encode(to: encoder) }
}
