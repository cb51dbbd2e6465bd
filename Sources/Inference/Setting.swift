// The setting that an error is about, as a value: which part of a request it belongs to is never read out of a sentence.

/// A setting by its name in words, and the part of a request that it belongs to.
public struct Setting: Sendable, ExpressibleByStringInterpolation, CustomStringConvertible {
  /// A part of a steering request.
  public enum Part: Sendable {
    /// The prompt, with what was said before it, and the answer.
    case text
    case interventions
    case directions
    case conditions
    /// The blocks that are steered.
    case blocks
    /// The unit of the strengths.
    case unit
    case amplification
  }

  public let description: String
  /// Nil for a setting of something else than a steering request.
  public let part: Part?

  public init(_ name: String, _ part: Part?) { (description, self.part) = (name, part) }
  public init(stringLiteral name: String) { self.init(name, nil) }
  public init(stringInterpolation: DefaultStringInterpolation) {
    self.init(String(stringInterpolation: stringInterpolation), nil)
  }
}

extension Setting: Equatable {
  /// Two settings of one name are the same.
  public static func == (a: Setting, b: Setting) -> Bool { a.description == b.description }
}
