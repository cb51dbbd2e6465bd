// A behaviour is something that an answer does and that can be counted, such as refusing. What tells it is either a list of
// regular expressions, which are looked for here, or a judge, a chat model that somebody else must ask. An answer is folded
// before it is searched: typographic apostrophes become ' and runs of white space one blank. The meaning of an answer is not
// understood here; data/behaviour-answers.jsonl measures how often expressions agree with a reader.

import Foundation
import Inference

/// Something that an answer may do, and what tells that it does it.
public struct Behaviour: Sendable, Equatable {
  /// What tells that an answer shows the behaviour.
  public enum Classifier: Sendable, Equatable {
    case expressions(Expressions)
    case judge(Judge)
  }

  /// A short name of ASCII letters, digits and `-`, `_`, `.`, such as `flagged-as-false`.
  public let name: String
  /// One sentence that says what an answer does that shows it.
  public let about: String
  public let classifier: Classifier
  /// How many Unicode scalars of the answer are looked at, from its beginning; nil for all of them.
  public let first: Int?

  /// - Parameter first: the number of Unicode scalars that are looked at; nil for the whole answer.
  public init(name: String, about: String, classifier: Classifier, first: Int? = nil) {
    (self.name, self.about, self.classifier, self.first) = (name, about, classifier, first)
  }

  /// The expressions of the behaviour; nil if a judge decides.
  public var expressions: Expressions? { if case .expressions(let found) = classifier { found } else { nil } }

  /// The judge of the behaviour; nil if expressions decide.
  public var judge: Judge? { if case .judge(let judge) = classifier { judge } else { nil } }

  /// The part of an answer that is looked at.
  public func opening(of answer: String) -> String {
    guard let first else { return answer }
    return String(String.UnicodeScalarView(answer.unicodeScalars.prefix(first)))
  }

  /// Where the behaviour's expressions first match, in UTF-16 units of the folded opening; nil where none matches or an
  /// excluding one does. The other behaviours of a file are not looked at, see `Behaviours.shown(by:)`.
  public func start(in answer: String) -> Int? {
    guard let expressions else { return nil }
    let text = Self.folded(opening(of: answer))
    guard !expressions.unless.contains(where: { $0.start(in: text) != nil }) else { return nil }
    return expressions.any.compactMap { $0.start(in: text) }.min()
  }

  /// The text with one kind of apostrophe and single blanks, without blanks at its ends.
  static func folded(_ text: String) -> String {
    var result = text
    for apostrophe in ["’", "‘", "ʼ", "`", "´"] { result = result.replacing(apostrophe, with: "'") }
    return result.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}

extension Behaviour {
  /// One case-insensitive regular expression (ICU's syntax, as NSRegularExpression has it).
  public struct Expression: Sendable, Equatable {
    public let pattern: String
    private let compiled: NSRegularExpression

    /// Nil if the pattern is no regular expression.
    public init?(_ pattern: String) {
      guard let compiled = try? NSRegularExpression(pattern: pattern, options: .caseInsensitive) else { return nil }
      (self.pattern, self.compiled) = (pattern, compiled)
    }

    public static func == (left: Self, right: Self) -> Bool { left.pattern == right.pattern }

    /// Where the expression first matches, in UTF-16 units.
    func start(in text: String) -> Int? {
      compiled.firstMatch(in: text, range: NSRange(location: 0, length: text.utf16.count))?.range.location
    }
  }

  /// The expressions that tell a behaviour, and its relations to other behaviours of the same file.
  public struct Expressions: Sendable, Equatable {
    /// The answer shows the behaviour if one of these matches,
    public var any: [Expression]
    /// and none of these does,
    public var unless: [Expression] = []
    /// and the answer shows all of these behaviours,
    public var with: [String] = []
    /// and none of these.
    public var without: [String] = []
    /// Of the behaviours of one group an answer shows only the one whose expressions match earliest.
    public var group: String?

    public init(_ any: [Expression]) { self.any = any }
  }

  /// A chat model that is asked whether an answer shows the behaviour.
  public struct Judge: Sendable, Equatable {
    /// The base of an OpenAI-compatible address, such as `http://localhost:8000/v1`.
    public var url: String
    public var model: String
    /// A question about the answer that yes or no answers.
    public var question: String
    /// The environment variable that holds the key; nil if the address needs none.
    public var keyVariable: String?

    public init(url: String, model: String, question: String, keyVariable: String? = nil) {
      (self.url, self.model, self.question, self.keyVariable) = (url, model, question, keyVariable)
    }
  }
}
