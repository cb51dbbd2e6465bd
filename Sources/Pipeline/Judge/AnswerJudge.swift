// A judge is a chat model at an OpenAI-compatible address that is asked of each answer whether it shows a behaviour. It is
// asked only where a command's option says so; a file of behaviours alone sends nothing anywhere. Equal answers to equal
// prompts are asked about once. What is neither yes nor no is an error, not a guess.

import Diffing
import Experiments
import Foundation
import Reports

/// Why a judge gave no verdict.
package enum JudgeError: Error, CustomStringConvertible {
  case keyMissing(behaviour: String, variable: String)
  case noAnswer(behaviour: String, reason: String)
  case unclear(behaviour: String, found: String)

  package var description: String {
    switch self {
    case .keyMissing(let behaviour, let variable):
      "the judge of \(behaviour) needs a key: set the environment variable \(variable)"
    case .noAnswer(let behaviour, let reason): "the judge of \(behaviour) does not answer: \(reason)"
    case .unclear(let behaviour, let found):
      """
      the judge of \(behaviour) was to say yes or no, but said \(quoted(found)); ask a question that yes or no answers, or \
      use another model
      """
    }
  }
}

/// The judge of one behaviour.
package struct AnswerJudge: Sendable {
  private let behaviour: Behaviour
  private let question: String
  private let endpoint: ChatEndpoint

  /// How many questions are under way at the same time.
  private static let parallel = 4

  /// - Parameter behaviour: one that a judge decides.
  /// - Throws: `JudgeError` if the key is missing or the address is none.
  package init(
    _ behaviour: Behaviour, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(JudgeError) {
    guard let judge = behaviour.judge else { preconditionFailure("\(behaviour.name) has no judge") }
    var key: String?
    if let variable = judge.keyVariable {
      key = environment[variable].flatMap { $0.isEmpty ? nil : $0 }
      guard key != nil else { throw .keyMissing(behaviour: behaviour.name, variable: variable) }
    }
    (self.behaviour, question) = (behaviour, judge.question)
    do {
      endpoint = try ChatEndpoint(base: judge.url, model: judge.model, key: key)
    } catch {
      throw .noAnswer(behaviour: behaviour.name, reason: error.description)
    }
  }

  /// The judge's verdict on each answer. Cost: one question for each answer that is not asked about yet.
  /// - Parameter progress: receives how many different answers are judged, and how many there are.
  /// - Throws: `JudgeError` at the first question without a verdict; questions that were sent are waited for.
  package func verdicts(
    on texts: [AnswerText], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> [Bool] {
    let asked = texts.map { AnswerText(prompt: $0.prompt, answer: behaviour.opening(of: $0.answer)) }
    let different = Array(Set(asked)).sorted { ($0.prompt, $0.answer) < ($1.prompt, $1.answer) }
    let verdicts = try await withThrowingTaskGroup(of: (AnswerText, Result<Bool, any Error>).self) { group in
      var waiting = different[...]
      func next() {
        guard let text = waiting.popFirst() else { return }
        group.addTask {
          do { return (text, .success(try await verdict(on: text))) } catch { return (text, .failure(error)) }
        }
      }
      for _ in 0..<Self.parallel { next() }
      var verdicts: [AnswerText: Bool] = [:]
      var failure: (any Error)?
      while let (text, result) = try await group.next() {
        switch result {
        case .success(let verdict):
          verdicts[text] = verdict
          progress(verdicts.count, different.count)
        case .failure(let error):
          // Cancelling a question that was sent can crash Foundation's URLSession on Linux.
          (failure, waiting) = (failure ?? error, [])
        }
        next()
      }
      if let failure { throw failure }
      return verdicts
    }
    return asked.map { verdicts[$0] ?? false }
  }

  private func verdict(on text: AnswerText) async throws -> Bool {
    let said: String
    do {
      said = try await endpoint.answer(
        system: "You judge one answer of a language model. Answer the question with yes or no and nothing else.",
        user: "The prompt:\n\(text.prompt)\n\nThe answer:\n\(text.answer)\n\nQuestion: \(question)")
    } catch let error as EndpointError {
      throw JudgeError.noAnswer(behaviour: behaviour.name, reason: error.description)
    }
    switch said.lowercased().trimmingCharacters(in: .whitespacesAndNewlines.union(.punctuationCharacters)) {
    case "yes": return true
    case "no": return false
    default: throw JudgeError.unclear(behaviour: behaviour.name, found: String(said.prefix(80)))
    }
  }
}
