// Themes: what terminals of each kind are told.

import Testing

@testable import TUI

@Suite struct PaletteTests {
  @Test(arguments: Palette.all.map(\.name))
  func everyThemeStaysInsideWhatTheTerminalHas(name: String) throws {
    let palette = try #require(Palette.all.first { $0.name == name })
    for colours in [0, 8, 16, 256, Theme.exactColours] {
      let theme = Theme(colours: colours, palette: palette)
      for text in Role.allCases {
        for ground in Role.allCases {
          let paint = theme.paint(Style(text, on: ground))
          #expect(
            (-1..<max(colours, 1)).contains(paint.foreground) && (-1..<max(colours, 1)).contains(paint.background))
        }
      }
    }
  }

  @Test(arguments: Palette.all.map(\.name), [16, 256, Theme.exactColours])
  func textIsNeverInTheColourOfItsGround(name: String, colours: Int) throws {
    let palette = try #require(Palette.all.first { $0.name == name })
    let theme = Theme(colours: colours, palette: palette)
    let pairs =
      Role.allCases.filter { $0 != .selected }.map { Style($0, on: .selected) } + (1...4).map { Style.heat($0) }
      + Role.allCases.map { Style($0, on: .panel) }
    for style in pairs {
      let paint = theme.paint(style)
      #expect(paint.foreground != paint.background || paint.foreground < 0, "\(style)")
    }
  }

  @Test func themesWithoutColoursHaveNoneAnywhere() {
    for colours in [8, 16, 256, Theme.exactColours] {
      #expect(Theme(colours: colours, palette: .mono).paint(Style(.chat, on: .heat4)).foreground == -1)
    }
  }

  @Test func exactColoursAreBroughtDownToTheNearest() throws {
    let orange = try #require(Shade("#e69f00"))
    #expect(orange.rgb == Palette.okabeIto.text[.chat]?.rgb)
    for index in 16...255 {
      var palette = Palette.dark
      palette.set(.chat, try #require(Shade("\(index)")))
      let shown = Theme(colours: 256, palette: palette).paint(Style(.chat)).foreground
      // The cube and the ramp share a few greys.
      #expect(shown == index || Shade("\(shown)")?.rgb == Shade("\(index)")?.rgb)
    }
    #expect(Theme(colours: 256).paint(Style(.chat)).foreground == 208)
    #expect(Theme(colours: Theme.exactColours).paint(Style(.chat)).foreground == 0xFF8700)
    for text in ["", "#12345", "#12345g", "256", "-1", "orange", "#+12345"] { #expect(Shade(text) == nil, "\(text)") }
  }

  @Test func overridesGoToTheGroundWhereThereIsOne() throws {
    var palette = Palette.dark
    palette.set(.selected, try #require(Shade("#010203")))
    palette.set(.chat, try #require(Shade("#040506")))
    let paint = Theme(colours: Theme.exactColours, palette: palette).paint(Style(.chat, on: .selected))
    #expect(paint.background == 0x010203 && paint.foreground == 0x040506)
  }

  /// Red and green of one lightness are what most colour-blind eyes cannot tell apart.
  @Test func theSafeThemeHasNoGreenBesideItsRed() {
    for (_, shade) in Palette.okabeIto.text.merging(Palette.okabeIto.grounds, uniquingKeysWith: { one, _ in one }) {
      let (red, green, blue) = (shade.rgb >> 16, shade.rgb >> 8 & 0xFF, shade.rgb & 0xFF)
      #expect(!(green > red + 40 && green > blue + 40), "\(String(shade.rgb, radix: 16)) is a green")
    }
  }
}
