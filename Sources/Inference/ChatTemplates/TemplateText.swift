// The text of a Jinja template in a canonical form, so that templates that render alike look alike. It has no comments
// and no white space that Jinja drops, and it does not depend on the choice between `'` and `"`, `a.b` and `a['b']`,
// `{{ 'x' + y }}` and `x{{ y }}`. Nothing is evaluated. White space follows trim_blocks and lstrip_blocks.

/// A template in canonical form.
struct TemplateText {
  private enum Part {
    case literal(String)
    case output(String)
    case statement(String)
  }

  private var parts: [Part] = []

  init(_ template: String) {
    var scanner = Scanner(Self.lines(template))
    var trimsLeft = false
    var isLineStart = true
    var previousIsBlock = false
    while true {
      var text = scanner.text()
      let tag = scanner.tag()
      if trimsLeft {
        text.trimLeft()
      } else if previousIsBlock, text.first == "\n" {
        text.removeFirst()
        isLineStart = true
      }
      if let tag {
        if tag.trimsBefore { text.trimRight() } else if tag.kind != .output { text.trimIndent(isLineStart) }
      } else if text.last == "\n" {
        text.removeLast()
      }
      append(literal: String(String.UnicodeScalarView(text)))
      guard let tag else { break }
      switch tag.kind {
      case .comment: break
      case .statement: parts.append(.statement(Self.canonical(tag.content).joined()))
      case .output: append(output: Self.canonical(tag.content))
      }
      trimsLeft = tag.trimsAfter
      previousIsBlock = tag.kind != .output
      isLineStart = false
    }
  }

  /// The template's scalars, in which every line end (CRLF, CR or LF) is one newline.
  private static func lines(_ template: String) -> [Unicode.Scalar] {
    var scalars: [Unicode.Scalar] = []
    var isReturn = false
    for scalar in template.unicodeScalars {
      if scalar == "\n", isReturn {
        isReturn = false
        continue
      }
      isReturn = scalar == "\r"
      scalars.append(isReturn ? "\n" : scalar)
    }
    return scalars
  }

  private mutating func append(literal text: String) {
    guard !text.isEmpty else { return }
    if case .literal(let before) = parts.last {
      parts[parts.count - 1] = .literal(before + text)
    } else {
      parts.append(.literal(text))
    }
  }

  /// A sum of texts is the same as its terms one after the other.
  private mutating func append(output tokens: [String]) {
    let isSum = !tokens.contains {
      ["if", "or", "and", "not", "in", "is", "~", "-", "*", "==", "!="].contains($0.trimmed)
    }
    var term: [String] = []
    var depth = 0
    for token in tokens + ["+"] {
      if token == "+", depth == 0, isSum || term.count == tokens.count {
        if term.count == 1, let text = Self.unquoted(term[0]) {
          append(literal: text)
        } else {
          parts.append(.output(term.joined()))
        }
        term = []
        continue
      }
      if ["(", "[", "{"].contains(token) { depth += 1 }
      if [")", "]", "}"].contains(token) { depth -= 1 }
      term.append(token)
    }
  }

  /// The default system prompt of a ChatML template, if it has one, and the text with `*` in its place.
  func withoutSystemPrompt() -> (text: TemplateText, prompt: String?) {
    let (head, tail) = ("<|im_start|>system\n", "<|im_end|>\n")
    for case .literal(let text) in parts {
      guard let prompt = text.between(head, tail), !prompt.isEmpty, !prompt.utf8.contains("<|im_".utf8) else {
        continue
      }
      var copy = self
      copy.parts = parts.map { part in
        guard case .literal(let text) = part else { return part }
        if text.utf8.elementsEqual((head + prompt + tail).utf8) { return .literal(head + "*" + tail) }
        return text.utf8.elementsEqual(prompt.utf8) ? .literal("*") : part
      }
      return (copy, prompt)
    }
    return (self, nil)
  }

