// Cuts the text of an answer before the first of its stop texts.

import Inference

/// The text of an answer, as its tokens arrive, up to the first stop text. Text that may be the beginning of a stop
/// text is held back together with its tokens.
package struct StoppedText {
  package typealias Certain = (text: String, tokens: [AnswerToken.Logged])

  private var generated: GeneratedText
  /// How many bytes of text have arrived, and how many of them are certain.
  private var (arrived, certain) = (0, 0)
  /// Tokens that are not certain yet, with the range of bytes that each of them added.
  private var waiting: [(token: AnswerToken.Logged, text: Range<Int>)] = []
  private let stop: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop text was found.
  private(set) var isStopped = false

  package init(tokenizer: Tokenizer, stop: [String]) {
    generated = GeneratedText(tokenizer: tokenizer)
    self.stop = stop.map { Array($0.utf8) }
  }

  /// The part of the answer that becomes certain with a token.
  package mutating func append(_ id: Int32, _ token: AnswerToken.Logged?) -> Certain {
    let piece = generated.append(id)
    // A part of a character becomes certain with the next byte, which completes it.
    if let token { waiting.append((token, arrived..<arrived + max(1, piece.utf8.count))) }
    let text = take(piece)
    return (text, release(isLast: false))
  }

  /// The rest of the answer when no token follows.
  package mutating func finish() -> Certain {
    let rest = take(generated.finish())
    guard !isStopped else { return (rest, release(isLast: true)) }
    let last = String(decoding: held, as: UTF8.self)
    held = []
    return (rest + last, release(isLast: true))
  }

  private mutating func release(isLast: Bool) -> [AnswerToken.Logged] {
    let count =
      isLast && !isStopped ? waiting.count : waiting.firstIndex { $0.text.upperBound > certain } ?? waiting.count
    var released = waiting[..<count].map(\.token)
    waiting.removeFirst(count)
    if isStopped {
      if var cut = waiting.first, cut.text.lowerBound < certain {
        cut.token.bytes.removeLast(min(cut.token.bytes.count, cut.text.upperBound - certain))
        if !cut.token.bytes.isEmpty { released.append(cut.token) }
      }
      waiting = []
    }
    return released
  }

  private mutating func take(_ piece: String) -> String {
    guard !isStopped else { return "" }
    arrived += piece.utf8.count
    held += Array(piece.utf8)
    // Both texts are UTF-8, so a match begins at a character and cuts none.
    let met = held.indices.first { start in stop.contains { held[start...].starts(with: $0) } }
    let mayBe = held.indices.first { start in stop.contains { $0.starts(with: held[start...]) } }
    isStopped = met != nil
    let count = met ?? mayBe ?? held.count
    let out = String(decoding: held[..<count], as: UTF8.self)
    held.removeFirst(count)
    certain += count
    return out
  }
}
