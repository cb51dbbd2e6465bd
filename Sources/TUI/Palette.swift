// The themes as data: a colour for each role that has one; other roles use the terminal's own colours. In all themes
// base is blue and chat is orange, which colour-blind eyes can tell apart, and activations are a ramp of lightness.

/// A colour: its exact value, and one of the sixteen colours that nearly every terminal has.
public struct Shade: Hashable, Sendable {
  /// 0xRRGGBB.
  let rgb: Int
  /// 0 to 15; nil keeps the terminal's own colour if there are only sixteen.
  public let ansi: Int?
  /// The nearest of the 240 colours that are the same on all terminals with 256.
  let nearestOf256: Int

  init(_ rgb: Int, _ ansi: Int? = nil) {
    self.rgb = rgb
    self.ansi = ansi
    nearestOf256 = Self.nearest(to: rgb, in: 16...255)
  }

  /// Reads `#ff8700` or the number of one of the 256 colours; nil for anything else. The nearest of the sixteen is
  /// added.
  public init?(_ text: String) {
    let rgb: Int
    if text.hasPrefix("#"), text.utf8.count == 7, text.dropFirst().allSatisfy(\.isHexDigit) {
      rgb = Int(text.dropFirst(), radix: 16) ?? 0
    } else if let index = Int(text), (0...255).contains(index) {
      rgb = Self.value(index)
    } else {
      return nil
    }
    self.init(rgb, Self.nearest(to: rgb, in: 0...15))
  }

  private static func nearest(to rgb: Int, in indexes: ClosedRange<Int>) -> Int {
    indexes.min { distance(rgb, value($0)) < distance(rgb, value($1)) } ?? indexes.lowerBound
  }

  /// The colour that xterm shows for an index: sixteen named ones, a cube of 6 × 6 × 6, a ramp of 24 greys.
  static func value(_ index: Int) -> Int {
    switch index {
    case ..<16: return named[max(0, index)]
    case ..<232:
      let levels = [0, 95, 135, 175, 215, 255]
      let cell = index - 16
      return levels[cell / 36] << 16 | levels[cell / 6 % 6] << 8 | levels[cell % 6]
    default: return (8 + 10 * (index - 232)) * 0x010101
    }
  }

  private static let named = [
    0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5, 0x7F7F7F, 0xFF0000, 0x00FF00,
    0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF,
  ]

  private static func distance(_ a: Int, _ b: Int) -> Int {
    [16, 8, 0].reduce(0) { sum, shift in
      let difference = (a >> shift & 0xFF) - (b >> shift & 0xFF)
      return sum + difference * difference
    }
  }
}

/// A theme: colours by role.
public struct Palette: Sendable {
  /// The theme's name.
  public let name: String
  /// A few words on whom it is for.
  public let about: String
  /// The colours of text; that of `selected` is the text colour on the row under the cursor.
  public private(set) var text: [Role: Shade]
  /// The colours of backgrounds.
  private(set) var grounds: [Role: Shade]

  /// Whether it has no colours on any terminal.
  var isColourless: Bool { text.isEmpty && grounds.isEmpty }

  /// Sets the colour of one role: of its background if this theme has one for it, otherwise of its text.
  public mutating func set(_ role: Role, _ shade: Shade) {
    if grounds[role] != nil { grounds[role] = shade } else { text[role] = shade }
  }

  /// All themes; the first is the default.
  public static let all: [Palette] = [dark, light, contrast, okabeIto, mono]

  /// The theme for a dark background.
  public static let dark = Palette(
    name: "dark", about: "for a dark ground",
    text: [
      .muted: Shade(0x8A8A8A, 8), .title: Shade(0x5FAFFF, 12), .accent: Shade(0x5FD7D7, 14), .key: Shade(0x5FD7D7, 14),
      .base: Shade(0x5FAFFF, 12), .chat: Shade(0xFF8700, 11), .tag: Shade(0x87D787, 10), .good: Shade(0x87D787, 10),
      .caution: Shade(0xFFD700, 11), .danger: Shade(0xFF5F5F, 9), .changed: Shade(0xFF87FF, 13),
      .heat1: Shade(0xFFFFD7, 3), .heat2: Shade(0xFFFFD7, 3), .heat3: Shade(0x000000, 0), .heat4: Shade(0x000000, 0),
      .selected: Shade(0xEEEEEE, 15),
    ],
    grounds: [
      .selected: Shade(0x005F87, 4), .panel: Shade(0x303030), .track: Shade(0x3A3A3A), .heat1: Shade(0x5F5F00),
      .heat2: Shade(0x875F00), .heat3: Shade(0xD78700, 3), .heat4: Shade(0xFFD700, 7),
    ])

