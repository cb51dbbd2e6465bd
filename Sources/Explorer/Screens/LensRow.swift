// The logit lens of a latent in lines: the tokens that each of its directions promotes and suppresses.

import Diffing
import Reports
import Storage
import TUI

/// The logit lens of one direction in lines: the tokens that it promotes, and those that it suppresses.
struct LensRow {
  let direction: LogitDirection
  let name: String
  let style: Style

  static let all = [
    LensRow(direction: .chat, name: "chat", style: Style(.chat, .bold)),
    LensRow(direction: .base, name: "base", style: Style(.base, .bold)),
    LensRow(direction: .difference, name: "diff", style: Style(.accent, .bold)),
  ]

  /// - Parameter isWhole: whether all tokens are shown, in as many lines as they need, instead of one line each.
  func lines(_ page: LatentPage, width: Int, isWhole: Bool) -> [FlowLine] {
    let lead = FlowSpan(text: name.rightPadded(to: 5), style: style)
    guard let logits = page.logits.first(where: { $0.direction == direction }) else {
      return [[lead, FlowSpan(text: "this store has none", style: .muted)]]
    }
    return [("+", logits.promoted), ("−", logits.suppressed)].flatMap { sign, scores in
      let lines =
        isWhole
        ? lensLines(scores, page.tokens, width: width - 10) : [lensSpans(scores, page, width: width - 10)]
      return lines.enumerated().map { index, line in
        index == 0
          ? [lead, FlowSpan(text: sign.rightPadded(to: 5), style: .muted)] + line
          : [FlowSpan(text: String(repeating: " ", count: 10), style: .plain)] + line
      }
    }
  }
}

/// Tokens of a logit lens, the strongest first, in as many lines as they need.
func lensLines(_ scores: [TokenScore], _ tokens: [Int32: TokenRecord], width: Int) -> [FlowLine] {
  var lines: [FlowLine] = [[]]
  var used = 0
  for score in scores {
    let token = truncated(visibleToken(score.token, tokens), to: 20)
    if used > 0, used + 2 + displayWidth(token) > width {
      lines.append([])
      used = 0
    }
    let text = (used > 0 ? "  " : "") + token
    lines[lines.count - 1].append(FlowSpan(text: text, style: .plain))
    used += displayWidth(text)
  }
  return lines
}

/// As many tokens of a logit lens as fit in one line, with … if there are more.
func lensSpans(_ scores: [TokenScore], _ page: LatentPage, width: Int) -> FlowLine {
  let whole = lensLines(scores, page.tokens, width: width)
  guard whole.count > 1 else { return whole.first ?? [] }
  return (lensLines(scores, page.tokens, width: width - 2).first ?? []) + [FlowSpan(text: " …", style: .muted)]
}
