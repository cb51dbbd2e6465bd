// Canvases as plain text, for golden files and for saving a screen.

extension Canvas {
  /// The characters, row by row, without trailing blanks; each row ends with a line feed.
  public var text: String {
    var lines = ""
    for row in 0..<size.rows {
      var line = ""
      for column in 0..<size.columns { line += self[row, column].text }
      while line.last == " " { line.removeLast() }
      lines += line + "\n"
    }
    return lines
  }

  /// The characters, then one letter for the style of each cell (`.` is plain), then the meanings of the letters.
  var styledText: String {
    var letters: [Style: Character] = [.plain: "."]
    var legend: [(Character, Style)] = []
    var names = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789").makeIterator()
    var grid = ""
    for row in 0..<size.rows {
      var line = ""
      for column in 0..<size.columns {
        let style = self[row, column].style
        if letters[style] == nil {
          let letter = names.next() ?? "?"
          letters[style] = letter
          legend.append((letter, style))
        }
        line.append(letters[style] ?? "?")
      }
      while line.last == "." { line.removeLast() }
      grid += line + "\n"
    }
    let meanings = legend.map { "\($0.0) \($0.1.described)\n" }.joined()
    return text + "--- styles\n" + grid + "--- legend\n" + meanings
  }
}

extension Style {
  fileprivate var described: String {
    var words = [foreground.rawValue]
    if background != .plain { words.append("on \(background.rawValue)") }
    if attributes.contains(.bold) { words.append("bold") }
    if attributes.contains(.dim) { words.append("dim") }
    if attributes.contains(.reverse) { words.append("reverse") }
    if attributes.contains(.underline) { words.append("underline") }
    return words.joined(separator: " ")
  }
}
