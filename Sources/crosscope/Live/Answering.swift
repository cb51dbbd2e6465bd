// One request of `crosscope serve` on the models: the answers that are wanted of a steering run, cut at its stop texts.
// Owns: which streams are wanted, what is not computed because nobody wants it, whole characters, where a text ends.
// Refuses: what SteeringRun refuses.

import Diffing
import Inference

/// Chats to answer, and how.
struct AnswerRequest: Sendable {
  var messages: [ChatMessage]
  /// Nil for the model as it is. Conditions are in the store's units.
  var plan: SteeringPlan?
  /// Its limit of tokens is cut to what the context holds where `fitsContext`.
  var settings: GenerationSettings
  var fitsContext = false
  /// An answer ends before the first of these that it would contain.
  var stop: [String] = []
  var recordsLogProbabilities = false
  /// Tokens that could have come, told with each token.
  var likeliest = 0
}

/// What one of the answers, which are counted from 0, comes to with a token.
struct AnswerToken: Sendable {
  enum Ending: String, Sendable, Codable { case stop, length }

  let answer: Int
  /// The characters that are certain now to belong to the answer.
  let text: String
  /// The tokens of which that is certain now, where log-probabilities were asked for; the end of a turn is none.
  let tokens: [Logged]
  /// How the answer ended, if it did.
  let ending: Ending?

  /// A token of an answer's text.
  struct Logged: Sendable {
    /// The token's own, which may be a part of a character; of one that a stop text cuts what comes before.
    var bytes: [UInt8]
    /// Nats, before temperature and other settings.
    let logProbability: Double
    /// The likeliest tokens at its place, the likeliest first; as many as were asked for.
    let likeliest: [Candidate]
  }

  /// A token that could have come.
  struct Candidate: Sendable {
    let bytes: [UInt8]
    /// As the token's own.
    let logProbability: Double
  }
}

/// What one answer came to.
struct AnswerSummary: Sendable, Equatable {
  /// An end-of-turn token included.
  var ids: [Int32]
  /// ‖Δh‖ ÷ ‖h‖ over the steered tokens; nil where nothing was steered.
  var relativeChange: Double?
}

/// A run under way.
final class Answering {
  let promptTokens: Int
  private let run: SteeringRun
  private let tokenizer: Tokenizer
  private let recordsLogProbabilities: Bool
  /// The run's stream of each answer.
  private let streams: [Int]
  private var texts: [StoppedText]
  private var endings: [AnswerToken.Ending?]

  init(_ request: AnswerRequest, prompt: RenderedChat, run: SteeringRun, tokenizer: Tokenizer) {
    (promptTokens, self.run, self.tokenizer) = (prompt.ids.count, run, tokenizer)
    recordsLogProbabilities = request.recordsLogProbabilities
    let all = 0..<request.settings.samples * run.arms
    streams = all.filter { $0 % run.arms == run.arms - 1 }
    for stream in all where !streams.contains(stream) { run.end(stream) }
    texts = streams.map { _ in StoppedText(tokenizer: tokenizer, stop: request.stop) }
    endings = streams.map { _ in nil }
  }

  /// One token of every answer that goes on; nil when all have ended.
  func step() throws(InferenceError) -> [AnswerToken]? {
    guard !run.isFinished else { return nil }
    var tokens: [AnswerToken] = []
    for token in try run.step() {
      guard let answer = streams.firstIndex(of: token.stream) else { continue }
      let isEndOfTurn = tokenizer.endOfTurnIDs.contains(token.id)
      var certain = texts[answer].append(token.id, isEndOfTurn ? nil : logged(token.id, stream: token.stream))
      if texts[answer].isStopped {
        run.end(token.stream)
        endings[answer] = .stop
      } else if token.isLast {
        let rest = texts[answer].finish()
        certain = (certain.text + rest.text, certain.tokens + rest.tokens)
        endings[answer] = isEndOfTurn || texts[answer].isStopped ? .stop : .length
      }
      tokens.append(
        AnswerToken(answer: answer, text: certain.text, tokens: certain.tokens, ending: endings[answer]))
    }
    return tokens
  }

  private func logged(_ id: Int32, stream: Int) -> AnswerToken.Logged? {
    guard recordsLogProbabilities, let value = run.logProbabilities(stream).last else { return nil }
    return AnswerToken.Logged(
      bytes: tokenizer.bytes(of: id), logProbability: value,
      likeliest: (run.likeliest(stream).last ?? []).map {
        .init(bytes: tokenizer.bytes(of: $0.id), logProbability: $0.value)
      })
  }

  /// What the answers have come to.
  var summaries: [AnswerSummary] {
    streams.indices.map { answer in
      let (sample, arm) = streams[answer].quotientAndRemainder(dividingBy: run.arms)
      return AnswerSummary(
        ids: run.produced(streams[answer]),
        relativeChange: arm == 0 ? nil : run.size(ofPlan: arm - 1, sample: sample).relative)
    }
  }
}

/// An answer's text as its tokens arrive, up to the first stop text. What may be the beginning of one is held back, text
/// and tokens alike.
struct StoppedText {
  typealias Certain = (text: String, tokens: [AnswerToken.Logged])

  private var generated: GeneratedText
  /// Bytes of text that have come, and those that are certain.
  private var (arrived, certain) = (0, 0)
  /// Tokens that are not certain, with the bytes of text that they brought.
  private var waiting: [(token: AnswerToken.Logged, text: Range<Int>)] = []
  private let stop: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop text was met.
  private(set) var isStopped = false

  init(tokenizer: Tokenizer, stop: [String]) {
    generated = GeneratedText(tokenizer: tokenizer)
    self.stop = stop.map { Array($0.utf8) }
  }

  /// What of the answer is certain with a token.
  mutating func append(_ id: Int32, _ token: AnswerToken.Logged?) -> Certain {
    let piece = generated.append(id)
    // A part of a character becomes certain with the next byte, which completes it.
    if let token { waiting.append((token, arrived..<arrived + max(1, piece.utf8.count))) }
    let text = take(piece)
    return (text, release(isLast: false))
  }

  /// What is left when no token follows.
  mutating func finish() -> Certain {
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
    // UTF-8 begins a character where a stop text does, so no character is cut.
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
