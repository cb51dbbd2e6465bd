// The areas of the map's parts, and the glyphs of its plot.

import TUI

/// The areas of the screen's parts. The list stands at the right, on narrow terminals below.
struct MapLayout {
  let info: Rect
  /// The area of the numbers and the line at the left; the next one is below the plot.
  let yAxis: Rect
  let xAxis: Rect
  let plot: Rect
  let legend: Rect
  let side: Rect

  init(_ state: ExplorerState) {
    let (info, rest) = state.body.split(top: 1)
    let columns = rest.columns
    let main: Rect
    if columns >= 60 {
      let width = columns >= 110 ? 42 : 25
      (main, side) = rest.split(left: columns - width - 1, gap: 1)
    } else {
      (main, side) = rest.split(bottom: rest.rows >= 16 ? 6 : 0)
    }
    let (upper, legend) = main.split(bottom: main.rows >= 10 ? 1 : 0)
    let (area, below) = upper.split(bottom: 2)
    let (left, plot) = area.split(left: 8)
    (self.info, yAxis, self.plot, self.legend) = (info, left, plot, legend)
    xAxis = Rect(row: below.row, column: plot.column, rows: below.rows, columns: plot.columns)
  }

  /// The area of the cursor's coordinates and the latents there.
  var latents: Rect {
    let rest = side.split(top: 3).rest
    return rest.rows >= 8 ? rest.split(bottom: 4).rest : rest
  }
  var details: Rect {
    Rect(row: latents.endRow, column: side.column, rows: side.endRow - latents.endRow, columns: side.columns)
  }
}

/// The glyphs of a plot, from few latents to many.
struct MapGlyphs {
  let asciiOnly: Bool
  let usesBlocks: Bool

  /// The glyph of a cell with this number of latents and these braille dots.
  func density(_ count: Int, dots: UInt8) -> String {
    if asciiOnly { return Self.step([".", ":", "+", "*", "#"], count, [1, 4, 16, 64]) }
    if usesBlocks { return Self.step(["·", "░", "▒", "▓", "█"], count, [1, 4, 16, 64]) }
    if count <= 16 { return String(Unicode.Scalar(UInt32(0x2800) + UInt32(dots)).map(Character.init) ?? " ") }
    return Self.step(["▒", "▓", "█"], count, [64, 256])
  }

  private static func step(_ glyphs: [String], _ count: Int, _ limits: [Int]) -> String {
    glyphs[limits.firstIndex { count <= $0 } ?? limits.count]
  }

  var someChatOnly: String { asciiOnly ? "o" : "○" }
  var allChatOnly: String { asciiOnly ? "O" : "●" }
  var origin: String { asciiOnly ? "X" : "◆" }

  /// The legend in the order of the counts.
  var legend: String {
    if asciiOnly { return ". 1  : to 4  + to 16  * to 64  # more" }
    return usesBlocks ? "· 1  ░ to 4  ▒ to 16  ▓ to 64  █ more" : "⠂ to ⣿ 16  ▒ to 64  ▓ to 256  █ more"
  }

  /// The legend for narrow screens, which names the largest count of each glyph.
  var shortLegend: String {
    if asciiOnly { return ".1 :4 +16 *64 #more" }
    return usesBlocks ? "·1 ░4 ▒16 ▓64 █more" : "⣿16 ▒64 ▓256 █more"
  }
}
