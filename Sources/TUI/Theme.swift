// From roles to palette colours, for 256, 16 and 8 colours and for none.
// Base is blue and chat orange, apart for colour-blind eyes too; heat is a ramp of lightness. Without colours, roles
// turn into attributes, so that nothing is told by colour alone.

/// What the terminal is told for a style: palette indexes (−1 its own colour) and attributes.
public struct Paint: Hashable, Sendable {
  /// Palette index of the text.
  public var foreground: Int
  /// Palette index of the ground.
  public var background: Int
  /// Attributes.
  public var attributes: Attributes
}

/// Resolves styles for a terminal of so many colours.
public struct Theme: Sendable {
  /// 0, 8, 16 or 256.
  public let colours: Int

  /// A theme for a terminal of 0, 8, 16 or 256 colours.
  public init(colours: Int) { self.colours = colours }

  /// The colours and attributes of a style.
  public func paint(_ style: Style) -> Paint {
    if colours == 0 {
      return Paint(
        foreground: -1, background: -1,
        attributes: style.attributes.union(plainAttributes(style.foreground)).union(groundAttributes(style.background)))
    }
    var paint = Paint(foreground: -1, background: -1, attributes: style.attributes)
    if colours >= 256 {
      paint.foreground = text256(style.foreground)
      paint.background = ground256(style.background)
    } else {
      paint.foreground = text16(style.foreground)
      paint.background = ground16(style.background)
      if paint.foreground >= 8, colours < 16 {
        paint.foreground -= 8
        if style.foreground == .muted { paint.foreground = -1 } else { paint.attributes.insert(.bold) }
      }
    }
    // On the row under the cursor everything stays readable: quiet text takes the ground's own text colour.
    if style.background == .selected, style.foreground == .plain || style.foreground == .muted || colours < 256 {
      paint.foreground = colours >= 256 ? 255 : 15 % colours
    }
    return paint
  }

  private func text256(_ role: Role) -> Int {
    switch role {
    case .plain, .selected, .panel, .track: -1
    case .muted: 245
    case .title: 75
    case .accent: 80
    case .key: 80
    case .base: 75
    case .chat: 208
    case .tag: 114
    case .good: 114
    case .caution: 220
    case .danger: 203
    case .changed: 213
    case .heat1, .heat2: 230
    case .heat3, .heat4: 16
    }
  }

  private func ground256(_ role: Role) -> Int {
    switch role {
    case .selected: 24
    case .panel: 236
    case .track: 237
    case .heat1: 58
    case .heat2: 94
    case .heat3: 172
    case .heat4: 220
    default: -1
    }
  }

  private func text16(_ role: Role) -> Int {
    switch role {
    case .plain, .selected, .panel, .track: -1
    case .muted: 8
    case .title, .base: 12
    case .accent, .key: 14
    case .chat, .caution: 11
    case .tag, .good: 10
    case .danger: 9
    case .changed: 13
    case .heat1, .heat2: 3
    case .heat3, .heat4: 0
    }
  }

  private func ground16(_ role: Role) -> Int {
    switch role {
    case .selected: 4
    case .heat3: 3
    case .heat4: 7
    default: -1
    }
  }

  private func plainAttributes(_ role: Role) -> Attributes {
    switch role {
    case .title, .key, .accent, .caution, .good: .bold
    case .danger: [.bold, .reverse]
    case .changed: .underline
    default: []
    }
  }

  private func groundAttributes(_ role: Role) -> Attributes {
    role == .selected || role == .heat4 ? .reverse : []
  }
}
