// From styles to what the terminal is told, for exact colours, 256, 16 and 8 colours and for none.
// Owns: how a theme's colours are brought down to what the terminal shows. Without colours, roles turn into attributes,
// so that nothing is told by colour alone. The themes themselves are data, in Palette.swift.

/// What the terminal is told for a style: colours (−1 its own) and attributes.
public struct Paint: Hashable, Sendable {
  /// Of the text: a palette index, or 0xRRGGBB where colours are exact.
  public var foreground: Int
  /// Of the ground.
  public var background: Int
  /// Attributes.
  public var attributes: Attributes
}

/// Resolves styles for a terminal of so many colours.
public struct Theme: Sendable {
  /// 0, 8, 16, 256, or 2²⁴ for exact colours.
  public let colours: Int
  /// The colours to be had, where the terminal has them.
  public let palette: Palette

  /// Colours as exact as 24 bits.
  public static let exactColours = 1 << 24

  /// A theme for a terminal of 0, 8, 16, 256 or 2²⁴ colours; the palette `mono` has none on any.
  public init(colours: Int, palette: Palette = .dark) {
    self.colours = palette.isColourless ? 0 : colours
    self.palette = palette
  }

  /// The colours and attributes of a style.
  public func paint(_ style: Style) -> Paint {
    if colours == 0 {
      return Paint(
        foreground: -1, background: -1,
        attributes: style.attributes.union(plainAttributes(style.foreground)).union(groundAttributes(style.background)))
    }
    var text = palette.text[style.foreground]
    // On the row under the cursor everything stays readable: quiet text takes the ground's own text colour.
    let isQuiet = style.foreground == .plain || style.foreground == .muted
    if style.background == .selected, isQuiet || colours < 256 { text = palette.text[.selected] }
    var paint = Paint(
      foreground: index(text), background: index(palette.grounds[style.background]), attributes: style.attributes)
    if colours < 16, paint.background >= 8 { paint.background -= 8 }
    if colours < 16, paint.foreground >= 8 {
      paint.foreground -= 8
      if style.background != .selected {
        if style.foreground == .muted { paint.foreground = -1 } else { paint.attributes.insert(.bold) }
      }
    }
    return paint
  }

  private func index(_ shade: Shade?) -> Int {
    guard let shade else { return -1 }
    if colours >= Self.exactColours { return shade.rgb }
    return colours >= 256 ? shade.nearestOf256 : shade.ansi ?? -1
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
