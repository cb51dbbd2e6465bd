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

/// A token of one of the answers, which are counted from 0.
struct AnswerToken: Sendable {
  enum Ending: String, Sendable, Codable { case stop, length }

  let answer: Int
  let id: Int32
  /// The token's own text, which may be a part of a character.
  let bytes: [UInt8]
  /// The characters that are complete now and belong to the answer.
  let text: String
  /// Whether it is none of the answer's text: the end of its turn.
  let isEndOfTurn: Bool
  /// Nats, before temperature and other settings.
  let logProbability: Double?
  /// The likeliest tokens at its place, the likeliest first; as many as were asked for.
  let likeliest: [Candidate]
  /// How the answer ended, if it did.
  let ending: Ending?

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
      var text = texts[answer].append(token.id)
      let isEndOfTurn = tokenizer.endOfTurnIDs.contains(token.id)
      if texts[answer].isStopped {
        run.end(token.stream)
        endings[answer] = .stop
      } else if token.isLast {
        text += texts[answer].finish()
        endings[answer] = isEndOfTurn || texts[answer].isStopped ? .stop : .length
      }
      tokens.append(
        AnswerToken(
          answer: answer, id: token.id, bytes: tokenizer.bytes(of: token.id), text: text, isEndOfTurn: isEndOfTurn,
          logProbability: recordsLogProbabilities ? run.logProbabilities(token.stream).last : nil,
          likeliest: (run.likeliest(token.stream).last ?? []).map {
            .init(bytes: tokenizer.bytes(of: $0.id), logProbability: $0.value)
          }, ending: endings[answer]))
    }
    return tokens
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

/// An answer's text as its tokens arrive, up to the first stop text. What may be the beginning of one is held back.
struct StoppedText {
  private var generated: GeneratedText
  private let stop: [[UInt8]]
  private var held: [UInt8] = []
  /// Whether a stop text was met.
  private(set) var isStopped = false

  init(tokenizer: Tokenizer, stop: [String]) {
    generated = GeneratedText(tokenizer: tokenizer)
    self.stop = stop.map { Array($0.utf8) }
  }

  /// The characters of the answer that are certain with a token.
  mutating func append(_ id: Int32) -> String { take(generated.append(id)) }

  /// What is left when no token follows.
  mutating func finish() -> String {
    let rest = take(generated.finish())
    guard !isStopped else { return rest }
    let last = String(decoding: held, as: UTF8.self)
    held = []
    return rest + last
  }

  private mutating func take(_ piece: String) -> String {
    guard !isStopped else { return "" }
    held += Array(piece.utf8)
    // UTF-8 begins a character where a stop text does, so no character is cut.
    let met = held.indices.first { start in stop.contains { held[start...].starts(with: $0) } }
    let mayBe = held.indices.first { start in stop.contains { $0.starts(with: held[start...]) } }
    isStopped = met != nil
    let certain = met ?? mayBe ?? held.count
    let out = String(decoding: held[..<certain], as: UTF8.self)
    held.removeFirst(certain)
    return out
  }
}
