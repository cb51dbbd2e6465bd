// Lays out tokens with intensities as lines of text that wrap at spaces; line breaks are shown and obeyed.

/// A token to draw.
public struct FlowToken: Hashable, Sendable {
  /// The token's text, which is made safe when it is drawn.
  public var text: String
  /// 0 for none, 1 (weak) to 4 (the peak).
  public var level: Int
  /// The style if the level is 0.
  public var style: Style
  /// Whether it is under the cursor: it then has the background `.selected`, whatever its level.
  public var isSelected = false

  /// Makes a token; the level is clamped to 0…4.
  public init(_ text: String, level: Int = 0, style: Style = .plain) {
    self.text = text
    self.level = min(max(0, level), 4)
    self.style = style
  }

  /// The level of an activation relative to the largest: 0 for none, 4 from 90 % on.
  public static func level(_ activation: Double, of largest: Double) -> Int {
    guard activation > 0, largest > 0, activation.isFinite else { return 0 }
    let share = activation / largest
    return share >= 0.9 ? 4 : share >= 0.6 ? 3 : share >= 0.3 ? 2 : 1
  }
}

/// A piece of a line in one style.
public struct FlowSpan: Hashable, Sendable {
  /// The text.
  public var text: String
  /// The style of all of it.
  public var style: Style

  /// Makes a span.
  public init(text: String, style: Style) {
    self.text = text
    self.style = style
  }
}

/// One line of spans.
public typealias FlowLine = [FlowSpan]

/// Lays out tokens in lines of at most `width` cells.
/// - Parameters:
///   - asciiMarkers: whether levels 2, 3 and 4 also show as `(token)`, `[token]`, `{token}`, for terminals without
///     attributes.
///   - breakLines: whether a line feed ends the line; it is shown as ↵ in both cases.
public func flowLines(_ tokens: [FlowToken], width: Int, asciiMarkers: Bool = false, breakLines: Bool = true)
  -> [FlowLine]
{
  guard width > 0 else { return [] }
  var flow = Flow(width: width, breakLines: breakLines)
  for token in tokens {
    var style = token.level > 0 ? Style.heat(token.level) : token.style
    if token.isSelected { style = Style(.plain, on: .selected, style.attributes) }
    let marks: (String, String)? =
      asciiMarkers ? [2: ("(", ")"), 3: ("[", "]"), 4: ("{", "}")][token.level] : nil
    guard let marks else {
      flow.add(token.text, style: style)
      continue
    }
    let body = token.text.drop { $0 == " " }
    flow.add(String(repeating: " ", count: token.text.count - body.count) + marks.0 + body + marks.1, style: style)
  }
  return flow.finish()
}

/// A part of a one-line flow, `width` cells wide, with the given token near its middle and with … at cut ends.
public func flowWindow(_ tokens: [FlowToken], around index: Int, width: Int, asciiMarkers: Bool = false) -> FlowLine {
  guard tokens.indices.contains(index), width > 0 else { return [] }
  func size(_ token: FlowToken) -> Int { displayWidth(token.text) + (asciiMarkers && token.level > 1 ? 2 : 0) }
  var low = index
  var high = index + 1
  var used = size(tokens[index])
  var left = 0
  while low > 0 || high < tokens.count {
    let takeLeft = low > 0 && (high == tokens.count || left * 2 <= used)
    let next = takeLeft ? low - 1 : high
    let cells = size(tokens[next])
    guard used + cells <= width - 2 else { break }
    used += cells
    if takeLeft {
      low = next
      left += cells
    } else {
      high += 1
    }
  }
  let ends: (FlowLine, FlowLine) = (
    low > 0 ? [FlowSpan(text: "…", style: .muted)] : [], high < tokens.count ? [FlowSpan(text: "…", style: .muted)] : []
  )
  let inner = flowLines(
    Array(tokens[low..<high]), width: .max, asciiMarkers: asciiMarkers, breakLines: false)
  return ends.0 + (inner.first ?? []) + ends.1
}

extension Canvas {
  /// Writes the spans of a line and returns the column after them.
  @discardableResult
  public mutating func put(_ line: FlowLine, row: Int, column: Int, clip: Rect? = nil) -> Int {
    line.reduce(column) { put($1.text, row: row, column: $0, style: $1.style, clip: clip) }
  }
}

/// Greedy wrapping, cluster by cluster; lines break at their last space.
private struct Flow {
  let width: Int
  let breakLines: Bool
  private var lines: [FlowLine] = []
  private var line: [(text: String, width: Int, style: Style)] = []
  private var used = 0

  init(width: Int, breakLines: Bool) {
    self.width = width
    self.breakLines = breakLines
  }

  mutating func add(_ text: String, style: Style) {
    for character in text {
      forEachCluster(of: String(character)) { cluster in
        place(cluster, style: style)
        return true
      }
      if character.isNewline, breakLines { endLine(line.count) }
    }
  }

  mutating func finish() -> [FlowLine] {
    if !line.isEmpty { endLine(line.count) }
    return lines
  }

  private mutating func place(_ cluster: CellCluster, style: Style) {
    if used + cluster.width > width {
      if cluster.text == " " {
        endLine(line.count)
        return
      }
      if let space = line.lastIndex(where: { $0.text == " " }), space > 0 {
        endLine(space + 1)
      } else {
        endLine(line.count)
      }
    }
    line.append((cluster.text, cluster.width, style))
    used += cluster.width
  }

  /// Ends the line after `count` clusters; the others begin the next line.
  private mutating func endLine(_ count: Int) {
    var spans: FlowLine = []
    for cluster in line.prefix(count) {
      if let last = spans.last, last.style == cluster.style {
        spans[spans.count - 1].text += cluster.text
      } else {
        spans.append(FlowSpan(text: cluster.text, style: cluster.style))
      }
    }
    lines.append(spans)
    line.removeFirst(count)
    used = line.reduce(0) { $0 + $1.width }
  }
}