  /// The FNV-1a hash of the canonical form, by which known templates are listed.
  var fingerprint: UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func add(_ text: String) { for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 } }
    for part in parts {
      switch part {
      case .literal(let text): add("L" + text)
      case .output(let text): add("O" + text)
      case .statement(let text): add("S" + text)
      }
      add("\u{0}")
    }
    return hash
  }

  /// The tokens of an expression: strings get the same quotes, attributes become subscripts, spaces stay between words.
  private static func canonical(_ content: ArraySlice<Unicode.Scalar>) -> [String] {
    var tokens: [String] = []
    var rest = content
    func isWord(_ scalar: Unicode.Scalar) -> Bool {
      scalar == "_" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
    }
    while let first = rest.first {
      if first == "'" || first == "\"" {
        tokens.append("'" + PythonString.read(&rest))
      } else if isWord(first) {
        let word = String(String.UnicodeScalarView(rest.prefix(while: isWord)))
        rest = rest.drop(while: isWord)
        let isAttribute = tokens.last == "." && rest.first != "("
        if isAttribute {
          tokens.removeLast()
          tokens += ["[", "'" + word, "]"]
        } else {
          let followsWord = tokens.last?.unicodeScalars.last.map(isWord) ?? false && tokens.last?.first != "'"
          tokens.append(followsWord ? " " + word : word)
        }
      } else {
        rest.removeFirst()
        if first.properties.isWhitespace { continue }
        if first == "=", let last = tokens.last, ["=", "!", "<", ">"].contains(last) {
          tokens[tokens.count - 1] = last + "="
        } else {
          tokens.append(String(Character(first)))
        }
      }
    }
    return tokens
  }

  /// The content of a token that is a string.
  private static func unquoted(_ token: String) -> String? {
    token.unicodeScalars.first == "'" ? String(token.unicodeScalars.dropFirst()) : nil
  }
}

extension TemplateText {
  /// Splits a template at its tags.
  private struct Scanner {
    enum Kind { case output, statement, comment }
    struct Tag {
      var kind: Kind
      var content: ArraySlice<Unicode.Scalar>
      var trimsBefore: Bool
      var trimsAfter: Bool
    }

    private let scalars: [Unicode.Scalar]
    private var position = 0

    init(_ scalars: [Unicode.Scalar]) { self.scalars = scalars }

    private func kind(at index: Int) -> Kind? {
      guard index + 1 < scalars.count, scalars[index] == "{" else { return nil }
      switch scalars[index + 1] {
      case "{": return .output
      case "%": return .statement
      case "#": return .comment
      default: return nil
      }
    }

    /// The text before the next tag.
    mutating func text() -> ArraySlice<Unicode.Scalar> {
      let start = position
      while position < scalars.count, kind(at: position) == nil { position += 1 }
      return scalars[start..<position]
    }

    /// The tag at this place; nil at the end.
    mutating func tag() -> Tag? {
      guard let kind = kind(at: position) else { return nil }
      let start = position + 2
      var end = start
      var quote: Unicode.Scalar?
      let closing: Unicode.Scalar = kind == .output ? "}" : kind == .statement ? "%" : "#"
      while end < scalars.count {
        let scalar = scalars[end]
        if let open = quote {
          if scalar == "\\" { end += 1 } else if scalar == open { quote = nil }
        } else if kind != .comment, scalar == "'" || scalar == "\"" {
          quote = scalar
        } else if scalar == closing, end + 1 < scalars.count, scalars[end + 1] == "}" {
          break
        }
        end += 1
      }
      end = min(end, scalars.count)
      position = min(end + 2, scalars.count)
      var content = scalars[start..<end]
      let trimsBefore = content.first == "-"
      if trimsBefore || content.first == "+" { content.removeFirst() }
      let trimsAfter = content.last == "-"
      if trimsAfter || content.last == "+" { content.removeLast() }
      return Tag(kind: kind, content: content, trimsBefore: trimsBefore, trimsAfter: trimsAfter)
    }
  }
}

extension ArraySlice<Unicode.Scalar> {
  fileprivate mutating func trimLeft() { self = drop { $0.properties.isWhitespace } }

  fileprivate mutating func trimRight() {
    while let last, last.properties.isWhitespace { removeLast() }
  }

  /// Removes the indent before a tag if nothing else stands before it on its line.
  fileprivate mutating func trimIndent(_ beginsLine: Bool) {
    let indent = reversed().prefix { $0 == " " || $0 == "\t" }.count
    let before = count - indent
    if before == 0 ? beginsLine : self[startIndex + before - 1] == "\n" { removeLast(indent) }
  }
}

extension String {
  fileprivate var trimmed: String { String(drop { $0 == " " }) }

  /// The text between a beginning and an end; the comparison is by bytes.
  fileprivate func between(_ head: String, _ tail: String) -> String? {
    let bytes = utf8
    guard bytes.count >= head.utf8.count + tail.utf8.count, bytes.starts(with: head.utf8),
      bytes.suffix(tail.utf8.count).elementsEqual(tail.utf8)
    else { return nil }
    return String(Substring(bytes.dropFirst(head.utf8.count).dropLast(tail.utf8.count)))
  }
}
