// The escape sequence that copies text to the terminal's clipboard (OSC 52), which also works over SSH. It takes
// another form inside tmux and screen. Text longer than terminals accept is cut.

import Foundation

/// OSC 52, as xterm defines it (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
public enum ClipboardSequence {
  /// The program between this one and the terminal.
  public enum Multiplexer: Sendable { case none, tmux, screen }

  /// The largest number of bytes that are copied: their base64 stays within the 100,000 that terminals accept.
  public static let longest = 74_000

  /// The longest beginning of a text that fits, in whole characters, and whether text was cut off.
  public static func fitting(_ text: String) -> (text: String, isCut: Bool) {
    guard text.utf8.count > longest else { return (text, false) }
    var (count, end) = (0, text.startIndex)
    while end < text.endIndex {
      let size = text[end].utf8.count
      guard count + size <= longest else { break }
      count += size
      end = text.index(after: end)
    }
    return (String(text[..<end]), true)
  }

  /// The sequence for a text, cut to what fits.
  ///
  /// Under tmux it is sent twice: tmux itself takes the first if `set-clipboard` is on, and passes the second to the
  /// outer terminal if `allow-passthrough` is on. screen accepts strings of at most 768 bytes, so it gets pieces.
  public static func bytes(_ text: String, through multiplexer: Multiplexer) -> String {
    let sequence = "\u{1B}]52;c;" + Data(fitting(text).text.utf8).base64EncodedString() + "\u{7}"
    switch multiplexer {
    case .none: return sequence
    case .tmux:
      return sequence + "\u{1B}Ptmux;" + sequence.replacing("\u{1B}", with: "\u{1B}\u{1B}") + "\u{1B}\\"
    case .screen:
      var wrapped = ""
      var rest = Array(sequence.utf8)[...]
      while !rest.isEmpty {
        wrapped += "\u{1B}P" + String(decoding: rest.prefix(256), as: UTF8.self) + "\u{1B}\\"
        rest = rest.dropFirst(256)
      }
      return wrapped
    }
  }

  /// The program that stands in between according to the environment.
  public static func multiplexer(_ environment: [String: String]) -> Multiplexer {
    func has(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
    return has("TMUX") ? .tmux : has("STY") ? .screen : .none
  }
}
