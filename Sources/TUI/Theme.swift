// Turns styles into what the terminal gets: exact colours, 256, 16, 8 or none. Without colours, roles become
// attributes, so that no meaning depends on colour alone. Palette.swift has the themes as data.

/// What the terminal gets for a style: colours (−1 is its own) and attributes.
struct Paint: Hashable, Sendable {
  /// The colour of the text: a palette index, or 0xRRGGBB if colours are exact.
  var foreground: Int
  /// The colour of the background, in the same form.
  var background: Int
  /// The attributes.
  var attributes: Attributes
}

/// Resolves styles for a terminal with a given number of colours.
public struct Theme: Sendable {
  /// 0, 8, 16, 256, or 2²⁴ for exact colours.
  public let colours: Int
  /// The colours to use if the terminal has them.
  public let palette: Palette

  /// The number of colours that 24 bits give.
  static let exactColours = 1 << 24

  /// Makes a theme for a terminal of 0, 8, 16, 256 or 2²⁴ colours; the palette `mono` has no colours on any.
  public init(colours: Int, palette: Palette = .dark) {
    self.colours = palette.isColourless ? 0 : colours
    self.palette = palette
  }

  /// The colours and attributes of a style.
  func paint(_ style: Style) -> Paint {
    if colours == 0 {
      return Paint(
        foreground: -1, background: -1,
        attributes: style.attributes.union(plainAttributes(style.foreground)).union(groundAttributes(style.background)))
    }
    var text = palette.text[style.foreground]
    // On the row under the cursor, plain and muted text take the text colour that belongs to that background.
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
