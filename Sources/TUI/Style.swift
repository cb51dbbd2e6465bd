// What a cell means and how it is set off; which colour that is, Theme decides.

/// What a piece of text or the ground behind it stands for.
public enum Role: String, CaseIterable, Sendable {
  /// The terminal's own colours.
  case plain
  /// Labels, units and whatever may recede.
  case muted
  /// Titles and column heads.
  case title
  /// What is chosen or can be acted on.
  case accent
  /// Keys in the key bar and in help.
  case key
  /// The base model's side.
  case base
  /// The chat model's side.
  case chat
  /// Tags.
  case tag
  /// Something went well or is on.
  case good
  /// A warning band; a strength above the usual.
  case caution
  /// Errors; a strength that breaks output.
  case danger
  /// What differs between two texts.
  case changed
  /// Ground: the row under the cursor.
  case selected
  /// Ground: the status line.
  case panel
  /// Ground: the empty part of a bar.
  case track
  /// Token activations from weak to the peak; as text and as ground.
  case heat1, heat2, heat3, heat4
}

/// Roles of text and ground, and attributes.
public struct Style: Hashable, Sendable {
  /// The role of the text.
  public var foreground: Role
  /// The role of the ground behind it.
  public var background: Role
  /// Beside the colours.
  public var attributes: Attributes

  /// Roles of text and ground, and attributes.
  public init(_ foreground: Role = .plain, on background: Role = .plain, _ attributes: Attributes = []) {
    self.foreground = foreground
    self.background = background
    self.attributes = attributes
  }

  /// The terminal's own.
  public static let plain = Style()
  /// For what may recede.
  public static let muted = Style(.muted)
  /// For titles.
  public static let title = Style(.title, .bold)

  /// A role of text and attributes, on the terminal's own ground.
  public init(_ foreground: Role, _ attributes: Attributes) {
    self.init(foreground, on: .plain, attributes)
  }

  /// An activation in four steps, 1 weak to 4 the peak; 0 is plain. The attributes alone tell the steps apart:
  /// underlined, bold, both, and at the peak both on a ground of its own (reverse without colours).
  public static func heat(_ level: Int) -> Style {
    switch level {
    case ...0: Style()
    case 1: Style(.heat1, on: .heat1, .underline)
    case 2: Style(.heat2, on: .heat2, .bold)
    case 3: Style(.heat3, on: .heat3, [.bold, .underline])
    default: Style(.heat4, on: .heat4, [.bold, .underline])
    }
  }

  /// The same text on another ground.
  public func on(_ background: Role) -> Style { Style(foreground, on: background, attributes) }
}

/// Attributes of a cell; values are those of the facade.
public struct Attributes: OptionSet, Hashable, Sendable {
  /// One bit an attribute.
  public let rawValue: UInt8
  /// From bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Bold.
  public static let bold = Attributes(rawValue: 1)
  /// Dim.
  public static let dim = Attributes(rawValue: 2)
  /// Text and ground swapped.
  public static let reverse = Attributes(rawValue: 4)
  /// Underlined.
  public static let underline = Attributes(rawValue: 8)
}
