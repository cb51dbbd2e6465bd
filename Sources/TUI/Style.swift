// What a cell means and how it stands out; Theme chooses the colours for it.

/// The meaning of a piece of text or of its background.
public enum Role: String, CaseIterable, Sendable {
  /// The terminal's own colours.
  case plain
  /// Labels, units and other text that may recede.
  case muted
  /// Titles and column heads.
  case title
  /// Text that is chosen or can be acted on.
  case accent
  /// Keys in the key bar and in help.
  case key
  /// The base model's side.
  case base
  /// The chat model's side.
  case chat
  /// Tags.
  case tag
  /// A success, or something that is switched on.
  case good
  /// A warning band; a strength above the usual range.
  case caution
  /// An error; a strength that breaks the output.
  case danger
  /// What differs between two texts.
  case changed
  /// The background of the row under the cursor.
  case selected
  /// The background of the status line.
  case panel
  /// The background of the empty part of a bar.
  case track
  /// Token activations from weak to the peak, as text and as background.
  case heat1, heat2, heat3, heat4
}

/// The roles of text and background, and attributes.
public struct Style: Hashable, Sendable {
  /// The role of the text.
  public var foreground: Role
  /// The role of the background behind it.
  public var background: Role
  /// Attributes besides the colours.
  public var attributes: Attributes

  /// Makes a style for text on a background.
  public init(_ foreground: Role = .plain, on background: Role = .plain, _ attributes: Attributes = []) {
    self.foreground = foreground
    self.background = background
    self.attributes = attributes
  }

  /// The terminal's own style.
  public static let plain = Style()
  /// The style of text that may recede.
  public static let muted = Style(.muted)
  /// The style of titles.
  public static let title = Style(.title, .bold)

  /// Makes a style for text on the terminal's own background.
  public init(_ foreground: Role, _ attributes: Attributes) {
    self.init(foreground, on: .plain, attributes)
  }

  /// The style of an activation in four steps, from 1 (weak) to 4 (the peak); 0 is plain. The attributes alone tell the
  /// steps apart: underlined, bold, both, and for the peak both on a background (reversed if there are no colours).
  static func heat(_ level: Int) -> Style {
    switch level {
    case ...0: Style()
    case 1: Style(.heat1, on: .heat1, .underline)
    case 2: Style(.heat2, on: .heat2, .bold)
    case 3: Style(.heat3, on: .heat3, [.bold, .underline])
    default: Style(.heat4, on: .heat4, [.bold, .underline])
    }
  }

  /// The same text on another background.
  public func on(_ background: Role) -> Style { Style(foreground, on: background, attributes) }
}

/// Attributes of a cell, with the values that CTerminal uses.
public struct Attributes: OptionSet, Hashable, Sendable {
  /// One bit for each attribute.
  public let rawValue: UInt8
  /// Makes a set from its bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Bold.
  public static let bold = Attributes(rawValue: 1)
  /// Dim.
  public static let dim = Attributes(rawValue: 2)
  /// Text and background colours are swapped.
  public static let reverse = Attributes(rawValue: 4)
  /// Underlined.
  public static let underline = Attributes(rawValue: 8)
}
