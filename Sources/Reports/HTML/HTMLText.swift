// Text in HTML. Whatever comes from a model, a corpus or a user is escaped here and nowhere else: characters of markup become
// entities, control and bidirectional characters visible symbols.

import Foundation
import TUI

/// A piece of HTML, which is made of tags by this program and of escaped text.
package struct HTMLText: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, Sendable {
  package private(set) var html: String

  package init(stringLiteral value: String) { html = value }

  package init(stringInterpolation: StringInterpolation) { html = stringInterpolation.html }

  package static func + (a: HTMLText, b: HTMLText) -> HTMLText { "\(a)\(b)" }

  /// An interpolated text is escaped; an interpolated piece of HTML stays as it is.
  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var html = ""

    package init(literalCapacity: Int, interpolationCount: Int) {}

    package mutating func appendLiteral(_ literal: String) { html += literal }

    package mutating func appendInterpolation(_ piece: HTMLText) { html += piece.html }

    package mutating func appendInterpolation(_ pieces: [HTMLText]) { for piece in pieces { html += piece.html } }

    package mutating func appendInterpolation(_ text: String) { html += escaped(text) }

    package mutating func appendInterpolation(_ number: Int) { html += "\(number)" }
  }
}

/// A text for HTML, in elements and in quoted attributes. Newlines stay.
private func escaped(_ text: String) -> String {
  var safe = ""
  for scalar in termSafeLines(text).unicodeScalars {
    switch scalar {
    case "&": safe += "&amp;"
    case "<": safe += "&lt;"
    case ">": safe += "&gt;"
    case "\"": safe += "&quot;"
    case "'": safe += "&#39;"
    default: safe.unicodeScalars.append(scalar)
    }
  }
  return safe
}
