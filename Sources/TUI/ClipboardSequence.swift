// The escape sequence that gives text to the terminal's clipboard (OSC 52), also over SSH.
// Owns: its form inside tmux and screen, and the size that terminals take. Refuses: more than that; the text is cut.

import Foundation

/// OSC 52, as xterm defines it (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html).
public enum ClipboardSequence {
  /// What stands between the program and the terminal.
  public enum Multiplexer: Sendable { case none, tmux, screen }

  /// Bytes of text that are copied at most: in base64 they stay within the 100,000 that terminals take.
  public static let longest = 74_000

  /// The beginning of a text that fits, whole characters only, and whether something was cut off.
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
  /// Under tmux it is sent twice: tmux itself takes the first where `set-clipboard` is on, and hands the second on to
  /// the terminal around it where `allow-passthrough` is on. screen takes strings of at most 768 bytes, so there it goes
  /// in pieces.
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

  /// What the environment says stands in between.
  public static func multiplexer(_ environment: [String: String]) -> Multiplexer {
    func has(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
    return has("TMUX") ? .tmux : has("STY") ? .screen : .none
  }
}