  /// The theme for a light background.
  public static let light = Palette(
    name: "light", about: "for a light ground",
    text: [
      .muted: Shade(0x6C6C6C, 8), .title: Shade(0x005FAF, 4), .accent: Shade(0x005F87, 4), .key: Shade(0x005F87, 4),
      .base: Shade(0x005FD7, 4), .chat: Shade(0xAF5F00, 1), .tag: Shade(0x005F00, 2), .good: Shade(0x005F00, 2),
      .caution: Shade(0x875F00, 5), .danger: Shade(0xAF0000, 1), .changed: Shade(0x870087, 5),
      .heat1: Shade(0x000000, 0), .heat2: Shade(0x000000, 0), .heat3: Shade(0x000000, 0), .heat4: Shade(0xFFFFFF, 15),
      .selected: Shade(0x000000, 15),
    ],
    grounds: [
      .selected: Shade(0xAFD7FF, 4), .panel: Shade(0xE4E4E4), .track: Shade(0xDADADA), .heat1: Shade(0xFFFFD7),
      .heat2: Shade(0xFFD787), .heat3: Shade(0xFFAF5F, 3), .heat4: Shade(0xAF5F00, 1),
    ])

  /// A theme with few colours, which are as bright as possible.
  public static let contrast = Palette(
    name: "contrast", about: "high contrast, on a dark ground",
    text: [
      .title: Shade(0xFFFFFF, 15), .accent: Shade(0x00FFFF, 14), .key: Shade(0xFFFF00, 11), .base: Shade(0x87D7FF, 14),
      .chat: Shade(0xFFAF00, 11), .tag: Shade(0xFFFFFF, 15), .good: Shade(0xFFFFFF, 15), .caution: Shade(0xFFFF00, 11),
      .danger: Shade(0xFFAFAF, 9), .changed: Shade(0xFFAFFF, 13), .heat1: Shade(0xFFFFFF, 15),
      .heat2: Shade(0xFFFFFF, 15), .heat3: Shade(0x000000, 0), .heat4: Shade(0x000000, 0),
      .selected: Shade(0xFFFFFF, 15),
    ],
    grounds: [
      .selected: Shade(0x0000AF, 4), .track: Shade(0x3A3A3A), .heat1: Shade(0x3A3A3A), .heat2: Shade(0x5F5F5F),
      .heat3: Shade(0xD0D0D0, 7), .heat4: Shade(0xFFFF00, 11),
    ])

  /// The colours that Okabe and Ito chose so that every kind of colour vision tells them apart (Color Universal Design,
  /// 2008, https://jfly.uni-koeln.de/color/); red is never used against green.
  public static let okabeIto = Palette(
    name: "okabe-ito", about: "safe for colour-blind eyes: blue and orange, no red beside green",
    text: [
      .muted: Shade(0x9E9E9E, 8), .title: Shade(0x56B4E9, 12), .accent: Shade(0x56B4E9, 12), .key: Shade(0x56B4E9, 12),
      .base: Shade(0x56B4E9, 12), .chat: Shade(0xE69F00, 11), .tag: Shade(0xCC79A7, 13), .good: Shade(0x56B4E9, 12),
      .caution: Shade(0xF0E442, 11), .danger: Shade(0xD55E00, 9), .changed: Shade(0xCC79A7, 13),
      .heat1: Shade(0xFFFFFF, 15), .heat2: Shade(0xFFFFFF, 15), .heat3: Shade(0x000000, 0), .heat4: Shade(0x000000, 0),
      .selected: Shade(0xFFFFFF, 15),
    ],
    grounds: [
      .selected: Shade(0x0072B2, 4), .panel: Shade(0x303030), .track: Shade(0x3A3A3A), .heat1: Shade(0x003D5F),
      .heat2: Shade(0x0072B2, 4), .heat3: Shade(0xE69F00, 3), .heat4: Shade(0xF0E442, 11),
    ])

  /// The theme without colours, in which roles become attributes. A non-empty NO_COLOR selects it.
  public static let mono = Palette(name: "mono", about: "no colours; NO_COLOR asks for it too", text: [:], grounds: [:])
}
